"""The target: what PostgreSQL takes of a plan, tried and taken back; and what it holds of it already."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import psycopg

from gymops.errors import GateRefused
from gymops.eventlog.shapes import quote
from gymops.pg.connection import Connection, translated
from gymops.tables.digest import Content
from gymops.tables.plan import ColumnPlan, LeftOut, Rule, TablePlan, ViewPlan

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
       a.attgenerated::text, coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname = ANY (%s)
  AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS = """
SELECT c.relname, k.conname, replace(pg_get_constraintdef(k.oid), ' NOT VALID', '')
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname = ANY (%s)
  AND k.contype IN ('p', 'u', 'c', 'f')
"""
_INDEXES = """
SELECT c.relname, x.relname,
       replace(pg_get_indexdef(i.indexrelid), ' ON ' || quote_ident(current_schema()) || '.', ' ON ')
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname = ANY (%s)
  AND i.indisvalid AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid
                                   AND k.conrelid = i.indrelid)
"""
_VIEWS = """
SELECT c.relname, pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c
WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname = ANY (%s)
  AND c.relkind = 'v'
"""
_RELATIONS = """
SELECT relname FROM pg_catalog.pg_class
WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relname = ANY (%s) ORDER BY relname
"""


@dataclass(frozen=True)
class Trial:
    """What PostgreSQL took, and what it calls it."""

    tables: tuple[TablePlan, ...]
    views: tuple[ViewPlan, ...]
    left_out: tuple[LeftOut, ...]
    catalogue: dict[str, str]


def trial(
    connection: Connection,
    tables: Sequence[TablePlan],
    views: Sequence[ViewPlan],
    filled: Callable[[TablePlan], Content],
) -> Trial:
    """Make everything, empty, in a schema of its own that is then rolled back.

    ``filled`` fills a table that is there and says what it holds then: what PostgreSQL computes must be what
    SQLite computed.
    """
    made, left = [], []
    schema = quote(f"gymops_trial_{uuid.uuid4().hex[:12]}")
    with translated(), connection.transaction(force_rollback=True):
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        path = [schema, *_extension(connection, "citext")]
        connection.execute(f"SET LOCAL search_path TO {', '.join(path)}".encode())
        for table in tables:
            made.append(_created(connection, table, filled))
        for last in (False, True):  # references when every key is there
            for at, table in enumerate(made):
                kept = []
                for rule in table.rules:
                    if (rule.what == "foreign key") is not last:
                        kept.append(rule)
                        continue
                    taken, why = _first(
                        connection,
                        [statement(table, replace(rule, definitions=(one,))) for one in rule.definitions],
                    )
                    if taken is None:
                        left.append(LeftOut(f"{rule.what} {rule.name} of {table.source.name}", why))
                    else:
                        kept.append(replace(rule, definitions=(rule.definitions[taken],)))
                made[at] = replace(table, rules=tuple(kept))
        shown, refused = _views(connection, views)
        found = catalogue(connection, [*(table.name for table in made), *(view.name for view in shown)])
    return Trial(tuple(made), tuple(shown), (*left, *refused), found)


def there(connection: Connection, tables: Sequence[TablePlan], views: Sequence[ViewPlan]) -> bool:
    """Whether the target has these tables; what they hold is another question.

    Raises:
        GateRefused: it has only some of them, or something else of one of these names.
    """
    names = {table.name for table in tables}
    others = {view.name for view in views} | {
        rule.name for table in tables for rule in table.rules if rule.what != "foreign key"
    }
    with translated():
        found = {name for (name,) in connection.execute(_RELATIONS, ([*names, *others],))}
    if names <= found:
        return True
    if not found:
        return False
    missing = sorted(names - found)
    raise GateRefused(
        f"the target already has {_some(sorted(found))}, and lacks {_some(missing)}: these are other tables",
        hint="migrate into an empty database: createdb NAME, then --to with its URL; or give the tables other"
        " names in gymops.toml ([migrate.tables])",
    )


def catalogue(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """What PostgreSQL says of these tables and views, by what it speaks of."""
    listed = [list(names)]
    found = {}
    for table, name, kind, not_null, identity, generated, default in connection.execute(_COLUMNS, listed):
        words = [
            kind,
            "not null" if not_null else "",
            "identity" if identity else "",
            "generated" if generated else "",
        ]
        found[f"column {table}.{name}"] = " ".join([*filter(None, words), default]).strip()
    for table, name, definition in connection.execute(_CONSTRAINTS, listed):
        found[f"constraint {name} of {table}"] = definition
    for table, name, definition in connection.execute(_INDEXES, listed):
        found[f"index {name} of {table}"] = definition
    for name, definition in connection.execute(_VIEWS, listed):
        found[f"view {name}"] = definition
    return found


def create(table: TablePlan) -> str:
    """SQL that makes a table without its rules."""
    return f"CREATE TABLE {quote(table.name)} ({', '.join(map(_column, table.columns))})"


def statement(table: TablePlan, rule: Rule, *, unchecked: bool = False) -> str:
    """SQL that makes a rule; ``unchecked``: for what is written from now on."""
    definition = rule.definitions[0]
    if rule.what == "index":
        unique = "UNIQUE " if definition.startswith("UNIQUE ") else ""
        parts = definition.removeprefix(unique)
        return f"CREATE {unique}INDEX {quote(rule.name)} ON {quote(table.name)} {parts}"
    later = " NOT VALID" if unchecked else ""
    return f"ALTER TABLE {quote(table.name)} ADD CONSTRAINT {quote(rule.name)} {definition}{later}"


def _extension(connection: Connection, name: str) -> list[str]:
    """The schema of an extension, where types of it may be asked for."""
    query = "SELECT extnamespace::regnamespace::text FROM pg_catalog.pg_extension WHERE extname = %s"
    return [schema for (schema,) in connection.execute(query, (name,))]


def _column(column: ColumnPlan) -> str:
    parts = [quote(column.name), column.kind.sql]
    if column.identity:
        parts.append("GENERATED BY DEFAULT AS IDENTITY")
    elif column.generated:
        parts.append(f"GENERATED ALWAYS AS ({column.generated[0]}) STORED")
    elif column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if column.not_null:
        parts.append("NOT NULL")
    return " ".join(parts)


def _created(connection: Connection, table: TablePlan, filled: Callable[[TablePlan], Content]) -> TablePlan:
    """The table as PostgreSQL takes it: each default and each computed column tried by itself."""
    columns = [replace(column, generated=(), default=None) for column in table.columns]
    for at, column in enumerate(table.columns):
        ways = [replace(column, generated=(way,)) for way in column.generated]
        ways += [replace(column, generated=())] if column.default is not None else []
        if not ways:
            continue
        tried = [replace(table, columns=(*columns[:at], way, *columns[at + 1 :])) for way in ways]
        taken, why = _first(connection, list(map(create, tried)), keep=False)
        if taken is not None and ways[taken].generated:
            with connection.transaction(force_rollback=True):
                connection.execute(create(tried[taken]).encode())
                if filled(tried[taken]) != table.scanned.content:
                    taken, why = None, "PostgreSQL computes something else"
        if taken is not None:
            columns[at] = ways[taken]
            continue
        said = "not computed there, its values are moved" if column.generated else "the default is left out"
        columns[at] = replace(columns[at], notes=(*column.notes, f"{said}: {why}"))
    result = replace(table, columns=tuple(columns))
    connection.execute(create(result).encode())
    return result


def _views(connection: Connection, views: Sequence[ViewPlan]) -> tuple[list[ViewPlan], list[LeftOut]]:
    """In an order in which each finds what it stands on."""
    made: list[ViewPlan] = []
    rest = list(views)
    why: dict[str, str] = {}
    progress = True
    while progress:
        progress = False
        for view in list(rest):
            taken, why[view.name] = _first(connection, [view.query])
            if taken is not None:
                made.append(view)
                rest.remove(view)
                progress = True
    return made, [LeftOut(f"view {view.source}", why[view.name]) for view in rest]


def _first(connection: Connection, statements: Sequence[str], *, keep: bool = True) -> tuple[int | None, str]:
    """Which of these statements PostgreSQL takes first; or why it does not take the last."""
    why = ""
    for at, one in enumerate(statements):
        try:
            with connection.transaction(force_rollback=not keep):
                connection.execute(one.encode())
        except (psycopg.ProgrammingError, psycopg.NotSupportedError, psycopg.DataError) as error:
            why = f"PostgreSQL: {error.diag.message_primary}"
        else:
            return at, ""
    return None, why


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5:,} more" if len(names) > 5 else shown
