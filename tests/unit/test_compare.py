"""Comparing two logs: what is counted, which event is named first, and what it costs."""

from __future__ import annotations

import tracemalloc
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gymops.errors import Unverified
from gymops.eventlog import compare
from gymops.eventlog.compare import Difference, Differences
from gymops.eventlog.digest import LogDigest, Rejected, Stream, StreamHasher, record
from gymops.eventlog.event import Event
from gymops.eventlog.log import Progress, silent
from tests.contract.strategies import FEW, many

Row = tuple[str, str, str]


def event(n: int, version: int = 1, user: str = "alice") -> Event:
    return Event(user, uuid.UUID(int=n), n * 1_000_000, "SetLogged", version, f'{{"n": {n}}}', None)


class Log:
    """A log in memory; ``streams`` may be changed between two readings."""

    def __init__(
        self,
        *events: Event,
        tables: Mapping[str, list[Row]] | None = None,
        side: Mapping[str, Stream] | None = None,
        rejected: Rejected | None = None,
    ) -> None:
        self.streams: dict[str, Callable[[], Iterator[Event]]] = {}
        for user in {one.user_id for one in events}:
            self.hold(user, [one for one in events if one.user_id == user])
        self._tables = tables or {}
        self._side = side
        self._rejected = rejected or Rejected()
        self.after_digest: Callable[[], None] = lambda: None

    name = "memory"

    def hold(self, user: str, events: list[Event]) -> None:
        self.streams[user] = lambda: iter(events)

    def digest(self, progress: Progress = silent) -> LogDigest:
        streams = {}
        for user in self.streams:
            hasher = StreamHasher()
            hasher.add([record(one) for one in self.events(user)])
            streams[user] = hasher.stream()
        self.after_digest()
        return LogDigest(streams, self._rejected)

    def events(self, user_id: str) -> Iterator[Event]:
        return self.streams.get(user_id, lambda: iter(()))()

    def side_streams(self) -> Mapping[str, Stream] | None:
        return self._side

    def tables(self) -> frozenset[str]:
        return frozenset(self._tables)

    def folded_users(self) -> frozenset[str]:
        return frozenset()

    def table_rows(self, name: str) -> Iterator[Row]:
        return iter(self._tables[name])


def align(a: list[Event], b: list[Event]) -> Differences:
    return compare.align("alice", Log(*a), Log(*b))


# -- against a brute-force oracle ---------------------------------------------------------------------


def longest_run(places: list[int]) -> int:
    best: list[int] = []
    for at, place in enumerate(places):
        best.append(1 + max((best[i] for i in range(at) if places[i] < place), default=0))
    return max(best, default=0)


def oracle(a: list[Event], b: list[Event]) -> dict[str, int]:
    in_a = {one.event_id: one for one in a}
    in_b = {one.event_id: (at, one) for at, one in enumerate(b)}
    places = [in_b[one.event_id][0] for one in a if one.event_id in in_b]
    return {
        "missing": len(in_a.keys() - in_b.keys()),
        "extra": len(in_b.keys() - in_a.keys()),
        "changed": sum(one.event_id in in_b and in_b[one.event_id][1] != one for one in a),
        "moved": len(places) - longest_run(places),
    }


def check(a: list[Event], b: list[Event]) -> None:
    found = align(a, b)
    assert found.counts() == oracle(a, b)
    assert bool(found) == (a != b)
    if found.first is None:
        assert a == b
        return
    first = found.first
    at = next(at for at in range(max(len(a), len(b))) if a[at : at + 1] != b[at : at + 1])
    assert first.position == at + 1
    assert first.event_id in {str(one.event_id) for one in a[at : at + 1] + b[at : at + 1]}
    check_named(first, a, b)


def check_named(first: Difference, a: list[Event], b: list[Event]) -> None:
    """What is said of the event is true, and it is one of the fewest that moved."""
    ids_a, ids_b = [str(one.event_id) for one in a], [str(one.event_id) for one in b]
    assert (first.event_id in ids_a, first.event_id in ids_b) == (
        first.kind != "extra",
        first.kind != "missing",
    )
    if first.kind == "changed":
        left, right = a[ids_a.index(first.event_id)], b[ids_b.index(first.event_id)]
        assert (first.column, first.a, first.b) == (
            "schema_version",
            left.schema_version,
            right.schema_version,
        )
        assert left != right
    if first.kind == "moved":
        assert first.column == "position"
        assert (first.a, first.b) == (ids_a.index(first.event_id) + 1, ids_b.index(first.event_id) + 1)
        without = [one for one in a if str(one.event_id) != first.event_id]
        assert oracle(without, b)["moved"] == oracle(a, b)["moved"] - 1


_A = st.lists(st.integers(1, 12), max_size=10, unique=True)
_EDITS = st.lists(
    st.tuples(st.sampled_from(["drop", "add", "change", "move"]), st.integers(0, 20), st.integers(0, 20)),
    max_size=6,
)


def edited(numbers: list[int], edits: list[tuple[str, int, int]]) -> tuple[list[Event], list[Event]]:
    a = [event(n) for n in numbers]
    b = list(a)
    for serial, (kind, at, to) in enumerate(edits, 100):
        if kind == "add":
            b.insert(at % (len(b) + 1), event(serial))
        elif b and kind == "drop":
            del b[at % len(b)]
        elif b and kind == "change":
            b[at % len(b)] = replace(b[at % len(b)], schema_version=serial)
        elif b:
            b.insert(to % len(b), b.pop(at % len(b)))
    return a, b


@FEW
@given(numbers=_A, edits=_EDITS)
@example(numbers=[1, 2, 3], edits=[("move", 0, 2)])
@example(numbers=[1, 2, 3], edits=[("move", 2, 0)])
@example(numbers=[1, 2], edits=[("move", 0, 1), ("change", 0, 0)])
@example(numbers=[1, 2, 3, 4], edits=[("drop", 0, 0), ("add", 3, 0)])
def test_any_edit_is_counted_and_the_first_one_named(
    numbers: list[int], edits: list[tuple[str, int, int]]
) -> None:
    a, b = edited(numbers, edits)
    check(a, b)
    check(b, a)


@many()
@given(numbers=_A, edits=_EDITS)
def test_many_edits(numbers: list[int], edits: list[tuple[str, int, int]]) -> None:
    a, b = edited(numbers, edits)
    check(a, b)
    check(b, a)


@many()
@given(a=_A, b=_A)
def test_any_two_orders(a: list[int], b: list[int]) -> None:
    check([event(n) for n in a], [event(n) for n in b])


# -- examples -----------------------------------------------------------------------------------------

ABC = [event(1), event(2), event(3)]


@pytest.mark.parametrize(
    ("b", "counts", "first"),
    [
        (ABC[1:], (1, 0, 0, 0), ("missing", 1, 1, None)),
        (ABC[:-1], (1, 0, 0, 0), ("missing", 3, 3, None)),
        ([event(9), *ABC], (0, 1, 0, 0), ("extra", 9, 1, None)),
        ([*ABC, event(9)], (0, 1, 0, 0), ("extra", 9, 4, None)),
        ([ABC[0], event(2, 2), ABC[2]], (0, 0, 1, 0), ("changed", 2, 2, "schema_version")),
        ([ABC[2], ABC[0], ABC[1]], (0, 0, 0, 1), ("moved", 3, 1, "position")),
        ([ABC[1], ABC[2], ABC[0]], (0, 0, 0, 1), ("moved", 1, 1, "position")),
        ([ABC[2], ABC[1], ABC[0]], (0, 0, 0, 2), ("moved", 1, 1, "position")),
        ([], (3, 0, 0, 0), ("missing", 1, 1, None)),
        ([event(8), event(7)], (3, 2, 0, 0), ("missing", 1, 1, None)),
    ],
)
def test_examples(b: list[Event], counts: tuple[int, ...], first: tuple[str, int, int, str | None]) -> None:
    found = align(ABC, b)
    assert tuple(found.counts().values()) == counts
    assert found.first
    named = found.first
    assert (named.kind, uuid.UUID(named.event_id).int, named.position, named.column) == first


@pytest.mark.parametrize(
    ("change", "column", "a", "b"),
    [
        ({"timestamp": 1_000_001}, "timestamp", "2000-01-01T00:00:01.000000Z", "2000-01-01T00:00:01.000001Z"),
        ({"event_type": "SetDeleted"}, "event_type", "SetLogged", "SetDeleted"),
        ({"schema_version": 2}, "schema_version", 1, 2),
        ({"payload": '{"n": 1.0}'}, "payload", '{"n": 1}', '{"n": 1.0}'),
        ({"source_event_id": ""}, "source_event_id", None, ""),
    ],
)
def test_a_changed_event_is_named_with_column_and_both_values(
    change: dict[str, object], column: str, a: str | int | None, b: str | int | None
) -> None:
    other = replace(ABC[0], **change)  # type: ignore[arg-type]
    first = align(ABC, [other, *ABC[1:]]).first
    assert first == Difference("changed", "alice", str(ABC[0].event_id), 1, column, a, b)
    assert first.as_dict() == {
        "kind": "changed",
        "user": "alice",
        "event_id": str(ABC[0].event_id),
        "position": 1,
        "column": column,
        "a": a,
        "b": b,
    }


def test_an_id_held_twice_is_matched_in_pairs() -> None:
    a, b, c = ABC
    assert align([a, b, c], [a, a, a]).counts() == {"missing": 2, "extra": 2, "changed": 0, "moved": 0}
    assert align([c, b, b], [a, a, a, b]).counts() == {"missing": 2, "extra": 3, "changed": 0, "moved": 0}
    assert align([a, a], [a]).counts() == {"missing": 1, "extra": 0, "changed": 0, "moved": 0}


def test_people_read_what_differs_and_where() -> None:
    def said(other: Event) -> str:
        first = align(ABC[:1], [other]).first
        assert first
        return first.describe("A", "B").removeprefix(f"user 'alice', event {ABC[0].event_id}, position 1, ")

    assert said(replace(ABC[0], schema_version=2)) == "schema_version: 1 in A, 2 in B"
    note = '{"note": "' + "x" * 500 + '", "n": %d}'
    long = align([replace(ABC[0], payload=note % 1)], [replace(ABC[0], payload=note % 2)]).first
    assert long
    assert long.describe("A", "B").endswith(
        f'payload: ...{"x" * 32}", "n": 1}} in A, ...{"x" * 32}", "n": 2}} in B'
    )
    nfc, nfd = replace(ABC[0], event_type="caf\u00e9"), replace(ABC[0], event_type="cafe\u0301")
    first = align([nfc], [nfd]).first
    assert first
    assert r"'caf\xe9' in A, 'cafe\u0301' in B" in first.describe("A", "B")
    missing, extra = align(ABC[:1], []).first, align([], ABC[:1]).first
    assert missing
    assert extra
    assert missing.describe("A", "B").endswith("missing in B (SetLogged at 2000-01-01T00:00:01.000000Z)")
    assert extra.describe("A", "B").endswith("only in B (SetLogged at 2000-01-01T00:00:01.000000Z)")


# -- whole logs ---------------------------------------------------------------------------------------


def test_equal_logs_are_equal() -> None:
    result = compare.compare(Log(*ABC), Log(*ABC))
    assert (result.equal, result.events_equal, bool(result.differences), result.tables) == (
        True,
        True,
        False,
        {},
    )


def test_the_first_difference_is_that_of_the_first_user_by_bytes() -> None:
    a = [event(1, user=user) for user in ("Z", "a", "é")]
    result = compare.compare(Log(*a), Log(a[0]))
    assert result.differences.counts() == {"missing": 2, "extra": 0, "changed": 0, "moved": 0}
    assert result.differences.first
    assert result.differences.first.user_id == "a"


def test_rejected_rows_that_differ_are_a_difference() -> None:
    a, b = Log(*ABC, rejected=Rejected(1, "aa")), Log(*ABC, rejected=Rejected(1, "bb"))
    result = compare.compare(a, b)
    assert (result.equal, result.events_equal, bool(result.differences)) == (False, False, False)


def test_tables_are_compared_when_both_logs_hold_them() -> None:
    both = {"projections": [("alice", '["k"]', '[{"n": 1}, 0, null]')]}
    a, b = Log(*ABC, tables={**both, "exercises": []}), Log(*ABC, tables=both)
    result = compare.compare(a, b)
    assert (result.equal, list(result.tables)) == (True, ["projections"])
    other = Log(*ABC, tables={"projections": [("alice", '["k"]', '[{"n": 2}, 0, null]')]})
    changed = compare.compare(a, other)
    assert (changed.equal, changed.events_equal) == (False, True)
    assert (
        changed.tables["projections"].first
        == 'changed: user \'alice\', key ["k"], data: {"n": 1} in A, {"n": 2} in B'
    )


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (None, {"alice": Stream(3, b"x")}, None),
        ({}, {}, None),
        ({"alice": Stream(3, b"x")}, {"alice": Stream(3, b"x")}, (3, 3, 0, 0, 0, None)),
        ({"alice": Stream(3, b"x")}, {"alice": Stream(3, b"y")}, (3, 3, 0, 0, 1, "user 'alice'")),
        ({"alice": Stream(3, b"x")}, {}, (3, 0, 3, 0, 0, "user 'alice'")),
        (
            {"bob": Stream(1, b"x")},
            {"bob": Stream(3, b"x"), "é": Stream(1, b"")},
            (1, 4, 0, 3, 0, "user 'bob'"),
        ),
    ],
)
def test_side_columns_are_compared_when_both_logs_keep_one(
    a: dict[str, Stream] | None, b: dict[str, Stream], expected: tuple[object, ...] | None
) -> None:
    result = compare.compare(Log(*ABC, side=a), Log(*ABC, side=b))
    found = result.tables.get("events.extra")
    assert (found and tuple(vars(found).values())) == expected
    assert result.equal == (found is None or found.equal)


# -- logs that change while they are compared ---------------------------------------------------------


def test_a_log_that_changed_back_meanwhile_is_no_difference_but_unverified() -> None:
    a, b = Log(*ABC), Log(*ABC[:2])
    b.after_digest = lambda: b.hold("alice", ABC)
    with pytest.raises(Unverified, match="a log changed meanwhile"):
        compare.compare(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([ABC, []], [ABC[:2]]),  # what was missing in B is gone from A
        ([ABC[:2]], [ABC, ABC[:2]]),
        ([ABC, ABC], [[event(1, 2), *ABC[1:]], ABC]),  # what differed is equal now
    ],
)
def test_a_difference_that_goes_away_before_it_is_named_is_unverified(
    a: list[list[Event]], b: list[list[Event]]
) -> None:
    """``a`` and ``b`` are what the logs hold at each reading."""
    left, right = Log(), Log()
    readings_a, readings_b = iter(a), iter(b)
    left.streams["alice"] = lambda: iter(next(readings_a))
    right.streams["alice"] = lambda: iter(next(readings_b))
    with pytest.raises(Unverified, match="a log changed meanwhile"):
        compare.align("alice", left, right)


# -- memory -------------------------------------------------------------------------------------------

LONG = 10_000


def peak(a: Callable[[], Iterator[Event]], b: Callable[[], Iterator[Event]]) -> tuple[Differences, int]:
    left, right = Log(), Log()
    left.streams["alice"], right.streams["alice"] = a, b
    tracemalloc.start()
    try:
        found = compare.align("alice", left, right)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def numbered(start: int = 1) -> Iterator[Event]:
    return (event(n) for n in range(start, LONG + 1))


def test_a_shift_by_one_takes_no_memory_per_event_but_its_place() -> None:
    found, most = peak(numbered, lambda: numbered(2))
    assert found.counts() == {"missing": 1, "extra": 0, "changed": 0, "moved": 0}
    assert most < LONG * 24


def test_a_log_cut_short_takes_no_memory_per_event_but_its_place() -> None:
    found, most = peak(numbered, lambda: iter([event(1)]))
    assert found.counts() == {"missing": LONG - 1, "extra": 0, "changed": 0, "moved": 0}
    assert most < LONG * 24
    found, most = peak(lambda: iter([event(1)]), numbered)
    assert found.counts() == {"missing": 0, "extra": LONG - 1, "changed": 0, "moved": 0}
    assert most < LONG * 24
