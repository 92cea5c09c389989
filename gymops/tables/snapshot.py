"""A SQLite file as it was at one moment, read as long as one likes while the app goes on writing.

The pages are copied in one read transaction into a private file without a name, WAL included. An app in
WAL mode notices nothing; one in rollback-journal mode waits with its commit while the pages are copied.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from sys import getsizeof
from typing import Any

from gymops.eventlog import opening
from gymops.eventlog.shapes import quote, table_names
from gymops.eventlog.sqlite import SqliteFile, encoding
from gymops.tables import schema, staging
from gymops.tables.kinds import BadText
from gymops.tables.schema import Table
from gymops.tables.staging import Staged

ROWS = 512
BYTES = 1 << 20
"""Read at a time: the first of these."""
Row = tuple[Any, ...]


def holds_tables(path: Path) -> bool:
    """Whether a place is a SQLite file that is no event log but has tables, or has CSV files.

    Raises:
        SourceError: it is a SQLite file that cannot be read.
    """
    if staging.is_directory(path):
        return True
    if not opening.is_database(path) or SqliteFile(path, "").is_event_log():
        return False
    with opening.opened(path) as connection:
        return bool(table_names(connection))


@contextmanager
def taken(path: Path) -> Iterator[Snapshot]:
    """The file as it is now.

    Raises:
        SourceError: it cannot be read.
    """
    with opening.translated(path), closing(sqlite3.connect("", isolation_level=None)) as copy:
        staged = staging.stage(path, copy) if path.is_dir() else _copied(path, copy)
        for setting in ("query_only = 1", "cell_size_check = 1"):
            copy.execute(f"PRAGMA {setting}")
        yield Snapshot(path, copy, staged)


def _copied(path: Path, copy: sqlite3.Connection) -> Staged:
    with opening.opened(path) as live:
        live.backup(copy)
    return Staged()


class Snapshot:
    """A file, or a directory of CSV files, at one moment: its schema and its rows."""

    def __init__(self, path: Path, connection: sqlite3.Connection, staged: Staged) -> None:
        self.path = path
        self.staged = staged
        self.connection = connection
        self.encoding = encoding(connection)
        self.schema = schema.read(connection)  # a name that is no text is an error
        connection.text_factory = _text

    @property
    def name(self) -> str:
        """The file as it is shown."""
        return opening.show(self.path)

    @property
    def bytes(self) -> int:
        """Its size."""
        (size,) = self.connection.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
        return int(size)

    def rows(self, table: Table, columns: Sequence[str]) -> Iterator[list[Row]]:
        """(number, values ...) of every row, some at a time; a text that is none is a ``BadText``."""
        width = len(columns)
        cursor = self.connection.execute(schema.select(table, list(columns), self.encoding))
        batch: list[Row] = []
        size = 0
        for row in cursor:
            batch.append(row)
            size += sum(map(getsizeof, row))
            if size >= BYTES or len(batch) >= ROWS:
                yield batch if self.encoding == "UTF-8" else [self._decoded(row, width) for row in batch]
                batch, size = [], 0
        if batch:
            yield batch if self.encoding == "UTF-8" else [self._decoded(row, width) for row in batch]

    def count(self, view: str) -> int | None:
        """How many rows a view gives; None where SQLite itself cannot tell."""
        try:
            found: int = self.connection.execute(f"SELECT count(*) FROM {quote(view)}").fetchone()[0]
        except sqlite3.OperationalError:
            return None
        return found

    def classes(self, table: Table) -> dict[str, dict[str, int]]:
        """Column -> storage class -> how many values have it."""
        names = [column.name for column in table.columns]
        kinds = ("null", "integer", "real", "text", "blob")
        fields = [f"sum(typeof(t.{quote(name)}) = '{kind}')" for name in names for kind in kinds]
        found: dict[str, dict[str, int]] = {}
        # SQLite takes at most 2,000 columns of a result.
        for start in range(0, len(fields), 500):
            part = ", ".join(fields[start : start + 500])
            row = self.connection.execute(
                f"SELECT {part} FROM {quote(table.name)} AS t NOT INDEXED"
            ).fetchone()
            for at, count in enumerate(row, start):
                found.setdefault(names[at // 5], {})[kinds[at % 5]] = count or 0
        return found

    def _decoded(self, row: Row, width: int) -> Row:
        values = [
            _text(value, self.encoding) if kind == "text" else value
            for value, kind in zip(row[1 : width + 1], row[width + 1 :], strict=True)
        ]
        return (row[0], *values)


def _text(raw: bytes, encoding: str = "UTF-8") -> str | BadText:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return BadText(raw)
