"""What looks like a secret is refused by its file's name, and not repeated."""

from __future__ import annotations

import base64
import hashlib

import pytest

from gymops.deploy.build import secrets
from gymops.deploy.build.entry import Entry
from gymops.errors import GateRefused

MADE = base64.b64encode(hashlib.sha256(b"seed").digest()).decode()


def entry(path: str, text: str | bytes = "") -> Entry:
    data = text if isinstance(text, bytes) else text.encode()
    return Entry(path, lambda: data)


@pytest.mark.parametrize(
    "path",
    [".env", "app/.env.production", "app/server.pem", "app/tls.key", ".npmrc", "a/id_rsa", "x/.aws/config"],
)
def test_files_that_hold_secrets_by_their_name(path: str) -> None:
    with pytest.raises(GateRefused, match=f"^{path}: by its name") as error:
        secrets.refuse([entry("app/main.py"), entry(path)])
    assert error.value.exit_code == 4


@pytest.mark.parametrize(
    "line",
    [
        "key = 'AKIA" + "Z7QK4RT2MPLX5WVB'",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "ghp_" + "a1B2" * 10,
        "xoxb-" + "1234567890-abcdef",
        "k = 'sk-ant-" + "api03-" + "a1B2c3D4" * 6 + "'",
        "url = 'postgresql://app:" + "hunter2hunter2@db.internal/app'",
        f"DB_PASSWORD = '{MADE}'",
        f'"api_key": "{MADE[:24]}"',
    ],
)
def test_keys_by_their_form_or_their_entropy(line: str) -> None:
    with pytest.raises(GateRefused, match=r"^app/settings.py:3: ") as error:
        secrets.refuse([entry("app/settings.py", f"import os\n\n{line}\n")])
    said = f"{error.value.message} {error.value.hint}"
    assert line not in said
    assert MADE not in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['DATABASE_PASSWORD_OF_THE_APP']",
        "TOKEN_KEY = 'a-name-of-something-long'",
        "token_kind = 'access-token-access-token-v2'",
        "secret = 'correct horse battery staple'",
        "hint = 'postgresql://user:password@host/database'",
        "url = f'postgresql://{user}:{password}@{host}/db'",
        "aws_example = 'AKIAIOSFODNN7EXAMPLE'",
        "digest = 'sha256:" + "0123456789abcdef" * 4 + "'",
        "token_url = 'https://example.auth0.com/oauth/token'",
    ],
)
def test_what_only_speaks_of_secrets_is_let_in(line: str) -> None:
    secrets.refuse([entry("app/settings.py", line)])


def test_a_file_that_is_named_as_none_is_let_in() -> None:
    found = [entry("app/sample.pem"), entry("app/fake.py", f"token = '{MADE}'")]
    secrets.refuse(found, ("app/sample.pem", "app/f*.py"))


def test_binaries_are_not_searched() -> None:
    secrets.refuse([entry("app/icon.png", b"\x89PNG\0AKIA" + b"Z7QK4RT2MPLX5WVB")])
