"""Rows of the source that cannot be moved: kept verbatim, each beside the batch it lies in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import datetime
from typing import Any, cast

import psycopg

from gymops.eventlog.workspace import RejectedRow, SqliteLog
from gymops.pg.connection import translated

Connection = psycopg.Connection[tuple[Any, ...]]

_REJECT = """
INSERT INTO rejected_events
    (user_id, source_table, source_rowid, reason, columns, types, cells, rejected_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (user_id, source_table, source_rowid) DO NOTHING
"""

_THERE = """
SELECT source_rowid, columns, types, cells FROM rejected_events
WHERE user_id = %s AND source_table = 'events'
ORDER BY source_rowid
"""

_RENUMBER = """
UPDATE rejected_events SET source_rowid = %s
WHERE user_id = %s AND source_table = 'events' AND source_rowid = %s
"""


class RejectedRows:
    """A user's rejected rows, written along with the batches they lie between."""

    def __init__(self, source: SqliteLog, user_id: str) -> None:
        self._user_id = user_id
        self._rows: Iterator[RejectedRow] = source.rejected(user_id)
        self._next = next(self._rows, None)
        self.passed = 0
        """How many there are now, those of earlier runs among them."""

    @property
    def left(self) -> bool:
        """Whether some are still to come."""
        return self._next is not None

    def write(self, connection: Connection, *, upto: int | None, now: datetime) -> None:
        """Write those up to an event's rowid, or all that are left."""
        while self._next and (upto is None or self._next.table != "events" or self._next.rowid <= upto):
            row = self._next
            values = (row.table, row.rowid, row.reason, row.columns, row.types, row.cells, now)
            connection.execute(_REJECT, (self._user_id, *values))
            self.passed += 1
            self._next = next(self._rows, None)


def renumber(connection: Connection, source: SqliteLog, user_id: str, check: Callable[[], None]) -> None:
    """Give the rejected rows that are there already the rowids they have now.

    VACUUM renumbers the rows of a table without an index or a key of its own, always downwards and in
    order. Without this, a row would be kept a second time under its new number.
    """
    moved: list[tuple[int, str, int]] = []
    rejected = (row for row in source.rejected(user_id) if row.table == "events")
    stream = cast("Generator[tuple[Any, ...]]", connection.cursor().stream(_THERE, [user_id]))
    with translated(), closing(stream) as there:
        for (rowid, *content), row in zip(there, rejected, strict=False):
            if content != [row.columns, row.types, row.cells] or rowid < row.rowid:
                return  # not how the source begins: the proof will say so
            if rowid != row.rowid:
                moved.append((row.rowid, user_id, rowid))
    if moved:
        with translated(), connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(_RENUMBER, moved)
            check()
