"""Every way in which a copied log can be wrong is caught and named: each tried on a copy of a good one."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.clock import SystemClock
from gymops.eventlog.compare import Comparison, Difference, compare
from gymops.eventlog.event import identify
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate.run import Options, run
from gymops.migrate.verify import prove
from gymops.pg import embedded
from tests.conftest import Databases, fresh_databases
from tests.contract.places import SQLITE_TITAN
from tests.fixtures_schema import Templates

EVENTS = 1500
"""Per user: more than one chunk."""
AT = 1100
TEXT_ID = 1200
"""The position of an event whose id is no UUID."""
NEW_ID = "ffffffff-0000-4000-8000-000000000000"


def event_id(position: int) -> str:
    if position == TEXT_ID:
        return str(uuid.UUID(bytes=identify("alice", "set 1200")[0]))
    return str(uuid.UUID(int=position))


def when(position: int, microsecond: int = 0) -> str:
    return f"2026-01-01T{position // 3600:02}:{position // 60 % 60:02}:{position % 60:02}.{microsecond:06}Z"


def payload(position: int) -> str:
    return f'{{"n": {position}, "kg": 62.5, "note": "café"}}'


@dataclass
class Silent:
    phases: list[str] = field(default_factory=list)

    def phase(self, name: str, total: int | None) -> None:
        self.phases.append(name)

    def advance(self, done: int) -> None: ...


def write(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SQLITE_TITAN + "ALTER TABLE events ADD COLUMN device TEXT DEFAULT 'watch';")
        rows = [
            ("set 1200" if n == TEXT_ID else event_id(n), when(n), "SetLogged", payload(n), 1)
            for n in range(1, EVENTS + 1)
        ]
        columns = "event_id, timestamp, event_type, payload, schema_version"
        insert = f"INSERT INTO events ({columns}) VALUES (?, ?, ?, ?, ?)"
        connection.executemany(insert, rows)
        connection.execute(insert, ("bad 1", "yesterday", "SetLogged", "{}", 1))
        connection.execute(insert, ("bad 2", when(1), "SetLogged", "{", 1))
        connection.execute(
            "INSERT INTO projections VALUES ('current_workout', '{\"sets\": 3}', ?)", (when(1),)
        )
        connection.execute("INSERT INTO exercises (id, name) VALUES ('squat', 'Squat'), ('bench', 'Bench')")
        connection.execute(
            "INSERT INTO aggregates VALUES ('week', '2026-W01', '{\"kg\": 1000}', ?)", (when(1),)
        )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteLog]:
    folder = tmp_path_factory.mktemp("workspace")
    for user in ("alice", "bob"):
        write(folder / user / "gym.db")
    with closing(SqliteLog(folder)) as log:
        yield log


@pytest.fixture(scope="module")
def migrated(
    source: SqliteLog, postgres_server: embedded.Server, schema_templates: Templates
) -> Iterator[str]:
    """The name of a database that holds the source's log."""
    with fresh_databases(postgres_server) as new:
        url = new(schema_templates.on(postgres_server))
        report = run(
            source,
            url,
            options=Options(quarantine=True),
            confirm=lambda _: True,
            clock=SystemClock(),
            observer=Silent(),
        )
        assert report.proof.equal
        with psycopg.connect(url) as connection:
            name = connection.info.dbname
        yield name


@pytest.fixture
def copy(migrated: str, new_database: Databases) -> str:
    return new_database(migrated)


def change(url: str, *statements: str) -> None:
    """As the superuser, with the trigger that keeps the log append-only switched off."""
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER events_append_only")
        for statement in statements:
            assert connection.execute(statement.encode()).rowcount > 0
        connection.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only")


def compared(source: SqliteLog, url: str) -> Comparison:
    with closing(PostgresLog(url)) as log:
        return compare(source, log)


def update(column: str, value: str, position: int = AT) -> str:
    return f"UPDATE events SET {column} = {value} WHERE user_id = 'alice' AND position = {position}"


def swap(one: int, other: int) -> list[str]:
    """Exchange the places of two events; (user_id, position) stays unique throughout."""
    return [
        update("position", "9999", one),
        update("position", str(one), other),
        update("position", str(other), 9999),
    ]


def test_an_untouched_copy_is_equal(source: SqliteLog, copy: str) -> None:
    result = compared(source, copy)
    assert result.equal
    assert list(result.tables) == ["events.extra", "aggregates", "exercises", "projections"]
    assert (result.a.events, result.a.rejected.rows) == (2 * EVENTS, 4)


def test_what_is_no_part_of_an_event_is_no_difference(source: SqliteLog, copy: str) -> None:
    change(copy, "UPDATE events SET xid = pg_current_xact_id()", "UPDATE rejected_events SET reason = 'else'")
    assert compared(source, copy).equal


NFC, NFD = payload(AT), unicodedata.normalize("NFD", payload(AT))
SCALE, VALUE = NFC.replace("62.5", "62.50"), NFC.replace("62.5", "62.6")
LATER = "\"timestamp\" + interval '1 microsecond'"
CHANGES: dict[str, tuple[int, str, str, str | int | None, str | int | None]] = {
    # name: position, column, what it is set to, the value in the source and in the copy
    "a number's scale": (AT, "payload", f"'{SCALE}'", NFC, SCALE),
    "a number": (AT, "payload", f"'{VALUE}'", NFC, VALUE),
    "a character's form": (AT, "payload", "normalize(payload::text, NFD)::jsonb", NFC, NFD),
    "a timestamp": (AT, "timestamp", LATER, when(AT), when(AT, 1)),
    "an event type": (AT, "event_type", "'SetLogged '", "SetLogged", "SetLogged "),
    "a schema version": (AT, "schema_version", "2", 1, 2),
    "an original id": (TEXT_ID, "source_event_id", "'set 1201'", "set 1200", "set 1201"),
    "an original id lost": (TEXT_ID, "source_event_id", "NULL", "set 1200", None),
    "an original id made up": (AT, "source_event_id", "''", None, ""),
    "the first event": (1, "schema_version", "2", 1, 2),
    "the last event": (EVENTS, "schema_version", "2", 1, 2),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_event_is_named_with_its_column_and_both_values(
    name: str, source: SqliteLog, copy: str
) -> None:
    position, column, value, a, b = CHANGES[name]
    change(copy, update(f'"{column}"', value, position))
    result = compared(source, copy)
    assert not result.equal
    assert result.differences.counts() == {"missing": 0, "extra": 0, "changed": 1, "moved": 0}
    assert result.differences.first == Difference(
        "changed", "alice", event_id(position), position, column, a, b
    )
    assert all(table.equal for table in result.tables.values())


def test_two_payloads_swapped(source: SqliteLog, copy: str) -> None:
    change(copy, update("payload", f"'{payload(AT + 7)}'"), update("payload", f"'{payload(AT)}'", AT + 7))
    result = compared(source, copy)
    assert result.differences.counts() == {"missing": 0, "extra": 0, "changed": 2, "moved": 0}
    assert result.differences.first == Difference(
        "changed", "alice", event_id(AT), AT, "payload", payload(AT), payload(AT + 7)
    )


@pytest.mark.parametrize("position", [1, AT, EVENTS])
def test_an_event_deleted(position: int, source: SqliteLog, copy: str) -> None:
    change(copy, f"DELETE FROM events WHERE user_id = 'alice' AND position = {position}")
    result = compared(source, copy)
    assert result.differences.counts() == {"missing": 1, "extra": 0, "changed": 0, "moved": 0}
    assert result.differences.first == Difference(
        "missing", "alice", event_id(position), position, None, f"SetLogged at {when(position)}", None
    )


def test_an_event_deleted_and_the_gap_closed(source: SqliteLog, copy: str) -> None:
    change(
        copy,
        f"DELETE FROM events WHERE user_id = 'alice' AND position = {AT}",
        f"UPDATE events SET position = position + 9999 WHERE user_id = 'alice' AND position > {AT}",
        "UPDATE events SET position = position - 10000 WHERE position > 9999",
    )
    result = compared(source, copy)
    assert result.differences.counts() == {"missing": 1, "extra": 0, "changed": 0, "moved": 0}
    assert result.differences.first
    assert (result.differences.first.kind, result.differences.first.event_id) == ("missing", event_id(AT))


def test_an_event_doubled_under_a_new_id(source: SqliteLog, copy: str) -> None:
    change(
        copy,
        "INSERT INTO events (user_id, position, event_id, timestamp, event_type, payload, extra)"
        f" SELECT user_id, {EVENTS + 1}, '{NEW_ID}', timestamp, event_type, payload, extra FROM events"
        f" WHERE user_id = 'alice' AND position = {AT}",
    )
    result = compared(source, copy)
    assert result.differences.counts() == {"missing": 0, "extra": 1, "changed": 0, "moved": 0}
    assert result.differences.first == Difference(
        "extra", "alice", NEW_ID, EVENTS + 1, None, None, f"SetLogged at {when(AT)}"
    )


def test_an_event_s_id_changed(source: SqliteLog, copy: str) -> None:
    change(copy, update("event_id", f"'{NEW_ID}'"))
    result = compared(source, copy)
    assert result.differences.counts() == {"missing": 1, "extra": 1, "changed": 0, "moved": 0}
    assert result.differences.first
    assert (result.differences.first.event_id, result.differences.first.position) == (event_id(AT), AT)


@pytest.mark.parametrize(
    ("one", "other", "moved"), [(AT, AT + 1, 1), (1, 2, 1), (3, 1400, 2), (1, EVENTS, 2)]
)
def test_two_events_that_changed_places(
    one: int, other: int, moved: int, source: SqliteLog, copy: str
) -> None:
    change(copy, *swap(one, other))
    result = compared(source, copy)
    assert result.differences.counts() == {"missing": 0, "extra": 0, "changed": 0, "moved": moved}
    first = result.differences.first
    assert first
    assert (first.kind, first.user_id, first.position, first.column) == ("moved", "alice", one, "position")
    assert (first.event_id, first.a, first.b) in [(event_id(one), one, other), (event_id(other), other, one)]


def test_one_event_moved_to_the_end_is_the_one_that_is_named(source: SqliteLog, copy: str) -> None:
    change(copy, update("position", str(EVENTS + 1)))
    first = compared(source, copy).differences.first
    assert first == Difference("moved", "alice", event_id(AT), AT, "position", AT, EVENTS)


def test_an_event_given_to_another_user(source: SqliteLog, copy: str) -> None:
    change(copy, update("user_id", f"'bob', event_id = '{NEW_ID}', position = {EVENTS + 1}"))
    result = compared(source, copy)
    assert result.differences.counts() == {"missing": 1, "extra": 1, "changed": 0, "moved": 0}
    assert result.differences.first
    first = result.differences.first
    assert (first.kind, first.user_id, first.event_id) == ("missing", "alice", event_id(AT))


def test_a_whole_user_renamed(source: SqliteLog, copy: str) -> None:
    change(copy, "UPDATE events SET user_id = 'Alice' WHERE user_id = 'alice'")
    result = compared(source, copy)
    assert result.differences.counts() == {"missing": EVENTS, "extra": EVENTS, "changed": 0, "moved": 0}
    assert result.differences.first
    assert (result.differences.first.kind, result.differences.first.user_id) == ("extra", "Alice")


TABLES = {
    # name: statement, table, missing, extra, changed, what is said
    "a projection's data": (
        "UPDATE projections SET data = '{\"sets\": 4}' WHERE user_id = 'alice'",
        "projections",
        (0, 0, 1),
        'changed: user \'alice\', key ["current_workout"], data: {"sets": 3} in A, {"sets": 4} in B',
    ),
    "a projection's time": (
        "UPDATE projections SET updated_at = updated_at + interval '1 microsecond' WHERE user_id = 'bob'",
        "projections",
        (0, 0, 1),
        (
            "changed: user 'bob', key [\"current_workout\"], updated_at:"
            " 820540801000000 in A, 820540801000001 in B"
        ),
    ),
    "an exercise missing": (
        "DELETE FROM exercises WHERE user_id = 'bob' AND exercise_id = 'bench'",
        "exercises",
        (1, 0, 0),
        "missing: user 'bob', key [\"bench\"]",
    ),
    "an extra aggregate": (
        "INSERT INTO aggregates VALUES ('alice', 'week', '2026-W02', '{}', now())",
        "aggregates",
        (0, 1, 0),
        'extra: user \'alice\', key ["week", "2026-W02"]',
    ),
    "the side column": (
        update("extra", '\'{"device": "phone"}\''),
        "events.extra",
        (0, 0, 1),
        "user 'alice'",
    ),
    "the side column lost": (update("extra", "NULL"), "events.extra", (1, 0, 0), "user 'alice'"),
    "all side columns lost": (
        "UPDATE events SET extra = NULL",
        "events.extra",
        (2 * EVENTS, 0, 0),
        "user 'alice'",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_differs_beside_the_events_is_named(name: str, source: SqliteLog, copy: str) -> None:
    statement, table, counts, said = TABLES[name]
    change(copy, statement)
    result = compared(source, copy)
    assert (result.equal, result.events_equal) == (False, True)
    assert {other for other, found in result.tables.items() if not found.equal} == {table}
    found = result.tables[table]
    assert ((found.missing, found.extra, found.changed), found.first) == (counts, said)


REJECTED = "WHERE user_id = 'alice' AND source_rowid = 1501"


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE rejected_events SET cells[3] = 'yesterdaz' {REJECTED}",
        f"UPDATE rejected_events SET types[3] = 'blob' {REJECTED}",
        f"UPDATE rejected_events SET columns[3] = 'time' {REJECTED}",
        f"UPDATE rejected_events SET cells[3] = NULL {REJECTED}",
        f"UPDATE rejected_events SET source_table = 'projections' {REJECTED}",
        f"DELETE FROM rejected_events {REJECTED}",
        "UPDATE rejected_events SET source_rowid = 3003 - source_rowid + 1000 WHERE user_id = 'alice'",
    ],
)
def test_a_rejected_row_that_differs(statement: str, source: SqliteLog, copy: str) -> None:
    change(copy, statement)
    result = compared(source, copy)
    assert (result.equal, result.events_equal) == (False, False)
    assert result.a.head == result.b.head
    assert result.a.rejected != result.b.rejected


# -- the command --------------------------------------------------------------------------------------


def verify(a: str, b: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "gymops", "verify", a, b, "--json"],
        env={name: value for name, value in os.environ.items() if not name.startswith("GYMOPS_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, document


def test_the_command_says_equal(source: SqliteLog, copy: str) -> None:
    code, document = verify(source.name, copy)
    assert (code, document["equal"], document["first_difference"]) == (0, True, None)
    assert document["a"]["digest"] == document["b"]["digest"]


def test_the_command_names_the_event(source: SqliteLog, copy: str) -> None:
    change(copy, update("payload", f"'{SCALE}'"))
    code, document = verify(source.name, copy)
    assert (code, document["equal"]) == (3, False)
    assert document["differences"] == {"missing": 0, "extra": 0, "changed": 1, "moved": 0}
    assert document["first_difference"] == {
        "kind": "changed",
        "user": "alice",
        "event_id": event_id(AT),
        "position": AT,
        "column": "payload",
        "a": NFC,
        "b": SCALE,
    }


def test_the_command_tells_tables_and_rejected_rows(source: SqliteLog, copy: str) -> None:
    change(copy, f"DELETE FROM rejected_events {REJECTED}", update("extra", "'{}'"))
    code, document = verify(source.name, copy)
    assert (code, document["equal"]) == (3, False)
    assert (document["rejected"]["a"]["rows"], document["rejected"]["b"]["rows"]) == (4, 3)
    assert document["tables"]["events.extra"] == {
        "a": 2 * EVENTS,
        "b": 2 * EVENTS,
        "missing": 0,
        "extra": 0,
        "changed": 1,
        "equal": False,
        "first_difference": "user 'alice'",
    }


@pytest.mark.parametrize(("after", "by"), [(0, 1), (AT, 1), (AT, 10_000), (EVENTS - 1, 1)])
def test_positions_moved_apart_while_all_events_stay_in_order(
    after: int, by: int, source: SqliteLog, copy: str
) -> None:
    change(
        copy,
        f"UPDATE events SET position = position + 99999 WHERE user_id = 'bob' AND position > {after}",
        f"UPDATE events SET position = position - 99999 + {by} WHERE position > 99999",
    )
    proof = prove(source, copy, Silent())
    assert not proof.equal
    assert proof.source.head == proof.target.head
    assert proof.first_difference == "the positions of user 'bob' are not 1, 2, 3, ..."
