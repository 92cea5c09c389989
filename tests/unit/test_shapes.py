"""Which table holds the events, told from the schema alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from gymops.config import EventMapping
from gymops.eventlog.shapes import NoOrderError, Shape, other_tables, quote, recognise
from tests.sources import LOOSE, TITAN

NEON = "CREATE TABLE events (event_id TEXT PRIMARY KEY, event_type, timestamp, data, created_at)"
MAPPING = EventMapping("Log", "uuid", "at", "kind", "body")
FOREIGN = 'CREATE TABLE log (n INTEGER PRIMARY KEY, UUID TEXT, "at" TEXT, kind TEXT, body TEXT, device TEXT)'


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def shape(connection: sqlite3.Connection, *ddl: str, mapping: EventMapping | None = None) -> Shape | str:
    for statement in ddl:
        connection.execute(statement)
    return recognise(connection, mapping)


def test_the_app_s_shape(connection: sqlite3.Connection) -> None:
    found = shape(connection, TITAN)
    assert found == Shape(
        "titan", "events", "event_id", "timestamp", "event_type", "payload", "schema_version", "rowid"
    )


def test_the_neon_shape(connection: sqlite3.Connection) -> None:
    found = shape(connection, NEON)
    assert isinstance(found, Shape)
    assert (found.name, found.payload, found.schema_version) == ("neon", "data", None)
    assert (found.extra, found.unique_ids) == (("created_at",), True)


def test_payload_wins_over_data(connection: sqlite3.Connection) -> None:
    found = shape(connection, LOOSE[:-1] + ", data)")
    assert isinstance(found, Shape)
    assert (found.payload, found.extra) == ("payload", ("data",))


def test_a_mapping(connection: sqlite3.Connection) -> None:
    found = shape(connection, FOREIGN, mapping=MAPPING)
    assert isinstance(found, Shape)
    assert (found.name, found.event_id, found.extra) == ("mapping", "UUID", ("device",))
    assert not found.unique_ids


@pytest.mark.parametrize(
    ("ddl", "mapping", "lacks"),
    [
        ("CREATE TABLE tracks (id)", None, "no table 'events'"),
        (FOREIGN, None, "no table 'events'"),
        (TITAN, MAPPING, "no table 'Log'"),
        (FOREIGN.replace("kind", "sort"), MAPPING, "table 'Log' has no column 'kind'"),
        (LOOSE.replace("event_type", "type"), None, "table 'events' has no column 'event_type'"),
        (LOOSE.replace("payload", "body"), None, "table 'events' has no column 'data'"),
    ],
)
def test_what_is_lacking(
    connection: sqlite3.Connection, ddl: str, mapping: EventMapping | None, lacks: str
) -> None:
    assert shape(connection, ddl, mapping=mapping) == lacks


@pytest.mark.parametrize(
    ("index", "unique"),
    [
        ("CREATE UNIQUE INDEX i ON events (event_id)", True),
        ("CREATE UNIQUE INDEX i ON events (event_id COLLATE NOCASE)", True),
        ("CREATE INDEX i ON events (event_id)", False),
        ("CREATE UNIQUE INDEX i ON events (event_id, timestamp)", False),
        ("CREATE UNIQUE INDEX i ON events (event_id) WHERE schema_version > 1", False),
        ("CREATE UNIQUE INDEX i ON events (lower(event_id))", False),
    ],
)
def test_which_index_keeps_ids_unique(connection: sqlite3.Connection, index: str, unique: bool) -> None:
    found = shape(connection, LOOSE, index)
    assert isinstance(found, Shape)
    assert found.unique_ids is unique


@pytest.mark.parametrize(
    "ddl",
    [
        LOOSE + " WITHOUT ROWID",
        LOOSE.replace("id INTEGER", "rowid INTEGER") + " WITHOUT ROWID",
        "CREATE VIEW events AS SELECT 1 AS event_id, 1 AS timestamp, 1 AS event_type, 1 AS payload",
    ],
)
def test_what_keeps_no_order(connection: sqlite3.Connection, ddl: str) -> None:
    with pytest.raises(NoOrderError, match="does not keep the order of its events"):
        shape(connection, ddl)


def test_tables_beside_the_events(connection: sqlite3.Connection) -> None:
    shape(
        connection,
        TITAN.replace("TABLE events", "TABLE Events"),
        "CREATE TABLE EXERCISES (Id TEXT PRIMARY KEY, Name TEXT, muscle TEXT)",
        "CREATE TABLE projections (data TEXT)",
        "CREATE TABLE sqlitestuff (a)",
        "CREATE VIEW aggregates AS SELECT 1",
    )
    known, unknown = other_tables(connection, "events")
    assert [(table.name, table.extra) for table in known] == [("exercises", ("muscle",))]
    assert known[0].columns["exercise_id"] == ("text", "Id")
    assert unknown == ("projections", "sqlitestuff"), "a table of a known name but another shape is named"


def test_quoting() -> None:
    assert quote('a"b') == '"a""b"'
