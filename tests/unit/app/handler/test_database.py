"""Which database the settings name, and by what the app proves who it is."""

from __future__ import annotations

import io
from typing import Any

import pytest

from gymops.app.container import build
from gymops.app.database import provider
from gymops.aws.session import AwsError
from gymops.errors import ConfigError
from gymops.pg.conninfo import parse
from tests.unit.app.handler.lines import Client, Clock

IAM = {
    "GYMOPS_APP_DATABASE_AUTH": "iam",
    "GYMOPS_APP_DATABASE_USER": "gymops_app",
    "GYMOPS_APP_DATABASE_HOST": "prod.proxy-abc.us-west-1.rds.amazonaws.com",
    "GYMOPS_APP_DATABASE_NAME": "gym",
}
ARN = "arn:aws:secretsmanager:us-west-1:123456789012:secret:db-AbCdEf"


class Tokens:
    """Signs by counting."""

    def __init__(self) -> None:
        self.signed: list[tuple[str, int, str]] = []

    def sign(self, host: str, port: int, user: str, /) -> str:
        self.signed.append((host, port, user))
        return f"hunter{len(self.signed)}&X-Amz-Signature=='s \\"


class NoSecrets:
    """Nothing is read by IAM."""

    def read(self, arn: str, /) -> str:
        raise AssertionError(arn)

    def read_stage(self, arn: str, stage: str, /) -> str | None:
        raise AssertionError(arn)


def test_each_connection_has_a_token_of_its_own() -> None:
    tokens = Tokens()
    url = provider(IAM, secrets=NoSecrets(), tokens=tokens)
    assert tokens.signed == []
    assert parse(url()) == {
        "user": "gymops_app",
        "password": "hunter1&X-Amz-Signature=='s \\",
        "host": "prod.proxy-abc.us-west-1.rds.amazonaws.com",
        "port": "5432",
        "dbname": "gym",
        "sslmode": "require",
    }
    assert parse(url())["password"].startswith("hunter2")
    assert parse(url(refresh=True))["password"].startswith("hunter3")
    assert set(tokens.signed) == {(IAM["GYMOPS_APP_DATABASE_HOST"], 5432, "gymops_app")}


def test_a_token_is_for_the_port_that_is_connected_to() -> None:
    tokens = Tokens()
    url = provider({**IAM, "GYMOPS_APP_DATABASE_PORT": "6432"}, secrets=NoSecrets(), tokens=tokens)()
    assert (parse(url)["port"], tokens.signed[0][1]) == ("6432", 6432)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.77.0.1", "localhost"])
def test_on_this_machine_encryption_is_not_asked_for(host: str) -> None:
    url = provider({**IAM, "GYMOPS_APP_DATABASE_HOST": host}, secrets=NoSecrets(), tokens=Tokens())
    assert "sslmode" not in parse(url())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"AUTH": "IAM"}, "AUTH is 'IAM'"),
        ({"SECRET_ARN": ARN}, "SECRET_ARN is set, and GYMOPS_APP_DATABASE_AUTH=iam takes no password"),
        ({"": "postgresql://app@db/gym"}, "DATABASE is set, and GYMOPS_APP_DATABASE_AUTH=iam"),
        ({"USER": ""}, "GYMOPS_APP_DATABASE_USER is missing"),
        ({"HOST": "", "NAME": ""}, "DATABASE_HOST and GYMOPS_APP_DATABASE_NAME are missing"),
        ({"HOST": "a,b"}, "HOST is 'a,b'"),
        ({"HOST": "/run/postgresql"}, "HOST is"),
        ({"PORT": "0"}, "PORT is '0'"),
        ({"PORT": "65536"}, "PORT is '65536'"),
        ({"PORT": "x"}, "PORT is 'x'"),
        ({"AUTH": "secret"}, "USER is set, and a URL or a secret names its own user"),
        ({"AUTH": "", "USER": ""}, "no database is named"),
        ({"AUTH": "", "SECRET_ARN": ARN}, "USER is set"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, str], message: str) -> None:
    changed = {f"GYMOPS_APP_DATABASE{f'_{name}' if name else ''}": value for name, value in given.items()}
    with pytest.raises(ConfigError, match=message) as told:
        provider({**IAM, **changed}, secrets=NoSecrets(), tokens=Tokens())
    assert told.value.hint


class Unsigned:
    """A function without a role."""

    def sign(self, host: str, port: int, user: str, /) -> str:
        raise AwsError("a token: no credentials", reason="NoCredentials", hint="give the function a role")


@pytest.mark.parametrize("tokens", [Tokens(), Unsigned()], ids=["refused", "unsigned"])
def test_a_database_that_is_not_there_is_told_without_the_token(tokens: Any, logged: io.StringIO) -> None:
    settings = {
        **IAM,
        "GYMOPS_APP_DATABASE_HOST": "127.0.0.1",
        "GYMOPS_APP_DATABASE_PORT": "1",
        "GYMOPS_APP_PASSCODE": "correct horse",
        "GYMOPS_APP_SESSION_SECRET": "0123456789abcdef0123456789abcdef",
    }
    built = build(settings, clock=Clock(), secrets=NoSecrets(), tokens=tokens)
    answer = Client(built.app).get("/api/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "hunter" not in answer.text + logged.getvalue()
    assert "Signature" not in answer.text + logged.getvalue()
