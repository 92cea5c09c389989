"""One-shot work on a real PostgreSQL, as the owner of the schema."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from gymops.app import operations
from gymops.app.store.opening import open_store
from gymops.clock import SystemClock
from gymops.eventlog.compare import compare
from gymops.eventlog.postgres import PostgresLog
from gymops.pg import revisions, schema
from gymops.pg.lock import hold
from gymops.pg.revisions import Revision
from tests.contract.stores import Trainee
from tests.unit.app.handler import conftest as unit

logged = unit.logged

ALL = [revision.id for revision in schema.history()]


class Clock(SystemClock):
    """Does something when it should wait, and does not wait."""

    def __init__(self) -> None:
        self.before_sleep: list[Any] = []
        self.gone = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.gone

    def sleep(self, seconds: float) -> None:
        self.gone += seconds
        for act in self.before_sleep:
            act()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ask(url: str, do: str, clock: Clock | None = None, **more: Any) -> Any:
    found = operations.answer({"do": do, **more}, {"GYMOPS_APP_DATABASE": url}, clock=clock or SystemClock())
    json.dumps(found)  # as Lambda answers
    return found


def test_the_first_upgrade_applies_all_and_the_second_nothing(database: str, logged: io.StringIO) -> None:
    accepts = {"lowest": schema.MIN_SCHEMA, "highest": schema.MAX_SCHEMA}
    found = ask(database, "schema-current")
    assert (found["current"], found["pending"], found["accepts"]) == (None, ALL, accepts)
    assert found["newer"] == []
    assert ask(database, "schema-check")["ok"] is False
    first, second = ask(database, "schema-upgrade"), ask(database, "schema-upgrade")
    assert (first["applied"], first["current"], first["pending"]) == (ALL, ALL[-1], [])
    assert (second["applied"], second["current"], second["admitted"]) == ([], ALL[-1], False)
    assert ask(database, "schema-current")["current"] == ALL[-1]
    assert ask(database, "schema-check")["ok"] is True
    history = ask(database, "schema-history")["revisions"]
    assert [(one["id"], one["applied"]) for one in history] == [(name, True) for name in ALL]
    assert {one["phase"] for one in history} <= {"expand", "contract"}
    assert json.loads(logged.getvalue().splitlines()[-1])["do"] == "schema-history"


def test_a_phase_stops_before_the_first_revision_of_the_other(
    database: str, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    phases = ["expand", "expand", "contract", *["expand"] * (len(ALL) - 3)]
    known: list[Revision] = [
        replace(one, phase=phase) for one, phase in zip(schema.history(), phases, strict=True)
    ]
    monkeypatch.setattr(schema, "history", lambda: known)
    steps = [
        ("contract", [], ALL),
        ("expand", ALL[:2], ALL[2:]),
        ("expand", [], ALL[2:]),
        ("contract", ALL[2:3], ALL[3:]),
        ("expand", ALL[3:], []),
    ]
    for phase, applied, left in steps:
        found = ask(database, "schema-upgrade", phase=phase, targets=[])
        assert (found["applied"], found["pending"]) == (applied, left), found


def test_the_digest_is_that_of_verify(gymops_database: str, logged: io.StringIO) -> None:
    empty = ask(gymops_database, "digest")
    assert (empty["events"], empty["users"], empty["rejected"]) == (0, 0, {"rows": 0, "digest": ""})
    store = open_store(gymops_database, user="", clock=SystemClock())
    for user in ("default", "auth0|000001"):
        trainee = Trainee(store, user)
        trainee.start()
        trainee.log(weight=62.5)
    store.close()
    found = ask(gymops_database, "digest")
    here, there = PostgresLog(gymops_database), PostgresLog(gymops_database)
    told = compare(here, there)
    here.close()
    there.close()
    assert (found["digest"], found["events"], found["users"]) == (told.a.head, 4, 2)
    assert found["digest"] != empty["digest"]


def test_readiness_says_what_is_missing(database: str, logged: io.StringIO) -> None:
    found = ask(database, "readiness")
    assert (found["ready"], found["schema"]["revision"]) == (False, None)
    assert "no schema" in found["problem"]
    ask(database, "schema-upgrade")
    found = ask(database, "readiness")
    assert (found["ready"], found["schema"]["revision"], found["problem"]) == (True, ALL[-1], None)


def test_another_upgrade_that_does_not_end_is_named(
    database: str, clock: Clock, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_TURN", 3 * operations._PAUSE)
    with hold(database, "schema", clock=SystemClock(), holder="schema"):
        error = ask(database, "schema-upgrade", clock)["error"]
    assert error["code"] == "locked"
    assert "gymops schema on" in error["message"]
    assert ask(database, "schema-current")["current"] is None


def test_the_second_of_two_upgrades_waits_for_the_first(
    database: str, clock: Clock, logged: io.StringIO
) -> None:
    """The first applies a part, and then lets go: the second finds that done, and does the rest."""
    with ExitStack() as first:
        first.enter_context(hold(database, "schema", clock=SystemClock(), holder="schema"))

        def ends() -> None:
            clock.before_sleep.clear()
            first.close()
            schema.upgrade(database, clock=SystemClock(), to="0002")

        clock.before_sleep.append(ends)
        found = ask(database, "schema-upgrade", clock)
    assert found["applied"] == ALL
    assert schema.current(database) == ALL[-1]
    assert "waiting: the lock 'schema' is held by" in logged.getvalue()


def test_many_upgrades_at_once_apply_each_revision_once(database: str, logged: io.StringIO) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: ask(database, "schema-upgrade"), range(4)))
    assert [one["current"] for one in done] == [ALL[-1]] * 4, done
    with psycopg.connect(database) as connection:
        (history,) = connection.execute("SELECT history FROM alembic_version").fetchone() or ([],)
    assert [one["id"] for one in history] == ALL
    assert schema.check(database).ok


@pytest.fixture
def blocked(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """Somebody reads a table that the next revision changes, and goes on reading."""
    monkeypatch.setattr(revisions, "LOCK_TIMEOUT", "100ms")
    schema.upgrade(database, clock=SystemClock(), to="0003")
    with ExitStack() as stack:
        reader = stack.enter_context(psycopg.connect(database))
        reader.execute("SELECT FROM projections")
        yield reader


def test_a_revision_that_gave_way_is_tried_again(
    database: str, blocked: psycopg.Connection[Any], clock: Clock, logged: io.StringIO
) -> None:
    clock.before_sleep.append(blocked.rollback)
    found = ask(database, "schema-upgrade", clock)
    assert found["applied"] == ALL[3:]
    assert "gave way" in logged.getvalue()


def test_a_revision_that_gives_way_to_the_end_names_who_blocks_it(
    database: str,
    blocked: psycopg.Connection[Any],
    clock: Clock,
    logged: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operations, "_TRIES", 3)
    error = ask(database, "schema-upgrade", clock)["error"]
    assert "gave way after 100ms and left no trace: blocked by" in error["message"]
    assert logged.getvalue().count("gave way: ") == 2
    blocked.rollback()
    assert ask(database, "schema-current")["current"] == "0003"


def test_the_app_s_own_role_upgrades_nothing(database: str, logged: io.StringIO) -> None:
    schema.upgrade(database, clock=SystemClock(), to="0003")
    error = ask(database.replace("gymops@", "gymops_app@"), "schema-upgrade")["error"]
    assert (error["code"], bool(error["hint"])) == ("target", True), error
    assert ask(database, "schema-current")["current"] == "0003"
