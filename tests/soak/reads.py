"""How long each read transaction of SQLite lasts, measured at the driver."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def measured() -> Iterator[list[float]]:
    """The seconds of every read transaction that begins and ends inside."""
    seconds: list[float] = []
    connect = sqlite3.connect

    def timed(place: Any, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        if "mode=ro" not in str(place):  # what we keep for ourselves
            plain: sqlite3.Connection = connect(place, *args, **kwargs)
            return plain
        connection: _Connection = connect(place, *args, **{**kwargs, "factory": _Connection})
        connection.seconds = seconds
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", timed)
        yield seconds


class _Connection(sqlite3.Connection):
    """Knows since when a statement or a transaction has kept its view of the file."""

    seconds: list[float]
    began: float | None = None

    def cursor(self, *_: Any) -> Any:
        return super().cursor(_Cursor)

    def execute(self, *args: Any) -> Any:
        return self.cursor().execute(*args)

    def look(self, reading: bool) -> None:
        now = time.monotonic()
        if reading or self.in_transaction:
            self.began = self.began or now
        elif self.began is not None:
            self.seconds.append(now - self.began)
            self.began = None


class _Cursor(sqlite3.Cursor):
    connection: _Connection

    def execute(self, *args: Any) -> Any:
        self.connection.look(reading=True)
        result = super().execute(*args)
        self.connection.look(reading=self.description is not None)
        return result

    def fetchmany(self, *args: Any) -> Any:
        rows = super().fetchmany(*args)
        self.connection.look(reading=bool(rows))
        return rows

    def fetchone(self) -> Any:
        row = super().fetchone()
        self.connection.look(reading=row is not None)
        return row

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except StopIteration:
            self.connection.look(reading=False)
            raise

    def close(self) -> None:
        super().close()
        self.connection.look(reading=False)
