"""What is kept on disk while a log is read, so that memory does not grow with it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gymops.errors import SourceError


def _private() -> sqlite3.Connection:
    """A database in a file without a name: nobody else can open it, and it ends with us, even killed."""
    connection = sqlite3.connect("", isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    return connection


class Unique:
    """The ids seen so far, on disk, for logs that do not keep their own ids unique."""

    def __init__(self) -> None:
        with _translated():
            self._connection = _private()
            self._connection.execute("CREATE TABLE seen (id BLOB PRIMARY KEY) WITHOUT ROWID")
            self._connection.execute("BEGIN")

    def add(self, event_id: bytes) -> bool:
        """Remember an id; False when it was there."""
        sql = "INSERT OR IGNORE INTO seen VALUES (?)"
        with _translated():
            return self._connection.execute(sql, (event_id,)).rowcount == 1

    def close(self) -> None:
        """Forget all."""
        self._connection.close()


class Spool:
    """Small tables as they were at a log's high mark, on disk until they are written."""

    def __init__(self) -> None:
        with _translated():
            self._connection = _private()
            self._connection.execute(
                "CREATE TABLE rows (name TEXT, user_id TEXT, key TEXT, value TEXT, raw TEXT,"
                " PRIMARY KEY (name, user_id, key)) WITHOUT ROWID"
            )
            self._connection.execute("BEGIN")

    def put(self, name: str, user_id: str, key: str, value: str, raw: str) -> bool:
        """Keep one row; False when the key is there already."""
        sql = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?)"
        with _translated():
            return self._connection.execute(sql, (name, user_id, key, value, raw)).rowcount == 1

    def rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yield (user_id, key, canonical value), sorted by the bytes of user_id and key."""
        sql = "SELECT user_id, key, value FROM rows WHERE name = ? ORDER BY user_id, key"
        yield from self._connection.execute(sql, (name,))

    def raw_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yield (user_id, key, value as the source writes its JSON)."""
        sql = "SELECT user_id, key, raw FROM rows WHERE name = ? ORDER BY user_id, key"
        yield from self._connection.execute(sql, (name,))

    def keep(self, place: str, rows: sqlite3.Cursor, width: int) -> None:
        """Copy the rows of a query of ``width`` columns as they are, without a look at them."""
        table = f'"kept {place}"'
        insert = f"INSERT INTO {table} VALUES ({', '.join('?' * width)})"
        with _translated():
            columns = ", ".join(f"c{number}" for number in range(width))
            self._connection.execute(f"CREATE TABLE {table} ({columns})")
        while batch := rows.fetchmany(64):
            with _translated():
                self._connection.executemany(insert, batch)

    def kept(self, place: str) -> Iterator[tuple[Any, ...]]:
        """Yield what ``keep`` copied, in its order."""
        yield from self._connection.execute(f'SELECT * FROM "kept {place}" ORDER BY rowid')

    def forget(self, place: str) -> None:
        """Delete what ``keep`` copied."""
        with _translated():
            self._connection.execute(f'DROP TABLE "kept {place}"')

    def close(self) -> None:
        """Forget all."""
        self._connection.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Our own disk's trouble is not the source's."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise SourceError(
            f"the temporary directory {tempfile.gettempdir()} cannot be used: {error}",
            hint="make room there, or name another directory in the environment variable TMPDIR",
        ) from error
