"""Defaults, keys, indexes, checks and references as PostgreSQL has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from gymops.eventlog.shapes import quote
from gymops.tables.kinds import BOOLEAN, BYTEA, TEXT, BadText, Kind, MisfitError
from gymops.tables.names import Names
from gymops.tables.plan import ColumnPlan, LeftOut, Rule
from gymops.tables.schema import Column, Index, Table
from gymops.tables.tokens import Tokens, tokens
from gymops.tables.translate import NOW, Translator, UntranslatableError

_NOW = {
    "timestamp with time zone": "now()",
    "timestamp without time zone": "(now() AT TIME ZONE 'UTC')",
    "date": "((now() AT TIME ZONE 'UTC')::date)",
    "time without time zone": "((now() AT TIME ZONE 'UTC')::time)",
}
_CLOCKS = frozenset(
    {"DATETIME", "DATE", "TIME", "STRFTIME", "UNIXEPOCH", "JULIANDAY", "RANDOM", "RANDOMBLOB"}
)


def default(column: Column, kind: Kind) -> tuple[str | None, str | None]:
    """A default as PostgreSQL's expression, and what is to be said of it."""
    if column.default is None:
        return None, None
    found = tokens(column.default)
    if any(token.is_(*NOW, *_CLOCKS) for token in found):
        if kind.sql in _NOW:
            return _NOW[kind.sql], None
        try:
            return Translator({})(found), None
        except UntranslatableError as error:
            return None, f"the default {column.default} is left out: {error}"
    try:
        value = _computed(column)
        if value is None:
            return None, None
        kind.field(value)
    except (MisfitError, sqlite3.Error) as error:
        return None, f"the default {column.default} is left out: {error}"
    return _literal(kind, value), None


def _computed(column: Column) -> object:
    """What SQLite itself puts into a column by its default."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.text_factory = lambda raw: _text(raw)
        try:
            scratch.execute(f"CREATE TABLE t (c {column.declared} DEFAULT {column.default}, d)")
        except sqlite3.Error:
            scratch.execute(f"CREATE TABLE t (c {column.declared} DEFAULT ({column.default}), d)")
        scratch.execute("INSERT INTO t (d) VALUES (1)")
        row: tuple[object] = scratch.execute("SELECT c FROM t").fetchone()
    return row[0]


def _text(raw: bytes) -> str | BadText:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return BadText(raw)


def _literal(kind: Kind, value: object) -> str:
    if kind is BOOLEAN:
        return "true" if kind.text(value) in (b"t", b"true") else "false"
    if kind is BYTEA:
        return f"'{kind.text(value)[1:].decode()}'::bytea"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    shown = kind.text(value).decode()
    return (
        shown if kind.sql.startswith(("bigint", "integer", "smallint", "numeric", "double")) else f"'{shown}'"
    )


@dataclass(frozen=True)
class Relations:
    """Every table that is moved: its name in the target, and those of its columns."""

    tables: Mapping[str, str]
    """Lower-case name -> name in the target."""
    columns: Mapping[str, Mapping[str, str]]
    """Lower-case name of the table -> lower-case name of the column -> name in the target."""
    keys: Mapping[str, Sequence[str]]
    """Lower-case name of the table -> its primary key, as the source calls it."""


def translators(columns: Sequence[ColumnPlan], *, exact: bool = False) -> list[Translator]:
    """Where a truth is 0 or 1 as in SQLite; and where it is one."""
    plain = {column.source.name.lower(): quote(column.name) for column in columns}
    numbers = {
        column.source.name.lower(): f"{quote(column.name)}::int"
        if column.kind is BOOLEAN
        else quote(column.name)
        for column in columns
    }
    ways = [numbers, plain] if numbers != plain else [plain]
    return [Translator(names, exact=exact) for names in ways]


def translated(columns: Sequence[ColumnPlan], expression: Tokens, *, exact: bool = False) -> tuple[str, ...]:
    """An expression in every way it may be meant.

    Raises:
        UntranslatableError: in none.
    """
    return tuple(dict.fromkeys(translator(expression) for translator in translators(columns, exact=exact)))


def of_table(
    table: Table, name: str, columns: Sequence[ColumnPlan], relations: Relations, names: Names
) -> Iterator[Rule | LeftOut]:
    """Its rules, keys first and references last."""
    by_name = {column.source.name.lower(): column for column in columns}

    def listed(parts: Sequence[str]) -> str:
        return ", ".join(quote(by_name[part.lower()].name) for part in parts)

    if table.key:
        nulls = [part for part in table.key if by_name[part.lower()].values.get("null")]
        key = f"PRIMARY KEY ({listed(table.key)})"
        if nulls:
            yield LeftOut(f"primary key of {table.name}", f"{nulls[0]} holds NULL: UNIQUE takes its place")
            key = f"UNIQUE ({listed(table.key)})"
        yield Rule("primary key", names.give(f"{name}_pkey"), (key,))
        folded = [fold for fold in table.key_collations if fold != "BINARY"]
        if folded:
            parts = [
                _part(by_name[part.lower()], fold)
                for part, fold in zip(table.key, table.key_collations, strict=True)
            ]
            yield Rule("index", names.give(f"{name}_key_idx"), (f"UNIQUE ({', '.join(parts)})",))
    for index in table.indexes:
        yield from _index(table, name, index, columns, by_name, names)
    for at, check in enumerate(table.checks, 1):
        given = names.give(check.name or f"{name}_check{at if at > 1 else ''}")
        try:
            expressions = translated(columns, check.expression)
        except UntranslatableError as error:
            yield LeftOut(f"check {given} of {table.name}", str(error))
            continue
        yield Rule("check", given, tuple(f"CHECK ({one})" for one in expressions))
    for key_ in table.foreign_keys:
        what = f"foreign key {', '.join(key_.columns)} of {table.name}"
        parent = key_.parent.lower()
        if parent not in relations.tables:
            yield LeftOut(what, f"the table {key_.parent} is not there")
            continue
        to = key_.parent_columns or relations.keys[parent]
        theirs = relations.columns[parent]
        if len(to) != len(key_.columns) or any(part.lower() not in theirs for part in to):
            yield LeftOut(what, f"{key_.parent} has no such key")
            continue
        yield Rule(
            "foreign key",
            names.give(f"{name}_{'_'.join(by_name[part.lower()].name for part in key_.columns)}_fkey"),
            (
                f"FOREIGN KEY ({listed(key_.columns)}) REFERENCES {quote(relations.tables[parent])}"
                f" ({', '.join(quote(theirs[part.lower()]) for part in to)})"
                + (f" ON UPDATE {key_.on_update}" if key_.on_update != "NO ACTION" else "")
                + (f" ON DELETE {key_.on_delete}" if key_.on_delete != "NO ACTION" else "")
                + (" DEFERRABLE INITIALLY DEFERRED" if key_.deferred else ""),
            ),
        )


def _index(
    table: Table,
    name: str,
    index: Index,
    columns: Sequence[ColumnPlan],
    by_name: Mapping[str, ColumnPlan],
    names: Names,
) -> Iterator[Rule | LeftOut]:
    plain = all(part.column for part in index.parts)
    words = "_".join(by_name[part.column.lower()].name if part.column else "expr" for part in index.parts)
    given = names.give(index.name or f"{name}_{words}_key")
    folds = any(part.collation != "BINARY" for part in index.parts)
    if index.name is None and plain and not folds:
        listed = ", ".join(quote(by_name[str(part.column).lower()].name) for part in index.parts)
        yield Rule("unique", given, (f"UNIQUE ({listed})",))
        return
    ways: list[str] = []
    try:
        for translator in translators(columns):
            parts = []
            for part in index.parts:
                sql = (
                    _part(by_name[part.column.lower()], part.collation)
                    if part.column
                    else f"({translator(part.expression or [])})"
                )
                parts.append(f"{sql} DESC" if part.descending else sql)
            where = f" WHERE {translator(index.where)}" if index.where else ""
            ways.append(f"{'UNIQUE ' if index.unique else ''}({', '.join(parts)}){where}")
    except UntranslatableError as error:
        yield LeftOut(f"index {given} of {table.name}", str(error))
        return
    yield Rule("index", given, tuple(dict.fromkeys(ways)))


def _part(column: ColumnPlan, collation: str) -> str:
    """A column of an index, compared as SQLite compares it there."""
    sql = quote(column.name)
    if column.kind is not TEXT or collation == "BINARY":
        return sql
    # With the collation C only A to Z have a lower case, as with NOCASE.
    return f'lower({sql} COLLATE "C")' if collation == "NOCASE" else f"rtrim({sql}, ' ')"
