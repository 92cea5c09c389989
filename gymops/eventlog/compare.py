"""Compare two event logs: equal by digest, and if not, what differs first and how much."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Any

from gymops.errors import Unverified
from gymops.eventlog import tables
from gymops.eventlog.digest import EMPTY_HEAD, LogDigest, Stream
from gymops.eventlog.event import Event, isoformat
from gymops.eventlog.log import EventLog, Progress, silent


@dataclass(frozen=True)
class Difference:
    """The first event that differs; ``position`` counts from 1 within the user."""

    kind: str
    user_id: str
    event_id: str
    position: int
    column: str | None
    a: str | int | None
    b: str | int | None

    def describe(self, a: str, b: str) -> str:
        """One line for people; ``a`` and ``b`` are what the two logs are called."""
        where = f"user {self.user_id!r}, event {self.event_id}, position {self.position}"
        if self.kind == "missing":
            return f"{where}: missing in {b} ({self.a})"
        if self.kind == "extra":
            return f"{where}: only in {b} ({self.b})"
        return f"{where}, {self.column}: {_short(self.a)} in {a}, {_short(self.b)} in {b}"

    def as_dict(self) -> dict[str, Any]:
        """The document under ``first_difference``."""
        return {
            "kind": self.kind,
            "user": self.user_id,
            "event_id": self.event_id,
            "position": self.position,
            "column": self.column,
            "a": self.a,
            "b": self.b,
        }


@dataclass
class Differences:
    """How many events differ, and the first of them.

    missing: in A only; extra: in B only; changed: the same id with another content; moved: the fewest
    events that would have to change places for the order to be the same.
    """

    missing: int = 0
    extra: int = 0
    changed: int = 0
    moved: int = 0
    first: Difference | None = None

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.changed or self.moved)

    def __iadd__(self, other: Differences) -> Differences:
        self.missing += other.missing
        self.extra += other.extra
        self.changed += other.changed
        self.moved += other.moved
        self.first = self.first or other.first
        return self

    def counts(self) -> dict[str, int]:
        """The document under ``differences``."""
        return {"missing": self.missing, "extra": self.extra, "changed": self.changed, "moved": self.moved}


@dataclass(frozen=True)
class Comparison:
    """The result of comparing A with B."""

    a: LogDigest
    b: LogDigest
    differences: Differences
    tables: dict[str, tables.TableDifference] = field(default_factory=dict)

    @property
    def events_equal(self) -> bool:
        return self.a.head == self.b.head and self.a.rejected == self.b.rejected

    @property
    def equal(self) -> bool:
        return self.events_equal and all(table.equal for table in self.tables.values())


def compare(a: EventLog, b: EventLog, progress: Progress = silent) -> Comparison:
    """Compare two logs: their events and rejected rows by digest, other tables both have by content."""
    digest_a, digest_b = a.digest(progress), b.digest(progress)
    found = differences(a, b, digest_a, digest_b) if digest_a.head != digest_b.head else Differences()
    both = sorted(a.tables() & b.tables())
    return Comparison(
        digest_a,
        digest_b,
        found,
        {name: tables.compare(a.table_rows(name), b.table_rows(name)) for name in both},
    )


def differences(a: EventLog, b: EventLog, digest_a: LogDigest, digest_b: LogDigest) -> Differences:
    """Align the events of every user whose streams differ.

    Raises:
        Unverified: the digests differ but the events, read again, do not: a log changed meanwhile.
    """
    nothing = Stream(0, EMPTY_HEAD)
    found = Differences()
    for user_id in sorted({*digest_a.streams, *digest_b.streams}, key=str.encode):
        if digest_a.streams.get(user_id, nothing) != digest_b.streams.get(user_id, nothing):
            found += align(user_id, a, b)
    if not found:
        raise Unverified(
            "the digests differ, but not the events when they were read again: a log changed meanwhile",
            hint="run the same command again",
        )
    return found


def align(user_id: str, a: EventLog, b: EventLog) -> Differences:
    """Match two streams by event id, in one pass.

    Both are read in step. An event whose counterpart has not come yet waits for it, so memory is
    proportional to how far apart they are, not to the streams.
    """
    found = Differences()
    waiting_a: dict[bytes, tuple[int, Event]] = {}
    waiting_b: dict[bytes, tuple[int, Event]] = {}
    places = array("q")  # position in A -> position in B, or -1
    candidates: list[tuple[int, Difference]] = []

    def match(at_a: int, event_a: Event, at_b: int, event_b: Event) -> None:
        places[at_a] = at_b
        difference = _changed(at_a, event_a, event_b)
        if difference:
            found.changed += 1
            if not candidates or at_a < candidates[0][0]:
                candidates[:] = [(at_a, difference)]

    for at, (event_a, event_b) in enumerate(zip_longest(a.events(user_id), b.events(user_id))):
        if event_a:
            places.append(-1)
        if event_a and event_b and event_a.event_id == event_b.event_id:
            match(at, event_a, at, event_b)
            continue
        if event_a:
            other = waiting_b.pop(event_a.event_id.bytes, None)
            if other:
                match(at, event_a, *other)
            else:
                waiting_a[event_a.event_id.bytes] = (at, event_a)
        if event_b:
            other = waiting_a.pop(event_b.event_id.bytes, None)
            if other:
                match(*other, at, event_b)
            else:
                waiting_b[event_b.event_id.bytes] = (at, event_b)

    found.missing, found.extra = len(waiting_a), len(waiting_b)
    candidates += [_only("missing", *next(iter(waiting_a.values())))] if waiting_a else []
    candidates += [_only("extra", *next(iter(waiting_b.values())))] if waiting_b else []
    found.moved = _moved(places)
    if found.moved:
        candidates.append(_first_moved(user_id, a, places))
    found.first = min(candidates, key=lambda candidate: candidate[0])[1] if candidates else None
    return found


def _changed(at: int, a: Event, b: Event) -> Difference | None:
    for column in Event.FIELDS:
        left, right = getattr(a, column), getattr(b, column)
        if left != right:
            if column == "timestamp":
                left, right = isoformat(left), isoformat(right)
            return Difference("changed", a.user_id, str(a.event_id), at + 1, column, left, right)
    return None


def _only(kind: str, at: int, event: Event) -> tuple[int, Difference]:
    text = f"{event.event_type} at {isoformat(event.timestamp)}"
    a, b = (text, None) if kind == "missing" else (None, text)
    return at, Difference(kind, event.user_id, str(event.event_id), at + 1, None, a, b)


def _moved(places: array[int]) -> int:
    """Matched events less the longest run of them that is in order."""
    matched = [place for place in places if place >= 0]
    if all(left < right for left, right in zip(matched, islice(matched, 1, None), strict=False)):
        return 0
    tails: list[int] = []
    for place in matched:
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
    return len(matched) - len(tails)


def _first_moved(user_id: str, a: EventLog, places: array[int]) -> tuple[int, Difference]:
    matched = [(at, place) for at, place in enumerate(places) if place >= 0]
    in_b = sorted(place for _, place in matched)
    at, place = next((at, place) for (at, place), other in zip(matched, in_b, strict=True) if place != other)
    event = next(islice(a.events(user_id), at, None))
    return at, Difference("moved", user_id, str(event.event_id), at + 1, "position", at + 1, place + 1)


def _short(value: str | int | None) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:197] + "..."
