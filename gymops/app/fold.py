"""Folding the log: how one event changes the projections.

A fold reads and writes rows of a ``View`` and knows no database. What it touches for one event is
bounded by the workout the event belongs to, never by the history. Events in the log are facts: one that
breaks a rule (written by older code, or by another program) is passed over in the same way every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from gymops.app import events, periods
from gymops.app.records import Logged, heavier, improved, longer, replaced, volume

VERSION = 1
"""Grows whenever the same events would fold to other rows; what an older one left is folded anew."""

PAGE = 50
"""Finished workouts listed in one row of the history."""

PROJECTIONS = (
    "current_workout",
    "workout_history",
    "workout:",
    "exercise_history:",
    "personal_records:",
    "workout_templates",
)
"""How the keys of the rows begin that the fold writes; rows of other programs are none of its business."""

AGGREGATES = ("week", "month", "year", "all")
"""The period types it writes."""

Key = str | tuple[str, str]
"""A projection's key; a pair is an aggregate's period type and key."""


@dataclass(frozen=True)
class Stored:
    """An event of the log, its payload in today's shape and its time in ISO 8601 with microseconds, UTC."""

    position: int
    event_id: str
    at: str
    event_type: str
    payload: dict[str, Any] | None
    """None if it cannot be read as its type."""


class View(Protocol):
    """The rows of one user, as the event being folded finds them."""

    def get(self, key: Key) -> Any:
        """A row's data, never to be changed in place; None if there is none."""

    def fetch(self, keys: Iterable[Key]) -> None:
        """Say which rows will be asked for, so that they can be read in one go."""

    def put(self, key: Key, data: Any) -> None:
        """Write a row, whatever it was; None removes it."""

    def logged(self, event_id: str) -> Logged | None:
        """A set of a finished workout."""

    def heaviest(self, exercise_id: str, reps: int) -> Logged | None:
        """Of the finished workouts' sets with so many repetitions."""

    def longest(self, exercise_id: str) -> Logged | None:
        """Of the finished workouts' timed sets."""

    def put_set(self, one: Logged) -> None: ...

    def remove_set(self, event_id: str) -> None: ...


def fold(view: View, event: Stored) -> None:
    """Change the rows as this event says."""
    change = _FOLDS.get(event.event_type)
    if change and event.payload is not None:
        change(view, event, event.payload)


def page_key(page: int) -> str:
    """The row that lists the finished workouts of one page; page 0 has the oldest."""
    return f"workout_history:{page:06d}"


def session_key(exercise_id: str, number: int) -> str:
    """The row of one exercise in the finished workout of this number; later ones sort behind."""
    return f"exercise_history:{exercise_id}:{number:09d}"


def wanted(event_type: str, payload: dict[str, Any]) -> list[Key]:
    """Rows the event is likely to touch, so that a store can fetch them in one go."""
    keys: list[Key] = []
    if not event_type.startswith("Template"):
        keys.append("current_workout")
    if event_type == "SetLogged":
        keys.append(f"personal_records:{payload.get('exercise_id')}")
    if event_type == "WorkoutStarted":
        keys.append(f"workout:{payload.get('workout_id')}")
    if event_type == "WorkoutCompleted":
        keys.append("workout_history")
    if event_type.startswith("Template") or payload.get("from_template_id"):
        keys.append("workout_templates")
    return keys


# Workouts


def _started(view: View, event: Stored, payload: dict[str, Any]) -> None:
    if view.get("current_workout"):
        _abandon(view)
    view.put(
        "current_workout",
        {
            "id": payload["workout_id"],
            "name": payload.get("name"),
            "started_at": event.at,
            "from_template_id": payload.get("from_template_id"),
            "focus_exercise": next(iter(_planned(payload)), None),
            "exercises": [{"exercise_id": one, "sets": []} for one in _planned(payload)],
        },
    )
    template = payload.get("from_template_id")
    if template:
        _change_template(
            view,
            template,
            lambda old: {**old, "use_count": old["use_count"] + 1, "last_used_at": event.at},
        )


def _planned(payload: dict[str, Any]) -> list[str]:
    planned = [plan["exercise_id"] for plan in payload.get("exercise_plans") or []]
    return list(dict.fromkeys([*(payload.get("exercise_ids") or []), *planned]))


def _completed(view: View, event: Stored, payload: dict[str, Any]) -> None:
    current = _current(view, payload)
    if current is None:
        return
    head = view.get("workout_history") or {"count": 0}
    page = head["count"] // PAGE
    workout = {
        **current,
        "completed_at": event.at,
        "notes": payload.get("notes"),
        "stats": _stats(current["exercises"]),
        "number": head["count"] + 1,
    }
    view.fetch([page_key(page), *periods.keys(event.at)])
    view.put("current_workout", None)
    view.put(f"workout:{workout['id']}", workout)
    listed = view.get(page_key(page)) if head["count"] % PAGE else None
    view.put(page_key(page), [*(listed or []), workout["id"]])
    view.put("workout_history", {"count": head["count"] + 1})
    for exercise in workout["exercises"]:
        for one in exercise["sets"]:
            view.put_set(_logged(workout["id"], exercise["exercise_id"], one))
        _put_session(view, workout, exercise)
    _count(view, None, workout)


def _discarded(view: View, _event: Stored, payload: dict[str, Any]) -> None:
    if _current(view, payload):
        _abandon(view)


def _abandon(view: View) -> None:
    """A workout that is thrown away counts for nothing: its records go too."""
    current = view.get("current_workout")
    view.put("current_workout", None)
    for exercise in current["exercises"]:
        for reps in dict.fromkeys(one["reps"] for one in exercise["sets"]):
            _recount(view, exercise["exercise_id"], reps)


def _added(view: View, _event: Stored, payload: dict[str, Any]) -> None:
    current = _current(view, payload)
    if current:
        view.put("current_workout", _with_exercise(current, payload["exercise_id"]))


def _with_exercise(workout: dict[str, Any], exercise_id: str) -> dict[str, Any]:
    exercises = workout["exercises"]
    if all(one["exercise_id"] != exercise_id for one in exercises):
        exercises = [*exercises, {"exercise_id": exercise_id, "sets": []}]
    return {**workout, "exercises": exercises, "focus_exercise": exercise_id}


# Sets


def _set_logged(view: View, event: Stored, payload: dict[str, Any]) -> None:
    current = _current(view, payload)
    if current is None:
        return
    exercise_id = payload["exercise_id"]
    one = {
        "event_id": event.event_id,
        "position": event.position,
        "logged_at": event.at,
        "weight": payload["weight"],
        "reps": payload["reps"],
        "unit": payload["unit"],
        "duration_seconds": payload["duration_seconds"],
    }
    current = _with_exercise(current, exercise_id)
    view.put("current_workout", _with_sets(current, exercise_id, lambda sets: [*sets, one]))
    key = f"personal_records:{exercise_id}"
    better = improved(view.get(key), _logged(current["id"], exercise_id, one))
    if better:
        view.put(key, better)


def _set_modified(view: View, _event: Stored, payload: dict[str, Any]) -> None:
    fields = ("weight", "reps", "unit", "duration_seconds")
    given = {name: payload[name] for name in fields if payload[name] is not None}
    _change_set(view, payload, lambda one: {**one, **given})


def _set_deleted(view: View, _event: Stored, payload: dict[str, Any]) -> None:
    _change_set(view, payload, lambda _: None)


_SetChange = Callable[[dict[str, Any]], dict[str, Any] | None]


def _change_set(view: View, payload: dict[str, Any], change: _SetChange) -> None:
    found = find_set(view, payload["workout_id"], payload["original_event_id"])
    if found is None:
        return
    workout, exercise_id, before = found
    after = change(before)

    def changed(sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [after if one is before else one for one in sets if one is not before or after]  # type: ignore[misc]

    workout = _with_sets(workout, exercise_id, changed)
    if "completed_at" in workout:
        if after:
            view.put_set(_logged(workout["id"], exercise_id, after))
        else:
            view.remove_set(before["event_id"])
        _put_finished(view, workout, exercise_id)
    else:
        view.put("current_workout", workout)
    for reps in dict.fromkeys([before["reps"], *([after["reps"]] if after else [])]):
        _recount(view, exercise_id, reps)


def find_set(view: View, workout_id: str, event_id: str) -> tuple[dict[str, Any], str, dict[str, Any]] | None:
    """The workout, the exercise and the set an event's id stands for, in that workout."""
    workout = view.get("current_workout")
    if not workout or workout["id"] != workout_id:
        logged = view.logged(event_id)
        workout = view.get(f"workout:{workout_id}") if logged else None
    for exercise in workout["exercises"] if workout else ():
        for one in exercise["sets"]:
            if one["event_id"] == event_id:
                return workout, exercise["exercise_id"], one
    return None


def _with_sets(
    workout: dict[str, Any], exercise_id: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> dict[str, Any]:
    exercises = [
        {**one, "sets": change(one["sets"])} if one["exercise_id"] == exercise_id else one
        for one in workout["exercises"]
    ]
    return {**workout, "exercises": exercises}


def _put_finished(view: View, workout: dict[str, Any], exercise_id: str) -> None:
    """A finished workout of which one exercise's sets changed."""
    before = view.get(f"workout:{workout['id']}")
    workout = {**workout, "stats": _stats(workout["exercises"])}
    view.put(f"workout:{workout['id']}", workout)
    exercise = next(one for one in workout["exercises"] if one["exercise_id"] == exercise_id)
    _put_session(view, workout, exercise)
    _count(view, before, workout)


# What follows from the sets


def _logged(workout_id: str, exercise_id: str, one: dict[str, Any]) -> Logged:
    return Logged(
        one["event_id"],
        one["position"],
        workout_id,
        exercise_id,
        one["logged_at"],
        one["weight"],
        one["unit"],
        one["reps"],
        one["duration_seconds"],
    )


def _recount(view: View, exercise_id: str, reps: int | None) -> None:
    """Find the record among the sets with so many repetitions (or the timed ones) again."""
    key = f"personal_records:{exercise_id}"
    better = longer if reps is None else heavier
    best = view.longest(exercise_id) if reps is None else view.heaviest(exercise_id, reps)
    current = view.get("current_workout") or {"exercises": []}
    for exercise in current["exercises"]:
        if exercise["exercise_id"] == exercise_id:
            for one in exercise["sets"]:
                if one["reps"] == reps:
                    best = better(best, _logged(current["id"], exercise_id, one))
    view.put(key, replaced(view.get(key), exercise_id, reps, best))


def _put_session(view: View, workout: dict[str, Any], exercise: dict[str, Any]) -> None:
    """A finished workout's sets of one exercise; the exercise's history is read from these rows."""
    session = {"workout_id": workout["id"], "date": workout["completed_at"], "sets": exercise["sets"]}
    key = session_key(exercise["exercise_id"], workout["number"])
    view.put(key, session if exercise["sets"] else None)


def _stats(exercises: list[dict[str, Any]]) -> dict[str, Any]:
    sets = [one for exercise in exercises for one in exercise["sets"]]
    return {"exercise_count": len(exercises), "total_sets": len(sets), "total_volume": volume(sets)}


def _count(view: View, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    """Add a finished workout to the sums of its periods, less what it had been counted as."""
    keys = list(periods.keys(after["completed_at"]))
    view.fetch(keys)
    for key in keys:
        view.put(key, periods.add(view.get(key), before, after))


# Templates


def _template_created(view: View, event: Stored, payload: dict[str, Any]) -> None:
    plans = payload.get("exercises") or [_plan(one) for one in payload["exercise_ids"]]
    template = {
        "id": payload["template_id"],
        "name": payload["name"],
        "exercises": plans,
        "exercise_ids": payload["exercise_ids"],
        "source_workout_id": payload.get("source_workout_id"),
        "created_at": event.at,
        "last_used_at": None,
        "use_count": 0,
    }
    view.put("workout_templates", [*(view.get("workout_templates") or []), template])


def _template_updated(view: View, _event: Stored, payload: dict[str, Any]) -> None:
    given = {name: payload[name] for name in ("name", "exercise_ids", "exercises") if payload.get(name)}
    if "exercise_ids" in given and "exercises" not in given:
        given["exercises"] = [_plan(one) for one in given["exercise_ids"]]
    if "exercises" in given and "exercise_ids" not in given:
        given["exercise_ids"] = [one["exercise_id"] for one in given["exercises"]]
    _change_template(view, payload["template_id"], lambda old: {**old, **given})


def _template_deleted(view: View, _event: Stored, payload: dict[str, Any]) -> None:
    templates = view.get("workout_templates") or []
    view.put("workout_templates", [one for one in templates if one["id"] != payload["template_id"]])


def _change_template(
    view: View, template_id: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    templates = view.get("workout_templates") or []
    if any(one["id"] == template_id for one in templates):
        view.put("workout_templates", [change(one) if one["id"] == template_id else one for one in templates])


def _plan(exercise_id: str) -> dict[str, Any]:
    return events.Plan(exercise_id=exercise_id).model_dump()


def _current(view: View, payload: dict[str, Any]) -> dict[str, Any] | None:
    """The workout in progress, if it is the one the event speaks of."""
    current: dict[str, Any] | None = view.get("current_workout")
    return current if current and current["id"] == payload["workout_id"] else None


_FOLDS: dict[str, Callable[[View, Stored, dict[str, Any]], None]] = {
    "WorkoutStarted": _started,
    "WorkoutCompleted": _completed,
    "WorkoutDiscarded": _discarded,
    "ExerciseAdded": _added,
    "SetLogged": _set_logged,
    "SetModified": _set_modified,
    "SetDeleted": _set_deleted,
    "TemplateCreated": _template_created,
    "TemplateUpdated": _template_updated,
    "TemplateDeleted": _template_deleted,
}
