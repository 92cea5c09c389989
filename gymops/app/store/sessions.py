"""Open connections that wait to be used again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

import orjson
import psycopg
from psycopg.types.json import set_json_loads

from gymops.app.store.base import StoreUnavailable
from gymops.errors import GymopsError
from gymops.pg.connection import Connection, DatabaseError, Kind, connect_plain
from gymops.pg.failures import failure

_T = TypeVar("_T")


class UrlProvider(Protocol):
    """Where the connection string comes from; ``refresh`` asks for it anew after a refused password."""

    def __call__(self, *, refresh: bool = False) -> str: ...


class Sessions:
    """Connections, the last used first.

    Not a pool with threads of its own: between two invocations a Lambda stands still, and so would they.
    """

    def __init__(self, url: UrlProvider) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    def run(self, work: Callable[[Connection], _T]) -> _T:
        """Do some work; where its connection had died while it waited, once more on a new one.

        So the work must be safe to repeat: reading is, and so is an append, which knows its events by id.

        Raises:
            StoreUnavailable: the database cannot be reached, or refuses a statement.
        """
        try:
            waiting = self._take()
            if waiting:
                try:
                    return self._use(waiting, work)
                except psycopg.OperationalError:
                    self.close()
            return self._use(self._open(), work)
        except psycopg.Error as error:
            raise _unavailable(failure(error)) from error

    def close(self) -> None:
        """Close what waits; a connection in use closes when it is done with."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _use(self, connection: Connection, work: Callable[[Connection], _T]) -> _T:
        try:
            return work(connection)
        finally:
            if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.close()
            else:
                with self._lock:
                    self._idle.append(connection)

    def _open(self) -> Connection:
        try:
            try:
                connection = connect_plain(self._url())
            except DatabaseError as error:
                if error.kind is not Kind.REFUSED:
                    raise
                connection = connect_plain(self._url(refresh=True))  # the password may have been rotated
        except GymopsError as error:
            raise _unavailable(error) from error
        set_json_loads(orjson.loads, connection)  # a workout is read and written with every set
        return connection


def _unavailable(error: GymopsError) -> StoreUnavailable:
    return StoreUnavailable(error.message, hint=error.hint)
