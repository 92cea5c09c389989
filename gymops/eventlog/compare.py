"""Compare two event logs: equal by digest, and if not, what differs first and how much."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice, pairwise, zip_longest
from typing import Any

from gymops.errors import Unverified
from gymops.eventlog import tables
from gymops.eventlog.digest import EMPTY_HEAD, LogDigest, Stream, record
from gymops.eventlog.event import Event, isoformat
from gymops.eventlog.log import EventLog, Progress, silent

SIDE = "events.extra"
"""What the side column of the events is called among the tables."""


@dataclass(frozen=True)
class Difference:
    """The first event that differs.

    ``position`` is the first at which the two streams hold something else, from 1 within the user.
    ``a`` and ``b`` are the values of ``column``, or the positions of an event that moved.
    """

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
        left, right = tables.excerpts(str(self.a), str(self.b))
        return f"{where}, {self.column}: {left} in {a}, {right} in {b}"

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
    folded: frozenset[str] = frozenset()
    """Users whose projections are folded from the events on one side, and so not compared."""

    @property
    def events_equal(self) -> bool:
        return self.a.head == self.b.head and self.a.rejected == self.b.rejected

    @property
    def equal(self) -> bool:
        return self.events_equal and all(table.equal for table in self.tables.values())


def compare(a: EventLog, b: EventLog, progress: Progress = silent) -> Comparison:
    """Compare two logs: their events and rejected rows by digest, what else both hold by content.

    Raises:
        Unverified: a log changed meanwhile.
    """
    digest_a, digest_b = a.digest(progress), b.digest(progress)
    found = differences(a, b, digest_a, digest_b) if digest_a.head != digest_b.head else Differences()
    folded = a.folded_users() | b.folded_users()
    others = {
        name: tables.compare(
            tables.given(name, a.table_rows(name), folded),
            tables.given(name, b.table_rows(name), folded),
            tables.TABLES.get(name),
        )
        for name in sorted(a.tables() & b.tables())
    }
    side = _compare_side(a.side_streams(), b.side_streams())
    return Comparison(digest_a, digest_b, found, {SIDE: side, **others} if side else others, folded)


def differences(a: EventLog, b: EventLog, digest_a: LogDigest, digest_b: LogDigest) -> Differences:
    """Align the events of every user whose streams differ.

    Raises:
        Unverified: the digests differ but the events, read again, do not: a log changed meanwhile.
    """
    found = Differences()
    for user_id in _differing(digest_a.streams, digest_b.streams):
        found += align(user_id, a, b)
    if not found:
        raise _unverified("the digests differ, but not the events when they were read again")
    return found


def align(user_id: str, a: EventLog, b: EventLog) -> Differences:
    """Match two streams by event id, in one pass, and name the first difference in a second.

    Both are read in step. An event whose counterpart has not come yet is noted down until it does, so
    memory is proportional to how far apart they are, not to the streams.

    Raises:
        Unverified: a log changed between the two passes.
    """
    found = Differences()
    waiting_a, waiting_b = _Waiting(), _Waiting()
    places = array("q")  # position in A -> position in B, or -1
    first: _Place | None = None

    def differs(kind: str, at_a: int, at_b: int) -> None:
        nonlocal first
        place = (min(at for at in (at_a, at_b) if at >= 0), _KINDS.index(kind), at_a, at_b)
        first = min(first or place, place)

    def match(at_a: int, at_b: int, equal: bool) -> None:
        places[at_a] = at_b
        if not equal:
            found.changed += 1
            differs("changed", at_a, at_b)

    for at, (event_a, event_b) in enumerate(zip_longest(a.events(user_id), b.events(user_id))):
        if event_a:
            places.append(-1)
        if event_a and event_b and event_a.event_id == event_b.event_id:
            match(at, at, event_a == event_b)
            continue
        if event_a:
            other = waiting_b.take(event_a)
            if other:
                match(at, *other)
            elif event_b:
                waiting_a.note(at, event_a)
            else:  # B has ended: nothing is going to match it any more
                found.missing += 1
                differs("missing", at, -1)
        if event_b:
            other = waiting_a.take(event_b)
            if other:
                match(other[0], at, other[1])
            elif event_a:
                waiting_b.note(at, event_b)
            else:
                found.extra += 1
                differs("extra", -1, at)

    if waiting_a:
        found.missing += len(waiting_a)
        differs("missing", waiting_a.first(), -1)
    if waiting_b:
        found.extra += len(waiting_b)
        differs("extra", -1, waiting_b.first())
    found.moved, moved = _moved(places)
    if found.moved:
        differs("moved", *moved)
    found.first = _name(user_id, a, b, first) if first else None
    return found


_KINDS = ("changed", "missing", "extra", "moved")
_Place = tuple[int, int, int, int]
"""First position of a difference (from 0), index of its kind, and where the event is in A and B, or -1."""


class _Waiting:
    """Events of one log that the other has not shown yet: where they are, and a hash of what they hold.

    An id is there more than once only in a database that does not keep its own ids unique.
    """

    def __init__(self) -> None:
        self._events: dict[bytes, list[tuple[int, bytes]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._events.values()))

    def note(self, at: int, event: Event) -> None:
        self._events.setdefault(event.event_id.bytes, []).append((at, sha256(record(event)).digest()))

    def take(self, event: Event) -> tuple[int, bool] | None:
        """Where the event of the same id was, and whether it is equal."""
        same_id = self._events.get(event.event_id.bytes)
        if same_id is None:
            return None
        at, held = same_id.pop(0)
        if not same_id:
            del self._events[event.event_id.bytes]
        return at, held == sha256(record(event)).digest()

    def first(self) -> int:
        return min(same_id[0][0] for same_id in self._events.values())


def _moved(places: array[int]) -> tuple[int, tuple[int, int]]:
    """How many matched events are outside the longest run in order, and where the first of those is.

    The run is a longest increasing subsequence (patience sorting).
    """
    matched = array("q", (at for at, place in enumerate(places) if place >= 0))
    if all(places[left] < places[right] for left, right in pairwise(matched)):
        return 0, (-1, -1)
    tails, ends = array("q"), array("q")  # of the runs of each length: the lowest last place, and its event
    before = array("q", bytes(8 * len(places)))  # the event before it in its run
    for at in matched:
        length = bisect_left(tails, places[at])
        before[at] = ends[length - 1] if length else -1
        tails[length : length + 1] = array("q", [places[at]])
        ends[length : length + 1] = array("q", [at])
    kept = bytearray(len(places))
    at = ends[-1]
    while at >= 0:
        kept[at] = True
        at = before[at]
    moved = ((min(at, places[at]), at) for at in matched if not kept[at])
    _, at = min(moved)
    return len(matched) - len(tails), (at, places[at])


def _name(user_id: str, a: EventLog, b: EventLog, place: _Place) -> Difference:
    """Read the event again and say what is different about it."""
    at, index, at_a, at_b = place
    kind = _KINDS[index]
    event = _event(a, user_id, at_a) if at_a >= 0 else _event(b, user_id, at_b)
    values: tuple[str | None, str | int | None, str | int | None]
    if kind == "missing":
        values = None, _summary(event), None
    elif kind == "extra":
        values = None, None, _summary(event)
    elif kind == "moved":
        values = "position", at_a + 1, at_b + 1
    else:
        values = _column(event, _event(b, user_id, at_b))
    return Difference(kind, user_id, str(event.event_id), at + 1, *values)


def _event(log: EventLog, user_id: str, at: int) -> Event:
    event = next(islice(log.events(user_id), at, None), None)
    if event is None:
        raise _unverified(f"{log.name} holds fewer events than when it was read before")
    return event


def _column(a: Event, b: Event) -> tuple[str, str | int | None, str | int | None]:
    for column in Event.FIELDS:
        left, right = getattr(a, column), getattr(b, column)
        if left != right:
            return (
                (column, isoformat(left), isoformat(right))
                if column == "timestamp"
                else (column, left, right)
            )
    raise _unverified("two events differed, but not when they were read again")


def _summary(event: Event) -> str:
    return f"{event.event_type} at {isoformat(event.timestamp)}"


def _compare_side(
    a: Mapping[str, Stream] | None, b: Mapping[str, Stream] | None
) -> tables.TableDifference | None:
    """The side columns as one more table, if both logs can have one and either does.

    They are compared by digest: at least so many rows are missing, extra or changed.
    """
    if a is None or b is None or not (a or b):
        return None
    nothing = Stream(0, EMPTY_HEAD)
    missing = extra = changed = 0
    users = _differing(a, b)
    for user_id in users:
        left, right = a.get(user_id, nothing).events, b.get(user_id, nothing).events
        missing += max(left - right, 0)
        extra += max(right - left, 0)
        changed += left == right
    return tables.TableDifference(
        rows_a=sum(stream.events for stream in a.values()),
        rows_b=sum(stream.events for stream in b.values()),
        missing=missing,
        extra=extra,
        changed=changed,
        first=f"user {users[0]!r}" if users else None,
    )


def _differing(a: Mapping[str, Stream], b: Mapping[str, Stream]) -> list[str]:
    """The users whose streams differ, sorted by their bytes."""
    nothing = Stream(0, EMPTY_HEAD)
    return [
        user_id
        for user_id in sorted({*a, *b}, key=str.encode)
        if a.get(user_id, nothing) != b.get(user_id, nothing)
    ]


def _unverified(what: str) -> Unverified:
    return Unverified(f"{what}: a log changed meanwhile", hint="run the same command again")
