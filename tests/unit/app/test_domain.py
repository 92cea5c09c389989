"""What may happen next: each rule, by its code."""

from __future__ import annotations

from typing import Any

import pytest

from gymops.app import domain, events
from gymops.app.domain import Conflict
from tests.unit.app.memory import Memory

W1, W2 = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
T1, T2 = "b0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002"
NOBODY = "e0000000-0000-4000-8000-999999999999"


@pytest.fixture
def view() -> Memory:
    return Memory()


def refused(view: Memory, kind: str, **payload: Any) -> str:
    """The code of the rule that refuses an event; nothing has changed."""
    before = repr((view.rows, view.sets))
    with pytest.raises(Conflict) as conflict:
        view.append(kind, **payload)
    assert conflict.value.detail
    assert repr((view.rows, view.sets)) == before
    return conflict.value.code


def test_every_type_has_its_rule() -> None:
    assert set(domain._RULES) == set(events.TYPES)


def test_one_workout_at_a_time(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    assert refused(view, "WorkoutStarted", workout_id=W2) == "workout_in_progress"
    assert refused(view, "WorkoutStarted", workout_id=W1) == "workout_in_progress"


def test_a_finished_workout_s_id_is_taken(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    view.append("WorkoutCompleted", workout_id=W1)
    assert refused(view, "WorkoutStarted", workout_id=W1) == "workout_exists"
    view.append("WorkoutStarted", workout_id=W2)


def test_a_discarded_workout_s_id_is_free_again(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    view.append("WorkoutDiscarded", workout_id=W1)
    view.append("WorkoutStarted", workout_id=W1)


def test_a_workout_starts_from_a_template_there_is(view: Memory) -> None:
    assert refused(view, "WorkoutStarted", workout_id=W1, from_template_id=T1) == "template_not_found"
    view.append("TemplateCreated", template_id=T1, name="Push", exercise_ids=[])
    assert refused(view, "WorkoutStarted", workout_id=W1, from_template_id=T2) == "template_not_found"
    view.append("WorkoutStarted", workout_id=W1, from_template_id=T1)


IN_PROGRESS = [
    ("WorkoutCompleted", {}),
    ("WorkoutDiscarded", {}),
    ("ExerciseAdded", {"exercise_id": "row"}),
    ("SetLogged", {"exercise_id": "row", "reps": 5}),
]


@pytest.mark.parametrize(("kind", "payload"), IN_PROGRESS)
def test_nothing_without_a_workout(view: Memory, kind: str, payload: dict[str, Any]) -> None:
    assert refused(view, kind, workout_id=W1, **payload) == "no_workout"
    view.append("WorkoutStarted", workout_id=W1)
    view.append("WorkoutCompleted", workout_id=W1)
    assert refused(view, kind, workout_id=W1, **payload) == "no_workout"


@pytest.mark.parametrize(("kind", "payload"), IN_PROGRESS)
def test_nothing_for_another_workout(view: Memory, kind: str, payload: dict[str, Any]) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    assert refused(view, kind, workout_id=W2, **payload) == "other_workout"
    view.append(kind, workout_id=W1, **payload)


def test_an_exercise_added_again_is_taken_up_again(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1, exercise_ids=["row"])
    view.append("SetLogged", workout_id=W1, exercise_id="squat", reps=5)
    view.append("ExerciseAdded", workout_id=W1, exercise_id="row")
    current = view.get("current_workout")
    assert current["focus_exercise"] == "row"
    assert [one["exercise_id"] for one in current["exercises"]] == ["row", "squat"]


def test_a_workout_holds_a_hundred_exercises(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    for n in range(99):
        view.append("ExerciseAdded", workout_id=W1, exercise_id=f"e{n}")
    view.append("SetLogged", workout_id=W1, exercise_id="e99", reps=5)
    assert refused(view, "ExerciseAdded", workout_id=W1, exercise_id="one-more") == "workout_full"
    assert refused(view, "SetLogged", workout_id=W1, exercise_id="one-more", reps=5) == "workout_full"
    view.append("SetLogged", workout_id=W1, exercise_id="e99", reps=5)


def test_a_workout_holds_so_many_sets(view: Memory) -> None:
    sets = [{"event_id": f"s{n}", "reps": 1} for n in range(domain.MAX_SETS - 1)]
    exercises = [{"exercise_id": "row", "sets": sets[:250]}, {"exercise_id": "squat", "sets": sets[250:]}]
    view.rows["current_workout"] = {"id": W1, "exercises": exercises}
    last = view.append("SetLogged", workout_id=W1, exercise_id="row", reps=5)
    assert refused(view, "SetLogged", workout_id=W1, exercise_id="row", reps=5) == "workout_full"
    view.append("SetDeleted", workout_id=W1, original_event_id=last)
    view.append("SetLogged", workout_id=W1, exercise_id="row", reps=5)


@pytest.mark.parametrize(("kind", "payload"), [("SetModified", {"weight": 1}), ("SetDeleted", {})])
def test_a_set_is_changed_where_it_is(view: Memory, kind: str, payload: dict[str, Any]) -> None:
    def answer(workout_id: str, event_id: str) -> str:
        return refused(view, kind, workout_id=workout_id, original_event_id=event_id, **payload)

    assert answer(W1, NOBODY) == "set_not_found"
    started = view.append("WorkoutStarted", workout_id=W1)
    one = view.append("SetLogged", workout_id=W1, exercise_id="row", reps=5)
    assert answer(W1, NOBODY) == "set_not_found"
    assert answer(W1, started) == "set_not_found"
    assert answer(W2, one) == "set_not_found"
    view.append("WorkoutCompleted", workout_id=W1)
    assert answer(W2, one) == "set_not_found"
    view.append("WorkoutStarted", workout_id=W2)
    assert answer(W2, one) == "set_not_found"
    view.append(kind, workout_id=W1, original_event_id=one, **payload)


def test_a_set_is_deleted_once(view: Memory) -> None:
    for finished in (False, True):
        workout = (W1, W2)[finished]
        view.append("WorkoutStarted", workout_id=workout)
        one = view.append("SetLogged", workout_id=workout, exercise_id="row", reps=5)
        if finished:
            view.append("WorkoutCompleted", workout_id=workout)
        view.append("SetDeleted", workout_id=workout, original_event_id=one)
        gone = {"workout_id": workout, "original_event_id": one}
        assert refused(view, "SetDeleted", **gone) == "set_not_found"
        assert refused(view, "SetModified", reps=4, **gone) == "set_not_found"
        if not finished:
            view.append("WorkoutDiscarded", workout_id=workout)


def test_the_sets_of_a_discarded_workout_are_gone(view: Memory) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    one = view.append("SetLogged", workout_id=W1, exercise_id="row", reps=5)
    view.append("WorkoutDiscarded", workout_id=W1)
    assert refused(view, "SetDeleted", workout_id=W1, original_event_id=one) == "set_not_found"


@pytest.mark.parametrize("finished", [False, True])
def test_a_set_stays_timed_or_counted(view: Memory, finished: bool) -> None:
    view.append("WorkoutStarted", workout_id=W1)
    counted = view.append("SetLogged", workout_id=W1, exercise_id="row", reps=5)
    timed = view.append("SetLogged", workout_id=W1, exercise_id="plank", duration_seconds=60)
    if finished:
        view.append("WorkoutCompleted", workout_id=W1)
    as_counted = {"workout_id": W1, "original_event_id": counted}
    as_timed = {"workout_id": W1, "original_event_id": timed}
    assert refused(view, "SetModified", duration_seconds=60, **as_counted) == "set_is_counted"
    assert refused(view, "SetModified", duration_seconds=60, reps=5, **as_counted) == "set_is_counted"
    assert refused(view, "SetModified", reps=5, **as_timed) == "set_is_timed"
    view.append("SetModified", reps=6, weight=10, **as_counted)
    view.append("SetModified", duration_seconds=90, weight=10, **as_timed)


def test_a_template_s_id_is_its_own(view: Memory) -> None:
    view.append("TemplateCreated", template_id=T1, name="Push", exercise_ids=[])
    again = {"template_id": T1, "name": "Other", "exercise_ids": []}
    assert refused(view, "TemplateCreated", **again) == "template_exists"
    view.append("TemplateDeleted", template_id=T1)
    view.append("TemplateCreated", **again)


@pytest.mark.parametrize(("kind", "payload"), [("TemplateUpdated", {"name": "x"}), ("TemplateDeleted", {})])
def test_a_template_is_changed_while_it_is_there(view: Memory, kind: str, payload: dict[str, Any]) -> None:
    assert refused(view, kind, template_id=T1, **payload) == "template_not_found"
    view.append("TemplateCreated", template_id=T1, name="Push", exercise_ids=[])
    assert refused(view, kind, template_id=T2, **payload) == "template_not_found"
    view.append(kind, template_id=T1, **payload)


def test_two_hundred_templates(view: Memory) -> None:
    view.rows["workout_templates"] = [{"id": f"t{n}"} for n in range(199)]
    view.append("TemplateCreated", template_id=T1, name="Push", exercise_ids=[])
    one_more = {"template_id": T2, "name": "Pull", "exercise_ids": []}
    assert refused(view, "TemplateCreated", **one_more) == "templates_full"
    view.append("TemplateDeleted", template_id=T1)
    view.append("TemplateCreated", **one_more)
