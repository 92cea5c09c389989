"""The proof: what the file holds against what the target holds, row by row and rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from gymops.eventlog.copy_out import copy_out
from gymops.eventlog.digest import Rejected, RejectedHasher
from gymops.pg.connection import Connection, translated
from gymops.tables import target
from gymops.tables.digest import Content, Hasher, database
from gymops.tables.plan import Plan, TablePlan

_REJECTED = """
SELECT source_table, columns, types, cells FROM gymops_records.rejected_rows
WHERE target_table = ANY (%s) ORDER BY target_table, source_rowid
"""


@dataclass(frozen=True)
class Proof:
    """What the target really holds, beside what it is to hold."""

    source: dict[str, Content]
    target: dict[str, Content]
    rejected: tuple[Rejected, Rejected]
    """Of the source, and of the target."""
    missing: tuple[str, ...]
    """Columns, rules and views that are not there as planned."""

    @property
    def equal(self) -> bool:
        return self.first_difference is None

    @property
    def digests(self) -> tuple[str, str]:
        """Of the source, and of the target."""
        return database(self.source), database(self.target)

    @property
    def first_difference(self) -> str | None:
        """What differs, in words."""
        for name, mine in self.source.items():
            theirs = self.target[name]
            if mine.rows != theirs.rows:
                return f"table {name}: {mine.rows:,} rows in the source, {theirs.rows:,} in the target"
            if mine != theirs:
                return f"table {name}: as many rows on both sides, but not the same"
        if self.missing:
            return self.missing[0]
        if self.rejected[0] != self.rejected[1]:
            return (
                f"rejected rows: {self.rejected[0].rows:,} in the source,"
                f" {self.rejected[1].rows:,} in the target, or others"
            )
        return None


def prove(connection: Connection, plan: Plan, progress: Callable[[int], None]) -> Proof:
    """Read the whole target."""
    with translated():
        found = target.catalogue(connection, [*plan.contents, *(view.name for view in plan.views)])
        missing = tuple(
            f"{what} is not as planned: {found.get(what, 'not there')}"
            for what, definition in plan.catalogue.items()
            if found.get(what) != definition
        )
        contents = {}
        for table in plan.tables:
            whole = all(f"column {table.name}.{column.name}" in found for column in table.columns)
            contents[table.name] = content(connection, table, progress) if whole else Content()
        rejected = _rejected(connection, list(plan.contents))
    return Proof(plan.contents, contents, (plan.rejected, rejected), missing)


def content(connection: Connection, table: TablePlan, progress: Callable[[int], None]) -> Content:
    """What a table of the target holds."""
    hasher = Hasher()
    for batch in records(connection, table):
        hasher.add(batch)
        progress(len(batch))
    return hasher.content()


def records(connection: Connection, table: TablePlan) -> Iterator[list[bytes]]:
    """The rows of a table of the target as PostgreSQL sends them, some at a time."""
    columns = [sql.SQL(column.kind.sent).format(sql.Identifier(column.name)) for column in table.columns]
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)").format(
        sql.SQL(", ").join(columns), sql.Identifier(table.name)
    )
    yield from copy_out(connection, query)


def _rejected(connection: Connection, tables: Sequence[str]) -> Rejected:
    hasher = RejectedHasher()
    row = connection.execute("SELECT to_regclass('gymops_records.rejected_rows')").fetchone()
    if row and row[0]:
        with connection.cursor() as cursor:
            for table, columns, types, cells in cursor.stream(_REJECTED, [list(tables)]):
                hasher.add("", table, columns, types, cells)
    return hasher.result()
