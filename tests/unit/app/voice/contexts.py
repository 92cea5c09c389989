"""The contexts the corpus is understood in, and its notation for outcomes."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from gymops.app.library import Exercise, library
from gymops.app.voice import Answer, Clarify, Context, Emit, Outcome
from gymops.app.voice.context import Unit

WORKOUT = "11111111-1111-4111-8111-111111111111"
SET = "44444444-4444-4444-8444-"
NEW = "33333333-3333-4333-8333-"
TEMPLATE = "22222222-2222-4222-8222-"
SHORT = {SET: "S", NEW: "N", TEMPLATE: "T"}
TEMPLATES: list[dict[str, Any]] = [
    {"id": f"{TEMPLATE}000000000001", "name": "Push day", "use_count": 3}
    | {"exercise_ids": ["bench-press", "overhead-press"], "exercises": []},
    {"id": f"{TEMPLATE}000000000002", "name": "Leg day", "use_count": 0}
    | {"exercise_ids": None, "exercises": [{"exercise_id": "squat"}, {"exercise_id": "leg-curl"}]},
    {"id": f"{TEMPLATE}000000000003", "name": "A", "exercise_ids": ["squat"], "exercises": []},
]
RECORDS: dict[str, dict[str, Any]] = {
    "squat": {"max_weight": {"weight": 140.0, "unit": "kg", "reps": 3}},
    "plank": {"max_weight": None, "longest": {"duration_seconds": 150}},
    "deadlift": {"max_weight": None},
}
CUSTOM = Exercise("zercher-squat", "Zercher Squat", "legs")


def set_id(number: int) -> str:
    """The event id of a set."""
    return f"{SET}{number:012d}"


def a_set(
    number: int, weight: float, reps: int | None, unit: Unit = "kg", seconds: int = 0
) -> dict[str, Any]:
    """A set as the projection of the current workout has it."""
    one = {"event_id": set_id(number), "weight": weight, "reps": reps, "unit": unit}
    return one | ({"duration_seconds": seconds} if seconds else {})


def workout(focus: str | None, **sets: list[dict[str, Any]]) -> dict[str, Any]:
    """A workout in progress; exercises by id, with _ for -."""
    return {
        "id": WORKOUT,
        "name": "Evening",
        "started_at": "2026-11-21T08:00:00.000000Z",
        "from_template_id": None,
        "focus_exercise": focus,
        "exercises": [{"exercise_id": name.replace("_", "-"), "sets": some} for name, some in sets.items()],
    }


WORKOUTS: dict[str, tuple[dict[str, Any] | None, Unit]] = {
    "nothing": (None, "kg"),
    "nothing, pounds": (None, "lb"),
    "empty": (workout(None), "kg"),
    "bench": (workout("bench-press", bench_press=[a_set(1, 60.0, 12), a_set(2, 80.0, 10)]), "kg"),
    "bench, no set": (workout("bench-press", bench_press=[]), "kg"),
    "bench in pounds": (workout("bench-press", bench_press=[a_set(1, 135.0, 8, "lb")]), "kg"),
    "pull-ups": (workout("pull-up", pull_up=[a_set(1, 0.0, 12)]), "kg"),
    "weighted pull-ups": (workout("pull-up", pull_up=[a_set(1, 10.0, 8)]), "kg"),
    "plank": (workout("plank", plank=[a_set(1, 0.0, None, seconds=60)]), "kg"),
    "leg press": (workout("leg-press", leg_press=[a_set(1, 180.0, 10)]), "kg"),
    "squat after bench": (workout("squat", bench_press=[a_set(1, 80.0, 10)], squat=[]), "kg"),
    "a custom exercise": (workout("zercher-squat", zercher_squat=[]), "kg"),
}


def context(name: str) -> Context:
    """A context of the corpus; new ids are numbered."""
    current, unit = WORKOUTS[name]
    ids: Iterator[int] = itertools.count(1)
    return Context(
        current,
        (*library(), CUSTOM),
        TEMPLATES,
        default_unit=unit,
        records=RECORDS,
        new_id=lambda: f"{NEW}{next(ids):012d}",
    )


_PLAIN = re.compile(r"[a-z][a-z0-9-]*|[NST][0-9]+")


def shown(outcome: Outcome) -> list[str]:
    """An outcome in the corpus's notation, with all it holds.

    Events a line each, then what is said in quotes; "? question", its choices behind "-"; "= answer". The
    ids are short: W the workout in progress, S1 set 1, T1 template 1, N1 the first new id.
    """
    if isinstance(outcome, Emit):
        events = [
            f"{kind} {' '.join(_field(*pair) for pair in data.items())}" for kind, data in outcome.events
        ]
        return [*events, json.dumps(outcome.say, ensure_ascii=False)]
    if isinstance(outcome, Clarify):
        return [f"? {outcome.question}", *(f"- {choice}" for choice in outcome.choices)]
    if isinstance(outcome, Answer):
        return [f"= {outcome.say}"]
    return ["missed"]


def _field(name: str, value: Any) -> str:
    if value == WORKOUT:
        return f"{name}=W"
    if isinstance(value, str) and value[:24] in SHORT:
        value = f"{SHORT[value[:24]]}{int(value[24:])}"
    plain = isinstance(value, str) and _PLAIN.fullmatch(value)
    return f"{name}={value if plain else json.dumps(value, ensure_ascii=False)}"
