"""Which rows differ, once two tables are known to: by their hashes, kept on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256

from gymops.pg.connection import Connection
from gymops.tables import proof, reading
from gymops.tables.plan import TablePlan
from gymops.tables.snapshot import Row, Snapshot


@dataclass(frozen=True)
class Difference:
    """How many rows one side has alone; a row that was changed counts on both."""

    missing: int
    """In the source, not in the target."""
    extra: int
    """In the target, not in the source."""
    first: str | None
    """The first row of the source that is missing."""

    def __str__(self) -> str:
        where = f"; the first that is missing: {self.first}" if self.first else ""
        return f"{self.missing:,} rows of the source are missing, {self.extra:,} are there beside{where}"


def find(connection: Connection, snapshot: Snapshot, table: TablePlan) -> Difference:
    """Compare a table row by row."""
    with closing(sqlite3.connect("", isolation_level=None)) as seen:
        seen.execute("CREATE TABLE seen (hash BLOB PRIMARY KEY, n INTEGER) WITHOUT ROWID")
        seen.execute("BEGIN")
        _count(seen, (record for _, record in reading.records(snapshot, table)), 1)
        for batch in proof.records(connection, table):
            _count(seen, batch, -1)
        missing, extra = seen.execute(
            "SELECT coalesce(sum(n) FILTER (WHERE n > 0), 0),"
            " -coalesce(sum(n) FILTER (WHERE n < 0), 0) FROM seen"
        ).fetchone()
        rows = reading.records(snapshot, table) if missing else ()
        first = next((row for row, record in rows if _left(seen, record)), None)
    return Difference(missing, extra, _shown(table, first) if first else None)


def _count(seen: sqlite3.Connection, records: Iterable[bytes], by: int) -> None:
    seen.executemany(
        "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        ((sha256(record).digest(), by) for record in records),
    )


def _left(seen: sqlite3.Connection, record: bytes) -> bool:
    row = seen.execute("SELECT n FROM seen WHERE hash = ?", (sha256(record).digest(),)).fetchone()
    return bool(row and row[0] > 0)


def _shown(table: TablePlan, row: Row) -> str:
    """A row by its key."""
    names = [column.source.name for column in table.columns]
    key = [f"{name} = {row[1 + names.index(name)]!r:.40}" for name in table.source.key]
    return ", ".join(key) or f"row {row[0]}"
