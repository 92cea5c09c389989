"""The proof of a restore: every sealed event is there, unchanged and in its place."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from gymops.eventlog.digest import CHUNK, EMPTY_HEAD, Rejected, Stream, StreamHasher, log_head
from gymops.eventlog.log import Progress, silent
from gymops.eventlog.postgres import PostgresLog, snapshot
from gymops.eventlog.seal import Sealed


@dataclass(frozen=True)
class Broken:
    """A sealed stream that did not come back: the first of its chunks that is not as it was sealed."""

    user: str
    chunk: int
    """From 1."""
    position: int
    """Of the chunk's first event; where events are missing at the end, of the first of those."""
    event_id: str | None
    """Of the event that is at that position now; None if there is none."""
    missing: int
    """Events at the stream's end; 0 where they are all there, and changed."""

    def describe(self) -> str:
        """One line for people."""
        where = f"user {self.user!r}, chunk {self.chunk}"
        if self.missing:
            return f"{where}: {self.missing} events are missing from position {self.position} on"
        last = self.chunk * CHUNK
        return f"{where}: something changed from position {self.position} (event {self.event_id}) to {last}"


@dataclass(frozen=True)
class Proof:
    """What a restored log came to, held to a seal."""

    expected_events: int
    expected_digest: str
    restored_events: int
    """Of those that were sealed."""
    restored_digest: str
    """Of as many events of each user as were sealed."""
    newer: int
    """Events that came after the seal."""
    rejected: bool
    """Whether the rejected rows are as they were sealed."""
    broken: tuple[Broken, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything that was sealed is there, and nothing of it is changed."""
        return self.expected_digest == self.restored_digest and self.rejected and not self.broken


def prove(log: PostgresLog, sealed: Sealed, progress: Progress = silent) -> Proof:
    """Read the whole log, in one snapshot, and hold it to a seal.

    Raises:
        TargetError: it cannot be read.
    """
    with snapshot(log.connection):
        watch = {user: stream.events for user, stream in sealed.streams.items()}
        found = dict(log.prefixes(watch, progress))
        rejected = log.rejected()
    broken = tuple(
        one for user in sorted(watch, key=str.encode) if (one := _broken(log, user, sealed, found.get(user)))
    )
    prefixes = {user: _prefix(hasher, watch.get(user, 0)) for user, hasher in found.items()}
    restored = sum(one.events for one in prefixes.values())
    return Proof(
        expected_events=sealed.events,
        expected_digest=sealed.head,
        restored_events=restored,
        restored_digest=log_head(prefixes),
        newer=sum(hasher.events for hasher in found.values()) - restored,
        rejected=rejected == (sealed.last.rejected if sealed.last else Rejected()),
        broken=broken,
    )


def _prefix(hasher: StreamHasher, events: int) -> Stream:
    """A stream as it was at so many events; all of one that has fewer."""
    return hasher.watched or (hasher.stream() if events else Stream(0, EMPTY_HEAD))


def _broken(log: PostgresLog, user: str, sealed: Sealed, hasher: StreamHasher | None) -> Broken | None:
    wanted, known = sealed.streams[user], sealed.chunks[user]
    if hasher is not None and hasher.watched == wanted:
        return None
    there = hasher.events if hasher else 0
    chunks = hasher.chunks()[: there // CHUNK] if hasher else []
    at = next((at for at, (one, other) in enumerate(zip(chunks, known, strict=False)) if one != other), None)
    if at is None:
        at = min(len(chunks), len(known))
        if there < wanted.events:
            return Broken(user, at + 1, there + 1, None, wanted.events - there)
    event = next(islice(log.events(user), at * CHUNK, None), None)
    return Broken(user, at + 1, at * CHUNK + 1, str(event.event_id) if event else None, 0)
