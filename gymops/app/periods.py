"""Sums over weeks, months and years, and over all time, of the workouts finished in them (UTC)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

Period = tuple[str, str]
"""Period type and key: ("week", "2026-W47"), ("month", "2026-11"), ("year", "2026"), ("all", "all")."""


def keys(at: str) -> Iterator[Period]:
    """The periods a moment belongs to; weeks are ISO 8601's."""
    year, week, _ = datetime.fromisoformat(at).isocalendar()
    yield "week", f"{year:04d}-W{week:02d}"
    yield "month", at[:7]
    yield "year", at[:4]
    yield "all", "all"


def add(row: dict[str, Any] | None, before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """A period's sums with a finished workout as it is now, less what it was counted as before."""
    row = row or {"workouts": 0, "total_sets": 0, "total_reps": 0, "total_volume": 0.0, "seconds": 0}
    old, new = _measures(before) if before else dict.fromkeys(row, 0), _measures(after)
    return {name: round(row[name] + new[name] - old[name], 6) for name in row}


def _measures(workout: dict[str, Any]) -> dict[str, Any]:
    sets = [one for exercise in workout["exercises"] for one in exercise["sets"]]
    lasted = datetime.fromisoformat(workout["completed_at"]) - datetime.fromisoformat(workout["started_at"])
    return {
        "workouts": 1,
        "total_sets": workout["stats"]["total_sets"],
        "total_reps": sum(one["reps"] or 0 for one in sets),
        "total_volume": workout["stats"]["total_volume"],
        "seconds": max(int(lasted.total_seconds()), 0),
    }
