"""One suite for every place an event log can live: the same events are the same log everywhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import permutations

import psycopg
import pytest

from gymops.errors import SourceError
from gymops.eventlog import compare
from gymops.eventlog.digest import CHUNK, LogDigest, Rejected, StreamHasher, record
from gymops.eventlog.event import Event, identify
from gymops.eventlog.postgres import PostgresLog
from tests.conftest import Servers
from tests.contract.places import POSTGRES_NEON, USER, Place, Places
from tests.fixtures_schema import Templates

NAMES = (
    "sqlite titan",
    "sqlite neon",
    "sqlite mapped",
    "workspace",
    "postgres ours",
    "postgres ours, system's",
    "postgres app",
    "postgres neon",
    "postgres titan",
)
PAYLOADS = (
    '{"kg": 62.50, "reps": 5}',
    '{"note": "caf\u00e9 \U0001f4aa \\" \\\\ \\n", "sets": [{"kg": 100, "reps": 5}, {}]}',
    "[]",
    "null",
    '"text"',
    "1" + "0" * 50 + ".10",
)


def event(n: int, user: str = USER) -> Event:
    payload = PAYLOADS[n % len(PAYLOADS)]
    kind = ("SetLogged", "WorkoutStarted", "Übung")[n % 3]
    return Event(user, uuid.UUID(int=n * 7919), n * 1_000_001, kind, 1, payload, None)


EVENTS = [event(n) for n in range(1, 8)]


def digest_of(events: Sequence[Event]) -> LogDigest:
    hashers: dict[str, StreamHasher] = {}
    for one in events:
        hashers.setdefault(one.user_id, StreamHasher()).add([record(one)])
    return LogDigest({user: hasher.stream() for user, hasher in hashers.items()})


@pytest.fixture(scope="module")
def all_places(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, schema_templates: Templates
) -> Iterator[Places]:
    made = Places(tmp_path_factory.mktemp("places"), servers, schema_templates)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def places(all_places: Places) -> Iterator[Places]:
    try:
        yield all_places
    finally:
        all_places.empty()


@pytest.fixture(params=NAMES)
def place(request: pytest.FixtureRequest, places: Places) -> Place:
    return places.kinds[request.param]


def test_every_place_is_in_this_suite(places: Places) -> None:
    assert tuple(places.kinds) == NAMES


def test_the_same_events_have_the_same_digest(place: Place) -> None:
    log = place.fill(EVENTS)
    assert log.digest() == digest_of(EVENTS)
    assert log.digest() == digest_of(EVENTS)  # and still the second time


def test_the_digest_tells_progress_of_every_event(place: Place) -> None:
    done: list[int] = []
    place.fill(EVENTS).digest(done.append)
    assert sum(done) == len(EVENTS)


def test_events_come_in_order_as_the_digest_sees_them(place: Place) -> None:
    log = place.fill(EVENTS)
    assert list(log.events(USER)) == EVENTS


def test_an_empty_log(place: Place) -> None:
    log = place.fill([])
    assert log.digest() == LogDigest({}, Rejected(0, ""))
    assert list(log.events(USER)) == []


def test_a_log_with_one_event(place: Place) -> None:
    log = place.fill(EVENTS[:1])
    assert log.digest() == digest_of(EVENTS[:1])
    assert list(log.events(USER)) == EVENTS[:1]


def test_a_user_the_log_does_not_hold_has_no_events(place: Place) -> None:
    assert list(place.fill(EVENTS).events("bob")) == []


def test_a_log_of_more_than_one_chunk(place: Place) -> None:
    events = [event(n) for n in range(1, CHUNK + 2)]
    log = place.fill(events)
    assert log.digest() == digest_of(events)
    assert list(log.events(USER))[CHUNK - 1 :] == events[CHUNK - 1 :]


def test_the_payload_s_spelling_does_not_matter_but_its_scale_does(place: Place) -> None:
    spelled = replace(EVENTS[0], payload='{"b" : 1e1,"a":[ ],"b":62.50}')
    log = place.fill([spelled])
    assert [one.payload for one in log.events(USER)] == ['{"a": [], "b": 62.50}']
    other = place.fill([replace(spelled, payload='{"b" : 1e1,"a":[ ],"b":62.5}')])
    assert log.digest() == digest_of([replace(spelled, payload='{"a": [], "b": 62.50}')])
    assert other.digest() != log.digest()


def test_timestamps_from_the_year_1_to_9999(place: Place) -> None:
    times = (-63_082_281_600_000_000, -1, 0, 1, 252_455_615_999_999_999)
    events = [replace(event(n), timestamp=time) for n, time in enumerate(times, 1)]
    log = place.fill(events)
    assert list(log.events(USER)) == events
    assert log.digest() == digest_of(events)


def test_schema_versions_where_the_place_holds_them(place: Place) -> None:
    events = [replace(event(n), schema_version=version) for n, version in enumerate((0, 2, 2**31 - 1), 1)]
    log = place.fill(events)
    expected = events if place.versions else [replace(one, schema_version=1) for one in events]
    assert list(log.events(USER)) == expected
    assert log.digest() == digest_of(expected)


def test_ids_that_are_no_uuid_where_the_place_holds_them(place: Place) -> None:
    if not place.text_ids:
        pytest.skip(f"{place.name} holds UUIDs only")
    events = []
    for n, text in enumerate(("set 1", "", "é", "SET 1"), 1):
        raw, source = identify(USER, text)
        events.append(replace(event(n), event_id=uuid.UUID(bytes=raw), source_event_id=source))
    log = place.fill(events)
    assert list(log.events(USER)) == events
    assert log.digest() == digest_of(events)


def test_several_users_where_the_place_holds_them(place: Place) -> None:
    if not place.users:
        pytest.skip(f"{place.name} holds the events of one user")
    users = ["auth0|000001", "é", "Z", "a", "\uffff", "\U00010000"]
    events = [event(10 * n + at, user) for n in range(1, 4) for at, user in enumerate(users)]
    log = place.fill(events)
    assert log.digest() == digest_of(events)
    for user in users:
        assert list(log.events(user)) == [one for one in events if one.user_id == user]


def test_an_event_that_differs_is_named(place: Place, places: Places) -> None:
    changed = [*EVENTS[:3], replace(EVENTS[3], event_type="SetDeleted"), *EVENTS[4:]]
    reference = places.kinds["sqlite titan"].fill(EVENTS)
    for first, second, values in (
        (reference, place.fill(changed), (EVENTS[3].event_type, "SetDeleted")),
        (place.fill(changed), reference, ("SetDeleted", EVENTS[3].event_type)),
    ):
        result = compare.compare(first, second)
        assert result.differences.counts() == {"missing": 0, "extra": 0, "changed": 1, "moved": 0}
        assert result.differences.first == compare.Difference(
            "changed", USER, str(EVENTS[3].event_id), 4, "event_type", *values
        )


def test_an_event_that_moved_is_named(place: Place, places: Places) -> None:
    """Where the order is that of the timestamps, the event's timestamp has to move with it."""
    moved = [replace(one, timestamp=n) for n, one in enumerate([*EVENTS[1:], EVENTS[0]])]
    straight = [replace(one, timestamp=moved[(n - 1) % len(moved)].timestamp) for n, one in enumerate(EVENTS)]
    result = compare.compare(place.fill(moved), places.kinds["sqlite titan"].fill(straight))
    assert result.differences.counts() == {"missing": 0, "extra": 0, "changed": 0, "moved": 1}
    first = result.differences.first
    assert first
    assert (first.kind, first.event_id, first.a, first.b) == (
        "moved",
        str(EVENTS[0].event_id),
        len(EVENTS),
        1,
    )


@pytest.mark.parametrize("column", ["event_id", "timestamp", "event_type", "payload", "user_id"])
def test_an_app_s_event_that_lacks_a_value_is_told_and_not_skipped(column: str, places: Places) -> None:
    log = places.kinds["postgres app"].fill(EVENTS)
    assert isinstance(log, PostgresLog)
    log.connection.execute(f"ALTER TABLE events ALTER {column} DROP NOT NULL")
    log.connection.execute(f"UPDATE events SET {column} = NULL WHERE id = 3")
    with pytest.raises(SourceError, match="an event without"):
        log.digest()


def test_events_of_one_moment_are_in_an_order_that_no_locale_changes(places: Places) -> None:
    """Where no number keeps the order, ids decide last, by their bytes."""
    url = places.database("system")
    with psycopg.connect(url) as connection:
        if not connection.execute("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'").fetchone():
            pytest.skip("the system's PostgreSQL knows no collation but that of bytes")
        connection.execute(
            POSTGRES_NEON.replace("event_id text", 'event_id text COLLATE "und-x-icu"').encode()
        )
        for text in ("é", "b", "Z", "a"):
            row = (text, "T", "2000-01-01Z", "{}", "2000-01-01Z")
            connection.execute("INSERT INTO events VALUES (%s, %s, %s, %s, %s)", row)
    with closing(PostgresLog(url, USER)) as log:
        assert [one.source_event_id for one in log.events(USER)] == ["Z", "a", "b", "é"]


@pytest.mark.parametrize("events", [[], EVENTS[:1], EVENTS], ids=["empty", "one event", "some events"])
def test_all_places_compare_equal_to_each_other(events: list[Event], places: Places) -> None:
    logs = [
        (place, place.fill(events))
        for place in places.kinds.values()
        if place.name != "postgres ours, system's"
    ]
    for (place_a, a), (place_b, b) in permutations(logs, 2):
        result = compare.compare(a, b)
        assert result.events_equal, (place_a.name, place_b.name)
        assert not result.differences
        # A column that only one of them has is a difference of the side column, never of an event.
        differing = {name for name, table in result.tables.items() if not table.equal}
        assert differing <= ({"events.extra"} if place_a.side or place_b.side else set())
