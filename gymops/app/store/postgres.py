"""The log and its projections in PostgreSQL, fit for a pooler between transactions such as RDS Proxy.

Nothing here outlives a transaction: no SET, no prepared statement, no temporary table, no session lock,
for each of them pins a connection of the pooler. An append is two round trips: one that takes the user's
lock and reads, one that writes and commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from psycopg import ClientCursor
from psycopg import errors as pg_errors

from gymops.app import events, fold
from gymops.app.domain import Conflict
from gymops.app.fold import Key
from gymops.app.records import Logged
from gymops.app.store import rebuild
from gymops.app.store.base import (
    Appended,
    LogEvent,
    NewEvent,
    Progress,
    Readiness,
    Rebuilt,
    Row,
    beyond,
    isoformat,
    silent,
)
from gymops.app.store.sessions import Sessions, UrlProvider
from gymops.app.store.statements import (
    AFTER,
    EXERCISES,
    FIND,
    FIND_ALL,
    INSERT,
    LAG,
    LATEST,
    LISTED,
    LIVE,
    LOCK,
    PERIODS_OF,
    ROWS,
    SHADOW,
    SWAPS,
    USERS,
    Statements,
)
from gymops.app.store.transaction import Changed, Transaction, append
from gymops.clock import Clock
from gymops.errors import SchemaError
from gymops.pg import accepted
from gymops.pg.accepted import MAX_SCHEMA, MIN_SCHEMA
from gymops.pg.connection import Connection

_LARGEST = 16_000
"""Bytes of a message with its values in its text: RDS Proxy pins over 16 KB of text."""

_KEYS = 100
"""Of rows that are read together with the lock: as many as fit into such a message."""


# What a statement sees must be taken after the lock before it, whatever the server's default is.
_BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED"


class PostgresStore:
    """A ``Store`` in a database whose schema ``gymops schema upgrade`` made."""

    def __init__(self, url: UrlProvider, *, clock: Clock) -> None:
        self._sessions = Sessions(url)
        self._clock = clock

    def append(self, user_id: str, events: Sequence[NewEvent]) -> list[Appended]:
        def now() -> str:
            return isoformat(self._clock.now())

        def work(connection: Connection) -> list[Appended]:
            wanted = [key for event in events for key in fold.wanted(event.event_type, event.payload)]
            try:
                with _hasty(connection, user_id, wanted) as transaction:
                    if transaction.folded is not None:
                        return append(transaction, events, now, hasty=True)
            except (pg_errors.UniqueViolation, Conflict):
                pass  # the event is there already, or another program has appended to the log
            with _transaction(connection, user_id, LIVE) as transaction:
                return append(transaction, events, now)

        return self._sessions.run(work)

    def rows(self, user_id: str, keys: Sequence[str]) -> dict[str, Row]:
        return dict(_rows(self._all(ROWS, user_id, list(keys))))

    def listed(self, user_id: str, prefix: str, *, after: str, limit: int) -> list[tuple[str, Row]]:
        return _rows(self._all(LISTED, user_id, max(prefix, after), beyond(prefix), limit))

    def latest(self, user_id: str, prefix: str, *, limit: int) -> list[tuple[str, Row]]:
        return _rows(self._all(LATEST, user_id, prefix, beyond(prefix), limit))

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
        revision, recorded = next(iter(self._all(accepted.VERSIONS)), (None, None))
        if revision is None or revision < MIN_SCHEMA:
            return Readiness(revision, MAX_SCHEMA, 0, "gymops schema upgrade brings the schema up to date")
        if revision > MAX_SCHEMA:
            try:
                accepted.newer(revision, recorded)
            except SchemaError as refused:
                return Readiness(revision, MAX_SCHEMA, 0, f"{refused.message}; {refused.hint}")
        (lag,) = self._all(LAG, fold.VERSION)[0]
        return Readiness(revision, MAX_SCHEMA, int(lag))

    def build(self, user_id: str, progress: Progress = silent) -> int:
        return self._sessions.run(lambda connection: rebuild.build(_Log(connection, user_id), progress))

    def rebuild(self, user_id: str, progress: Progress = silent) -> Rebuilt:
        return self._sessions.run(lambda connection: rebuild.rebuild(_Log(connection, user_id), progress))

    def close(self) -> None:
        self._sessions.close()

    def _all(self, query: bytes, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._sessions.run(lambda connection: connection.execute(query, parameters).fetchall())


class _Transaction(Transaction):
    """On the rows of one user, live or of the shadow; what is written waits to go with the next question."""

    def __init__(self, connection: Connection, user_id: str, statements: Statements) -> None:
        super().__init__()
        self._connection = connection
        self._user = user_id
        self._sql = statements
        self._waiting: list[tuple[bytes, tuple[Any, ...]]] = []
        self.new = False
        """The rows are not said to be of this version of the fold yet."""

    def known(self, keys: Sequence[str], found: list[tuple[Any, ...]]) -> None:
        """Take rows that were read together with the lock."""
        self._rows.update(dict.fromkeys(keys))
        for key, data, position, version in found:
            self._rows[key] = data
            if key == "current_workout" and version == fold.VERSION:
                self.end = self.folded = position

    def find(self, event_id: str) -> LogEvent | None:
        return next(map(_event, self.ask(FIND, event_id)), None)

    def after(self, position: int, limit: int) -> list[LogEvent]:
        return [_event(row) for row in self.ask(AFTER, position, limit)]

    def insert(self, event: NewEvent, at: str) -> LogEvent:
        self.end += 1
        version = events.version(event.event_type)
        values = (event.event_id, at, event.event_type, _json(event.payload), version)
        self.tell(INSERT, self.end, *values)
        return LogEvent(self.end, event.event_id, at, event.event_type, event.payload, version)

    def ask(self, query: bytes, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query about this user, behind everything that was told."""
        self.send()
        return self._connection.execute(query, (self._user, *parameters)).fetchall()

    def tell(self, query: bytes, *parameters: Any) -> None:
        """Run a statement about this user, together with the next ones."""
        self._waiting.append((query, (self._user, *parameters)))

    def send(self, *end: bytes) -> None:
        """Run what was told, in one round trip where it is small."""
        waiting, self._waiting = self._waiting, []
        text = b";".join([*(query for query, _ in waiting), *end])
        if not text:
            return
        parameters = [value for _, values in waiting for value in values]
        if sum(len(str(value)) for value in parameters) < _LARGEST:
            cursor = ClientCursor(self._connection)
            message = cursor.mogrify(text, parameters).encode()
            if len(message) < _LARGEST:
                cursor.execute(message)
                return
        for query, values in waiting:
            self._connection.execute(query, values)
        for query in end:
            self._connection.execute(query)

    def _fetch(self, keys: Sequence[Key]) -> dict[Key, Any]:
        plain = [key for key in keys if isinstance(key, str)]
        pairs = [key for key in keys if not isinstance(key, str)]
        found: dict[Key, Any] = {}
        if plain:
            rows = self.ask(self._sql.read, self._user, plain)
            found.update((key, data) for key, data, _, _ in rows)
        if pairs:
            kinds, names = [kind for kind, _ in pairs], [name for _, name in pairs]
            periods = self.ask(self._sql.periods, kinds, names)
            found.update(((kind, name), data) for kind, name, data in periods)
        return found

    def _find_set(self, event_id: str) -> Logged | None:
        return self._one_set(self._sql.find_set, event_id)

    def _find_heaviest(self, exercise_id: str, reps: int) -> Logged | None:
        return self._one_set(self._sql.heaviest, exercise_id, reps)

    def _find_longest(self, exercise_id: str) -> Logged | None:
        return self._one_set(self._sql.longest, exercise_id)

    def _one_set(self, query: bytes, *parameters: Any) -> Logged | None:
        return next((Logged(*row) for row in self.ask(query, *parameters)), None)

    def _write(self, rows: list[Changed], position: int) -> None:
        # How far the rows go is told by this one, whether it changed or not.
        current = next((row for row in rows if row.key == "current_workout"), None)
        at = current.at if current else self.at
        told = Changed("current_workout", self.get("current_workout"), at, position)
        put = [row._asdict() for row in rows if row.data is not None and isinstance(row.key, str)]
        put = [row for row in put if row["key"] != "current_workout"] + [told._asdict()]
        self.tell(self._sql.put_rows, _json(put))
        periods = [
            {"kind": row.key[0], "key": row.key[1], "data": row.data, "at": row.at}
            for row in rows
            if not isinstance(row.key, str)
        ]
        if periods:
            self.tell(self._sql.put_periods, _json(periods))
        gone = [row.key for row in rows if row.data is None and row.key != "current_workout"]
        if gone:
            self.tell(self._sql.remove_rows, gone)
        if self.new:
            self.tell(self._sql.put_fold, fold.VERSION)
            self.new = False

    def _write_sets(self, put: list[Logged], gone: list[str]) -> None:
        if put:
            self.tell(self._sql.put_sets, _json([{**vars(one), "weight_kg": one.weight_kg} for one in put]))
        if gone:
            self.tell(self._sql.remove_sets, gone)


@contextmanager
def _transaction(
    connection: Connection, user_id: str, statements: Statements, locks: Sequence[str] = ("",)
) -> Iterator[_Transaction]:
    """A transaction under locks of the user, that knows where the log and where its rows end."""
    values = [_lock(user_id, name) for name in locks] + [user_id, user_id, fold.VERSION]
    query = [LOCK] * len(locks) + [statements.end]
    transaction = _Transaction(connection, user_id, statements)
    with _begun(connection, transaction, query, values) as found:
        transaction.end, transaction.folded = found[0]
        transaction.new = transaction.folded is None
        if transaction.end == 0:
            transaction.folded = 0
        yield transaction


@contextmanager
def _hasty(connection: Connection, user_id: str, keys: Sequence[Key]) -> Iterator[_Transaction]:
    """The same on the live rows in one round trip less: it takes the log to end where the rows do."""
    named = ["current_workout", *(key for key in keys if isinstance(key, str))]
    plain = list(dict.fromkeys(named))[:_KEYS]
    values = [_lock(user_id, ""), user_id, user_id, plain]
    transaction = _Transaction(connection, user_id, LIVE)
    with _begun(connection, transaction, [LOCK, LIVE.read], values) as found:
        transaction.known(plain, found)
        yield transaction


@contextmanager
def _begun(
    connection: Connection, transaction: _Transaction, queries: list[bytes], values: list[Any]
) -> Iterator[list[tuple[Any, ...]]]:
    """Begin with some queries, give the last one's rows, and end with what the transaction has to say."""
    cursor = ClientCursor(connection)
    try:
        cursor.execute(b";".join([_BEGIN, *queries]), values)
        while cursor.nextset():
            pass
        yield cursor.fetchall()
        transaction.send(b"COMMIT")
    except BaseException:
        with suppress(psycopg.Error):  # the first error is the one to tell
            connection.execute(b"ROLLBACK")
        raise


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
    def swap(self) -> Iterator[_Transaction]:
        with self._shadow(["rebuild", ""]) as transaction:
            yield transaction
            for table, (out, into) in SWAPS.items():
                ((gone,),), ((come,),) = transaction.ask(out), transaction.ask(into)
                self._changed[table] = max(gone, come)  # a row that changed went out and came in
            transaction.tell(LIVE.put_fold, fold.VERSION)
            _clear(transaction)

    def changed(self) -> dict[str, int]:
        return self._changed

    @contextmanager
    def _shadow(self, locks: list[str]) -> Iterator[_Transaction]:
        with _transaction(self._connection, self._user, SHADOW, locks) as transaction:
            if transaction.folded is None:
                _clear(transaction)  # what an older release began
            yield transaction


def _clear(shadow: _Transaction) -> None:
    for query in SHADOW.clear:
        shadow.tell(query)


def _lock(user_id: str, name: str) -> int:
    """The number of a user's lock: 8 bytes, signed, of the SHA-256 of its name and the user."""
    digest = hashlib.sha256(f"gymops.app/1/{name}/{user_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _json(data: Any) -> str:
    return orjson.dumps(data).decode()


def _rows(found: list[tuple[Any, ...]]) -> list[tuple[str, Row]]:
    return [(key, Row(data, _iso(at))) for key, data, at in found]


def _event(row: tuple[Any, ...]) -> LogEvent:
    position, event_id, at, event_type, payload, schema_version = row
    return LogEvent(position, event_id, _iso(at), event_type, payload, schema_version)


def _iso(moment: datetime) -> str:
    return isoformat(moment.astimezone(UTC))
