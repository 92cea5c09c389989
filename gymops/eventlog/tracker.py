"""A person at the gym, made up: what they do, and what the tracker app keeps of it."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Row = tuple[str, str, str, str, int]
"""event_id, timestamp, event_type, payload, schema_version."""

EXERCISES = {
    "bench-press": ("Bench Press", "chest", 50.0),
    "incline-bench-press": ("Incline Bench Press", "chest", 40.0),
    "dumbbell-fly": ("Dumbbell Fly", "chest", 12.0),
    "deadlift": ("Deadlift", "back", 80.0),
    "barbell-row": ("Barbell Row", "back", 45.0),
    "pull-up": ("Pull-up", "back", 10.0),
    "lat-pulldown": ("Lat Pulldown", "back", 45.0),
    "overhead-press": ("Overhead Press", "shoulders", 32.5),
    "lateral-raise": ("Lateral Raise", "shoulders", 7.5),
    "face-pull": ("Face Pull", "shoulders", 20.0),
    "barbell-curl": ("Barbell Curl", "arms", 22.5),
    "tricep-pushdown": ("Tricep Pushdown", "arms", 25.0),
    "hammer-curl": ("Hammer Curl", "arms", 12.5),
    "squat": ("Squat", "legs", 65.0),
    "leg-press": ("Leg Press", "legs", 110.0),
    "romanian-deadlift": ("Romanian Deadlift", "legs", 60.0),
    "leg-curl": ("Leg Curl", "legs", 30.0),
    "leg-extension": ("Leg Extension", "legs", 35.0),
    "calf-raise": ("Calf Raise", "legs", 50.0),
    "plank": ("Plank", "core", 10.0),
}
CUSTOM = ("kettlebell-swing-leo", "Léo's kettlebell swing 💪", "full body", "two hands, from the hip")
_NAMES = tuple(
    json.dumps(name)
    for name in ("Push day", "Pull day", "Legs", None, "Léo's pull 💪", "Ganzkörper", "下半身", "5x5 heavy")
)
_NOTES = (None, None, "ok", "línea\nnueva", 'said "one more" twice', "déjà vu 🙃")
_START = datetime(2023, 11, 1, 6, 30, tzinfo=UTC)
_SPAN = 1000 * 86_400_000_000  # microseconds; the longer the log, the faster they train
_EVENTS_PER_WORKOUT = 15
_REST = 100_000_000
_DAYS_OFF = 4 * 86_400_000_000
_POUND = 0.453592
_MOST_WORKOUTS = 100
_MOST_SESSIONS = 50
_MOST_TEMPLATES = 6


def stamp(microseconds: int) -> str:
    moment = _START + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


class Tracker:
    """One user talking to the app: an endless stream of events, and what the app makes of them."""

    def __init__(self, rng: random.Random, expected: int) -> None:
        self.models = ReadModels()
        self._random = rng.random
        self._bits = rng.getrandbits
        self._sample = rng.sample
        self._now = 0
        mean = _SPAN // max(expected, 1)
        self._rest = min(_REST, mean // 2)
        self._off = min(_DAYS_OFF, _EVENTS_PER_WORKOUT * (mean - self._rest))

    def events(self) -> Iterator[Row]:
        """Events without end; the read models are those after the last one taken."""
        while True:
            if self._random() < 0.03 or not self.models.templates:
                yield self._template()
            yield from self._workout()
            self._now += int(self._off * 2 * self._random())

    def _workout(self) -> Iterator[Row]:
        models, rnd = self.models, self._random
        workout = self._id()
        template = self._pick(models.templates) if rnd() < 0.4 else None
        source = f'"{template["id"]}"' if template else "null"
        row = self._row(
            "WorkoutStarted",
            f'{{"workout_id": "{workout}", "name": {self._pick(_NAMES)}, "from_template_id": {source},'
            ' "exercise_ids": null, "exercise_plans": null}',
        )
        models.start(workout, row[1], template)
        yield row
        planned = template["exercise_ids"] if template else self._sample(list(EXERCISES), 3)
        for exercise in planned:
            row = self._row("ExerciseAdded", f'{{"workout_id": "{workout}", "exercise_id": "{exercise}"}}')
            models.add_exercise(exercise, row[1])
            yield row
            for _ in range(2 + int(3 * rnd())):
                yield self._set(workout, exercise)
            fate = rnd()
            if fate < 0.2:
                yield self._correct(workout, delete=fate < 0.1)
        if rnd() < 0.1:
            reason = '"tired"' if rnd() < 0.8 else "null"
            row = self._row("WorkoutDiscarded", f'{{"workout_id": "{workout}", "reason": {reason}}}')
            models.discard(row[1])
        else:
            notes = self._pick(_NOTES)
            row = self._row(
                "WorkoutCompleted", f'{{"workout_id": "{workout}", "notes": {json.dumps(notes)}}}'
            )
            models.complete(notes, row[1])
        yield row

    def _set(self, workout: str, exercise: str) -> Row:
        rnd = self._random
        reps = 1 + int(12 * rnd())
        kilograms = EXERCISES[exercise][2] * (0.7 + 0.6 * rnd() + min(0.5, self._now / _SPAN / 2))
        unit = "kg" if rnd() < 0.75 else "lb"
        step = 2.5 if unit == "kg" else 5.0
        weight = max(step, step * round(kilograms / (1 if unit == "kg" else _POUND) / step))
        row = self._row(
            "SetLogged",
            f'{{"workout_id": "{workout}", "exercise_id": "{exercise}", "weight": {weight},'
            f' "reps": {reps}, "unit": "{unit}"}}',
        )
        self.models.log_set(row[0], weight, reps, unit, row[1])
        return row

    def _correct(self, workout: str, *, delete: bool) -> Row:
        """The app misheard: the last set was another one, or none."""
        wrong = self.models.last_set()
        place = f'{{"workout_id": "{workout}", "original_event_id": "{wrong["event_id"]}"'
        if delete:
            row = self._row("SetDeleted", f'{place}, "reason": "typo"}}')
            self.models.delete_set(row[1])
            return row
        weight = wrong["weight"] + 2.5 if self._random() < 0.3 else None
        reps = 1 + int(12 * self._random()) if weight is None else None
        change = f'"weight": {weight or "null"}, "reps": {reps or "null"}, "unit": null'
        row = self._row("SetModified", f"{place}, {change}}}")
        self.models.modify_set(weight, reps, row[1])
        return row

    def _template(self) -> Row:
        templates = self.models.templates
        if len(templates) < 2 or (len(templates) < _MOST_TEMPLATES and self._random() < 0.5):
            template = self._id()
            name, ids = json.loads(self._pick(_NAMES)) or "A", self._sample(list(EXERCISES), 3)
            row = self._row(
                "TemplateCreated",
                f'{{"template_id": "{template}", "name": {json.dumps(name)}, "exercise_ids":'
                f' {json.dumps(ids)}, "exercises": null, "source_workout_id": null}}',
            )
            self.models.create_template(template, name, ids, row[1])
            return row
        chosen = self._pick(templates)
        if self._random() < 0.6:
            ids = self._sample(list(EXERCISES), 4)
            row = self._row(
                "TemplateUpdated",
                f'{{"template_id": "{chosen["id"]}", "name": null, "exercise_ids": {json.dumps(ids)},'
                ' "exercises": null}',
            )
            self.models.update_template(chosen, ids, row[1])
            return row
        row = self._row("TemplateDeleted", f'{{"template_id": "{chosen["id"]}"}}')
        self.models.delete_template(chosen, row[1])
        return row

    def _row(self, event_type: str, payload: str) -> Row:
        self._now += 1 + int(self._rest * 2 * self._random())
        return self._id(), stamp(self._now), event_type, payload, 1

    def _id(self) -> str:
        """A UUID, version 4."""
        bits = self._bits(128)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[bits & 3]}{text[17:20]}-{text[20:]}"

    def _pick(self, choices: Any) -> Any:
        return choices[int(self._random() * len(choices))]


@dataclass
class ReadModels:
    """The projections, folded as the app folds them; how far back they go is bounded here."""

    templates: list[dict[str, Any]] = field(default_factory=list)
    _current: dict[str, Any] | None = None
    _history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_MOST_WORKOUTS))
    _sessions: dict[str, deque[dict[str, Any]]] = field(default_factory=dict)
    _records: dict[str, dict[str, Any]] = field(default_factory=dict)
    _updated: dict[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """The rows of the table: key, data, updated_at."""
        models: dict[str, Any] = {"current_workout": self._current, "workout_history": list(self._history)}
        for exercise, sessions in self._sessions.items():
            models[f"exercise_history:{exercise}"] = {"exercise_id": exercise, "sessions": list(sessions)}
        for exercise, record in self._records.items():
            models[f"personal_records:{exercise}"] = record
        models["workout_templates"] = self.templates
        for key, data in models.items():
            if key in self._updated:
                yield key, json.dumps(data), self._updated[key]

    def start(self, workout: str, stamp: str, template: dict[str, Any] | None) -> None:
        self._current = {
            "id": workout,
            "started_at": stamp,
            "from_template_id": template["id"] if template else None,
            "focus_exercise": None,
            "exercises": [],
        }
        self._updated["current_workout"] = stamp
        if template:
            template["last_used_at"] = stamp
            template["use_count"] += 1
            self._updated["workout_templates"] = stamp

    def add_exercise(self, exercise: str, stamp: str) -> None:
        current = self._at_work(stamp)
        current["exercises"].append({"exercise_id": exercise, "sets": []})
        current["focus_exercise"] = exercise

    def last_set(self) -> dict[str, Any]:
        current = self._current or {}
        found: dict[str, Any] = current["exercises"][-1]["sets"][-1]
        return found

    def log_set(self, event_id: str, weight: float, reps: int, unit: str, stamp: str) -> None:
        exercise = self._at_work(stamp)["exercises"][-1]
        exercise["sets"].append({"event_id": event_id, "weight": weight, "reps": reps, "unit": unit})
        self._record(exercise["exercise_id"], weight, reps, unit, stamp)

    def modify_set(self, weight: float | None, reps: int | None, stamp: str) -> None:
        changed = self._at_work(stamp)["exercises"][-1]["sets"][-1]
        changed["weight"] = weight or changed["weight"]
        changed["reps"] = reps or changed["reps"]

    def delete_set(self, stamp: str) -> None:
        self._at_work(stamp)["exercises"][-1]["sets"].pop()

    def discard(self, stamp: str) -> None:
        self._current = None
        self._updated["current_workout"] = stamp

    def complete(self, notes: str | None, stamp: str) -> None:
        workout = self._at_work(stamp)
        exercises = workout["exercises"]
        sets = [one for exercise in exercises for one in exercise["sets"]]
        workout |= {"completed_at": stamp, "notes": notes}
        workout["stats"] = {
            "exercise_count": len(exercises),
            "total_sets": len(sets),
            "total_volume": sum(one["reps"] * _kilograms(one["weight"], one["unit"]) for one in sets),
        }
        self._history.appendleft(workout)
        for exercise in exercises:
            name = exercise["exercise_id"]
            sessions = self._sessions.setdefault(name, deque(maxlen=_MOST_SESSIONS))
            sessions.appendleft({"workout_id": workout["id"], "date": stamp, "sets": exercise["sets"]})
            self._updated[f"exercise_history:{name}"] = stamp
        self._current = None
        self._updated["workout_history"] = stamp

    def create_template(self, template: str, name: str, ids: list[str], stamp: str) -> None:
        self.templates.append(
            {
                "id": template,
                "name": name,
                "exercises": _targets(ids),
                "exercise_ids": ids,
                "source_workout_id": None,
                "created_at": stamp,
                "last_used_at": None,
                "use_count": 0,
            }
        )
        self._updated["workout_templates"] = stamp

    def update_template(self, template: dict[str, Any], ids: list[str], stamp: str) -> None:
        template |= {"exercises": _targets(ids), "exercise_ids": ids}
        self._updated["workout_templates"] = stamp

    def delete_template(self, template: dict[str, Any], stamp: str) -> None:
        self.templates.remove(template)
        self._updated["workout_templates"] = stamp

    def _at_work(self, stamp: str) -> dict[str, Any]:
        self._updated["current_workout"] = stamp
        return self._current or {}

    def _record(self, exercise: str, weight: float, reps: int, unit: str, stamp: str) -> None:
        """A record stands, as in the app, when its set is corrected or its workout discarded later."""
        records = self._records.get(exercise)
        if records is None:
            names = ("max_weight", "max_volume", "estimated_1rm")
            records = {"exercise_id": exercise, **dict.fromkeys(names), "by_rep_count": {}}
            self._records[exercise] = records
        kilograms = _kilograms(weight, unit)
        volume = kilograms * reps
        factor = 1 + reps / 30 if reps > 1 else 1
        lifted = {"weight": weight, "weight_kg": kilograms, "reps": reps, "unit": unit, "date": stamp}
        broken = False
        if records["max_weight"] is None or kilograms > records["max_weight"]["weight_kg"]:
            records["max_weight"], broken = lifted, True
        if records["max_volume"] is None or volume > records["max_volume"]["volume"]:
            records["max_volume"], broken = {**lifted, "volume": volume}, True
        # The app compares with what it rounded.
        if records["estimated_1rm"] is None or kilograms * factor > records["estimated_1rm"]["e1rm_kg"]:
            estimate = {"e1rm_kg": round(kilograms * factor, 1), "e1rm": round(weight * factor, 1)}
            records["estimated_1rm"], broken = {**lifted, **estimate}, True
        best = records["by_rep_count"].get(str(reps))
        if best is None or kilograms > best["weight_kg"]:
            records["by_rep_count"][str(reps)] = {name: lifted[name] for name in lifted if name != "reps"}
            broken = True
        if broken:
            self._updated[f"personal_records:{exercise}"] = stamp


def _kilograms(weight: float, unit: str) -> float:
    return weight if unit == "kg" else weight * _POUND


def _targets(ids: list[str]) -> list[dict[str, Any]]:
    nothing = dict.fromkeys(("target_sets", "target_reps", "target_weight"))
    how = {"target_unit": "kg", "set_type": "standard", "rest_seconds": 60, "notes": None}
    return [{"exercise_id": exercise, **nothing, **how} for exercise in ids]
