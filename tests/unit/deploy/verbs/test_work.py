"""One-shot work that fails says what to do: its own hint, the log, or how its database is connected."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.failures import WorkFailed

GONE = "the secret arn:aws:secretsmanager:us-east-1:1:secret:gym-app/prod/database-direct: there is none"


def failing(answer: dict[str, Any], **outputs: str) -> App:
    done = SimpleNamespace(answer=answer, failed=False)
    functions = SimpleNamespace(invoke=lambda function, event: done)  # noqa: ARG005 - as it is called
    site: Any = SimpleNamespace(
        deployment=SimpleNamespace(name="prod"), outputs=lambda _: outputs, functions=functions
    )
    return App(site, "bucket")


@pytest.mark.parametrize(
    ("error", "outputs", "hint"),
    [
        ({"message": "no", "hint": "its own"}, {}, "its own"),
        ({"message": "no"}, {}, "the log of work says more"),
        ({"message": GONE, "hint": "its own"}, {}, "its own"),
        ({"message": "no"}, {"DatabaseSecretName": "gym-app/prod/database"}, "the log of work says more"),
        (
            {"message": GONE},
            {"DatabaseSecretName": "gym-app/prod/database"},
            "gymops neon connect prod, then the same command again",
        ),
    ],
)
def test_the_hint_leads_on(error: dict[str, str], outputs: dict[str, str], hint: str) -> None:
    with pytest.raises(WorkFailed) as told:
        failing({"error": error}, **outputs).work("work", {"do": "schema-current"})
    assert told.value.hint == hint
