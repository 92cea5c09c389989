"""A PostgreSQL database as an event log: ours, or one of the app's own schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from gymops.eventlog.copy_out import copy_out, parse, prefix_of
from gymops.eventlog.digest import (
    LogDigest,
    Rejected,
    RejectedHasher,
    Stream,
    StreamHasher,
)
from gymops.eventlog.event import Event
from gymops.eventlog.foreign import ForeignLog, shape
from gymops.eventlog.log import Progress, silent
from gymops.eventlog.tables import TABLES
from gymops.pg.connection import connect, redact, translated

# What the digest is made of, in its order: see digest.py.
RECORDS = """
COPY (
    SELECT user_id, event_id, "timestamp", event_type, schema_version, payload, source_event_id
    FROM events
    WHERE {users}
    ORDER BY user_id, position
) TO STDOUT (FORMAT binary)
"""

# The columns of the source that have no place of their own: see digest.side_record.
SIDE_RECORDS = """
COPY (
    SELECT user_id, event_id, extra
    FROM events
    WHERE {users} AND extra IS NOT NULL
    ORDER BY user_id, position
) TO STDOUT (FORMAT binary)
"""

# One probe of the index for each user, however many events there are.
_COUNTS = """
WITH RECURSIVE users AS (
    (SELECT user_id FROM events ORDER BY user_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.user_id FROM events e WHERE e.user_id > u.user_id ORDER BY e.user_id LIMIT 1)
    FROM users u WHERE u.user_id IS NOT NULL
)
SELECT user_id, (SELECT max(position) FROM events e WHERE e.user_id = u.user_id)
FROM users u WHERE user_id IS NOT NULL
"""

# The records of some users that come after a position and not after another.
_PARTS = """
COPY (
    SELECT user_id, event_id, "timestamp", event_type, schema_version, payload, source_event_id
    FROM unnest({users}::text[] COLLATE "C", {after}::bigint[], {upto}::bigint[]) AS part (of, after, upto)
    JOIN events ON user_id = part.of AND position > part.after AND position <= part.upto
    ORDER BY user_id, position
) TO STDOUT (FORMAT binary)
"""

_FIRST_GAP = """
SELECT min(n) FROM (
    SELECT position, row_number() OVER (ORDER BY position) + %(after)s AS n
    FROM events WHERE user_id = %(user)s AND position > %(after)s
) AS numbered WHERE position <> n
"""

# Positions are 1, 2, 3, ... within the user; (user_id, position) is unique, so first and last suffice.
_GAPS = """
SELECT user_id FROM unnest(%s::text[], %s::bigint[]) AS counted (user_id, events)
WHERE (SELECT min(position) FROM events e WHERE e.user_id = counted.user_id) <> 1
   OR (SELECT max(position) FROM events e WHERE e.user_id = counted.user_id) <> counted.events
LIMIT 1
"""

_REJECTED = """
SELECT user_id, source_table, columns, types, cells
FROM rejected_events
WHERE {users}
ORDER BY user_id, source_table, source_rowid
"""


@dataclass(frozen=True)
class Between:
    """The users behind one and up to another, in the order of their bytes."""

    after: str | None = None
    upto: str | None = None

    def holds(self, user: str) -> bool:
        """Whether a user is one of them."""
        return (self.after is None or user > self.after) and (self.upto is None or user <= self.upto)

    def clause(self) -> sql.Composable:
        """As SQL."""
        # Text whose order is of code points, as Python's is: UTF-8 keeps that order.
        ends = ((self.after, '{} < user_id COLLATE "C"'), (self.upto, 'user_id COLLATE "C" <= {}'))
        wanted = [sql.SQL(one).format(sql.Literal(user)) for user, one in ends if user is not None]
        return sql.SQL(" AND ").join(wanted) if wanted else sql.SQL("true")


ALL = Between()


class Span(NamedTuple):
    """A part of a stream."""

    after: int
    """Behind this position, a multiple of ``CHUNK``."""
    upto: int
    head: bytes
    """Over the chunks before it."""
    watch: int
    """As in ``StreamHasher``: so many events of the part."""


class PostgresLog:
    """The events of one database, or of some of its users, read in a snapshot of their own.

    ``user_id`` is whose events those of a schema without users are.
    """

    def __init__(
        self,
        url: str,
        user_id: str = "default",
        only: Sequence[str] | None = None,
        between: Between = ALL,
    ) -> None:
        self._url = url
        self._user_id = user_id
        self._users = _only(only) if only is not None else between.clause()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._foreign: ForeignLog | None = None

    @property
    def name(self) -> str:
        return redact(self._url)

    @property
    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection, opened on first use; autocommit."""
        if self._connection is None:
            self._connection = connect(self._url, autocommit=True)
            with translated():
                found = shape(self._connection, self.name)
            if found is not None:
                self._foreign = ForeignLog(self._connection, self.name, found, self._user_id)
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def digest(self, progress: Progress = silent) -> LogDigest:
        """Read and hash every event and every rejected row, in one snapshot."""
        connection = self.connection
        with translated(), snapshot(connection):
            if self._foreign is not None:
                return LogDigest(self._foreign.streams(progress))
            return LogDigest(dict(self._streams(RECORDS, progress)), self.rejected())

    def rejected(self) -> Rejected:
        """The rejected rows, hashed."""
        hasher = RejectedHasher()
        with translated(), self.connection.cursor() as cursor:
            for user_id, table, columns, types, cells in cursor.stream(self._query(_REJECTED), size=200):
                hasher.add(user_id, table, columns, types, cells)
        return hasher.result()

    def side_streams(self) -> Mapping[str, Stream] | None:
        """The streams of the side column, of the users whose events have one; a foreign schema has none."""
        connection = self.connection
        if self._foreign is not None:
            return None
        with translated(), snapshot(connection):
            return dict(self._streams(SIDE_RECORDS, silent))

    def gap(self, digest: LogDigest) -> str | None:
        """A user of the digest just taken whose positions are not 1, 2, 3, ..., if there is one."""
        if self._foreign is not None:
            return None
        users = sorted(digest.streams, key=str.encode)
        counts = [digest.streams[user].events for user in users]
        with translated():
            row = self.connection.execute(_GAPS, (users, counts)).fetchone()
        return row[0] if row else None

    def counts(self) -> dict[str, int]:
        """How many events each user has, by the last position; as ``parts``, within a ``snapshot``."""
        with translated():
            return dict(self.connection.execute(_COUNTS).fetchall())

    def parts(self, parts: Mapping[str, Span]) -> Iterator[tuple[str, StreamHasher]]:
        """A part of each user's events, hashed."""
        users = sorted(parts, key=str.encode)
        query = sql.SQL(_PARTS).format(
            users=sql.Literal(users),
            after=sql.Literal([parts[user].after for user in users]),
            upto=sql.Literal([parts[user].upto for user in users]),
        )
        with translated():
            yield from self._hashed(
                query, silent, lambda user: StreamHasher(parts[user].watch, parts[user].head)
            )

    def prefixes(
        self, watch: Mapping[str, int], progress: Progress = silent
    ) -> Iterator[tuple[str, StreamHasher]]:
        """Every stream, hashed, and as it was at a number of events (see ``StreamHasher``)."""
        with translated():
            yield from self._hashed(
                self._query(RECORDS), progress, lambda user: StreamHasher(watch.get(user, -1))
            )

    def first_gap(self, user_id: str, after: int) -> int | None:
        """The first position behind this one that is missing while a later one is there."""
        with translated():
            row = self.connection.execute(_FIRST_GAP, {"user": user_id, "after": after}).fetchone()
        return row[0] if row else None

    def events(self, user_id: str) -> Iterator[Event]:
        """One user's events in order, each as the digest sees it."""
        connection = self.connection
        with translated(), snapshot(connection):
            if self._foreign is not None:
                yield from self._foreign.events(user_id)
                return
            for records in copy_out(connection, sql.SQL(RECORDS).format(users=_only([user_id]))):
                yield from map(parse, records)

    def tables(self) -> frozenset[str]:
        """The tables of our schema; of a foreign one only the events are read."""
        _ = self.connection
        return frozenset() if self._foreign is not None else frozenset(TABLES)

    def folded_users(self) -> frozenset[str]:
        """The users with a row in folds; there is no such table in an older schema or a foreign one."""
        connection = self.connection
        with translated():
            if connection.execute("SELECT to_regclass('folds')::text").fetchone() == (None,):
                return frozenset()
            rows = connection.execute(self._query("SELECT user_id FROM folds WHERE {users}")).fetchall()
        return frozenset(user_id for (user_id,) in rows)

    def table_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """The rows of one table, streamed."""
        with translated(), self.connection.cursor() as cursor:
            yield from cursor.stream(self._query(TABLES[name].select()), size=200)

    def _query(self, text: LiteralString) -> sql.Composed:
        return sql.SQL(text).format(users=self._users)

    def _streams(self, query: LiteralString, progress: Progress) -> Iterator[tuple[str, Stream]]:
        return ((user, hasher.stream()) for user, hasher in self._hashed(self._query(query), progress))

    def _hashed(
        self, query: sql.Composed, progress: Progress, new: Callable[[str], StreamHasher] | None = None
    ) -> Iterator[tuple[str, StreamHasher]]:
        """Hash a COPY sorted by user; ``new`` makes a user's hasher.

        The bytes PostgreSQL sends are the records: they are hashed as they come, so the proof's view of
        the target is the server's own and shares no code with the one of the source.
        """
        prefix: bytes | None = None
        hasher = StreamHasher()
        for batch in copy_out(self.connection, query):
            progress(len(batch))
            while batch:
                if prefix is None or not batch[0].startswith(prefix):
                    if prefix is not None:
                        yield prefix[6:].decode(), hasher
                    prefix = prefix_of(batch[0])
                    hasher = new(prefix[6:].decode()) if new else StreamHasher()
                # Sorted by user: when the last one is still this user's, so are all between.
                mine = (
                    len(batch)
                    if batch[-1].startswith(prefix)
                    else next(i for i, record in enumerate(batch) if not record.startswith(prefix))
                )
                hasher.add(batch[:mine])
                batch = batch[mine:]
        if prefix is not None:
            yield prefix[6:].decode(), hasher


@contextmanager
def snapshot(connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[None]:
    """One unchanging view of the database on an autocommit connection."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):  # what ended the reading matters, not what the end of it met
            connection.execute("ROLLBACK")
        raise
    connection.execute("ROLLBACK")


def _only(users: Sequence[str] | None) -> sql.Composable:
    if users is None:
        return sql.SQL("true")
    return sql.SQL("user_id = ANY({}::text[])").format(sql.Literal(list(users)))
