"""The log and its projections in PostgreSQL, fit for a pooler between transactions such as RDS Proxy.

Nothing here outlives a transaction: no SET, no prepared statement, no temporary table, no session lock,
for each of them pins a connection of the pooler. An append is two round trips: one that takes the user's
lock and reads, one that writes and commits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any

from gymops.app import events, fold
from gymops.app.fold import Key
from gymops.app.records import Logged
from gymops.app.store import rebuild
from gymops.app.store.base import Appended, LogEvent, NewEvent, Readiness, Row, isoformat
from gymops.app.store.sessions import Sessions, UrlProvider
from gymops.app.store.statements import (
    AFTER,
    EXERCISES,
    FIND,
    FIND_ALL,
    INSERT,
    LAG,
    LISTED,
    LIVE,
    LOCK,
    PERIODS_OF,
    SHADOW,
    SWAPS,
    USERS,
    Statements,
)
from gymops.app.store.transaction import Transaction, append
from gymops.clock import Clock
from gymops.pg.connection import Connection
from gymops.pg.schema import MAX_SCHEMA, MIN_SCHEMA


class PostgresStore:
    """A ``Store`` in a database whose schema ``gymops schema upgrade`` made."""

    def __init__(self, url: UrlProvider, *, clock: Clock) -> None:
        self._sessions = Sessions(url)
        self._clock = clock

    def append(self, user_id: str, events: Sequence[NewEvent]) -> list[Appended]:
        def work(connection: Connection) -> list[Appended]:
            with _transaction(connection, user_id, LIVE) as transaction:
                return append(transaction, events, lambda: isoformat(self._clock.now()))

        return self._sessions.run(work)

    def rows(self, user_id: str, keys: Sequence[str]) -> dict[str, Row]:
        return dict(_rows(self._all(LIVE.rows, user_id, list(keys))))

    def listed(self, user_id: str, prefix: str, *, after: str, limit: int) -> list[tuple[str, Row]]:
        return _rows(self._all(LISTED, user_id, prefix, after, limit))

    def aggregates(self, user_id: str, period_type: str, *, limit: int) -> list[tuple[str, Row]]:
        return _rows(self._all(PERIODS_OF, user_id, period_type, limit))

    def exercises(self, user_id: str) -> list[dict[str, Any]]:
        names = ("id", "name", "category", "description", "is_custom")
        return [dict(zip(names, row, strict=True)) for row in self._all(EXERCISES, user_id)]

    def events(self, user_id: str, *, after: int, limit: int) -> list[LogEvent]:
        return [_event(row) for row in self._all(AFTER, user_id, after, limit)]

    def find(self, user_id: str, event_ids: Sequence[str]) -> list[LogEvent]:
        return [_event(row) for row in self._all(FIND_ALL, user_id, list(event_ids))]

    def users(self) -> Iterator[str]:
        return iter([user_id for (user_id,) in self._all(USERS)])

    def readiness(self) -> Readiness:
        if self._all(b"SELECT to_regclass('alembic_version')::text")[0][0] is None:
            return Readiness(None, MAX_SCHEMA, 0, "the database has no schema: gymops schema upgrade")
        (revision,) = self._all(b"SELECT max(version_num) FROM alembic_version")[0]
        if revision is None or not MIN_SCHEMA <= revision <= MAX_SCHEMA:
            return Readiness(revision, MAX_SCHEMA, 0, "gymops schema upgrade brings the schema up to date")
        (lag,) = self._all(LAG, fold.VERSION)[0]
        return Readiness(revision, MAX_SCHEMA, int(lag))

    def build(self, user_id: str, progress: Callable[[int], None] = rebuild.silent) -> int:
        return self._sessions.run(lambda connection: rebuild.build(_Log(connection, user_id), progress))

    def rebuild(self, user_id: str, progress: Callable[[int], None] = rebuild.silent) -> rebuild.Outcome:
        return self._sessions.run(lambda connection: rebuild.rebuild(_Log(connection, user_id), progress))

    def close(self) -> None:
        self._sessions.close()

    def _all(self, query: bytes, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._sessions.run(lambda connection: connection.execute(query, parameters).fetchall())


class _Transaction(Transaction):
    """On the rows of one user, live or of the shadow; what is sent is not waited for until it must be."""

    def __init__(self, connection: Connection, user_id: str, statements: Statements) -> None:
        super().__init__()
        self._connection = connection
        self._user = user_id
        self._sql = statements

    def find(self, event_id: str) -> LogEvent | None:
        row = self._connection.execute(FIND, (self._user, event_id)).fetchone()
        return _event(row) if row else None

    def after(self, position: int, limit: int) -> list[LogEvent]:
        return [_event(row) for row in self._connection.execute(AFTER, (self._user, position, limit))]

    def insert(self, event: NewEvent, at: str) -> LogEvent:
        self.end += 1
        version = events.version(event.event_type)
        values = (event.event_id, at, event.event_type, json.dumps(event.payload), version)
        self._connection.execute(INSERT, (self._user, self.end, *values))
        return LogEvent(self.end, event.event_id, at, event.event_type, event.payload, version)

    def _fetch(self, keys: Sequence[Key]) -> dict[Key, Any]:
        plain = [key for key in keys if isinstance(key, str)]
        pairs = [key for key in keys if not isinstance(key, str)]
        found: dict[Key, Any] = {}
        rows = self._connection.execute(self._sql.rows, (self._user, plain)) if plain else ()
        periods = (
            self._connection.execute(self._sql.periods, (self._user, *_columns(pairs, 2))) if pairs else ()
        )
        found.update((key, data) for key, data, _ in rows)
        found.update(((kind, name), data) for kind, name, data in periods)
        return found

    def _find_set(self, event_id: str) -> Logged | None:
        return self._one_set(self._sql.find_set, event_id)

    def _find_heaviest(self, exercise_id: str, reps: int) -> Logged | None:
        return self._one_set(self._sql.heaviest, exercise_id, reps)

    def _find_longest(self, exercise_id: str) -> Logged | None:
        return self._one_set(self._sql.longest, exercise_id)

    def _one_set(self, query: bytes, *parameters: Any) -> Logged | None:
        row = self._connection.execute(query, (self._user, *parameters)).fetchone()
        return Logged(*row) if row else None

    def _write(self, rows: list[tuple[Key, Any, str]], gone: list[Key], position: int) -> None:
        plain = [(key, json.dumps(data), at) for key, data, at in rows if isinstance(key, str)]
        periods = [(*key, json.dumps(data), at) for key, data, at in rows if not isinstance(key, str)]
        if plain:
            self._connection.execute(self._sql.put_rows, (self._user, *_columns(plain, 3)))
        if periods:
            self._connection.execute(self._sql.put_periods, (self._user, *_columns(periods, 4)))
        if gone:
            self._connection.execute(self._sql.remove_rows, (self._user, gone))
        self._connection.execute(self._sql.put_fold, (self._user, fold.VERSION, position))

    def _write_sets(self, put: list[Logged], gone: list[str]) -> None:
        if put:
            values = [(*astuple(one), one.weight_kg) for one in put]
            self._connection.execute(self._sql.put_sets, (self._user, *_columns(values, 10)))
        if gone:
            self._connection.execute(self._sql.remove_sets, (self._user, gone))


@contextmanager
def _transaction(
    connection: Connection, user_id: str, statements: Statements, locks: Sequence[str] = ("",)
) -> Iterator[_Transaction]:
    """A transaction under locks of the user; it sends all it has to write together with its commit."""
    with connection.pipeline(), connection.transaction():
        for name in locks:
            connection.execute(LOCK, (_lock(user_id, name),))
        state = connection.execute(statements.state, (user_id, user_id, fold.VERSION))
        transaction = _Transaction(connection, user_id, statements)
        transaction.end, transaction.folded = state.fetchall()[0]
        if transaction.end == 0:
            transaction.folded = 0
        yield transaction


class _Log:
    """One user's log as a rebuild uses it; see ``rebuild.Log``."""

    def __init__(self, connection: Connection, user_id: str) -> None:
        self._connection = connection
        self._user = user_id
        self._changed: dict[str, int] = {}

    def live(self) -> AbstractContextManager[Transaction]:
        return _transaction(self._connection, self._user, LIVE)

    def shadow(self) -> AbstractContextManager[Transaction]:
        return self._shadow(["rebuild"])

    @contextmanager
    def swap(self) -> Iterator[Transaction]:
        with self._shadow(["rebuild", ""]) as transaction:
            yield transaction
            for table, (out, into) in SWAPS.items():
                ((gone,),) = self._connection.execute(out, [self._user]).fetchall()
                ((come,),) = self._connection.execute(into, [self._user]).fetchall()
                self._changed[table] = max(gone, come)  # a row that changed went out and came in
            self._connection.execute(LIVE.put_fold, (self._user, fold.VERSION, transaction.end))
            self._clear()

    def changed(self) -> dict[str, int]:
        return self._changed

    @contextmanager
    def _shadow(self, locks: list[str]) -> Iterator[Transaction]:
        with _transaction(self._connection, self._user, SHADOW, locks) as transaction:
            if transaction.folded is None:
                self._clear()  # what an older release began
            yield transaction

    def _clear(self) -> None:
        for query in SHADOW.clear:
            self._connection.execute(query, [self._user])


def _lock(user_id: str, name: str) -> int:
    """The number of a user's lock: 8 bytes, signed, of the SHA-256 of its name and the user."""
    digest = hashlib.sha256(f"gymops.app/1/{name}/{user_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(count)]


def _rows(found: list[tuple[Any, ...]]) -> list[tuple[str, Row]]:
    return [(key, Row(data, _iso(at))) for key, data, at in found]


def _event(row: tuple[Any, ...]) -> LogEvent:
    position, event_id, at, event_type, payload, schema_version = row
    return LogEvent(position, event_id, _iso(at), event_type, payload, schema_version)


def _iso(moment: datetime) -> str:
    return isoformat(moment.astimezone(UTC))
