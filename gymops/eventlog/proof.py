"""The proof of a restore: every sealed event is there, unchanged and in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from gymops.errors import Unverified
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


@dataclass(frozen=True)
class Part:
    """What the sealed streams of some users came to."""

    events: int
    """Of those that were sealed."""
    head: str
    """Of as many events of each user as were sealed, over these users."""
    newer: int
    other: Mapping[str, Stream]
    """The streams that came back as something else, as that."""
    broken: tuple[Broken, ...]


def prove(log: PostgresLog, sealed: Sealed, progress: Progress = silent) -> Proof:
    """Read the whole log, in one snapshot, and hold it to a seal.

    Raises:
        TargetError: it cannot be read.
    """
    with snapshot(log.connection):
        part = hold(log, sealed.streams, sealed.chunks, progress)
        rejected = log.rejected()
    return proof(sealed, [(sealed.streams, part)], rejected)


def hold(
    log: PostgresLog,
    streams: Mapping[str, Stream],
    chunks: Mapping[str, Sequence[bytes]],
    progress: Progress = silent,
) -> Part:
    """Hold what is there of a log to the sealed streams of its users; within a ``snapshot``."""
    found = dict(log.prefixes({user: stream.events for user, stream in streams.items()}, progress))
    there = {user: _prefix(found.get(user)) for user in streams}
    other = {user: there[user] for user in sorted(streams) if there[user] != streams[user]}
    events = sum(one.events for one in there.values())
    return Part(
        events=events,
        head=log_head(there),
        newer=sum(hasher.events for hasher in found.values()) - events,
        other=other,
        broken=tuple(_broken(log, user, streams[user], chunks[user], found.get(user)) for user in other),
    )


def proof(sealed: Sealed, parts: Iterable[tuple[Mapping[str, Stream], Part]], rejected: Rejected) -> Proof:
    """What the parts of a log say together: of which sealed streams each is, and what it came to.

    Raises:
        Unverified: one does not add up, or they are not of the whole log.
    """
    restored: dict[str, Stream] = {}
    newer = 0
    broken: list[Broken] = []
    for streams, part in parts:
        there = {**streams, **part.other}
        if log_head(there) != part.head or part.events != sum(one.events for one in there.values()):
            raise Unverified("what came back does not add up", hint=_AGAIN)
        restored |= there
        newer += part.newer
        broken += part.broken
    if restored.keys() != sealed.streams.keys():
        raise Unverified("not all of what came back was looked at", hint=_AGAIN)
    return Proof(
        expected_events=sealed.events,
        expected_digest=sealed.head,
        restored_events=sum(one.events for one in restored.values()),
        restored_digest=log_head(restored),
        newer=newer,
        rejected=rejected == (sealed.last.rejected if sealed.last else Rejected()),
        broken=tuple(broken),
    )


def _prefix(hasher: StreamHasher | None) -> Stream:
    """A stream as it was at so many events; all of one that has fewer."""
    if hasher is None:
        return Stream(0, EMPTY_HEAD)
    return hasher.watched or hasher.stream()


def _broken(
    log: PostgresLog, user: str, wanted: Stream, known: Sequence[bytes], hasher: StreamHasher | None
) -> Broken:
    there = hasher.events if hasher else 0
    chunks = hasher.chunks()[: there // CHUNK] if hasher else []
    at = next((at for at, (one, other) in enumerate(zip(chunks, known, strict=False)) if one != other), None)
    if at is None:
        at = min(len(chunks), len(known))
        if there < wanted.events:
            return Broken(user, at + 1, there + 1, None, wanted.events - there)
    event = next(islice(log.events(user), at * CHUNK, None), None)
    return Broken(user, at + 1, at * CHUNK + 1, str(event.event_id) if event else None, 0)


_AGAIN = "run the same again"
