"""Folding: what each event changes, and what an event of another program cannot break."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.app import events, fold
from gymops.app.records import POUND
from tests.contract.strategies import FEW
from tests.unit.app.memory import Memory, event_id, moment

W1, W2 = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
T1 = "b0000000-0000-4000-8000-000000000001"


@pytest.fixture
def view() -> Memory:
    return Memory()


def entry(
    position: int, weight: float, reps: int | None, unit: str = "kg", seconds: int | None = None
) -> Any:
    """A set as a workout lists it."""
    return {
        "event_id": event_id(position),
        "position": position,
        "logged_at": moment(position),
        "weight": weight,
        "reps": reps,
        "unit": unit,
        "duration_seconds": seconds,
    }


def trained(view: Memory, workout_id: str = W1, *sets: tuple[str, float, int]) -> list[str]:
    """A finished workout with these sets; their ids."""
    view.append("WorkoutStarted", workout_id=workout_id)
    ids = [
        view.append("SetLogged", workout_id=workout_id, exercise_id=exercise, weight=weight, reps=reps)
        for exercise, weight, reps in sets
    ]
    view.append("WorkoutCompleted", workout_id=workout_id)
    return ids


def best(view: Memory, exercise: str, kind: str = "max_weight") -> int | None:
    """The position of the set that holds a record."""
    row = view.rows.get(f"personal_records:{exercise}")
    return row[kind]["position"] if row and row.get(kind) else None


# Workouts


def test_a_workout_begins_empty(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1, name="Push")
    assert view.rows == {
        "current_workout": {
            "id": W1, "name": "Push", "started_at": moment(1), "from_template_id": None,
            "focus_exercise": None, "exercises": [],
        }
    }  # fmt: skip


def test_a_workout_begins_with_what_is_planned_each_once(view: Memory) -> None:
    plans = [{"exercise_id": "squat"}, {"exercise_id": "row"}]
    view.append("WorkoutStarted", workout_id=W1, exercise_ids=["row", "row", "dip"], exercise_plans=plans)
    current = view.rows["current_workout"]
    assert [one["exercise_id"] for one in current["exercises"]] == ["row", "dip", "squat"]
    assert current["focus_exercise"] == "row"


def test_an_exercise_is_added_and_in_focus(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1, exercise_ids=["row"])
    view.append("ExerciseAdded", workout_id=W1, exercise_id="dip")
    current = view.rows["current_workout"]
    assert current["exercises"] == [{"exercise_id": "row", "sets": []}, {"exercise_id": "dip", "sets": []}]
    assert current["focus_exercise"] == "dip"


def test_a_set_is_logged_with_its_exercise(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1, exercise_ids=["row", "dip"])
    view.append("SetLogged", workout_id=W1, exercise_id="dip", reps=8)
    view.append("SetLogged", workout_id=W1, exercise_id="squat", weight=225, reps=5, unit="lb")
    view.append("SetLogged", workout_id=W1, exercise_id="plank", duration_seconds=60)
    current = view.rows["current_workout"]
    assert current["exercises"] == [
        {"exercise_id": "row", "sets": []},
        {"exercise_id": "dip", "sets": [entry(2, 0.0, 8)]},
        {"exercise_id": "squat", "sets": [entry(3, 225.0, 5, "lb")]},
        {"exercise_id": "plank", "sets": [entry(4, 0.0, None, seconds=60)]},
    ]
    assert current["focus_exercise"] == "plank"
    assert best(view, "squat") == 3
    assert best(view, "plank", "longest") == 4
    assert view.sets == {}  # they are found in the current workout until it is finished


def test_a_finished_workout_is_in_every_row_it_belongs_to(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1, name="Push", exercise_ids=["dip"])
    view.append("SetLogged", workout_id=W1, exercise_id="row", weight=60, reps=10)
    view.append("SetLogged", workout_id=W1, exercise_id="row", weight=100, reps=5, unit="lb")
    view.append("WorkoutCompleted", workout_id=W1, notes="good")
    sets = [entry(2, 60.0, 10), entry(3, 100.0, 5, "lb")]
    workout = {
        "id": W1, "name": "Push", "started_at": moment(1), "from_template_id": None, "focus_exercise": "row",
        "exercises": [{"exercise_id": "dip", "sets": []}, {"exercise_id": "row", "sets": sets}],
        "completed_at": moment(4), "notes": "good", "number": 1,
        "stats": {"exercise_count": 2, "total_sets": 2, "total_volume": 600.0 + 100 * POUND * 5},
    }  # fmt: skip
    sums = {"workouts": 1, "total_sets": 2, "total_reps": 15, "total_volume": 826.796, "seconds": 180}
    records = view.rows.pop("personal_records:row")
    assert list(records["by_rep_count"]) == ["10", "5"]
    assert view.rows == {
        f"workout:{W1}": workout,
        "workout_history": {"count": 1},
        "workout_history:000000": [W1],
        "exercise_history:row:000000001": {"workout_id": W1, "date": moment(4), "sets": sets},
        ("week", "2026-W47"): sums,
        ("month", "2026-11"): sums,
        ("year", "2026"): sums,
        ("all", "all"): sums,
    }
    assert [one.position for one in view.sets.values()] == [2, 3]


def test_the_history_is_in_pages(view: Memory) -> None:
    ids = [f"a0000000-0000-4000-8000-{n:012}" for n in range(2 * fold.PAGE + 1)]
    for one in ids:
        trained(view, one)
    assert view.rows["workout_history"] == {"count": len(ids)}
    assert view.rows[fold.page_key(0)] == ids[: fold.PAGE]
    assert view.rows[fold.page_key(1)] == ids[fold.PAGE : 2 * fold.PAGE]
    assert view.rows[fold.page_key(2)] == ids[2 * fold.PAGE :]
    assert view.rows[f"workout:{ids[-1]}"]["number"] == len(ids)


def test_a_discarded_workout_leaves_nothing(view: Memory) -> None:
    trained(view, W1, ("row", 60, 10))
    before = dict(view.rows)
    view.append("WorkoutStarted", workout_id=W2)
    view.append("SetLogged", workout_id=W2, exercise_id="row", weight=90, reps=10)
    view.append("SetLogged", workout_id=W2, exercise_id="dip", reps=10)
    view.append("SetLogged", workout_id=W2, exercise_id="dip", duration_seconds=10)
    assert best(view, "row") == 5
    view.append("WorkoutDiscarded", workout_id=W2)
    assert view.rows == before


# Sets that change


@pytest.mark.parametrize("finished", [False, True])
def test_a_changed_set_keeps_its_place_and_what_is_not_given(view: Memory, finished: bool) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    first = view.append("SetLogged", workout_id=W1, exercise_id="row", weight=60, reps=10)
    view.append("SetLogged", workout_id=W1, exercise_id="row", weight=50, reps=10)
    if finished:
        view.append("WorkoutCompleted", workout_id=W1)
    view.append("SetModified", workout_id=W1, original_event_id=first, weight=40)
    view.append("SetModified", workout_id=W1, original_event_id=first, reps=12, unit="lb")
    workout = view.rows[f"workout:{W1}" if finished else "current_workout"]
    assert workout["exercises"][0]["sets"] == [entry(2, 40.0, 12, "lb"), entry(3, 50.0, 10)]
    records = view.rows["personal_records:row"]
    assert {reps: one["position"] for reps, one in records["by_rep_count"].items()} == {"10": 3, "12": 2}
    assert best(view, "row") == 3
    if finished:
        volume = 40 * POUND * 12 + 500
        assert workout["stats"] == {"exercise_count": 1, "total_sets": 2, "total_volume": volume}
        assert view.rows["all", "all"]["total_volume"] == round(volume, 6)
        assert view.rows["all", "all"]["total_reps"] == 22
        assert view.rows["exercise_history:row:000000001"]["sets"] == workout["exercises"][0]["sets"]


def test_deleting_the_set_that_holds_a_record_gives_it_to_the_next_best(view: Memory) -> None:
    trained(view, W1, ("row", 80, 10))
    (heavy,) = trained(view, W2, ("row", 90, 10))
    assert best(view, "row") == 5
    view.append("SetDeleted", workout_id=W2, original_event_id=heavy)
    assert best(view, "row") == 2
    assert "exercise_history:row:000000002" not in view.rows
    assert view.rows["all", "all"]["total_sets"] == 1
    assert view.rows["all", "all"]["workouts"] == 2


def test_editing_the_set_that_holds_a_record_gives_it_to_the_next_best(view: Memory) -> None:
    (heavy,) = trained(view, W1, ("row", 90, 10))
    trained(view, W2, ("row", 80, 10))
    view.append("SetModified", workout_id=W1, original_event_id=heavy, weight=70)
    assert best(view, "row") == 5
    view.append("SetModified", workout_id=W1, original_event_id=heavy, weight=80)
    assert best(view, "row") == 2  # of equals the first in the log


def test_the_next_best_may_be_in_the_current_workout(view: Memory) -> None:
    (heavy,) = trained(view, W1, ("row", 90, 10))
    view.append("WorkoutStarted", workout_id=W2)
    view.append("SetLogged", workout_id=W2, exercise_id="row", weight=85, reps=10)
    view.append("SetDeleted", workout_id=W1, original_event_id=heavy)
    assert best(view, "row") == 5
    view.append("WorkoutDiscarded", workout_id=W2)
    assert "personal_records:row" not in view.rows


def test_a_timed_set_that_is_deleted(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    view.append("SetLogged", workout_id=W1, exercise_id="plank", duration_seconds=60)
    longest = view.append("SetLogged", workout_id=W1, exercise_id="plank", duration_seconds=90)
    assert best(view, "plank", "longest") == 3
    view.append("SetDeleted", workout_id=W1, original_event_id=longest)
    assert best(view, "plank", "longest") == 2
    view.append("SetModified", workout_id=W1, original_event_id=event_id(2), duration_seconds=30)
    assert view.rows["personal_records:plank"]["longest"]["duration_seconds"] == 30


# Templates


def test_a_template_s_whole_life(view: Memory) -> None:
    plan = {
        "exercise_id": "row", "target_sets": None, "target_reps": None, "target_weight": None,
        "target_unit": "kg", "set_type": "standard", "rest_seconds": 60, "notes": None,
    }  # fmt: skip
    view.append("TemplateCreated", template_id=T1, name="Pull", exercise_ids=["row"], source_workout_id=W1)
    made = {
        "id": T1, "name": "Pull", "exercises": [plan], "exercise_ids": ["row"], "source_workout_id": W1,
        "created_at": moment(1), "last_used_at": None, "use_count": 0,
    }  # fmt: skip
    assert view.rows["workout_templates"] == [made]
    view.append("TemplateUpdated", template_id=T1, name="Back")
    assert view.rows["workout_templates"] == [{**made, "name": "Back"}]
    view.append("TemplateUpdated", template_id=T1, exercise_ids=["dip"])
    changed = {**made, "name": "Back", "exercise_ids": ["dip"], "exercises": [{**plan, "exercise_id": "dip"}]}
    assert view.rows["workout_templates"] == [changed]
    view.append("TemplateUpdated", template_id=T1, exercises=[{"exercise_id": "row"}])
    assert view.rows["workout_templates"] == [{**made, "name": "Back"}]
    view.append("WorkoutStarted", workout_id=W1, from_template_id=T1)
    assert view.rows["workout_templates"] == [
        {**made, "name": "Back", "use_count": 1, "last_used_at": moment(5)}
    ]
    assert view.rows["current_workout"]["exercises"] == []  # the client says what is planned
    view.append("TemplateDeleted", template_id=T1)
    assert view.rows["workout_templates"] == []


# Facts of other programs


def test_a_workout_started_over_another_one_throws_it_away(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    view.append("SetLogged", workout_id=W1, exercise_id="row", reps=5, weight=60)
    view.fold("WorkoutStarted", {"workout_id": W2})
    assert view.rows["current_workout"]["id"] == W2
    assert "personal_records:row" not in view.rows


@pytest.mark.parametrize("kind", [kind for kind in events.TYPES if kind != "WorkoutStarted"])
def test_an_event_that_does_not_follow_changes_nothing(view: Memory, kind: str) -> None:
    trained(view, W1, ("row", 60, 10))
    view.append("WorkoutStarted", workout_id=W2)
    view.append("TemplateCreated", template_id=T1, name="Pull", exercise_ids=[])
    before = dict(view.rows)
    other = {
        "workout_id": "w9",
        "exercise_id": "row",
        "weight": 1,
        "reps": 5,
        "unit": "kg",
        "template_id": "t9",
    }
    payload = {**other, "original_event_id": "e9", "duration_seconds": None, "name": "x", "exercise_ids": []}
    view.fold(kind, payload)
    if kind == "TemplateCreated":
        assert len(view.rows.pop("workout_templates")) == 2
        del before["workout_templates"]
    assert view.rows == before


@pytest.mark.parametrize("kind", ["MoodLogged", "", *events.TYPES])
def test_an_event_that_cannot_be_read_changes_nothing(view: Memory, kind: str) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    before = dict(view.rows)
    view.fold(kind, None)
    view.fold("MoodLogged", {"workout_id": W1})
    assert view.rows == before


def test_a_foreign_set_breaks_no_later_one(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    for payload in (
        {"exercise_id": "plank", "reps": None},
        {"exercise_id": "plank", "weight": -5, "reps": -1},
    ):
        view.fold("SetLogged", events.read("SetLogged", 1, {"workout_id": W1, **payload}))
    view.append("SetLogged", workout_id=W1, exercise_id="plank", duration_seconds=60)
    assert best(view, "plank", "longest") == 4


_names = st.sampled_from([W1, W2, T1, "row", "dip", event_id(1), event_id(2), event_id(3)])
_values = st.one_of(
    _names,
    _names,
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 3),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.one_of(_names, st.none(), st.integers(), st.lists(st.none(), max_size=1)), max_size=3),
    st.lists(st.dictionaries(st.just("exercise_id"), st.one_of(_names, st.floats())), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
_FIELDS = sorted({name for model in events.TYPES.values() for name in model.model_fields})


@st.composite
def _foreign(draw: st.DrawFn) -> tuple[str, int, Any]:
    """Something like an event of ours, by a program that never read our rules."""
    kind = draw(st.sampled_from(list(events.TYPES)))
    payload = {
        "workout_id": draw(st.sampled_from([W1, W2])),
        "exercise_id": "row",
        "original_event_id": draw(_names),
        "template_id": T1,
        "name": "x",
        "exercise_ids": ["row"],
        "reps": draw(st.sampled_from([None, 1, 5])),
        "weight": draw(st.sampled_from([0, 60.0, -5, 1e300])),
    }
    payload |= draw(st.dictionaries(st.sampled_from(_FIELDS), _values, max_size=2))
    for name in draw(st.lists(st.sampled_from(sorted(payload)), max_size=1)):
        del payload[name]
    return kind, draw(st.sampled_from([0, 1, events.version(kind)])), payload


@FEW
@given(st.lists(_foreign(), max_size=25))
def test_no_log_is_so_foreign_that_it_cannot_be_folded(log: list[tuple[str, int, Any]]) -> None:
    view = Memory()
    for kind, version, payload in log:
        view.fold(kind, events.read(kind, version, payload))
        json.dumps(list(view.rows.values()))
    for one in view.sets.values():
        assert abs(one.weight_kg) < 1e13
        assert one.reps is not None or one.seconds is not None
