"""What the tables of a database hold, where there is no event log in it: rows, and a digest of them all.

A row's digest is the SHA-256 of its text; a table's is their sum: no order counts, and equal rows count each.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from psycopg import sql

from gymops.backup.isolated import NotRecovered
from gymops.backup.recovery_point import TableContent
from gymops.pg.connection import Connection, connect, translated

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^(pg_|information_schema$)'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
ORDER BY 1, 2
"""
_SPELLED = """
SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC';
SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = 'C';
SET LOCAL xmloption = 'content'
"""
"""How values are written: two servers may be set otherwise."""
_CONTENT = """
SELECT count(*), coalesce(sum(('x' || left(h, 15))::bit(60)::bigint), 0)::text || '-'
  || coalesce(sum(('x' || right(h, 15))::bit(60)::bigint), 0)::text
FROM (SELECT encode(sha256(convert_to("a row"::text, 'UTF8')), 'hex') AS h FROM ONLY {} AS "a row") AS hashed
"""


def read(connection: Connection) -> tuple[TableContent, ...]:
    """Every table of the database, in the transaction that is open.

    Raises:
        DatabaseError: one cannot be read.
    """
    found = []
    with translated():
        connection.execute(_SPELLED)
        for schema, name in connection.execute(_TABLES).fetchall():
            row = connection.execute(sql.SQL(_CONTENT).format(sql.Identifier(schema, name))).fetchone()
            if row is None:
                raise AssertionError("a count without a row")
            found.append(TableContent(f"{schema}.{name}", *row))
    return tuple(found)


def tables(url: str) -> bool:
    """Whether there are any."""
    with translated(), closing(connect(url)) as connection:
        return connection.execute(_TABLES).fetchone() is not None


def hold(url: str, expected: Sequence[TableContent]) -> None:
    """Hold a database that came back to what was.

    Raises:
        NotRecovered: naming the first table that is another.
    """
    with closing(connect(url)) as connection:
        found = {one.table: one for one in read(connection)}
    for one in expected:
        there = found.pop(one.table, None)
        if there is None:
            raise NotRecovered(f"the table {one.table} did not come back")
        if there.rows != one.rows:
            raise NotRecovered(f"of {one.table} {there.rows:,} rows came back, and there were {one.rows:,}")
        if there != one:
            raise NotRecovered(f"of {one.table} other rows came back than there were")
    if found:
        raise NotRecovered(f"{next(iter(found))} came back, and there was no such table")


def told(content: Sequence[TableContent]) -> str:
    """In words."""
    return f"{len(content)} tables, {sum(one.rows for one in content):,} rows"
