"""Recognising a SQLite database: which table holds the events, and what lies beside it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from gymops.config import EventMapping


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
    rowid: str
    """What the rowid is called; it gives the events their order."""
    extra: tuple[str, ...] = ()
    """Columns with no place of their own in the target; kept in its side column."""
    unique_ids: bool = True
    """Whether the table itself keeps event ids unique."""

    def columns(self) -> list[str]:
        """SQL for each field of a row as ``event.Decoder`` wants it, the rowid first."""
        names = [self.rowid, self.event_id, self.timestamp, self.event_type, self.payload]
        fields = [column(name) for name in names]
        fields.append(column(self.schema_version) if self.schema_version else "1")
        return fields + [column(name) for name in self.extra]

    def source(self) -> str:
        """SQL for the table the columns are of."""
        return f"{quote(self.table)} AS t"


@dataclass(frozen=True)
class SmallTable:
    """A table beside the events: what it is called and what its columns become in the target."""

    name: str
    """In the target; the source may write it in another case."""
    columns: dict[str, tuple[str, str]]
    """Target column -> (kind, source column); kinds: text, text?, json, time, time?, bool."""
    extra: tuple[str, ...]
    rows: int
    rowid: str | None
    """What its rowid is called, if it has one."""


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
    folded: bool
    """The app folds its projections from the events, and says how far in a table of its own."""


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


FOLD_TABLES = frozenset(
    f"{prefix}{name}" for prefix in ("", "shadow_") for name in ("aggregates", "folds", "projections", "sets")
)
"""What the payload keeps beside the app's own tables; made from the events again wherever they are."""


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def column(name: str) -> str:
    """A column of the table ``t``. Without the prefix SQLite reads an unknown name as a text."""
    return f"t.{quote(name)}"


def stored_columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns that hold something, as declared; those computed when they are read do not."""
    rows = connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden IN (0, 3)", (table,))
    return [name for (name,) in rows]


def recognise(connection: sqlite3.Connection, mapping: EventMapping | None) -> Shape | str:
    """The shape of the event log, or in words what it lacks to be one.

    Raises:
        NoOrderError: it has the columns of a log, but does not keep the order of its events.
    """
    table = mapping.table if mapping else "events"
    columns = _columns(connection, table)
    if not columns:
        return f"no table {table!r}"
    wanted: dict[str, str | None] = {
        field: getattr(mapping, field) if mapping else field
        for field in ("event_id", "timestamp", "event_type", "payload", "schema_version")
    }
    if mapping is None:
        wanted["payload"] = "payload" if "payload" in columns else "data"
        wanted["schema_version"] = "schema_version" if "schema_version" in columns else None
    found = {field: columns.get(name.lower()) if name else None for field, name in wanted.items()}
    lacking = [name for field, name in wanted.items() if name and found[field] is None]
    if lacking:
        return f"table {table!r} has no column {lacking[0]!r}"
    rowid = _rowid(connection, table)
    number = _integer_key(connection, table)
    used = {name for name in found.values() if name} | ({number} if number else set())
    return Shape(
        name="mapping" if mapping else "titan" if wanted["payload"] == "payload" else "neon",
        table=table,
        event_id=str(found["event_id"]),
        timestamp=str(found["timestamp"]),
        event_type=str(found["event_type"]),
        payload=str(found["payload"]),
        schema_version=found["schema_version"],
        rowid=rowid,
        extra=tuple(name for name in stored_columns(connection, table) if name not in used),
        unique_ids=_is_unique(connection, table, str(found["event_id"])),
    )


class NoOrderError(Exception):
    """A table without rowids, or a view."""

    def __init__(self, table: str, what: str) -> None:
        super().__init__(f"{table!r} is {what}, and so does not keep the order of its events")
        self.hint = (
            f"copy it in order first: CREATE TABLE ordered AS SELECT * FROM {table} ORDER BY ...,"
            " and name that table in gymops.toml under [migrate.events]"
        )


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Lower-case column name -> its name as declared; computed columns too."""
    rows = connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,))
    return {name.lower(): name for (name,) in rows}


def _rowid(connection: sqlite3.Connection, table: str) -> str:
    """What the rowid is called: a column may have taken its usual name."""
    if connection.execute(
        "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ? COLLATE NOCASE", (table,)
    ).fetchone():
        raise NoOrderError(table, "a view")
    taken = _columns(connection, table)
    free = next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)
    name = free or _integer_key(connection, table)
    if name is None:
        raise NoOrderError(table, "a table whose columns hide its rowid")
    try:
        connection.execute(f"SELECT {column(name)} FROM {quote(table)} AS t LIMIT 0")
    except sqlite3.OperationalError:
        raise NoOrderError(table, "a table WITHOUT ROWID") from None
    return name


def _integer_key(connection: sqlite3.Connection, table: str) -> str | None:
    """The column that is the rowid: the primary key alone, of type INTEGER, without an index of its own."""
    keys = connection.execute(
        "SELECT name, upper(type) FROM pragma_table_xinfo(?) WHERE pk > 0", (table,)
    ).fetchall()
    indexed = connection.execute(
        "SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (table,)
    ).fetchone()
    return keys[0][0] if len(keys) == 1 and keys[0][1] == "INTEGER" and not indexed else None


def _is_unique(connection: sqlite3.Connection, table: str, name: str) -> bool:
    indexes = connection.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (table,)
    ).fetchall()
    for (index,) in indexes:
        members = connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
        if members == [(name,)]:
            return True
    return False


def table_names(connection: sqlite3.Connection) -> list[str]:
    """The tables of a database, without SQLite's own."""
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " ORDER BY name"
    )
    return [name for (name,) in rows]


def other_tables(
    connection: sqlite3.Connection, events: str
) -> tuple[tuple[SmallTable, ...], tuple[str, ...]]:
    """The tables beside the events that the target has a place for, and the names of the others."""
    tables: list[SmallTable] = []
    unknown: list[str] = []
    for name in table_names(connection):
        if name.lower() == events.lower():
            continue
        table = _small_table(connection, name)
        if table is None:
            unknown.append(name)
        else:
            tables.append(table)
    return tuple(tables), tuple(unknown)


def _small_table(connection: sqlite3.Connection, name: str) -> SmallTable | None:
    known = KNOWN_TABLES.get(name.lower())
    if known is None:
        return None
    stored = stored_columns(connection, name)
    columns = {column.lower(): column for column in stored}
    found: dict[str, tuple[str, str]] = {}
    for target, (kind, candidates) in known.items():
        column = next((columns[candidate] for candidate in candidates if candidate in columns), None)
        if column is not None:
            found[target] = (kind, column)
        elif not kind.endswith("?") and kind != "bool":
            return None
    used = {column for _, column in found.values()}
    rows = connection.execute(f"SELECT count(*) FROM {quote(name)}").fetchone()[0]
    try:
        rowid = _rowid(connection, name)
    except NoOrderError:
        rowid = None
    return SmallTable(name.lower(), found, tuple(c for c in stored if c not in used), rows, rowid)
