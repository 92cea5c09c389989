"""Which periods a workout falls in, and their sums."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from gymops.app import periods


@pytest.mark.parametrize(
    ("day", "week"),
    [
        ("2024-12-29", "2024-W52"),
        ("2024-12-30", "2025-W01"),  # a Monday: the new year's first week begins in the old year
        ("2025-01-01", "2025-W01"),
        ("2026-12-31", "2026-W53"),
        ("2027-01-01", "2026-W53"),  # a Friday: the old year's last week ends in the new year
        ("2027-01-03", "2026-W53"),
        ("2027-01-04", "2027-W01"),
        ("2021-01-03", "2020-W53"),
        ("2026-11-21", "2026-W47"),
        ("0001-01-01", "0001-W01"),
    ],
)
def test_weeks_are_those_of_iso_8601_at_the_turn_of_the_year(day: str, week: str) -> None:
    for time in ("00:00:00.000000Z", "23:59:59.999999Z"):
        assert list(periods.keys(f"{day}T{time}")) == [
            ("week", week), ("month", day[:7]), ("year", day[:4]), ("all", "all"),
        ]  # fmt: skip


def test_keys_sort_as_the_days_do() -> None:
    days = [date(2019, 1, 1) + timedelta(days=n) for n in range(4000)]
    for place in range(3):
        found = [list(periods.keys(f"{day}T12:00:00.000000Z"))[place] for day in days]
        assert found == sorted(found)


def workout(volume: float = 800.0, minutes: int = 45, **one: Any) -> dict[str, Any]:
    sets = [{"reps": 10, **one}, {"reps": None}]
    return {
        "started_at": "2026-11-21T09:00:00.000000Z",
        "completed_at": f"2026-11-21T09:{minutes:02}:59.900000Z",
        "exercises": [{"sets": sets}, {"sets": []}],
        "stats": {"exercise_count": 2, "total_sets": len(sets), "total_volume": volume},
    }


ONE = {"workouts": 1, "total_sets": 2, "total_reps": 10, "total_volume": 800.0, "seconds": 2759}


def test_the_first_workout_of_a_period() -> None:
    assert periods.add(None, None, workout()) == ONE


def test_another_workout_is_added() -> None:
    assert periods.add(ONE, None, workout(100.1, reps=3)) == {
        "workouts": 2, "total_sets": 4, "total_reps": 13, "total_volume": 900.1, "seconds": 5518,
    }  # fmt: skip


def test_a_workout_that_changed_counts_once_and_as_it_is_now() -> None:
    changed = periods.add(ONE, workout(), workout(400.5, reps=5))
    assert changed == {**ONE, "total_reps": 5, "total_volume": 400.5}
    assert periods.add(changed, workout(400.5, reps=5), workout()) == ONE


def test_a_clock_that_went_back_takes_no_seconds_away() -> None:
    backwards = {**workout(), "completed_at": "2026-11-21T08:00:00.000000Z"}
    assert periods.add(None, None, backwards)["seconds"] == 0


def test_sums_do_not_drift() -> None:
    row = None
    for _ in range(1000):
        row = periods.add(row, None, workout(0.1))
    assert row
    assert row["total_volume"] == 100.0
