"""An event log of bytes that only grows, and the seals of it, made without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from gymops.eventlog.digest import CHUNK, EMPTY_HEAD, Rejected, Stream, StreamHasher, fold, log_head
from gymops.eventlog.seal import Grown, Seal, Sealed
from tests.unit.clocks import START


class GrowingLog:
    """Events are numbered bytes; ``grow`` appends, ``seal`` says what is there."""

    def __init__(self) -> None:
        self.users: dict[str, int] = {}

    def grow(self, user: str, events: int) -> None:
        """So many more events of a user."""
        self.users[user] = self.users.get(user, 0) + events

    def records(self, user: str, after: int = 0) -> Sequence[bytes]:
        """The events of a user behind a position."""
        return [f"{user} {n}".encode() for n in range(after, self.users[user])]

    def head(self) -> str:
        """The log's head, from all events anew."""
        return log_head({user: _hashed(self.records(user)).stream() for user in self.users})

    def seal(self, before: Sealed, **given: object) -> Seal:
        """The next seal; ``given`` in place of what it would say."""
        grown = {
            user: self._grown(before, user)
            for user, events in self.users.items()
            if events != (before.streams[user].events if user in before.streams else 0)
        }
        streams = {**before.streams, **{user: Stream(one.events, one.head) for user, one in grown.items()}}
        number = before.last.number + 1 if before.last else 1
        values = {
            "environment": "local", "number": number, "taken": START + timedelta(minutes=number),
            "system": "7", "lsn": f"0/{number:X}", "previous": before.last.digest if before.last else "",
            "events": sum(one.events for one in streams.values()), "head": log_head(streams),
            "rejected": Rejected(), "streams": grown, **given,
        }  # fmt: skip
        return Seal(**values)  # type: ignore[arg-type]

    def _grown(self, before: Sealed, user: str) -> Grown:
        after = before.after(user)
        chunks = _hashed(self.records(user, after)).chunks()
        closed = tuple(chunks[: (self.users[user] - after) // CHUNK])
        return Grown(self.users[user], fold(chunks, before.closed.get(user, EMPTY_HEAD)), closed)


def seals(numbers: int) -> list[Seal]:
    """So many seals of a log that grows in every way."""
    log, together, found = GrowingLog(), Sealed(), []
    for number in range(1, numbers + 1):
        log.grow(f"user {number % 3}", (1, 700, CHUNK, 3 * CHUNK + 5)[number % 4])
        found.append(log.seal(together))
        together.add(found[-1])
    return found


def _hashed(records: Sequence[bytes]) -> StreamHasher:
    hasher = StreamHasher()
    hasher.add(records)
    return hasher
