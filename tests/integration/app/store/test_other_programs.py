"""A log that another program appends to: caught up with, waited for, or refused in plain words."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from gymops.app import events
from gymops.app.domain import Conflict
from gymops.app.store import NewEvent, NotReady, Store
from gymops.app.store.transaction import CATCH_UP
from tests.contract.stores import StorePlace, Trainee, long_log, new
from tests.integration.app.store.reference import assert_meant

USER = "auth0|000001"


@pytest.fixture
def store(any_place: StorePlace) -> Store:
    return any_place.open()


@pytest.fixture
def trainee(store: Store) -> Trainee:
    return Trainee(store, USER)


def _state(place: StorePlace, store: Store) -> Any:
    return place.dump(USER), store.events(USER, after=0, limit=10_000), place.folded(USER)


def test_a_few_events_are_folded_on_the_way(any_place: StorePlace, store: Store, trainee: Trainee) -> None:
    trainee.start()
    for n in range(3):
        any_place.insert(
            USER, *_of(new("SetLogged", workout_id=trainee.workout, exercise_id="row", reps=5 + n))
        )
        trainee.log()
    any_place.insert(USER, *_of(new("WorkoutCompleted", workout_id=trainee.workout)))
    assert store.readiness().lag == 1
    trainee.start()
    assert store.readiness().ready
    assert_meant(store.events(USER, after=0, limit=100), any_place.dump(USER))
    assert store.rebuild(USER).equal


def test_rules_are_asked_of_the_log_and_not_of_rows_behind_it(
    any_place: StorePlace, store: Store, trainee: Trainee
) -> None:
    """Else a workout that another program finished would stay in the way for ever."""
    trainee.start()
    any_place.insert(USER, *_of(new("WorkoutCompleted", workout_id=trainee.workout)))
    trainee.start()
    any_place.insert(USER, *_of(new("WorkoutDiscarded", workout_id=trainee.workout)))
    with pytest.raises(Conflict) as conflict:
        trainee.log()
    assert conflict.value.code == "no_workout"
    one = str(uuid.uuid4())
    any_place.insert(USER, *_of(new("TemplateCreated", template_id=one, name="A", exercise_ids=[])))
    trainee.append("TemplateDeleted", template_id=one)


def test_an_event_another_program_wrote_is_known_by_its_id(
    any_place: StorePlace, store: Store, trainee: Trainee
) -> None:
    trainee.train()
    event = new("WorkoutStarted", workout_id=str(uuid.uuid4()))
    any_place.insert(USER, *_of(event), event_id=event.event_id)
    (done,) = store.append(USER, [event])
    assert (done.repeated, done.event.event_id) == (True, event.event_id)


def test_a_log_that_was_there_before_the_app_waits_to_be_built(any_place: StorePlace, store: Store) -> None:
    long_log(any_place, USER, 12)
    assert store.readiness().lag == 12
    trainee = Trainee(store, USER)
    if any_place.postgres:
        with pytest.raises(NotReady):
            trainee.start()
    assert store.build(USER) == 12
    trainee.start()
    assert_meant(store.events(USER, after=0, limit=100), any_place.dump(USER))


def test_many_events_are_waited_for(any_place: StorePlace, store: Store, trainee: Trainee) -> None:
    trainee.start()
    trainee.finish()
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= ?)"
    if any_place.postgres:
        any_place.run(
            USER,
            f"INSERT INTO events (user_id, position, event_id, timestamp, event_type, payload) {numbers}"
            " SELECT ?, 2 + i, gen_random_uuid(), now(), 'MoodLogged', '{}' FROM n",
            CATCH_UP,
            USER,
        )
    else:
        any_place.run(
            USER,
            f"INSERT INTO events (event_id, timestamp, event_type, payload) {numbers}"
            " SELECT 'm' || i, '2026-01-01T00:00:00Z', 'MoodLogged', '{}' FROM n",
            CATCH_UP,
        )
    before = _state(any_place, store)
    assert store.readiness().lag == CATCH_UP + 1
    for _ in range(2):
        with pytest.raises(NotReady) as refused:
            trainee.start()
        assert refused.value.hint == "gymops projections rebuild"
        assert _state(any_place, store) == before
    assert store.build(USER) == CATCH_UP + 1
    assert store.readiness().ready
    trainee.start()


def test_as_many_as_an_append_folds_on_its_way(
    any_place: StorePlace, store: Store, trainee: Trainee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gymops.app.store.transaction.CATCH_UP", 3)
    trainee.start()
    for n in range(3):
        any_place.insert(
            USER, *_of(new("SetLogged", workout_id=trainee.workout, exercise_id="row", reps=5 + n))
        )
    trainee.log()
    assert store.readiness().ready
    assert store.rebuild(USER).equal


# Newer code


def test_an_event_of_newer_code_is_not_guessed(any_place: StorePlace, store: Store, trainee: Trainee) -> None:
    trainee.start()
    payload = new("SetLogged", workout_id=trainee.workout, exercise_id="row", reps=5).payload
    any_place.insert(USER, "SetLogged", {**payload, "rpe": 8}, version=3)
    before = _state(any_place, store)
    for call in (
        trainee.log,
        trainee.finish,
        lambda: store.append(USER, [new("WorkoutStarted", workout_id=str(uuid.uuid4()))]),
        lambda: store.build(USER),
        lambda: store.rebuild(USER),
    ):
        with pytest.raises(NotReady) as refused:
            call()
        assert refused.value.message == (
            "event 2 cannot be folded: SetLogged of version 3; this release knows versions up to 2"
        )
        assert refused.value.hint == "run a newer release of gymops"
        assert _state(any_place, store) == before
    assert not store.readiness().ready


def test_a_retry_that_comes_to_an_older_server(
    any_place: StorePlace, store: Store, trainee: Trainee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a release is rolled out: a newer server took and folded the event, an older one is asked."""
    trainee.start()
    with monkeypatch.context() as newer:
        newer.setitem(events._VERSIONS, "SetLogged", 3)
        event = new("SetLogged", workout_id=trainee.workout, exercise_id="row", reps=5)
        store.append(USER, [event])
    with pytest.raises(NotReady, match="SetLogged of version 3"):
        store.append(USER, [event])
    trainee.log()


# What cannot be read


FOREIGN = [
    ("MoodLogged", '{"workout_id": 1}'),
    ("SetLogged", "{}"),
    ("SetLogged", "[]"),
    ("SetLogged", '"text"'),
    ("SetLogged", '{"workout_id": "$", "exercise_id": "row", "reps": 1000000000000000000000}'),
    ("SetLogged", '{"workout_id": "$", "exercise_id": "row", "reps": 5, "weight": 1e300}'),
    ("SetLogged", '{"workout_id": "$", "exercise_id": "row", "reps": null}'),
    ("SetLogged", '{"workout_id": "$", "exercise_id": {"a": 1}, "reps": 5}'),
    ("TemplateCreated", '{"template_id": "t", "name": "x", "exercise_ids": [[]]}'),
]
ONLY_SQLITE = [
    ("SetLogged", '{"workout_id": "$", "exercise_id": "row", "reps": 5, "weight": NaN}'),
    ("SetLogged", '{"workout_id": "$", "exercise_id": "row", "reps": 5, "weight": -Infinity}'),
    ("SetLogged", '{"workout_id": "$", "exercise_id": "\\ud800", "reps": 5}'),
    ("SetLogged", '{"workout_id": "$", "exercise_id": "a\\u0000b", "reps": 5}'),
    ("SetLogged", "not json {"),
    ("SetLogged", "[" * 5000),
]


@pytest.mark.parametrize(("kind", "payload"), [*FOREIGN, *ONLY_SQLITE])
def test_what_cannot_be_read_is_passed_over(
    any_place: StorePlace, store: Store, trainee: Trainee, kind: str, payload: str
) -> None:
    if any_place.postgres and (kind, payload) in ONLY_SQLITE:
        pytest.skip("JSONB does not hold this")
    trainee.start()
    any_place.insert(USER, kind, payload.replace("$", trainee.workout), version=1)
    trainee.log()
    trainee.hold(60)
    trainee.finish()
    dump = any_place.dump(USER)
    assert len(dump["sets"]) == 2
    assert store.rebuild(USER).equal
    any_place.forget(USER)
    assert store.build(USER) == 5
    assert any_place.dump(USER) == dump
    assert [one.event_type for one in store.events(USER, after=1, limit=1)] == [kind]


def _of(event: NewEvent) -> tuple[str, dict[str, Any]]:
    return event.event_type, event.payload
