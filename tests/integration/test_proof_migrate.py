"""Whatever a SQLite log holds: once migrated, both logs have the same digest, and the bad rows too."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gymops.clock import SystemClock
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate.run import Options, run
from tests.contract.strategies import FEW, JSON_TEXTS, NAMES, ODD, TIMES, many, rows, timestamps
from tests.unit.test_digest import plain_log_head, plain_record

# No column has a type, so that SQLite keeps each value as it is given.
_EVENTS = (
    "CREATE TABLE events (id INTEGER PRIMARY KEY, event_id{unique}, timestamp, event_type, payload, {more})"
)
_PROJECTIONS = "CREATE TABLE projections (key, data, updated_at, note)"

Example = Callable[..., None]

PROJECTIONS = st.tuples(
    st.one_of(NAMES, ODD),
    st.one_of(JSON_TEXTS, st.just("null")),
    st.one_of(timestamps().map(lambda pair: pair[0]), TIMES),
    ODD,
)


class Silent:
    def phase(self, name: str, total: int | None) -> None: ...

    def advance(self, done: int) -> None: ...


def insert(connection: sqlite3.Connection, table: str, values: list[tuple[Any, ...]]) -> None:
    for row in values:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)


@pytest.fixture
def migrated(gymops_database: str, tmp_path: Path) -> Example:
    """Write, migrate and compare one example; each has a user of its own in the same database."""
    serial = count()

    def check(
        name: str, events: list[tuple[Any, ...]], projections: list[tuple[Any, ...]], unique: bool, side: bool
    ) -> None:
        user = f"{name[:20]}{next(serial)}"
        file = tmp_path / "gym.db"
        file.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as connection, connection:
            more = "schema_version, note" if side else "schema_version"
            connection.execute(_EVENTS.format(unique=" UNIQUE" if unique else "", more=more))
            connection.execute(_PROJECTIONS)
            numbered = [(10 * at, *row, *((row[0],) if side else ())) for at, row in enumerate(events, -2)]
            insert(connection, "events", numbered)
            insert(connection, "projections", projections)
            held = connection.execute("SELECT count(*) FROM events").fetchone()[0]
            held_beside = connection.execute("SELECT count(*) FROM projections").fetchone()[0]
        compare_once_migrated(file, user, gymops_database, held, held_beside)

    return check


def compare_once_migrated(file: Path, user: str, url: str, events: int, projections: int) -> None:
    with closing(SqliteLog(file, user)) as source:
        report = run(
            source,
            url,
            options=Options(quarantine=True),
            confirm=lambda _: True,
            clock=SystemClock(),
            observer=Silent(),
        )
    assert report.proof.first_difference is None
    assert report.proof.equal
    with closing(SqliteLog(file, user)) as source, closing(PostgresLog(url, only=[user])) as target:
        digest = source.digest()
        assert digest == target.digest()
        held = list(source.events(user))
        assert held == list(target.events(user))
        assert digest.events == len(held) == report.written
        head = plain_log_head({user: [plain_record(event) for event in held]} if held else {})
        assert digest.head == head
        rows_beside = list(source.table_rows("projections"))
        assert rows_beside == list(target.table_rows("projections"))
        assert (source.side_streams() or {}) == target.side_streams()
        assert digest.rejected.rows == events - len(held) + projections - len(rows_beside)


@settings(FEW, max_examples=15)
@given(
    name=NAMES,
    events=st.lists(rows(), max_size=25),
    projections=st.lists(PROJECTIONS, max_size=4),
    unique=st.booleans(),
    side=st.booleans(),
)
@example(name="é", events=[], projections=[], unique=True, side=False)
@example(
    name="ends",
    events=[
        ("a", "0001-01-01T00:00:00Z", "", "{}", 0),
        ("A", "9999-12-31T23:59:59.999999Z", "", "{}", 2**31 - 1),
        (1, "2000-01-01T00:00:00+15:59:59", "T", '{"a": 1e-16383}', None),
        ("1", "2000-01-01 00:00:00-15:59", "T", "{}", 1),
    ],
    projections=[
        ("a", "null", "0001-01-01T00:00:00.000001Z", None),
        ("b", "1.0", "9999-12-31T23:59:59.999999Z", 0.1),
    ],
    unique=False,
    side=True,
)
def test_any_log_is_the_same_once_migrated(
    name: str,
    events: list[tuple[Any, ...]],
    projections: list[tuple[Any, ...]],
    unique: bool,
    side: bool,
    migrated: Example,
) -> None:
    migrated(name, events, projections, unique, side)


@many(120)
@given(
    name=NAMES,
    events=st.lists(rows(), max_size=60),
    projections=st.lists(PROJECTIONS, max_size=8),
    unique=st.booleans(),
    side=st.booleans(),
)
def test_many_logs_are_the_same_once_migrated(
    name: str,
    events: list[tuple[Any, ...]],
    projections: list[tuple[Any, ...]],
    unique: bool,
    side: bool,
    migrated: Example,
) -> None:
    migrated(name, events, projections, unique, side)
