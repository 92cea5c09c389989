"""What is kept on disk while a log is read, so that memory does not grow with it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path


class Unique:
    """The ids seen so far, on disk, for logs that do not keep their own ids unique."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)  # private, deleted on close
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("CREATE TABLE seen (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def add(self, event_id: bytes) -> bool:
        """Remember an id; False when it was there."""
        sql = "INSERT OR IGNORE INTO seen VALUES (?)"
        return self._connection.execute(sql, (event_id,)).rowcount == 1

    def close(self) -> None:
        """Forget all."""
        self._connection.close()


class Spool:
    """Small tables as they were at a log's high mark, on disk until they are written.

    Private to this user (0700) and deleted on close.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gymops-")
        self._connection = sqlite3.connect(Path(self._folder.name) / "spool", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(
            "CREATE TABLE rows (name TEXT, user_id TEXT, key TEXT, value TEXT, raw TEXT,"
            " PRIMARY KEY (name, user_id, key)) WITHOUT ROWID"
        )

    def put(self, name: str, user_id: str, key: str, value: str, raw: str) -> bool:
        """Keep one row; False when the key is there already."""
        sql = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?)"
        return self._connection.execute(sql, (name, user_id, key, value, raw)).rowcount == 1

    def rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yield (user_id, key, canonical value), sorted by the bytes of user_id and key."""
        sql = "SELECT user_id, key, value FROM rows WHERE name = ? ORDER BY user_id, key"
        yield from self._connection.execute(sql, (name,))

    def raw_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yield (user_id, key, value as the source writes its JSON)."""
        sql = "SELECT user_id, key, raw FROM rows WHERE name = ? ORDER BY user_id, key"
        yield from self._connection.execute(sql, (name,))

    def close(self) -> None:
        """Delete what was kept."""
        self._connection.close()
        self._folder.cleanup()
