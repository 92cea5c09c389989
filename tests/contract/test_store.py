"""One suite for every place the app's events can live: the same calls have the same answers everywhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gymops.app.domain import Conflict
from gymops.app.fold import session_key
from gymops.app.store import IdReused, LogEvent, NewEvent, Readiness, Store, StoreUnavailable
from gymops.app.store.base import Rebuilt, isoformat
from gymops.errors import ConfigError
from tests.conftest import Servers
from tests.contract.stores import BEGAN, KINDS, StillClock, StorePlace, StorePlaces, Trainee, new
from tests.fixtures_schema import Templates

USER = "auth0|000001"
W1, W2 = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
ODD_USERS = [
    "é",
    "e\u0301",
    "a b",
    "%s",
    "100%",
    "o'hara",
    "back\\slash",
    '"',
    "$1",
    "Ünï\U0001f4aa",
    "-",
    "~",
]


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, servers: Servers, schema_templates: Templates
) -> Iterator[StorePlace]:
    with StorePlaces(tmp_path, servers, schema_templates).new(request.param) as made:
        yield made


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def store(place: StorePlace, clock: StillClock) -> Store:
    return place.open(clock)


@pytest.fixture
def trainee(store: Store) -> Trainee:
    return Trainee(store, USER)


def started(workout_id: str = W1, **more: Any) -> NewEvent:
    return new("WorkoutStarted", workout_id=workout_id, **more)


def logged(workout_id: str = W1, weight: float = 60.0, reps: int = 10, exercise_id: str = "row") -> NewEvent:
    return new("SetLogged", workout_id=workout_id, exercise_id=exercise_id, weight=weight, reps=reps)


# Appending


def test_an_event_is_appended_as_it_was_given(store: Store, clock: StillClock) -> None:
    event = started(name="Füße \U0001f4aa %s '\\")
    (done,) = store.append(USER, [event])
    expected = LogEvent(1, event.event_id, isoformat(BEGAN), event.event_type, event.payload, 1)
    assert (done.event, done.repeated, done.records) == (expected, False, [])
    clock.minutes = 1
    one = logged()
    (done,) = store.append(USER, [one])
    at = isoformat(BEGAN + timedelta(minutes=1, microseconds=7))
    assert done.event == LogEvent(2, one.event_id, at, "SetLogged", one.payload, 2)
    assert store.events(USER, after=0, limit=10) == [expected, done.event]


def test_several_events_are_appended_together(store: Store) -> None:
    events = [started(), logged(), logged(weight=70.0), new("WorkoutCompleted", workout_id=W1)]
    done = store.append(USER, events)
    assert [one.event.position for one in done] == [1, 2, 3, 4]
    assert [one.event for one in done] == store.events(USER, after=0, limit=10)
    assert [[record["kind"] for record in one.records] for one in done] == [
        [], [], ["max_weight", "estimated_1rm", "max_volume"], [],
    ]  # fmt: skip


def test_nothing_to_append(store: Store, trainee: Trainee) -> None:
    assert store.append(USER, []) == []
    trainee.start()
    assert store.append(USER, []) == []
    assert len(store.events(USER, after=0, limit=10)) == 1


def test_several_events_are_all_or_none(place: StorePlace, store: Store, trainee: Trainee) -> None:
    trainee.start()
    before = place.dump(USER)
    events = [logged(trainee.workout), logged(trainee.workout), started(W2)]
    for _ in range(2):
        with pytest.raises(Conflict) as conflict:
            store.append(USER, events)
        assert conflict.value.code == "workout_in_progress"
        assert len(store.events(USER, after=0, limit=10)) == 1
        assert place.dump(USER) == before
    assert len(store.append(USER, events[:2])) == 2


def test_a_conflict_leaves_nothing(place: StorePlace, store: Store) -> None:
    with pytest.raises(Conflict) as conflict:
        store.append(USER, [logged()])
    assert conflict.value.code == "no_workout"
    assert store.events(USER, after=0, limit=10) == []
    assert place.of(USER, "*", "projections") == []
    store.append(USER, [started()])


def test_a_repeated_event_has_the_same_answer(place: StorePlace, store: Store, clock: StillClock) -> None:
    events = [started(), logged(), new("WorkoutCompleted", workout_id=W1)]
    first = [store.append(USER, [one])[0] for one in events]
    before = place.dump(USER)
    clock.minutes = 60
    for event, answer in zip(events, first, strict=True):
        (again,) = store.append(USER, [event])
        assert (again.event, again.repeated) == (answer.event, True)
    again_all = store.append(USER, events)
    assert [one.event for one in again_all] == [one.event for one in first]
    assert all(one.repeated for one in again_all)
    assert place.dump(USER) == before
    assert len(store.events(USER, after=0, limit=10)) == 3


def test_one_event_twice_in_one_go(store: Store) -> None:
    event, one = started(), logged()
    done = store.append(USER, [event, one, event, one])
    assert [(one.event.position, one.repeated) for one in done] == [
        (1, False),
        (2, False),
        (1, True),
        (2, True),
    ]


def test_a_repeated_event_among_new_ones(store: Store) -> None:
    event = started()
    store.append(USER, [event])
    done = store.append(USER, [event, logged(), event])
    assert [(one.event.position, one.repeated) for one in done] == [(1, True), (2, False), (1, True)]


def test_an_id_with_another_body_is_refused(place: StorePlace, store: Store) -> None:
    event, one = started(), logged()
    store.append(USER, [event, one])
    before = place.dump(USER)
    for other in (
        replace(event, payload={**event.payload, "name": "other"}),
        replace(event, event_type="WorkoutCompleted", payload=new("WorkoutCompleted", workout_id=W1).payload),
        replace(one, payload={**one.payload, "weight": 60.5}),
        replace(one, event_id=event.event_id),
    ):
        with pytest.raises(IdReused):
            store.append(USER, [other])
        with pytest.raises(IdReused):
            store.append(USER, [logged(), other])
    assert place.dump(USER) == before
    assert len(store.events(USER, after=0, limit=10)) == 2


def test_a_record_that_falls_is_told(trainee: Trainee, store: Store) -> None:
    trainee.start()
    assert store.append(USER, [logged(trainee.workout, 60, 10)])[0].records == []
    assert store.append(USER, [logged(trainee.workout, 61, 10)])[0].records == [
        {"exercise_id": "row", "kind": "max_weight", "value": 61.0, "unit": "kg"},
        {"exercise_id": "row", "kind": "estimated_1rm", "value": 81.3, "unit": "kg"},
        {"exercise_id": "row", "kind": "max_volume", "value": 610.0, "unit": "kg"},
    ]


def test_large_texts_in_any_script(store: Store, place: StorePlace) -> None:
    notes = "'\\\"%s\U0001f4aa" * 285
    plans = [{"exercise_id": f"e{n}", "notes": notes} for n in range(50)]
    template = str(uuid.uuid4())
    store.append(
        USER, [new("TemplateCreated", template_id=template, name="'", exercise_ids=[], exercises=plans)]
    )
    store.append(USER, [started(from_template_id=template)])
    store.append(USER, [new("WorkoutCompleted", workout_id=W1, notes=notes)])
    assert store.rows(USER, [f"workout:{W1}"])[f"workout:{W1}"].data["notes"] == notes
    assert (
        store.rows(USER, ["workout_templates"])["workout_templates"].data[0]["exercises"][49]["notes"]
        == notes
    )
    assert store.rebuild(USER).equal


# Reading


def test_rows_by_their_keys(trainee: Trainee, store: Store, clock: StillClock) -> None:
    assert store.rows(USER, ["current_workout", "workout_history"]) == {}
    trainee.start()
    clock.minutes = 5
    trainee.log()
    found = store.rows(
        USER, ["personal_records:row", "personal_records:dip", "current_workout", "é\U0001f4aa"]
    )
    assert set(found) == {"personal_records:row", "current_workout"}
    assert found["current_workout"].data["id"] == trainee.workout
    assert found["personal_records:row"].data["max_weight"]["weight"] == 60.0
    assert found["personal_records:row"].updated_at == isoformat(clock.now())
    assert store.rows(USER, []) == {}


def test_rows_by_how_their_keys_begin(trainee: Trainee, store: Store) -> None:
    trainee.start()
    names = ["a", "a-b", "a1", "b", "row", "zercher"]
    for name in reversed(names):
        trainee.log(name)
    keys = [f"personal_records:{name}" for name in names]
    keys.sort()
    prefix = "personal_records:"

    def listed(after: str, limit: int) -> list[str]:
        return [key for key, _ in store.listed(USER, prefix, after=after, limit=limit)]

    assert listed("", 100) == keys
    assert listed("", 2) == keys[:2]
    assert listed(keys[1], 3) == keys[2:5]
    assert listed(keys[-1], 3) == []
    assert listed("aaa", 100) == keys
    assert listed("zzz", 100) == []
    latest = store.latest(USER, prefix, limit=4)
    assert [key for key, _ in latest] == keys[:-5:-1]
    assert latest[0][1].data["exercise_id"] == keys[-1].removeprefix(prefix)
    assert store.latest(USER, "workout:", limit=4) == []


def test_the_last_sessions_of_an_exercise_and_of_no_other(trainee: Trainee, store: Store) -> None:
    for exercise in ("row", "row-machine", "row", "ro", "row"):
        trainee.train(1, exercise)
    found = [key for key, _ in store.latest(USER, "exercise_history:row:", limit=2)]
    assert found == [session_key("row", 5), session_key("row", 3)]
    assert len(store.latest(USER, "exercise_history:row:", limit=10)) == 3


def test_periods_newest_first(trainee: Trainee, store: Store, clock: StillClock) -> None:
    assert store.aggregates(USER, "week", limit=10) == []
    for week in range(4):
        clock.minutes = week * 7 * 24 * 60
        trainee.train()
    found = store.aggregates(USER, "week", limit=3)
    assert [key for key, _ in found] == ["2026-W50", "2026-W49", "2026-W48"]
    assert found[0][1].data["total_sets"] == 3
    assert found[0][1].updated_at == isoformat(clock.now())
    assert [key for key, _ in store.aggregates(USER, "all", limit=3)] == ["all"]
    assert store.aggregates(USER, "decade", limit=3) == []


def test_a_user_s_own_exercises(place: StorePlace, store: Store, trainee: Trainee) -> None:
    assert store.exercises(USER) == []
    trainee.start()
    for one, custom in (("zercher", True), ("atlas", False)):
        columns, marks = ("user_id, exercise_id", "?, ?") if place.postgres else ("id", "?")
        values = [USER, one] if place.postgres else [one]
        place.run(
            USER,
            f"INSERT INTO exercises ({columns}, name, category, is_custom) VALUES ({marks}, ?, ?, ?)",
            *values, one.title(), None, custom,
        )  # fmt: skip
    assert store.exercises(USER) == [
        {"id": "atlas", "name": "Atlas", "category": None, "description": None, "is_custom": False},
        {"id": "zercher", "name": "Zercher", "category": None, "description": None, "is_custom": True},
    ]
    assert store.exercises("bob") == []


def test_events_behind_a_position(trainee: Trainee, store: Store) -> None:
    trainee.train(5)
    everything = store.events(USER, after=0, limit=100)
    assert [one.position for one in everything] == list(range(1, 8))
    assert store.events(USER, after=2, limit=3) == everything[2:5]
    assert store.events(USER, after=7, limit=3) == []
    assert store.events("bob", after=0, limit=3) == []


def test_events_by_their_ids(trainee: Trainee, store: Store) -> None:
    ids = [trainee.start(), trainee.log(), trainee.log()]
    everything = store.events(USER, after=0, limit=100)
    assert store.find(USER, [ids[2], str(uuid.uuid4()), ids[0], ids[0]]) == [everything[0], everything[2]]
    assert store.find(USER, []) == []
    assert store.find("bob", ids) == []


# Users


def test_a_new_user_has_nothing(place: StorePlace, store: Store) -> None:
    assert list(store.users()) == []
    assert store.events("new", after=0, limit=10) == []
    assert store.latest("new", "workout:", limit=10) == []
    if place.postgres:
        assert store.build("new") == 0
        assert store.rebuild("new") == Rebuilt(0, {"projections": 0, "aggregates": 0, "sets": 0})
    Trainee(store, "new").train()
    assert list(store.users()) == ["new"]


def test_a_user_never_sees_another_s_rows(store: Store, place: StorePlace) -> None:
    event, one = started(), logged()
    for user, weight in (("alice", 60.0), ("bob", 90.0)):
        mine = replace(one, payload={**one.payload, "weight": weight})
        assert [done.repeated for done in store.append(user, [event, mine])] == [False, False]
    assert (
        store.rows("alice", ["personal_records:row"])["personal_records:row"].data["max_weight"]["weight"]
        == 60.0
    )
    assert store.find("alice", [one.event_id])[0].payload["weight"] == 60.0
    before = place.dump("bob")
    store.append("alice", [new("SetDeleted", workout_id=W1, original_event_id=one.event_id)])
    store.append("alice", [new("WorkoutCompleted", workout_id=W1)])
    store.rebuild("alice")
    assert place.dump("bob") == before
    for user in ("aaron", "alicia", "carol"):  # before, between and behind them
        for reading in (
            store.rows(user, ["current_workout", "personal_records:row", "workout_history", f"workout:{W1}"]),
            store.listed(user, "personal_records:", after="", limit=10),
            store.latest(user, "personal_records:", limit=10),
            store.aggregates(user, "all", limit=10),
            store.events(user, after=0, limit=10),
            store.find(user, [one.event_id]),
            store.exercises(user),
        ):
            assert not reading
        with pytest.raises(Conflict):
            store.append(user, [new("SetDeleted", workout_id=W1, original_event_id=one.event_id)])


def test_users_with_odd_ids(store: Store, place: StorePlace) -> None:
    for user in ODD_USERS:
        trainee = Trainee(store, user)
        trainee.start(name=user)
        trainee.log()
        assert store.rows(user, ["current_workout"])["current_workout"].data["name"] == user
    assert list(store.users()) == sorted(ODD_USERS, key=str.encode)
    for user in ODD_USERS:
        assert len(store.events(user, after=0, limit=10)) == 2
        assert store.rebuild(user).equal
        assert len(place.dump(user)["projections"]) == 1


@pytest.mark.parametrize("user", ["", ".", "..", "a/b", "../bob", "/etc", "a\0b", "x" * 201, "é" * 101])
def test_a_user_who_could_be_no_folder(user: str, place: StorePlace, store: Store) -> None:
    if place.postgres and "\0" not in user:
        store.append(user, [started()])
        assert list(store.users()) == [user]
        return
    for call in (
        lambda: store.append(user, [started()]),
        lambda: store.rows(user, ["current_workout"]),
        lambda: store.events(user, after=0, limit=1),
    ):
        with pytest.raises((ConfigError, StoreUnavailable)):
            call()
    assert list(store.users()) == []


# Folding anew


def test_readiness_counts_what_is_not_folded(place: StorePlace, store: Store, trainee: Trainee) -> None:
    revision = store.readiness().expected
    assert store.readiness() == Readiness(revision, revision, 0)
    assert store.readiness().ready
    trainee.start()
    Trainee(store, "bob").train()
    assert store.readiness().lag == 0
    for _ in range(3):
        place.insert(USER, "MoodLogged", {})
    place.insert("bob", "MoodLogged", {})
    assert store.readiness() == Readiness(revision, revision, 4)
    assert not store.readiness().ready
    assert store.build(USER) == 3
    assert store.build("bob") == 1
    assert store.readiness().ready


def test_a_log_that_is_folded_needs_no_building(store: Store, trainee: Trainee) -> None:
    trainee.train()
    told: list[int] = []
    assert store.build(USER, told.append) == 0
    assert sum(told) == 0


def test_a_rebuild_of_right_rows_finds_them_right(place: StorePlace, store: Store, trainee: Trainee) -> None:
    trainee.train()
    trainee.start()
    trainee.log("dip", 0.0, 12)
    before = place.dump(USER)
    told: list[int] = []
    rebuilt = store.rebuild(USER, told.append)
    assert rebuilt == Rebuilt(7, {"projections": 0, "aggregates": 0, "sets": 0})
    assert rebuilt.equal
    assert sum(told) == 7
    assert place.dump(USER) == before
    trainee.log("dip", 0.0, 13)
    trainee.finish()


def test_rows_that_are_gone_are_folded_from_the_log(
    place: StorePlace, store: Store, trainee: Trainee
) -> None:
    trainee.train()
    trainee.train(2, "dip")
    before = place.dump(USER)
    place.forget(USER)
    assert store.build(USER) == 9
    assert place.dump(USER) == before
    place.forget(USER)
    assert not store.rebuild(USER).equal
    assert place.dump(USER) == before


def test_closing_is_no_end(store: Store, trainee: Trainee) -> None:
    trainee.start()
    store.close()
    trainee.log()
    store.close()
    store.close()
