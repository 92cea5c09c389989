"""Recognising a SQLite database: which table holds the events, and what lies beside it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from gymops.config import EventMapping
from gymops.errors import SourceError


@dataclass(frozen=True)
class Shape:
    """Which table and columns hold the events."""

    name: str
    table: str
    event_id: str
    timestamp: str
    event_type: str
    payload: str
    schema_version: str | None
    extra: tuple[str, ...] = ()
    """Columns with no place of their own in the target; kept in its side column."""
    unique_ids: bool = True
    """Whether the table itself keeps event ids unique."""

    def columns(self) -> str:
        """The select list of ``event.Row`` decoding, as SQL."""
        names = [self.event_id, self.timestamp, self.event_type, self.payload]
        quoted = [quote(name) for name in names]
        quoted.append(quote(self.schema_version) if self.schema_version else "1")
        return ", ".join(["rowid", *quoted, *map(quote, self.extra)])


@dataclass(frozen=True)
class SmallTable:
    """A table beside the events: what it is called and what its columns become in the target."""

    name: str
    columns: dict[str, tuple[str, str]]
    """Target column -> (kind, source column); kinds: text, text?, json, time, time?, bool."""
    extra: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Contents:
    """What a SQLite file holds, as of one short transaction."""

    shape: Shape
    low_mark: int
    high_mark: int
    """The lowest and highest event rowid; what is appended later is not part of this log."""
    bytes: int
    tables: tuple[SmallTable, ...]
    unknown_tables: tuple[str, ...]


# Target table -> target column -> (kind, names the column is known to have in a source).
KNOWN_TABLES: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "projections": {
        "key": ("text", ("key",)),
        "data": ("json", ("data", "value")),
        "updated_at": ("time", ("updated_at",)),
    },
    "exercises": {
        "exercise_id": ("text", ("exercise_id", "id")),
        "name": ("text", ("name",)),
        "category": ("text?", ("category",)),
        "description": ("text?", ("description",)),
        "is_custom": ("bool", ("is_custom",)),
        "created_at": ("time?", ("created_at",)),
    },
    "aggregates": {
        "period_type": ("text", ("period_type",)),
        "period_key": ("text", ("period_key",)),
        "data": ("json", ("data",)),
        "updated_at": ("time", ("updated_at",)),
    },
}


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Lower-case column name -> its name as declared."""
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return {name.lower(): name for (name,) in rows}


def recognise(connection: sqlite3.Connection, mapping: EventMapping | None) -> Shape | None:
    if mapping is not None:
        wanted = {
            field: getattr(mapping, field)
            for field in ("event_id", "timestamp", "event_type", "payload", "schema_version")
        }
        table = mapping.table
        columns = _columns(connection, table)
    else:
        table = "events"
        columns = _columns(connection, table)
        wanted = {
            "event_id": "event_id",
            "timestamp": "timestamp",
            "event_type": "event_type",
            "payload": "payload" if "payload" in columns else "data",
            "schema_version": "schema_version" if "schema_version" in columns else None,
        }
    found = {field: columns.get(name.lower()) if name else None for field, name in wanted.items()}
    if any(found[field] is None for field, name in wanted.items() if name):
        return None
    _check_rowid(connection, table)
    order = connection.execute(
        "SELECT name FROM pragma_table_info(?) WHERE pk = 1 AND upper(type) = 'INTEGER'"
        " AND (SELECT count(*) FROM pragma_table_info(?) WHERE pk > 0) = 1",
        (table, table),
    ).fetchone()
    used = {name for name in found.values() if name} | ({order[0]} if order else set())
    return Shape(
        name="mapping" if mapping else "titan" if wanted["payload"] == "payload" else "neon",
        table=table,
        event_id=str(found["event_id"]),
        timestamp=str(found["timestamp"]),
        event_type=str(found["event_type"]),
        payload=str(found["payload"]),
        schema_version=found["schema_version"],
        extra=tuple(name for name in columns.values() if name not in used),
        unique_ids=_is_unique(connection, table, str(found["event_id"])),
    )


def _check_rowid(connection: sqlite3.Connection, table: str) -> None:
    try:
        connection.execute(f"SELECT rowid FROM {quote(table)} LIMIT 0")
    except sqlite3.OperationalError:
        raise SourceError(
            f"table {table} has no rowid, and so does not keep the order of its events",
            hint=f"copy it in order first: CREATE TABLE ordered AS SELECT * FROM {table} ORDER BY ...,"
            " and name that table in gymops.toml under [migrate.events]",
        ) from None


def _is_unique(connection: sqlite3.Connection, table: str, column: str) -> bool:
    indexes = connection.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (table,)
    ).fetchall()
    for (index,) in indexes:
        members = connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
        if members == [(column,)]:
            return True
    return False


def other_tables(
    connection: sqlite3.Connection, events: str
) -> tuple[tuple[SmallTable, ...], tuple[str, ...]]:
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND name <> ? ORDER BY name",
        (events,),
    ).fetchall()
    tables: list[SmallTable] = []
    unknown: list[str] = []
    for (name,) in names:
        table = _small_table(connection, name)
        if table is None:
            unknown.append(name)
        else:
            tables.append(table)
    return tuple(tables), tuple(unknown)


def _small_table(connection: sqlite3.Connection, name: str) -> SmallTable | None:
    known = KNOWN_TABLES.get(name)
    if known is None:
        return None
    columns = _columns(connection, name)
    found: dict[str, tuple[str, str]] = {}
    for target, (kind, candidates) in known.items():
        column = next((columns[candidate] for candidate in candidates if candidate in columns), None)
        if column is not None:
            found[target] = (kind, column)
        elif not kind.endswith("?") and kind != "bool":
            return None
    used = {column for _, column in found.values()}
    rows = connection.execute(f"SELECT count(*) FROM {quote(name)}").fetchone()[0]
    return SmallTable(name, found, tuple(c for c in columns.values() if c not in used), rows)
