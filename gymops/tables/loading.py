"""Filling a table of the target, and keeping what it does not hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from psycopg import sql

from gymops.pg.connection import Connection
from gymops.tables import reading
from gymops.tables.plan import TablePlan
from gymops.tables.snapshot import Snapshot

_WRITE = 128 << 10
"""Bytes sent at a time."""
_REJECT = "INSERT INTO gymops_records.rejected_rows VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"


def fill(connection: Connection, source: Snapshot, table: TablePlan, progress: Callable[[int], None]) -> int:
    """Load a table that is there and empty; return how many rows were written."""
    names = [sql.Identifier(column.name) for column in table.columns if not column.generated]
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), sql.SQL(", ").join(names))
    written = 0
    waiting: list[bytes] = []
    size = 0
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for lines in reading.lines(source, table.source, table.columns, table.scanned.rejected):
            waiting += lines
            size += sum(map(len, lines))
            written += len(lines)
            if size >= _WRITE:
                copy.write(b"".join(waiting))
                waiting, size = [], 0
            progress(len(lines))
        copy.write(b"".join(waiting))
    return written


def keep_rejected(
    connection: Connection, source: Snapshot, table: TablePlan, now: Callable[[], datetime]
) -> None:
    """Keep the rows that cannot be moved, as they are stored."""
    for row in reading.rejects(source, table.source, table.columns, table.scanned.rejected):
        why = reading.reason(table.columns, row) or "its key is an earlier row's, once converted"
        kept = reading.verbatim(source, table.columns, row)
        connection.execute(_REJECT, (table.name, table.source.name, row[0], why, *kept, now()))
    for one in source.staged.ragged.get(table.source.name, ()):
        place = (table.name, table.source.name, one.line)
        connection.execute(_REJECT, (*place, one.reason, *one.verbatim, now()))
