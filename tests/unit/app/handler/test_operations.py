"""One-shot work, as far as it needs no database: what is asked, and failures as documents."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from gymops.app import operations
from gymops.aws.session import AwsError
from gymops.eventlog import parts
from tests.unit.app.handler.lines import Clock

ARN = "arn:aws:secretsmanager:us-west-1:123456789012:secret:db-AbCdEf"
SETTINGS = {
    "GYMOPS_APP_DATABASE_SECRET_ARN": ARN,
    "GYMOPS_APP_DATABASE_HOST": "127.0.0.1",
    "GYMOPS_APP_DATABASE_PORT": "1",
    "GYMOPS_APP_DATABASE_NAME": "gym",
}


class Secrets:
    """RDS's own secret, or none."""

    def __init__(self, text: str | None = '{"username": "gymops_owner", "password": "hunter2"}') -> None:
        self.text = text
        self.reads = 0

    def read(self, arn: str, /) -> str:
        self.reads += 1
        if self.text is None:
            raise AwsError(f"the secret {arn}: not allowed", reason="AccessDenied", hint="the role's policy")
        return self.text

    def read_stage(self, arn: str, stage: str, /) -> str | None:
        raise AssertionError(arn)


def ask(event: Any, secrets: Secrets | None = None, settings: dict[str, str] | None = None) -> Any:
    given = SETTINGS if settings is None else settings
    return operations.answer(event, given, clock=Clock(), secrets=secrets or Secrets())


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"do": "audit"}, "the event asks for 'audit'"),
        ({"operation": "digest"}, "the event does not say what to do"),
        (None, "the event does not say what to do"),
        ([], "the event does not say what to do"),
        ({"do": ["digest"]}, "the event asks for ['digest']"),
        ({"do": "schema-upgrade", "phse": "expand"}, "schema-upgrade does not know 'phse'"),
        ({"do": "digest", "phase": "expand"}, "digest does not know 'phase'"),
        ({"do": "seal", "number": 1}, "seal needs known, rejected"),
        ({"do": "prove", "expected": "", "at": {"host": "x"}}, "at names no database"),
        ({"do": "prove", "expected": "", "at": "x"}, "at names no database"),
        ({"do": "spoil", "how": "changed-row"}, "spoil needs at"),
        ({"do": "read"}, "read needs at"),
        ({"do": "schema-upgrade", "phase": "both"}, "phase is 'both'"),
        ({"do": "schema-upgrade", "phase": None}, "phase is None"),
        ({"do": "schema-upgrade", "phase": "contract"}, "a contract needs targets"),
        ({"do": "schema-upgrade", "phase": "contract", "targets": None}, "targets is None"),
        ({"do": "schema-upgrade", "targets": "0004"}, "targets is '0004'"),
        ({"do": "schema-upgrade", "targets": [4]}, "targets is [4]"),
        ({"do": "digest", "targets": []}, "digest does not know 'targets'"),
    ],
)
def test_what_is_not_understood_is_refused_before_the_secret_is_read(
    event: Any, message: str, logged: io.StringIO
) -> None:
    secrets = Secrets()
    error = ask(event, secrets)["error"]
    assert (error["code"], error["message"]) == ("configuration", message)
    assert secrets.reads == 0
    assert message in json.loads(logged.getvalue())["message"]


def test_an_unknown_work_is_answered_with_the_known_ones(logged: io.StringIO) -> None:
    hint = ask({"do": "drop"})["error"]["hint"]
    assert all(f"{name}" in hint for name in operations._WORK)


OTHER = {"host": "127.0.0.1", "port": 1, "secret": f"{ARN}-other"}
NEEDED: dict[str, dict[str, object]] = {
    "seal": {"known": parts.known({}), "number": 1, "rejected": {}},
    "prove": {"expected": parts.expected(parts.Expected({}, {}))},
    "spoil": {"how": "changed-row", "at": OTHER},
    "read": {"at": OTHER},
}


@pytest.mark.parametrize("name", list(operations._WORK))
def test_a_database_that_is_not_there_is_told_without_its_password(name: str, logged: io.StringIO) -> None:
    error = ask({"do": name, **NEEDED.get(name, {})})["error"]
    assert error["message"].endswith("nothing listens there")
    assert error["hint"]
    assert "hunter2" not in json.dumps(error) + logged.getvalue()


@pytest.mark.parametrize("secret", [None, "", ARN])
def test_a_drill_without_a_password_of_its_own_is_refused_before_any_is_read(
    secret: str | None, logged: io.StringIO
) -> None:
    secrets = Secrets()
    event = {"do": "spoil", "how": "changed-row", "at": {**OTHER, "secret": secret}}
    assert ask(event, secrets)["error"]["code"] == "refused"
    assert secrets.reads == 0


@pytest.mark.parametrize(
    ("secrets", "settings", "code"),
    [
        (Secrets(None), SETTINGS, "aws"),
        (Secrets("{hunter2"), SETTINGS, "configuration"),
        (Secrets(), {}, "configuration"),
        (Secrets(), {"GYMOPS_APP_DATABASE": "/var/gym.db"}, "configuration"),
    ],
)
def test_wrong_settings_are_told_without_the_secret(
    secrets: Secrets, settings: dict[str, str], code: str, logged: io.StringIO
) -> None:
    error = ask({"do": "digest"}, secrets, settings)["error"]
    assert error["code"] == code
    assert "hunter2" not in json.dumps(error) + logged.getvalue()


def test_what_nobody_thought_of_is_a_document_too(
    monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    def fail(url: str, clock: Any) -> dict[str, Any]:
        raise RuntimeError("hunter2")

    monkeypatch.setitem(operations._WORK, "digest", fail)
    error = ask({"do": "digest"})["error"]
    assert (error["code"], "RuntimeError" in error["message"]) == ("failed", True)
    line = json.loads(logged.getvalue())
    assert line["exception"][0]["type"] == "builtins.RuntimeError"
    assert "hunter2" not in json.dumps(error) + logged.getvalue()
