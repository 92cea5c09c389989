"""SQLite files as event logs: opened read-only, read in short transactions, never changed.

The source may belong to an app that is running. So nothing here holds a read transaction for long: in
rollback-journal mode that would block the app's writes, in WAL mode it would keep its WAL growing.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from operator import ge, itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from gymops.config import EventMapping
from gymops.errors import SourceError
from gymops.eventlog import opening
from gymops.eventlog.shapes import (
    FOLD_TABLES,
    Contents,
    NoOrderError,
    Shape,
    column,
    other_tables,
    quote,
    recognise,
    stored_columns,
    table_names,
)

BATCH_ROWS = 1024
BATCH_BYTES = 4 << 20
BATCH_SECONDS = 0.05
"""A batch's read transaction ends at the first of these; the app waits for it at most that long. Larger
batches are slower: they no longer fit the processor's cache."""
_FETCH = 256
_LARGE = 256 << 10
"""Rows larger than this are read one by one, so that not even 256 of them at once fill the memory."""
_NO_LIMIT = 2**31 - 1


class SqliteFile:
    """One SQLite database file with one user's event log."""

    def __init__(self, path: Path, user_id: str, mapping: EventMapping | None = None) -> None:
        self.path = path
        self.user_id = user_id
        self._mapping = mapping

    def fingerprint(self) -> tuple[object, ...]:
        """Changes whenever a transaction commits to the file; equal means nothing has changed."""
        return opening.fingerprint(self.path)

    def is_event_log(self) -> bool:
        """Whether the file is a database with a table of events we recognise."""
        with self.connection() as connection:
            try:
                return isinstance(recognise(connection, self._mapping), Shape)
            except NoOrderError:
                return True

    def connection(self) -> AbstractContextManager[sqlite3.Connection]:
        """A read-only connection; every SQLite error inside becomes a ``SourceError``."""
        return opening.opened(self.path)

    def contents(self, connection: sqlite3.Connection, keep: Callable[[Contents], None]) -> Contents:
        """Look at the file in one short transaction; ``keep`` reads the small tables inside it.

        Raises:
            SourceError: the file holds no event log we recognise.
        """
        connection.execute("BEGIN")
        try:
            shape = self._shape(connection)
            rowid = column(shape.rowid)
            low, high = connection.execute(
                f"SELECT (SELECT min({rowid}) FROM {shape.source()}),"
                f" (SELECT max({rowid}) FROM {shape.source()})"
            ).fetchone()
            tables, unknown = other_tables(connection, shape.table)
            folded = "folds" in unknown and "sets" in unknown
            contents = Contents(
                shape=shape,
                low_mark=1 if low is None else low,
                high_mark=0 if high is None else high,
                bytes=self.path.stat().st_size,
                tables=tables,
                unknown_tables=tuple(name for name in unknown if not (folded and name in FOLD_TABLES)),
                folded=folded,
            )
            keep(contents)
            return contents
        finally:
            connection.execute("ROLLBACK")

    def batches(
        self, connection: sqlite3.Connection, shape: Shape, *, after: int, upto: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the raw rows with ``after < rowid <= upto`` in order, each batch read on its own."""
        reader = _Reader(connection, shape)
        while after < upto:
            rows = reader.read(after + 1, upto)
            if not rows:
                return
            rowids = list(map(itemgetter(0), rows))
            if rowids[0] <= after or any(map(ge, rowids, rowids[1:])):
                raise SourceError(
                    f"{opening.show(self.path)}: damaged: the rows of {shape.table} behind rowid {after}"
                    " are out of order",
                    hint=f"recover what can be read with `sqlite3 {opening.show(self.path)} .recover`,"
                    " or restore a backup",
                )
            yield rows
            after = rowids[-1]

    def verbatim(
        self, connection: sqlite3.Connection, shape: Shape, rowid: int
    ) -> tuple[list[str], list[str], list[bytes | None]]:
        """One event row as it is stored: column names, types, bytes (see ``Verbatim``)."""
        verbatim = Verbatim(connection, shape.table, shape.rowid)
        row = connection.execute(f"{verbatim.select} WHERE {column(shape.rowid)} = ?", (rowid,)).fetchone()
        if row is None:
            raise SourceError(
                f"{opening.show(self.path)}: row {rowid} of {shape.table} is gone",
                hint="run the same command again",
            )
        return verbatim.names, verbatim.types(row[0]), verbatim.cells(row[2:])

    def _shape(self, connection: sqlite3.Connection) -> Shape:
        where = opening.show(self.path)
        try:
            shape = recognise(connection, self._mapping)
        except NoOrderError as error:
            raise SourceError(f"{where}: {error}", hint=error.hint) from None
        if isinstance(shape, Shape):
            return shape
        names = table_names(connection)
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        named = " of [migrate.events]" if self._mapping else ""
        raise SourceError(
            f"{where}: no event log found: {shape}{named} (tables: {shown or 'none'})",
            hint="name the table and its columns in gymops.toml under [migrate.events];"
            " `gymops init` writes an example",
        )


class Verbatim:
    """How the rows of a table are read as they are stored.

    A text or BLOB is its bytes in the database, a number its shortest decimal text. The type is
    SQLite's; where the database is not in UTF-8, that of a text names the encoding.
    """

    def __init__(self, connection: sqlite3.Connection, table: str, rowid: str | None) -> None:
        self.encoding = encoding(connection)
        self.names = stored_columns(connection, table)
        names = list(map(column, self.names))
        codes = " || ".join(f"substr(typeof({name}), 1, 1)" for name in names)
        cells = ", ".join(_raw(name) for name in names)
        number = column(rowid) if rowid else "row_number() OVER ()"
        self.select = f"SELECT {codes}, {number}, {cells} FROM {quote(table)} AS t"
        """Rows of: a letter for the type of each cell, rowid (a running number if there is none), cells."""

    def types(self, codes: str) -> list[str]:
        """The type of each cell."""
        text = "text" if self.encoding == "UTF-8" else f"text {self.encoding}"
        names = {"n": "null", "i": "integer", "r": "real", "t": text, "b": "blob"}
        return [names[code] for code in codes]

    def cells(self, values: Sequence[Any]) -> list[bytes | None]:
        """The bytes of each cell; NULL has none."""
        return [value if isinstance(value, bytes | None) else repr(value).encode() for value in values]

    def values(self, codes: str, values: Sequence[Any]) -> dict[str, Any]:
        """The row as SQLite's values; a text that is none in its encoding stays bytes."""
        return {
            name: text_or_bytes(value, self.encoding) if code == "t" else value
            for name, code, value in zip(self.names, codes, values, strict=True)
        }


class _Bounds(NamedTuple):
    first: int
    last: int


class _Reader:
    """Reads batches: many rows at a time, or carefully where something in them is out of the ordinary."""

    def __init__(self, connection: sqlite3.Connection, shape: Shape) -> None:
        self._connection = connection
        self._encoding = encoding(connection)
        fields = shape.columns()
        self._width = len(fields)
        self._measured = [4, *range(6, self._width)]  # payload and the columns we do not know
        if self._encoding != "UTF-8":
            # SQLite turns a lone surrogate of UTF-16 and what follows into another character, in
            # silence: the bytes are read and decoded here.
            fields += [f"typeof({field})" for field in fields]
            fields[1 : self._width] = [_raw(field) for field in fields[1 : self._width]]
        self._sql = (
            f"SELECT {', '.join(fields)} FROM {shape.source()}"
            f" WHERE {column(shape.rowid)} BETWEEN ? AND ? ORDER BY {column(shape.rowid)}"
        )

    def read(self, first: int, last: int) -> list[tuple[Any, ...]]:
        """One batch of the rows between two rowids; its transaction has ended when this returns."""
        bounds = _Bounds(first, last)
        if self._encoding != "UTF-8":
            return [self._decoded(row) for row in self._one_by_one(bounds)]
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGE)
        try:
            return self._many(bounds)
        except (sqlite3.OperationalError, sqlite3.DataError) as error:
            too_large = getattr(error, "sqlite_errorname", "") == "SQLITE_TOOBIG"
            if not too_large and "decode to UTF-8" not in str(error):
                raise
        finally:
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _NO_LIMIT)
        self._connection.text_factory = text_or_bytes
        try:
            return self._one_by_one(bounds)
        finally:
            self._connection.text_factory = str

    def _many(self, bounds: _Bounds) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(self._sql, bounds)
        # The clock starts with the lock: the time to get it must not end a batch before its first row.
        started = time.monotonic()
        rows: list[tuple[Any, ...]] = []
        size = 0
        try:
            while more := cursor.fetchmany(min(_FETCH, BATCH_ROWS - len(rows))):
                rows += more
                size += self._size(more)
                late = time.monotonic() - started >= BATCH_SECONDS
                if late or size >= BATCH_BYTES or len(rows) >= BATCH_ROWS:
                    break
        finally:
            cursor.close()
        return rows

    def _one_by_one(self, bounds: _Bounds) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(self._sql, bounds)
        started = time.monotonic()
        rows: list[tuple[Any, ...]] = []
        size = 0
        try:
            for row in cursor:
                rows.append(row)
                size += sum(len(value) for value in row if isinstance(value, str | bytes))
                late = time.monotonic() - started >= BATCH_SECONDS
                if late or size >= BATCH_BYTES or len(rows) >= _FETCH:
                    break
        finally:
            cursor.close()
        return rows

    def _size(self, rows: list[tuple[Any, ...]]) -> int:
        try:
            return sum(sum(map(len, map(itemgetter(place), rows))) for place in self._measured)
        except TypeError:  # numbers and NULL have no length
            return sum(
                len(row[place]) if isinstance(row[place], str | bytes) else 8
                for place in self._measured
                for row in rows
            )

    def _decoded(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            text_or_bytes(value, self._encoding) if kind == "text" else value
            for value, kind in zip(row[: self._width], row[self._width :], strict=True)
        )


def encoding(connection: sqlite3.Connection) -> str:
    """How the database keeps texts: UTF-8, UTF-16le or UTF-16be."""
    name: str = connection.execute("PRAGMA encoding").fetchone()[0]
    return name


def text_or_bytes(raw: bytes, encoding: str = "UTF-8") -> str | bytes:
    """A text, or its bytes where they are none."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return raw


def _raw(field: str) -> str:
    return f"CASE typeof({field}) WHEN 'text' THEN CAST({field} AS BLOB) ELSE {field} END"
