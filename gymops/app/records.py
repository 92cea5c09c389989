"""Personal records of one exercise, from its sets.

Kept is the heaviest set of each number of repetitions (the first of equals) and the longest timed one.
Everything else follows from those few: at a fixed number of repetitions, volume and the estimated
one-repetition maximum grow with the weight. So a record that is deleted needs one other set to be found,
and not the history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

POUND = 0.453592
"""Kilograms in a pound, as the app has always counted: records of old and new sets stay comparable."""


@dataclass(frozen=True)
class Logged:
    """A set that counts: what was lifted, when, and where in the log it stands."""

    event_id: str
    position: int
    workout_id: str
    exercise_id: str
    at: str
    weight: float
    unit: str
    reps: int | None
    seconds: int | None

    @property
    def weight_kg(self) -> float:
        return kilograms(self.weight, self.unit)


def kilograms(weight: float, unit: str) -> float:
    return weight * POUND if unit.startswith("lb") else weight


def volume(sets: Iterable[dict[str, Any]]) -> float:
    """Kilograms moved, summed in order and as it comes: a timed set moves none."""
    return sum((kilograms(one["weight"], one["unit"]) * (one["reps"] or 0) for one in sets), 0.0)


def heavier(a: Logged | None, b: Logged | None) -> Logged | None:
    """The better of two sets of the same number of repetitions; of equals the first in the log."""
    if a is None or b is None:
        return a or b
    return min(a, b, key=lambda one: (-one.weight_kg, one.position))


def longer(a: Logged | None, b: Logged | None) -> Logged | None:
    """The better of two timed sets: longer, then heavier, then the first."""
    if a is None or b is None:
        return a or b
    return min(a, b, key=lambda one: (-(one.seconds or 0), -one.weight_kg, one.position))


def improved(row: dict[str, Any] | None, one: Logged) -> dict[str, Any] | None:
    """The records with one more set, or None if it broke none."""
    row = row or {"exercise_id": one.exercise_id, "by_rep_count": {}, "longest": None}
    if one.reps is None:
        held = row["longest"]
        if held is not None and longer(_held(held, one, None), one) is not one:
            return None
        return {**row, "longest": _entry(one)}
    held = row["by_rep_count"].get(str(one.reps))
    if held is not None and held["weight_kg"] >= one.weight_kg:
        return None
    return _summed({**row, "by_rep_count": {**row["by_rep_count"], str(one.reps): _entry(one)}})


def replaced(
    row: dict[str, Any] | None, exercise_id: str, reps: int | None, best: Logged | None
) -> dict[str, Any] | None:
    """The records with the best of one kind of set put in (or taken out); None when none is left."""
    row = row or {"exercise_id": exercise_id, "by_rep_count": {}, "longest": None}
    if reps is None:
        row = {**row, "longest": best and _entry(best)}
    else:
        counts = {count: held for count, held in row["by_rep_count"].items() if count != str(reps)}
        if best:
            counts[str(reps)] = _entry(best)
        row = _summed({**row, "by_rep_count": counts})
    return row if row["by_rep_count"] or row["longest"] else None


def broken(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The records that fell between two states, the greatest honour first; a first set breaks none."""
    if before is None or after is None:
        return []
    fallen = []
    for kind, value in (
        ("max_weight", "weight_kg"),
        ("estimated_1rm", "e1rm_kg"),
        ("max_volume", "volume"),
        ("longest", "duration_seconds"),
    ):
        new, old = after.get(kind), before.get(kind)
        if new and (not old or new[value] > old[value]):
            shown, unit = _shown(kind, new)
            fallen.append({"exercise_id": after["exercise_id"], "kind": kind, "value": shown, "unit": unit})
    return fallen


def _shown(kind: str, entry: dict[str, Any]) -> tuple[float, str]:
    """A record's number as a person entered it: a record in pounds is told in pounds."""
    match kind:
        case "max_weight":
            return entry["weight"], entry["unit"]
        case "estimated_1rm":
            return entry["e1rm"], entry["unit"]
        case "max_volume":
            return entry["volume"], "kg"
        case _:
            return entry["duration_seconds"], "s"


def _entry(one: Logged) -> dict[str, Any]:
    entry = {
        "weight": one.weight,
        "weight_kg": one.weight_kg,
        "unit": one.unit,
        "date": one.at,
        "event_id": one.event_id,
        "position": one.position,
    }
    return entry if one.seconds is None else {**entry, "duration_seconds": one.seconds}


def _held(entry: dict[str, Any], like: Logged, reps: int | None) -> Logged:
    return Logged(
        entry["event_id"],
        entry["position"],
        like.workout_id,
        like.exercise_id,
        entry["date"],
        entry["weight"],
        entry["unit"],
        reps,
        entry.get("duration_seconds"),
    )


def _summed(row: dict[str, Any]) -> dict[str, Any]:
    """The records over all numbers of repetitions; sets with the body's own weight have none of these."""
    entries = [
        {**held, "reps": int(reps)} for reps, held in row["by_rep_count"].items() if held["weight_kg"] > 0
    ]
    volumes = [{**entry, "volume": round(entry["weight_kg"] * entry["reps"], 6)} for entry in entries]
    maxima = [
        {
            **entry,
            "e1rm": round(_one_rep_maximum(entry["weight"], entry["reps"]), 1),
            "e1rm_kg": round(_one_rep_maximum(entry["weight_kg"], entry["reps"]), 1),
        }
        for entry in entries
    ]
    return {
        **row,
        "max_weight": _greatest(entries, "weight_kg"),
        "max_volume": _greatest(volumes, "volume"),
        "estimated_1rm": _greatest(maxima, "e1rm_kg"),
    }


def _greatest(entries: list[dict[str, Any]], value: str) -> dict[str, Any] | None:
    return min(entries, key=lambda entry: (-entry[value], entry["position"]), default=None)


def _one_rep_maximum(weight: float, reps: int) -> float:
    """Epley's formula (B. Epley, Boyd Epley Workout, 1985)."""
    return weight if reps == 1 else weight * (1 + reps / 30)
