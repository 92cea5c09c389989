"""Seals: what the event log held at a moment, kept outside the database, so that a restore can be held to it.

A seal says of each user whose stream grew since the seal before how many events it has, its head, and the
chunks that were closed; together with those before it, it says so of the whole log. Each seal holds the
digest of the one before, so that none can be taken out of the row, and is signed. A user's first N events
never change, and so a later state of the log has every earlier seal as a beginning. Where a database is put
back on purpose, a seal says from which one it goes on (``goes_on``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from gymops.errors import GymopsError
from gymops.eventlog.digest import CHUNK, EMPTY_HEAD, Rejected, Stream, fold, log_head

FORMAT = 1


class SealError(GymopsError):
    """A seal is damaged, missing, or not signed by the key it should be."""

    code = "seal"


class LogDamaged(SealError):
    """The log is not what was sealed of it, or cannot be read: nothing more is sealed."""


@dataclass(frozen=True)
class Grown:
    """A stream that grew since the seal before."""

    events: int
    """All of them."""
    head: bytes
    """Of the stream: 32 bytes."""
    chunks: tuple[bytes, ...]
    """Those that were closed since, 1,024 events each."""


@dataclass(frozen=True)
class GoesOn:
    """The seal that the first one of a restored database goes on from. Those in between are of the history
    that was given up: they stay in the row, and nothing is held to them any more.
    """

    number: int
    digest: str
    restore: str
    """Which one."""
    here: bool = False
    """Whether the WAL goes on as well: what is recovered passes from the history before to this one."""


@dataclass(frozen=True)
class Seal:
    """The event log of an environment at a moment."""

    environment: str
    number: int
    """1, 2, 3, ..."""
    taken: datetime
    """By the database's clock: whatever is recovered up to this time, or later, holds these events."""
    system: str
    """The database system's identifier: another one writes another history."""
    lsn: str
    """Whatever is recovered up to here holds these events; up to any earlier place, perhaps not."""
    previous: str
    """The digest of the seal before; empty for the first one."""
    events: int
    head: str
    """The log's head."""
    rejected: Rejected
    streams: Mapping[str, Grown] = field(default_factory=dict)
    goes_on: GoesOn | None = None
    """None: it says what came since the seal before."""

    def dump(self) -> bytes:
        """As it is signed and stored: JSON with one spelling."""
        return json.dumps(_plain(self), sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()

    @property
    def digest(self) -> str:
        """What the next seal calls this one."""
        return sha256(self.dump()).hexdigest()


def load(data: bytes, name: str) -> Seal:
    """Read a seal.

    Raises:
        SealError: it is none.
    """
    try:
        return _read(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SealError(
            f"the seal {name} is damaged: {error}",
            hint="restore that file from where the seals are copied to",
        ) from None


@dataclass
class Sealed:
    """What all seals up to one say together."""

    last: Seal | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    chunks: dict[str, list[bytes]] = field(default_factory=dict)
    """The closed ones of each stream."""
    closed: dict[str, bytes] = field(default_factory=dict)
    """The head over those."""

    @property
    def events(self) -> int:
        """Of all users."""
        return self.last.events if self.last else 0

    @property
    def head(self) -> str:
        """The log's head."""
        return log_head(self.streams)

    def after(self, user: str) -> int:
        """Behind which position a user's events are not in closed chunks yet."""
        return len(self.chunks.get(user, ())) * CHUNK

    def add(self, seal: Seal) -> None:
        """Go on to the next seal.

        Raises:
            SealError: it is not the next one, or does not follow from what it says.
        """
        number, digest = (self.last.number, self.last.digest) if self.last else (0, "")
        said = seal.goes_on or GoesOn(seal.number - 1, seal.previous, "")
        if (said.number, said.digest) != (number, digest):
            raise _not_in_row(seal, number)
        for user, grown in seal.streams.items():
            chunks = self.chunks.setdefault(user, [])
            self.closed[user] = fold(grown.chunks, self.closed.get(user, EMPTY_HEAD))
            chunks.extend(grown.chunks)
            self.streams[user] = Stream(grown.events, grown.head)
            if len(chunks) != grown.events // CHUNK:
                raise SealError(
                    f"seal {seal.number} of {seal.environment}: {user!r} has other chunks than events"
                )
        self.last = seal
        if (seal.head, seal.events) != (self.head, sum(one.events for one in self.streams.values())):
            raise SealError(f"seal {seal.number} of {seal.environment} does not add up")


def sealed(seals: Iterable[Seal]) -> Sealed:
    """What seals say together, from the first one on.

    Raises:
        SealError: one is missing, or does not follow from those before.
    """
    together = Sealed()
    for seal in lineage(list(seals)):
        together.add(seal)
    return together


def lineage(seals: Sequence[Seal]) -> list[Seal]:
    """The seals that the last one stands on, and itself: without those of a history that was given up. Where
    older ones are summed up, those of them that come after.

    Raises:
        SealError: one is missing, or not the one that was there.
    """
    if not seals:
        return []
    begin = seals[0].number - 1
    number, digest = begin, seals[0].previous if begin else ""
    for seal in seals:
        if (seal.number, seal.previous) != (number + 1, digest):
            raise _not_in_row(seal, number)
        number, digest = seal.number, seal.digest
    return list(standing(reversed(seals)))[::-1]


def standing(back: Iterable[Seal]) -> Iterator[Seal]:
    """The same, of seals from the newest one on back, and read as far as anybody asks."""
    wanted: int | None = None
    for seal in back:
        if wanted is None or seal.number <= wanted:
            yield seal
            wanted = seal.goes_on.number if seal.goes_on else seal.number - 1


def _not_in_row(seal: Seal, number: int) -> SealError:
    return SealError(
        f"seal {seal.number} of {seal.environment} does not follow on seal {number}",
        hint="a seal was changed or taken away: compare with where the seals are copied to",
    )


def _plain(seal: Seal) -> dict[str, Any]:
    document: dict[str, Any] = {
        "format": FORMAT,
        "environment": seal.environment,
        "number": seal.number,
        "taken": seal.taken.isoformat(),
        "system": seal.system,
        "lsn": seal.lsn,
        "previous": seal.previous,
        "events": seal.events,
        "head": seal.head,
        "rejected": {"rows": seal.rejected.rows, "digest": seal.rejected.digest},
        "streams": {
            user: {
                "events": one.events,
                "head": one.head.hex(),
                "chunks": [chunk.hex() for chunk in one.chunks],
            }
            for user, one in seal.streams.items()
        },
    }
    if seal.goes_on:  # the others are spelled as ever
        before = seal.goes_on
        document["goes_on"] = {"number": before.number, "digest": before.digest, "restore": before.restore}
        if before.here:
            document["goes_on"]["here"] = True
    return document


def _read(document: dict[str, Any]) -> Seal:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']}, and this gymops knows {FORMAT}")
    rejected, streams, before = document["rejected"], document["streams"], document.get("goes_on")
    return Seal(
        environment=document["environment"],
        number=document["number"],
        taken=datetime.fromisoformat(document["taken"]),
        system=document["system"],
        lsn=document["lsn"],
        previous=document["previous"],
        events=document["events"],
        head=document["head"],
        rejected=Rejected(rejected["rows"], rejected["digest"]),
        streams={
            user: Grown(one["events"], bytes.fromhex(one["head"]), tuple(map(bytes.fromhex, one["chunks"])))
            for user, one in streams.items()
        },
        goes_on=GoesOn(before["number"], before["digest"], before["restore"], before.get("here", False))
        if before
        else None,
    )
