"""The function over a real PostgreSQL whose sessions, password and process a test may take away."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.app import container
from gymops.app.handler import Function
from gymops.clock import SystemClock
from gymops.pg import embedded, schema
from gymops.pg.server import Server
from tests.unit.app.handler import conftest as unit
from tests.unit.app.handler.events import function_url

SETTINGS = {
    "GYMOPS_APP_DATABASE_SECRET_ARN": "arn:aws:secretsmanager:us-west-1:123456789012:secret:db-AbCdEf",
    "GYMOPS_APP_PASSCODE_ARN": "arn:aws:secretsmanager:us-west-1:123456789012:secret:app-AbCdEf:passcode::",
    "GYMOPS_APP_SESSION_SECRET_ARN": "arn:aws:secretsmanager:us-west-1:123456789012:secret:app-AbCdEf:key::",
}
PASSCODE = "correct horse"

event_loop, logged = unit.event_loop, unit.logged

_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class FakeSecrets:
    """Secrets Manager, as far as the app knows it."""

    texts: dict[str, str]
    reads: list[str] = field(default_factory=list)

    def read(self, arn: str, /) -> str:
        self.reads.append(arn)
        return self.texts[arn]

    def read_stage(self, arn: str, stage: str, /) -> str | None:
        return self.texts.get(f"{arn} {stage}")


class Place:
    """A server of the test's own, with a database the app's role reaches by password."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.admin_url = server.url()
        schema.upgrade(self.admin_url, clock=SystemClock())
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            row = admin.execute("SHOW hba_file").fetchone()
            assert row
            hba = Path(row[0])
            hba.write_text(
                "local all app scram-sha-256\n" + hba.read_text(encoding="utf-8"), encoding="utf-8"
            )
            admin.execute("CREATE ROLE app LOGIN IN ROLE gymops_app PASSWORD 'first'")
            admin.execute("SELECT pg_reload_conf()")

    def secret(self, password: str) -> str:
        """As RDS writes it."""
        return json.dumps(
            {
                "engine": "postgres",
                "username": "app",
                "password": password,
                "host": str(self.server.socket_dir),
                "port": self.server.port,
                "dbname": "gymops",
            }
        )

    def set_password(self, password: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(f"ALTER ROLE app PASSWORD '{password}'")

    def kill_sessions(self) -> int:
        """End the app's sessions as a failover does; how many there were."""
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            rows = admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'app'"
            ).fetchall()
        return len(rows)

    def stop(self) -> None:
        assert embedded.stop(self.server, clock=SystemClock())

    def start(self) -> None:
        embedded.start(self.server, clock=SystemClock(), tied_to_parent=True, settings=_FAST)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with embedded.temporary(clock=SystemClock(), settings=_FAST) as server:
        yield Place(server)


@pytest.fixture
def secrets(place: Place) -> FakeSecrets:
    place.set_password("first")
    return FakeSecrets(
        {
            SETTINGS["GYMOPS_APP_DATABASE_SECRET_ARN"]: place.secret("first"),
            SETTINGS["GYMOPS_APP_PASSCODE_ARN"]: PASSCODE,
            SETTINGS["GYMOPS_APP_SESSION_SECRET_ARN"]: "0123456789abcdef0123456789abcdef",
        }
    )


class Caller:
    """Someone who is signed in, behind a function URL."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._cookies: list[str] = []
        answer = self.call("POST", "/api/session", {"passcode": PASSCODE})
        assert answer["statusCode"] == 204, answer
        self._cookies = [cookie.partition(";")[0] for cookie in answer["cookies"]]

    def call(self, method: str, path: str, document: Any = None) -> dict[str, Any]:
        body = None if document is None else json.dumps(document)
        event = function_url(method, path, body, cookies=self._cookies)
        return self._function.answer(event, None)


@pytest.fixture
def function(secrets: FakeSecrets, logged: io.StringIO, event_loop: None) -> Iterator[Function]:
    built = container.build(SETTINGS, secrets=secrets)
    yield Function(built)
    built.store.close()


@pytest.fixture
def caller(function: Function) -> Caller:
    return Caller(function)
