"""A database that a later gymops upgraded: served while that only added to it, refused after a contract."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from gymops.app import operations
from gymops.app.main import create_app
from gymops.app.store.opening import open_store
from gymops.clock import SystemClock
from gymops.errors import SchemaError
from gymops.eventlog.sample import write_workspace
from gymops.pg import revisions, schema
from gymops.pg.connection import DatabaseError, connect
from tests.contract.stores import Trainee
from tests.integration.app.api.conftest import HOST, SETTINGS
from tests.later import Later
from tests.sources import migrate

KNOWN = [revision.id for revision in schema.history()]
RECORD = "SELECT history FROM alembic_version"
RELATIONS = """
SELECT oid, relname, relkind, relnatts, xmin::text FROM pg_catalog.pg_class
WHERE relnamespace = 'public'::regnamespace ORDER BY oid
"""


@pytest.fixture
def later(tmp_path: Path) -> Later:
    return Later(tmp_path / "later")


@pytest.fixture
def ready(gymops_database: str) -> Iterator[Callable[[], tuple[int, dict[str, Any]]]]:
    """What ``/api/ready`` answers, as the app's own role."""
    store = open_store(gymops_database.replace("gymops@", "gymops_app@"), user="", clock=SystemClock())
    client = TestClient(create_app(store, SETTINGS, clock=SystemClock()), base_url=HOST)

    def ask() -> tuple[int, dict[str, Any]]:
        answer = client.get("/api/ready")
        return answer.status_code, answer.json()

    with closing(store):
        yield ask


def ask(url: str, do: str, **more: Any) -> dict[str, Any]:
    return operations.answer({"do": do, **more}, {"GYMOPS_APP_DATABASE": url}, clock=SystemClock())


def recorded(url: str) -> list[tuple[str, str]]:
    with connect(url, autocommit=True) as connection:
        row = connection.execute(RECORD).fetchone()
    assert row is not None
    return [(one["id"], one["phase"]) for one in row[0]]


def refused(url: str) -> list[SchemaError]:
    """What everything that looks at the schema says; nothing of it may be let through."""
    found = []
    for look in (
        schema.current,
        schema.pending,
        schema.check,
        schema.look,
        lambda url: schema.upgrade(url, clock=SystemClock()),
    ):
        with pytest.raises(SchemaError) as error:
            look(url)
        found.append(error.value)
    return found


def test_what_a_later_release_added_to_is_served(
    gymops_database: str, later: Later, ready: Callable[[], tuple[int, dict[str, Any]]]
) -> None:
    added = [later.expand(), later.expand()]
    assert later.upgrade(gymops_database) == added

    assert schema.current(gymops_database) == added[-1]
    assert schema.pending(gymops_database) == []
    assert [one.id for one in schema.look(gymops_database).newer] == added
    assert schema.upgrade(gymops_database, clock=SystemClock()) == []
    report = schema.check(gymops_database)
    assert report.ok
    said = {check.name: check.detail for check in report.checks}
    assert f"at {added[-1]}, newer than {KNOWN[-1]}" in said["revision"]
    assert ready() == (
        200,
        {
            "ready": True,
            "schema": {"revision": added[-1], "expected": KNOWN[-1]},
            "projections": {"lag": 0},
        },
    )


def test_the_app_and_a_migration_write_to_what_a_later_release_added_to(
    gymops_database: str, later: Later, tmp_path: Path
) -> None:
    later.expand()
    later.upgrade(gymops_database)
    with closing(open_store(gymops_database, user="", clock=SystemClock())) as store:
        Trainee(store, "ann").train()
        assert store.rebuild("ann").equal
    write_workspace(tmp_path / "workspace", users=2, events=50, seed=3)
    assert migrate(tmp_path / "workspace", gymops_database).proof.equal


def test_what_a_later_release_took_away_from_is_refused(
    gymops_database: str, later: Later, ready: Callable[[], tuple[int, dict[str, Any]]]
) -> None:
    later.expand()
    contract, last = later.contract(), later.expand()
    later.upgrade(gymops_database)

    for error in refused(gymops_database):
        assert f"at revision {last}" in error.message
        assert f"{contract} takes away" in error.message
        assert "gymops releases ENV" in (error.hint or "")
    status, document = ready()
    assert (status, document["ready"], document["code"]) == (503, False, "not_ready")
    assert document["schema"] == {"revision": last, "expected": KNOWN[-1]}
    assert f"{contract} takes away" in document["detail"]
    assert ask(gymops_database, "schema-current")["error"]["code"] == "schema"
    assert f"{contract} takes away" in ask(gymops_database, "readiness")["problem"]


@pytest.mark.parametrize(
    "damage",
    [
        "ALTER TABLE alembic_version DROP COLUMN history",
        "UPDATE alembic_version SET history = NULL",
        "UPDATE alembic_version SET history = '{}'",
        "UPDATE alembic_version SET history = history - -1",
        "UPDATE alembic_version SET history = history || '7'::jsonb",
        f"UPDATE alembic_version SET history = history - {len(KNOWN) - 1}",
    ],
)
def test_a_newer_revision_of_which_nothing_is_known_is_refused(
    gymops_database: str, later: Later, ready: Callable[[], tuple[int, dict[str, Any]]], damage: str
) -> None:
    last = later.expand()
    later.upgrade(gymops_database)
    with connect(gymops_database, autocommit=True) as connection:
        connection.execute(damage.encode())
    for error in refused(gymops_database):
        assert f"at revision {last}, which this gymops does not know" in error.message
    status, document = ready()
    assert status == 503
    assert "does not know" in document["detail"]


def test_a_phase_that_this_gymops_does_not_know_counts_as_a_contract(
    gymops_database: str, later: Later
) -> None:
    unknown = later.add("swap", "SELECT 1")
    later.upgrade(gymops_database)
    for error in refused(gymops_database):
        assert f"{unknown} takes away" in error.message


def test_the_record_is_that_of_the_revisions_applied(database: str, later: Later) -> None:
    schema.upgrade(database, clock=SystemClock(), to="0004")  # the last one before there was a record
    later.expand()
    later.contract()
    later.upgrade(database)
    with later.at_work():
        phases = [(one.id, one.phase) for one in schema.history()]
        assert recorded(database) == phases
        assert schema.check(database).checks[0].ok

        revisions.undo(connect(database), later.ids[-2])
        assert recorded(database) == phases[:-1]
    assert schema.current(database) == later.ids[-2]


def test_a_revision_that_fails_is_not_recorded(gymops_database: str, later: Later) -> None:
    good = later.expand()
    later.add("contract", "SELECT 1 / 0")
    with pytest.raises(DatabaseError, match="left no trace"):
        later.upgrade(gymops_database)
    assert recorded(gymops_database)[-1] == (good, "expand")
    assert schema.current(gymops_database) == good


def test_the_offline_sql_records_the_same(database: str, gymops_database: str, later: Later) -> None:
    later.expand()
    later.upgrade(gymops_database)
    with later.at_work(), connect(database, autocommit=True) as connection:
        for revision in later.ids:
            connection.execute(revisions.offline_sql(revision).encode())
    assert recorded(database) == recorded(gymops_database)
    assert schema.current(database) == later.ids[-1]


def test_the_app_reads_the_record_and_does_not_change_it(gymops_database: str) -> None:
    with connect(gymops_database, autocommit=True) as connection:
        connection.execute("SET ROLE gymops_app")
        assert connection.execute(RECORD).fetchone() is not None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE alembic_version SET history = NULL")


def test_one_shot_work_tells_what_is_newer(gymops_database: str, later: Later) -> None:
    first = later.expand()
    later.upgrade(gymops_database)
    found = ask(gymops_database, "schema-current")
    assert (found["current"], found["pending"], found["newer"]) == (first, [], [first])
    listed = ask(gymops_database, "schema-history")["revisions"]
    assert [(one["id"], one["phase"], one["applied"]) for one in listed] == [
        *((one.id, one.phase, True) for one in schema.history()),
        (first, "expand", True),
    ]
    done = ask(gymops_database, "schema-upgrade", phase="expand")
    assert (done["applied"], done["current"], done["pending"]) == ([], first, [])
    json.dumps([found, listed, done])


def test_a_contract_waits_for_the_releases_one_may_return_to(gymops_database: str, later: Later) -> None:
    before = KNOWN[-1]
    first, contract, last = later.expand(), later.contract(), later.expand()
    with later.at_work():
        ask(gymops_database, "schema-upgrade", phase="expand")

        for needed in ([before], [last, first], ["9999"], ["old"]):
            error = ask(gymops_database, "schema-upgrade", phase="contract", targets=needed)["error"]
            assert error["code"] == "refused"
            assert contract in error["message"]
            assert needed[-1] in error["message"]
            assert error["hint"]
        assert schema.current(gymops_database) == first

        done = ask(gymops_database, "schema-upgrade", phase="contract", targets=[contract, last])
        assert (done["applied"], done["current"], done["pending"]) == ([contract], contract, [last])


def test_a_contract_that_may_wait_is_no_finding_and_one_with_more_behind_it_that_is_needed_is(
    gymops_database: str, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    expand, contract = later.expand(), later.contract()
    with later.at_work():
        monkeypatch.setattr(schema, "MAX_SCHEMA", contract)
        findings = [one.name for one in schema.check(gymops_database).checks if not one.ok]
        assert findings == ["revision"]
        ask(gymops_database, "schema-upgrade", phase="expand")
        found = ask(gymops_database, "schema-check")
        assert found["ok"], found
        assert found["checks"][0]["detail"] == f"at {expand}; {contract} takes away, and may wait"
        assert len(found["checks"]) > 2

        last = later.expand()
        monkeypatch.setattr(schema, "MIN_SCHEMA", last)
        monkeypatch.setattr(schema, "MAX_SCHEMA", last)
        found = ask(gymops_database, "schema-check")
        assert [one["name"] for one in found["checks"] if not one["ok"]] == ["accepted"]


@pytest.mark.parametrize("at", [None, "0004"], ids=["empty", "behind"])
def test_what_starts_and_is_asked_applies_nothing_even_as_the_owner(database: str, at: str | None) -> None:
    """A cold start never touches the schema; only one-shot work does, and that never goes back."""
    if at:
        schema.upgrade(database, clock=SystemClock(), to=at)
    with connect(database, autocommit=True) as connection:
        before = connection.execute(RELATIONS).fetchall()
        store = open_store(database, user="", clock=SystemClock())
        with (
            closing(store),
            TestClient(
                create_app(store, SETTINGS, clock=SystemClock()), base_url=HOST, raise_server_exceptions=False
            ) as client,
        ):
            assert client.get("/api/health").status_code == 200
            assert client.get("/api/ready").status_code == (200 if at else 503)
            client.get("/api/workouts")
        assert connection.execute(RELATIONS).fetchall() == before
    assert schema.current(database) == at


def test_no_code_of_ours_goes_downwards() -> None:
    """``undo`` is for development: nothing but the tests calls it."""
    found = {
        file.name
        for file in Path(operations.__file__).parents[1].rglob("*.py")
        if re.search(r"revisions\.undo|\.downgrade\(", file.read_text(encoding="utf-8"))
    }
    assert found == {"revisions.py"}
