"""Taking a seal: the new events are read in one snapshot, outside of any write.

The order is what makes a seal true of a restore. First the events are read in a snapshot. Then a message of
a transaction of its own is committed: every commit that the snapshot saw comes before it in the WAL, so what
is recovered up to the message holds the sealed events. And the message's commit is waited for, so that a
crash cannot take back a sealed event whose own commit was not (``synchronous_commit = off``).
"""

from __future__ import annotations

from datetime import UTC, datetime

from gymops.eventlog.digest import CHUNK, EMPTY_HEAD, Stream, StreamHasher, fold, log_head
from gymops.eventlog.postgres import PostgresLog, snapshot
from gymops.eventlog.seal import Grown, Seal, Sealed, SealError
from gymops.pg.connection import translated

_MESSAGE = """
SELECT clock_timestamp(), pg_logical_emit_message(true, 'gymops.seal', %s)::text,
    (SELECT system_identifier::text FROM pg_control_system())
"""


def take(log: PostgresLog, before: Sealed, environment: str) -> Seal | None:
    """The next seal; None if the log is as the last one says. ``before`` stays as it is.

    Raises:
        SealError: the log holds fewer events than were sealed.
        TargetError: the database cannot be read.
    """
    with snapshot(log.connection):
        grown = _grown(log, before, environment)
        rejected = log.rejected()
    if before.last and not grown and rejected == before.last.rejected:
        return None
    taken, lsn, system = _mark(log, before)
    streams = {**before.streams, **{user: Stream(one.events, one.head) for user, one in grown.items()}}
    return Seal(
        environment=environment,
        number=before.last.number + 1 if before.last else 1,
        taken=taken,
        system=system,
        lsn=lsn,
        previous=before.last.digest if before.last else "",
        events=sum(one.events for one in streams.values()),
        head=log_head(streams),
        rejected=rejected,
        streams=grown,
    )


def _grown(log: PostgresLog, before: Sealed, environment: str) -> dict[str, Grown]:
    """The streams with more events than were sealed; of each, what is behind its closed chunks is read."""
    nothing, counts = Stream(0, EMPTY_HEAD), log.counts()
    for user, stream in before.streams.items():
        if counts.get(user, 0) < stream.events:
            raise SealError(
                f"{user!r} has {counts.get(user, 0)} events, and {stream.events} were sealed",
                hint=f"gymops audit {environment}; if the database was put back on purpose, begin anew",
            )
    upto = {user: count for user, count in counts.items() if count > before.streams.get(user, nothing).events}
    found: dict[str, Grown] = {}
    while upto:
        short = {}
        for user, hasher in log.parts({user: (before.after(user), upto[user]) for user in upto}):
            after = before.after(user)
            if hasher.events == upto[user] - after:
                found[user] = _stream(before, user, hasher)
            else:  # one that commits later than those behind it: the stream is sealed up to there
                short[user] = (log.first_gap(user, after) or after + 1) - 1
        upto = {user: end for user, end in short.items() if end > before.streams.get(user, nothing).events}
    return found


def _stream(before: Sealed, user: str, hasher: StreamHasher) -> Grown:
    chunks = hasher.chunks()
    closed = chunks[: hasher.events // CHUNK]
    head = fold(chunks, before.closed.get(user, EMPTY_HEAD))
    return Grown(before.after(user) + hasher.events, head, tuple(closed))


def _mark(log: PostgresLog, before: Sealed) -> tuple[datetime, str, str]:
    """When, up to where in the WAL, and of which system."""
    connection = log.connection
    number = str(before.last.number + 1 if before.last else 1)
    with translated():
        connection.execute("BEGIN READ WRITE")
        connection.execute("SET LOCAL synchronous_commit = on")
        row = connection.execute(_MESSAGE, (number,)).fetchone()
        connection.execute("COMMIT")
        lsn = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    if row is None or lsn is None:
        raise AssertionError("a query without a row")
    return row[0].astimezone(UTC), lsn[0], row[2]
