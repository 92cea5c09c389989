"""The tables of a SQLite file, as its schema declares them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gymops.eventlog.shapes import quote
from gymops.tables.tokens import Tokens, find, group, split, tokens


@dataclass(frozen=True)
class Column:
    """A column as declared."""

    name: str
    declared: str
    """Its type as written; empty without one."""
    not_null: bool
    default: str | None
    """An expression, as written."""
    collation: str
    expression: Tokens | None = None
    """What a generated column is computed by."""


@dataclass(frozen=True)
class Check:
    """A CHECK constraint."""

    name: str | None
    expression: Tokens


@dataclass(frozen=True)
class Part:
    """A column or an expression of an index."""

    column: str | None
    expression: Tokens | None
    collation: str
    descending: bool


@dataclass(frozen=True)
class Index:
    """An index, or a UNIQUE constraint."""

    name: str | None
    """None for a constraint."""
    unique: bool
    parts: tuple[Part, ...]
    where: Tokens | None = None


@dataclass(frozen=True)
class ForeignKey:
    """A reference to another table, or to the same."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    """Empty: the parent's primary key."""
    on_update: str
    on_delete: str
    deferred: bool
    orphans: int | None
    """Rows that point to nothing; None where SQLite cannot tell, for the reference itself is wrong."""


@dataclass(frozen=True)
class Table:
    """A table as declared, and what its sequence says."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Primary key columns, in order."""
    key_collations: tuple[str, ...]
    number: str | None
    """The column that is the rowid and numbers itself."""
    autoincrement: bool
    last_number: int
    """The highest that AUTOINCREMENT gave."""
    strict: bool
    rowid: str | None
    """What its rowid is called; None for a table WITHOUT ROWID."""
    indexes: tuple[Index, ...]
    foreign_keys: tuple[ForeignKey, ...]
    checks: tuple[Check, ...]

    def column(self, name: str) -> Column | None:
        """A column by its name in any case."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class View:
    """A view: its query, and the names of its columns where it says them."""

    name: str
    columns: tuple[str, ...]
    query: Tokens


@dataclass(frozen=True)
class Schema:
    """All that a file declares."""

    tables: tuple[Table, ...]
    views: tuple[View, ...]
    left_out: tuple[str, ...]
    """What is not moved, in words: triggers, and virtual tables with what they keep."""


@dataclass
class _Declared:
    """What only the text of CREATE TABLE says."""

    checks: list[Check] = field(default_factory=list)
    expressions: dict[str, Tokens] = field(default_factory=dict)
    collations: dict[str, str] = field(default_factory=dict)
    deferred: set[tuple[str, ...]] = field(default_factory=set)
    autoincrement: bool = False


def read(connection: sqlite3.Connection) -> Schema:
    """The schema of the main database."""
    rows = connection.execute(
        "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    statements = dict(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall()
    )
    tables = [
        _table(connection, name, statements[name], wr, strict)
        for name, kind, wr, strict in rows
        if kind == "table"
    ]
    views = [_view(name, statements[name]) for name, kind, _, _ in rows if kind == "view"]
    left = [f"virtual table {name}" for name, kind, _, _ in rows if kind == "virtual"]
    triggers = connection.execute(
        "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name"
    )
    left += [f"trigger {name} of {table}" for name, table in triggers]
    return Schema(tuple(tables), tuple(views), tuple(left))


def _table(connection: sqlite3.Connection, name: str, sql: str, without_rowid: int, strict: int) -> Table:
    declared = _declared(sql)
    info = connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
    columns = tuple(
        Column(
            name=column,
            declared=_type(kind) if hidden in (2, 3) else kind,
            not_null=bool(not_null),
            default=default,
            collation=declared.collations.get(column.lower(), "BINARY"),
            expression=declared.expressions.get(column.lower()) if hidden in (2, 3) else None,
        )
        for _, column, kind, not_null, default, _, hidden in info
        if hidden != 1
    )
    keyed = sorted((place, column) for _, column, _, _, _, place, _ in info if place)
    key = tuple(column for _, column in keyed)
    listed = connection.execute(
        'SELECT name, "unique", origin FROM pragma_index_list(?) ORDER BY seq DESC', (name,)
    ).fetchall()
    key_index = next((index for index, _, origin in listed if origin == "pk"), None)
    kinds = {column: kind for _, column, kind, *_ in info}
    number = key[0] if len(key) == 1 and key_index is None and kinds[key[0]].upper() == "INTEGER" else None
    return Table(
        name=name,
        columns=columns,
        key=key,
        key_collations=tuple(part.collation for part in _parts(connection, key_index, None))
        if key_index
        else (),
        number=None if without_rowid else number,
        autoincrement=declared.autoincrement,
        last_number=_last_number(connection, name) if declared.autoincrement else 0,
        strict=bool(strict),
        rowid=None if without_rowid else _rowid(columns),
        indexes=tuple(_index(connection, *row) for row in listed if row[2] != "pk"),
        foreign_keys=tuple(_foreign_keys(connection, name, declared.deferred)),
        checks=tuple(declared.checks),
    )


def _rowid(columns: tuple[Column, ...]) -> str | None:
    taken = {column.name.lower() for column in columns}
    return next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)


def _type(declared: str) -> str:
    """A generated column's type, of which SQLite makes a part of what follows."""
    return declared.upper().replace("GENERATED ALWAYS", "").strip()


def _last_number(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (name,)).fetchone()
    return row[0] if row and isinstance(row[0], int) else 0


def _index(connection: sqlite3.Connection, name: str, unique: int, origin: str) -> Index:
    if origin == "u":
        return Index(None, True, tuple(_parts(connection, name, None)))
    (sql,) = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?", (name,)
    ).fetchone()
    found = tokens(sql)
    start = next(at for at in range(find(found, "ON"), len(found)) if found[at].is_("("))
    inside, end = group(found, start)
    where = find(found[end:], "WHERE")
    return Index(
        name,
        bool(unique),
        tuple(_parts(connection, name, list(split(inside)))),
        found[end + where + 1 :] if where >= 0 else None,
    )


def _parts(connection: sqlite3.Connection, index: str, written: list[Tokens] | None) -> Iterator[Part]:
    rows = connection.execute(
        'SELECT seqno, cid, name, "desc", coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno', (index,)
    )
    for at, cid, column, descending, collation in rows:
        expression = None
        if cid == -2 and written:
            ends = [find(written[at], word) for word in ("ASC", "DESC", "COLLATE")]
            expression = written[at][: min((end for end in ends if end >= 0), default=len(written[at]))]
        yield Part(column, expression, collation.upper(), bool(descending))


def _foreign_keys(
    connection: sqlite3.Connection, table: str, deferred: set[tuple[str, ...]]
) -> Iterator[ForeignKey]:
    rows: dict[int, list[Any]] = {}
    for row in connection.execute("SELECT * FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq", (table,)):
        rows.setdefault(row[0], []).append(row)
    orphans: dict[int, int] | None = {}
    try:
        check = "SELECT fkid, count(*) FROM pragma_foreign_key_check(?) GROUP BY fkid"
        orphans = dict(connection.execute(check, (table,)).fetchall()) if rows else {}
    except sqlite3.OperationalError:  # the parent lacks such a key
        orphans = None
    for number, parts in rows.items():
        columns = tuple(part[3] for part in parts)
        yield ForeignKey(
            columns=columns,
            parent=parts[0][2],
            parent_columns=tuple(part[4] for part in parts) if parts[0][4] is not None else (),
            on_update=parts[0][5],
            on_delete=parts[0][6],
            deferred=tuple(column.lower() for column in columns) in deferred,
            orphans=None if orphans is None else orphans.get(number, 0),
        )


def _declared(sql: str) -> _Declared:
    found, result = tokens(sql), _Declared()
    start = next((at for at, token in enumerate(found) if token.is_("(")), None)
    if start is None:
        return result
    for part in split(group(found, start)[0]):
        if part and part[0].is_("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
            _constraints(part, None, result)
        elif part:
            _constraints(part[1:], part[0].value.lower(), result)
    return result


def _constraints(part: Tokens, column: str | None, result: _Declared) -> None:
    """What the constraints of a column, or of the table, say."""
    name: str | None = None
    of: tuple[str, ...] = (column,) if column else ()
    at = 0
    while at < len(part):
        token, following = part[at], part[at + 1] if at + 1 < len(part) else None
        if token.is_("(") or following is None:
            at = group(part, at)[1] if token.is_("(") else at + 1
            if token.is_("AUTOINCREMENT"):
                result.autoincrement = True
            continue
        if token.is_("CONSTRAINT"):
            name, at = following.value, at + 2
            continue
        if token.is_("CHECK") and following.is_("("):
            inside, at = group(part, at + 1)
            result.checks.append(Check(name, inside))
            name = None
            continue
        if column and token.is_("AS") and following.is_("("):
            result.expressions[column], at = group(part, at + 1)
            continue
        if token.is_("KEY") and following.is_("("):
            inside, at = group(part, at + 1)
            of = of or tuple(one[0].value.lower() for one in split(inside))
            # AUTOINCREMENT may stand inside: PRIMARY KEY (id AUTOINCREMENT)
            result.autoincrement |= any(one.is_("AUTOINCREMENT") for one in inside)
            continue
        if column and token.is_("COLLATE"):
            result.collations[column] = following.value.upper()
        if token.is_("INITIALLY") and following.is_("DEFERRED"):
            result.deferred.add(of)
        if token.is_("AUTOINCREMENT"):
            result.autoincrement = True
        at += 1


def _view(name: str, sql: str) -> View:
    found = tokens(sql)
    start = find(found, "AS")
    columns: tuple[str, ...] = ()
    before = found[:start]
    bracket = next((at for at, token in enumerate(before) if token.is_("(")), None)
    if bracket is not None:
        columns = tuple(part[0].value for part in split(group(before, bracket)[0]))
    return View(name, columns, found[start + 1 :])


def affinity(declared: str) -> str:
    """SQLite's rule: which kind of value a column with this type turns others into."""
    text = declared.upper()
    if "INT" in text:
        return "INTEGER"
    if any(word in text for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in text or not text:
        return "BLOB"
    if any(word in text for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def select(table: Table, columns: list[str], encoding: str) -> str:
    """SQL for the values of some columns, preceded by the row's number."""
    fields = [f"t.{quote(name)}" for name in columns]
    if encoding != "UTF-8":
        # SQLite turns a lone surrogate into another character, in silence: the bytes are read instead.
        fields = [
            f"CASE typeof({one}) WHEN 'text' THEN CAST({one} AS BLOB) ELSE {one} END" for one in fields
        ] + [f"typeof({one})" for one in fields]
    number = f"t.{table.rowid}" if table.rowid else "row_number() OVER ()"
    return f"SELECT {', '.join([number, *fields])} FROM {quote(table.name)} AS t NOT INDEXED"
