"""The database's connection string, from a secret."""

from __future__ import annotations

import json

import pytest

from gymops.app.secret import DatabaseUrl, connection_string
from gymops.aws.session import AwsError
from gymops.errors import ConfigError
from gymops.pg.conninfo import parse

PASSWORD = "p@ss/w%rd: 'x' \\"
RDS = {
    "username": "app",
    "password": PASSWORD,
    "engine": "postgres",
    "host": "db.abc.us-west-1.rds.amazonaws.com",
    "port": 5432,
    "dbname": "gym",
    "dbInstanceIdentifier": "db",
}


class Secret:
    """A secret that is rotated each time it is read."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.reads = 0

    def __call__(self) -> str:
        self.reads += 1
        return self.texts[min(self.reads, len(self.texts)) - 1]


def test_a_secret_as_rds_writes_it() -> None:
    assert parse(connection_string(json.dumps(RDS))) == {
        "user": "app",
        "password": PASSWORD,
        "host": "db.abc.us-west-1.rds.amazonaws.com",
        "port": "5432",
        "dbname": "gym",
        "sslmode": "require",
    }


def test_a_proxy_takes_the_place_of_the_secrets_host() -> None:
    found = parse(connection_string(json.dumps(RDS), host="proxy.example.com"))
    assert (found["host"], found["port"], found["password"]) == ("proxy.example.com", "5432", PASSWORD)


def test_a_managed_secret_has_only_the_credentials() -> None:
    managed = json.dumps({"username": "app", "password": PASSWORD})
    found = parse(connection_string(managed, host="db.example.com", dbname="gym"))
    assert (found["user"], found["host"], found["dbname"]) == ("app", "db.example.com", "gym")
    with pytest.raises(ConfigError, match="which host and dbname") as told:
        connection_string(managed)
    assert "GYMOPS_APP_DATABASE_HOST" in (told.value.hint or "")


def test_a_plain_url_keeps_what_it_says_of_encryption() -> None:
    assert parse(connection_string("postgresql://app:x@db.example.com/gym"))["sslmode"] == "require"
    strict = "postgresql://app:x@db.example.com/gym?sslmode=verify-full&sslrootcert=system"
    assert parse(connection_string(strict))["sslmode"] == "verify-full"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "/run/postgresql"])
def test_on_this_machine_encryption_is_not_asked_for(host: str) -> None:
    assert "sslmode" not in parse(connection_string(json.dumps(RDS), host=host))


def test_one_host_elsewhere_is_enough_to_ask_for_encryption() -> None:
    assert parse(connection_string(json.dumps(RDS), host="localhost,db.example.com"))["sslmode"] == "require"


def test_an_address_in_the_url_does_not_bypass_the_proxy() -> None:
    found = parse(
        connection_string("host=db hostaddr=10.0.0.1 user=app dbname=gym", host="proxy.example.com")
    )
    assert "hostaddr" not in found


@pytest.mark.parametrize(
    "text",
    [
        '{"username": "app", "password": "hunter2"',
        "mysql://app:hunter2@db/gym",
        "hunter2",
        json.dumps({**RDS, "engine": "mysql", "password": "hunter2"}),
    ],
)
def test_a_secret_of_another_kind_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as told:
        connection_string(text)
    assert "hunter2" not in f"{told.value.message}{told.value.hint}"
    assert told.value.__cause__ is None


def test_it_is_read_once_until_the_server_refuses_it() -> None:
    secret = Secret(json.dumps(RDS), json.dumps({**RDS, "password": "new"}))
    url = DatabaseUrl(secret)
    assert secret.reads == 0
    assert parse(url())["password"] == parse(url())["password"] == PASSWORD
    assert secret.reads == 1
    assert parse(url(refresh=True))["password"] == "new"
    assert parse(url())["password"] == "new"
    assert secret.reads == 2


def test_a_secret_that_could_not_be_read_is_asked_for_again() -> None:
    failing = [True]

    def read() -> str:
        if failing:
            raise AwsError("the secret x: not allowed", reason="AccessDenied", hint="the role's policy")
        return json.dumps(RDS)

    url = DatabaseUrl(read)
    with pytest.raises(AwsError, match="not allowed"):
        url()
    failing.clear()
    assert parse(url())["user"] == "app"


def test_a_password_that_is_set_before_its_secret_is_current_is_found_pending() -> None:
    """As RDS rotates: pending, set, current. A rotation that was given up leaves the current one."""
    secret, pending = Secret(json.dumps(RDS)), [json.dumps({**RDS, "password": "next"})]
    url = DatabaseUrl(secret, pending=lambda: pending[0] if pending else None)
    assert parse(url())["password"] == PASSWORD
    assert parse(url(refresh=True))["password"] == "next"
    assert parse(url())["password"] == "next"
    assert parse(url(refresh=True))["password"] == PASSWORD
    pending.clear()
    assert parse(url(refresh=True))["password"] == PASSWORD
