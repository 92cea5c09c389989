"""What a log means, straight from the definitions: slow, in one piece, sharing no code with the fold.

Workouts and their sets are read from the log as it stands; everything else is counted over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gymops.app.store import LogEvent

POUND = 0.453592
PLAN = {
    "target_sets": None,
    "target_reps": None,
    "target_weight": None,
    "target_unit": "kg",
    "set_type": "standard",
    "rest_seconds": 60,
    "notes": None,
}


class Reference:
    """All rows of a user, from the events of a log that follow from each other."""

    def __init__(self, log: Sequence[LogEvent]) -> None:
        self.workouts: list[dict[str, Any]] = []
        self.current: dict[str, Any] | None = None
        self.templates: list[dict[str, Any]] = []
        self.sets: dict[str, dict[str, Any]] = {}
        for event in log:
            getattr(self, f"_{event.event_type}")(event, event.payload)

    # Reading the log

    def _WorkoutStarted(self, event: LogEvent, payload: Any) -> None:  # noqa: N802
        planned = (payload["exercise_ids"] or []) + [
            p["exercise_id"] for p in payload["exercise_plans"] or []
        ]
        self.current = {
            "id": payload["workout_id"],
            "name": payload["name"],
            "started_at": event.timestamp,
            "from_template_id": payload["from_template_id"],
            "focus_exercise": planned[0] if planned else None,
            "exercises": [
                {"exercise_id": one, "sets": []} for one in sorted(set(planned), key=planned.index)
            ],
        }
        for template in self.templates:
            if template["id"] == payload["from_template_id"]:
                template["use_count"] += 1
                template["last_used_at"] = event.timestamp

    def _WorkoutCompleted(self, event: LogEvent, payload: Any) -> None:  # noqa: N802
        assert self.current
        self.current |= {"completed_at": event.timestamp, "notes": payload["notes"]}
        self.workouts.append(self.current)
        self.current = None

    def _WorkoutDiscarded(self, _event: LogEvent, _payload: Any) -> None:  # noqa: N802
        self.current = None

    def _ExerciseAdded(self, _event: LogEvent, payload: Any) -> None:  # noqa: N802
        assert self.current
        if payload["exercise_id"] not in [one["exercise_id"] for one in self.current["exercises"]]:
            self.current["exercises"].append({"exercise_id": payload["exercise_id"], "sets": []})
        self.current["focus_exercise"] = payload["exercise_id"]

    def _SetLogged(self, event: LogEvent, payload: Any) -> None:  # noqa: N802
        self._ExerciseAdded(event, payload)
        assert self.current
        for exercise in self.current["exercises"]:
            if exercise["exercise_id"] == payload["exercise_id"]:
                exercise["sets"].append(
                    {
                        "event_id": event.event_id,
                        "position": event.position,
                        "logged_at": event.timestamp,
                        "weight": payload["weight"],
                        "reps": payload["reps"],
                        "unit": payload["unit"],
                        "duration_seconds": payload["duration_seconds"],
                    }
                )

    def _SetModified(self, _event: LogEvent, payload: Any) -> None:  # noqa: N802
        for _, _, one in self._all():
            if one["event_id"] == payload["original_event_id"]:
                for name in ("weight", "reps", "unit", "duration_seconds"):
                    if payload[name] is not None:
                        one[name] = payload[name]

    def _SetDeleted(self, _event: LogEvent, payload: Any) -> None:  # noqa: N802
        for workout in [*self.workouts, self.current or {"exercises": []}]:
            for exercise in workout["exercises"]:
                exercise["sets"] = [
                    one for one in exercise["sets"] if one["event_id"] != payload["original_event_id"]
                ]

    def _TemplateCreated(self, event: LogEvent, payload: Any) -> None:  # noqa: N802
        self.templates.append(
            {
                "id": payload["template_id"],
                "name": payload["name"],
                "exercise_ids": payload["exercise_ids"],
                "exercises": payload["exercises"]
                or [{"exercise_id": one, **PLAN} for one in payload["exercise_ids"]],
                "source_workout_id": payload["source_workout_id"],
                "created_at": event.timestamp,
                "last_used_at": None,
                "use_count": 0,
            }
        )

    def _TemplateUpdated(self, _event: LogEvent, payload: Any) -> None:  # noqa: N802
        for template in self.templates:
            if template["id"] == payload["template_id"]:
                ids, plans = payload["exercise_ids"], payload["exercises"]
                template["name"] = payload["name"] or template["name"]
                if ids or plans:
                    template["exercise_ids"] = ids or [one["exercise_id"] for one in plans]
                    template["exercises"] = plans or [{"exercise_id": one, **PLAN} for one in ids]

    def _TemplateDeleted(self, _event: LogEvent, payload: Any) -> None:  # noqa: N802
        self.templates = [one for one in self.templates if one["id"] != payload["template_id"]]

    def _all(self) -> list[tuple[dict[str, Any], str, dict[str, Any]]]:
        """Every set that counts, with its workout and exercise."""
        return [
            (workout, exercise["exercise_id"], one)
            for workout in [*self.workouts, *([self.current] if self.current else [])]
            for exercise in workout["exercises"]
            for one in exercise["sets"]
        ]

    # Counting

    def projections(self, *, had_templates: bool) -> dict[str, Any]:
        rows: dict[str, Any] = {}
        for number, workout in enumerate(self.workouts, 1):
            sets = [one for exercise in workout["exercises"] for one in exercise["sets"]]
            stats = {
                "exercise_count": len(workout["exercises"]),
                "total_sets": len(sets),
                "total_volume": math.fsum(_kg(one) * (one["reps"] or 0) for one in sets),
            }
            rows[f"workout:{workout['id']}"] = {**workout, "number": number, "stats": stats}
            rows.setdefault(f"workout_history:{(number - 1) // 50:06d}", []).append(workout["id"])
            for exercise in workout["exercises"]:
                if exercise["sets"]:
                    session = {
                        "workout_id": workout["id"],
                        "date": workout["completed_at"],
                        "sets": exercise["sets"],
                    }
                    rows[f"exercise_history:{exercise['exercise_id']}:{number:09d}"] = session
        if self.workouts:
            rows["workout_history"] = {"count": len(self.workouts)}
        if had_templates:
            rows["workout_templates"] = self.templates
        for exercise_id in {exercise_id for _, exercise_id, _ in self._all()}:
            rows[f"personal_records:{exercise_id}"] = self._records(exercise_id)
        return rows

    def _records(self, exercise_id: str) -> dict[str, Any]:
        mine = [one for _, other, one in self._all() if other == exercise_id]
        counted = [one for one in mine if one["reps"] is not None]
        timed = [one for one in mine if one["reps"] is None]
        records: dict[str, Any] = {"exercise_id": exercise_id, "by_rep_count": {}}
        for reps in {one["reps"] for one in counted}:
            same = [one for one in counted if one["reps"] == reps]
            best = _first_of_greatest(same, _kg)
            records["by_rep_count"][str(reps)] = _entry(best)
        if timed:
            best = _first_of_greatest(timed, lambda one: (one["duration_seconds"], _kg(one)))
            records["longest"] = {**_entry(best), "duration_seconds": best["duration_seconds"]}
        weighted = [one for one in counted if _kg(one) > 0]
        if weighted:
            best = _first_of_greatest(weighted, lambda one: _kg(one))
            records["max_weight"] = {**_entry(best), "reps": best["reps"]}
            best = _first_of_greatest(weighted, lambda one: round(_kg(one) * one["reps"], 6))
            records["max_volume"] = {
                **_entry(best), "reps": best["reps"], "volume": round(_kg(best) * best["reps"], 6),
            }  # fmt: skip
            best = _first_of_greatest(weighted, lambda one: _maximum(_kg(one), one["reps"]))
            records["estimated_1rm"] = {
                **_entry(best),
                "reps": best["reps"],
                "e1rm": _maximum(best["weight"], best["reps"]),
                "e1rm_kg": _maximum(_kg(best), best["reps"]),
            }
        return records

    def aggregates(self) -> dict[tuple[str, str], dict[str, Any]]:
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for workout in self.workouts:
            done, began = (datetime.fromisoformat(workout[name]) for name in ("completed_at", "started_at"))
            sets = [one for exercise in workout["exercises"] for one in exercise["sets"]]
            for period in (
                ("week", f"{done:%G-W%V}"),
                ("month", f"{done:%Y-%m}"),
                ("year", f"{done:%Y}"),
                ("all", "all"),
            ):
                row = rows.setdefault(
                    period,
                    {"workouts": 0, "total_sets": 0, "total_reps": 0, "total_volume": 0.0, "seconds": 0},
                )
                row["workouts"] += 1
                row["total_sets"] += len(sets)
                row["total_reps"] += sum(one["reps"] or 0 for one in sets)
                row["total_volume"] += sum(_kg(one) * (one["reps"] or 0) for one in sets)
                row["seconds"] += (done - began).seconds + (done - began).days * 86_400
        return rows

    def finished_sets(self) -> list[tuple[Any, ...]]:
        return sorted(
            (
                one["event_id"], one["position"], workout["id"], exercise_id, one["logged_at"], one["weight"],
                one["unit"], one["reps"], one["duration_seconds"], _kg(one),
            )
            for workout, exercise_id, one in self._all()
            if workout is not self.current
        )  # fmt: skip


def assert_meant(log: Sequence[LogEvent], dump: dict[str, Any]) -> None:
    """The rows of a ``StorePlace.dump`` are what the log means."""
    meant = Reference(log)
    projections = meant.projections(had_templates=any(e.event_type == "TemplateCreated" for e in log))
    found = {key: data for key, (data, _) in dump["projections"].items()}
    assert dump["current_workout"] == meant.current
    assert set(found) == set(projections)
    for key, expected in projections.items():
        row = found[key]
        if key.startswith("personal_records:"):
            row = {name: value for name, value in row.items() if value is not None}
        if key.startswith("workout:"):
            volume = row["stats"]["total_volume"]
            assert math.isclose(volume, expected["stats"]["total_volume"], abs_tol=1e-6)
            expected["stats"]["total_volume"] = volume
        assert row == expected, key
    assert set(dump["aggregates"]) == set(meant.aggregates())
    for period, sums in meant.aggregates().items():
        row = dump["aggregates"][period][0]
        assert math.isclose(row["total_volume"], sums["total_volume"], abs_tol=1e-3)
        assert {**row, "total_volume": 0} == {**sums, "total_volume": 0}, period
    assert dump["sets"] == meant.finished_sets()


def _kg(one: dict[str, Any]) -> float:
    weight: float = one["weight"]
    return weight * POUND if one["unit"] == "lb" else weight


def _maximum(weight: float, reps: int) -> float:
    return round(weight if reps == 1 else weight * (1 + reps / 30), 1)


def _first_of_greatest(sets: list[dict[str, Any]], measure: Any) -> dict[str, Any]:
    greatest = max(measure(one) for one in sets)
    return min((one for one in sets if measure(one) == greatest), key=lambda one: one["position"])


def _entry(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "weight": one["weight"],
        "weight_kg": _kg(one),
        "unit": one["unit"],
        "date": one["logged_at"],
        "event_id": one["event_id"],
        "position": one["position"],
    }
