"""Taking a seal: the new events are read in a snapshot, outside of any write.

The order is what makes a seal true of a restore. First the events are read in a snapshot. Then a message of
a transaction of its own is committed: every commit that the snapshot saw comes before it in the WAL, so what
is recovered up to the message holds the sealed events. And the message's commit is waited for, so that a
crash cannot take back a sealed event whose own commit was not (``synchronous_commit = off``).

A log of very many users may be read in parts, each in a snapshot of its own: all of them come before the
message, and that is all a seal says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from gymops.eventlog.digest import CHUNK, EMPTY_HEAD, Rejected, Stream, StreamHasher, log_head
from gymops.eventlog.postgres import ALL, Between, PostgresLog, Span, snapshot
from gymops.eventlog.seal import Grown, LogDamaged, Seal, Sealed
from gymops.pg.connection import Connection, DatabaseError, Kind, translated

_MESSAGE = """
SELECT clock_timestamp(), pg_logical_emit_message(true, %s, %s)::text,
    (SELECT system_identifier::text FROM pg_control_system())
"""


@dataclass(frozen=True)
class Known:
    """What the next seal must know of a stream that was sealed."""

    events: int
    closed: bytes
    """The head over its closed chunks."""
    head: bytes
    """The head over all of it."""

    @property
    def after(self) -> int:
        """Behind which position its events are not in closed chunks yet."""
        return self.events // CHUNK * CHUNK


@dataclass(frozen=True)
class Mark:
    """A moment of a server: whatever is recovered up to ``lsn`` holds what was committed before ``taken``."""

    taken: datetime
    lsn: str
    system: str


_NEW = Known(0, EMPTY_HEAD, EMPTY_HEAD)


def take(log: PostgresLog, before: Sealed, environment: str) -> Seal | None:
    """The next seal; None if the log is as the last one says. ``before`` stays as it is.

    Raises:
        LogDamaged: the log holds fewer events than were sealed, or others.
        TargetError: the database cannot be read.
    """
    with snapshot(log.connection):
        grown = read(log, known(before))
        rejected = log.rejected()
    if before.last and not grown and rejected == before.last.rejected:
        return None
    return compose(before, environment, grown, rejected, mark(log, following(before)))


@contextmanager
def readable() -> Iterator[None]:
    """A log that cannot be read for it is broken is damaged as well.

    Raises:
        LogDamaged: it is.
    """
    try:
        yield
    except DatabaseError as error:
        if error.kind is not Kind.DAMAGED:
            raise
        raise LogDamaged(error.message, hint=error.hint) from None


def known(before: Sealed) -> dict[str, Known]:
    """Of every sealed stream, what the next seal must know."""
    return {
        user: Known(stream.events, before.closed.get(user, EMPTY_HEAD), stream.head)
        for user, stream in before.streams.items()
    }


def following(before: Sealed) -> int:
    """The next seal's number."""
    return before.last.number + 1 if before.last else 1


def compose(
    before: Sealed, environment: str, grown: Mapping[str, Grown], rejected: Rejected, at: Mark
) -> Seal:
    """The seal of what was read."""
    streams = {**before.streams, **{user: Stream(one.events, one.head) for user, one in grown.items()}}
    return Seal(
        environment=environment,
        number=following(before),
        taken=at.taken,
        system=at.system,
        lsn=at.lsn,
        previous=before.last.digest if before.last else "",
        events=sum(one.events for one in streams.values()),
        head=log_head(streams),
        rejected=rejected,
        streams=grown,
    )


def read(log: PostgresLog, before: Mapping[str, Known], users: Between = ALL) -> dict[str, Grown]:
    """The streams with more events than were sealed; of each, what is behind its closed chunks is read.

    Within a ``snapshot``. ``before`` holds every sealed stream of these users. What was sealed in the chunk
    that is still open is held to its seal, or the next one would make a change of it the truth.

    Raises:
        LogDamaged: the log holds fewer events than were sealed, or others.
    """
    counts = {user: count for user, count in log.counts().items() if users.holds(user)}
    for user, one in before.items():
        if counts.get(user, 0) < one.events:
            raise _refused(f"{user!r} has {counts.get(user, 0)} events, and {one.events} were sealed")
    upto = {user: count for user, count in counts.items() if count > before.get(user, _NEW).events}
    found: dict[str, Grown] = {}
    while upto:
        late = []
        spans = {user: _span(before.get(user, _NEW), end) for user, end in upto.items()}
        for user, hasher in log.parts(spans):
            one, span = before.get(user, _NEW), spans[user]
            if hasher.events < span.upto - span.after:
                late.append(user)  # one commits later than those behind it: sealed is what comes before it
            elif hasher.watched is None or hasher.watched.head != one.head:
                raise _refused(
                    f"{user!r}: an event from {span.after + 1} to {one.events} is not as it was sealed"
                )
            else:
                found[user] = _grown(one, hasher)
        # Asked when the COPY has ended: its connection answers nothing else before.
        short = {user: (log.first_gap(user, spans[user].after) or spans[user].after + 1) - 1 for user in late}
        for user, end in short.items():
            if end < before.get(user, _NEW).events:
                raise _refused(f"{user!r} has no event {end + 1}, which was sealed")
        upto = {user: end for user, end in short.items() if end > before.get(user, _NEW).events}
    return found


def _span(one: Known, end: int) -> Span:
    return Span(one.after, end, one.closed, one.events - one.after)


def _grown(before: Known, hasher: StreamHasher) -> Grown:
    closed = hasher.chunks()[: hasher.events // CHUNK]
    return Grown(before.after + hasher.events, hasher.stream().head, tuple(closed))


def _refused(why: str) -> LogDamaged:
    return LogDamaged(why, hint="gymops runbook show restore says what to do; nothing was sealed")


def mark(log: PostgresLog, number: int) -> Mark:
    """Commit the message of a seal."""
    return emit(log.connection, "gymops.seal", str(number))


def emit(connection: Connection, prefix: str, text: str) -> Mark:
    """Commit a message and wait until it is durable; the connection is in autocommit.

    The place is the one behind the message: the record of its commit comes there or later, so a restore that
    aims at it arrives also where nothing was written since.
    """
    with translated():
        connection.execute("BEGIN READ WRITE")
        connection.execute("SET LOCAL synchronous_commit = on")
        row = connection.execute(_MESSAGE, (prefix, text)).fetchone()
        connection.execute("COMMIT")
    if row is None:
        raise AssertionError("a query without a row")
    return Mark(row[0].astimezone(UTC), row[1], row[2])
