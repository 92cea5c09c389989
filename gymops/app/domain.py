"""What may happen next: the preconditions of each event, over the rows the log has folded to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gymops.app.fold import View, find_set

MAX_SETS = 500
"""Sets in one workout: what an append costs is bounded by the workout it belongs to."""


class Conflict(Exception):
    """The event does not follow from what happened; ``code`` is for programs, the text for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def check(view: View, event_type: str, payload: dict[str, Any]) -> None:
    """Refuse an event that does not follow; the payload is one of ``new_payload``.

    Raises:
        Conflict: naming the rule.
    """
    _RULES[event_type](view, payload)


def _started(view: View, payload: dict[str, Any]) -> None:
    if view.get("current_workout"):
        raise Conflict("workout_in_progress", "a workout is in progress: finish or discard it first")
    if view.get(f"workout:{payload['workout_id']}"):
        raise Conflict("workout_exists", "a finished workout has this id")
    template = payload["from_template_id"]
    if template and _template(view, template) is None:
        raise Conflict("template_not_found", "there is no template with this id")


def _in_progress(view: View, payload: dict[str, Any]) -> None:
    current = view.get("current_workout")
    if not current:
        raise Conflict("no_workout", "no workout is in progress: start one first")
    if current["id"] != payload["workout_id"]:
        raise Conflict("other_workout", "another workout is in progress")


def _exercise_added(view: View, payload: dict[str, Any]) -> None:
    _in_progress(view, payload)
    exercises = view.get("current_workout")["exercises"]
    if any(one["exercise_id"] == payload["exercise_id"] for one in exercises):
        return  # it is taken up again: the focus moves to it
    if len(exercises) >= 100:
        raise Conflict("workout_full", "a workout holds at most 100 exercises")


def _set_logged(view: View, payload: dict[str, Any]) -> None:
    _in_progress(view, payload)
    exercises = view.get("current_workout")["exercises"]
    if sum(len(one["sets"]) for one in exercises) >= MAX_SETS:
        raise Conflict("workout_full", f"a workout holds at most {MAX_SETS} sets: finish it first")
    if len(exercises) >= 100 and all(one["exercise_id"] != payload["exercise_id"] for one in exercises):
        raise Conflict("workout_full", "a workout holds at most 100 exercises")


def _set_exists(view: View, payload: dict[str, Any]) -> None:
    if find_set(view, payload["workout_id"], payload["original_event_id"]) is None:
        raise Conflict("set_not_found", "the workout has no set with this id; it may have been deleted")


def _set_modified(view: View, payload: dict[str, Any]) -> None:
    _set_exists(view, payload)
    found = find_set(view, payload["workout_id"], payload["original_event_id"])
    timed = found is not None and found[2]["reps"] is None
    if timed and payload["reps"] is not None:
        raise Conflict("set_is_timed", "a timed set has no reps: delete it and log another")
    if not timed and payload["duration_seconds"] is not None:
        raise Conflict("set_is_counted", "a set of reps has no duration: delete it and log another")


def _template_created(view: View, payload: dict[str, Any]) -> None:
    templates = view.get("workout_templates") or []
    if any(one["id"] == payload["template_id"] for one in templates):
        raise Conflict("template_exists", "a template has this id")
    if len(templates) >= 200:
        raise Conflict("templates_full", "there are 200 templates: delete one first")


def _template_exists(view: View, payload: dict[str, Any]) -> None:
    if _template(view, payload["template_id"]) is None:
        raise Conflict("template_not_found", "there is no template with this id")


def _template(view: View, template_id: str) -> dict[str, Any] | None:
    return next((one for one in view.get("workout_templates") or [] if one["id"] == template_id), None)


_RULES: dict[str, Callable[[View, dict[str, Any]], None]] = {
    "WorkoutStarted": _started,
    "WorkoutCompleted": _in_progress,
    "WorkoutDiscarded": _in_progress,
    "ExerciseAdded": _exercise_added,
    "SetLogged": _set_logged,
    "SetModified": _set_modified,
    "SetDeleted": _set_exists,
    "TemplateCreated": _template_created,
    "TemplateUpdated": _template_exists,
    "TemplateDeleted": _template_exists,
}
