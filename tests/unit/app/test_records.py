"""Records: which set holds one, when one falls, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.app.records import POUND, Logged, broken, heavier, improved, kilograms, longer, replaced, volume
from tests.contract.strategies import FEW


def lifted(
    position: int, weight: float, reps: int | None = 10, unit: str = "kg", seconds: int | None = None
) -> Logged:
    return Logged(f"e{position}", position, "w", "bench-press", f"at {position}", weight, unit, reps, seconds)


def held(position: int, seconds: int, weight: float = 0.0) -> Logged:
    return lifted(position, weight, None, "kg", seconds)


def after(*sets: Logged) -> dict[str, Any]:
    """The records with these sets, one after the other."""
    row = None
    for one in sets:
        row = improved(row, one) or row
    assert row
    return row


def test_the_first_set_holds_every_record() -> None:
    row = after(lifted(1, 80.0))
    entry = {"weight": 80.0, "weight_kg": 80.0, "unit": "kg", "date": "at 1", "event_id": "e1", "position": 1}
    assert row == {
        "exercise_id": "bench-press",
        "by_rep_count": {"10": entry},
        "longest": None,
        "max_weight": {**entry, "reps": 10},
        "max_volume": {**entry, "reps": 10, "volume": 800.0},
        "estimated_1rm": {**entry, "reps": 10, "e1rm": 106.7, "e1rm_kg": 106.7},
    }


@pytest.mark.parametrize(("weight", "reps"), [(79.9, 10), (80.0, 10), (0.0, 10)])
def test_a_lighter_or_equal_set_changes_nothing(weight: float, reps: int) -> None:
    assert improved(after(lifted(1, 80.0)), lifted(2, weight, reps)) is None


def test_of_equals_the_first_in_the_log_holds_the_record() -> None:
    first, second = lifted(1, 80.0), lifted(2, 80.0)
    assert heavier(first, second) is heavier(second, first) is first
    assert heavier(None, second) is heavier(second, None) is second
    assert heavier(None, None) is None
    assert improved(after(second), first) is None  # the row is as it was; deleting and counting again decides


def test_one_repetition_is_its_own_maximum() -> None:
    best = after(lifted(1, 100.0, 1))["estimated_1rm"]
    assert (best["e1rm"], best["e1rm_kg"]) == (100.0, 100.0)


def test_more_repetitions_with_less_weight_may_hold_volume_and_maximum() -> None:
    row = after(lifted(1, 100.0, 1), lifted(2, 90.0, 8))
    assert row["max_weight"]["position"] == 1
    assert (row["max_volume"]["position"], row["max_volume"]["volume"]) == (2, 720.0)
    assert (row["estimated_1rm"]["position"], row["estimated_1rm"]["e1rm"]) == (2, 114.0)


def test_pounds_and_kilograms_compare_in_kilograms_and_stay_as_entered() -> None:
    assert kilograms(100, "lb") == kilograms(100, "lbs") == 100 * POUND
    assert kilograms(100, "kg") == 100
    row = after(lifted(1, 60.0), lifted(2, 135.0, unit="lb"))
    assert row["max_weight"] == {
        "weight": 135.0, "weight_kg": 135 * POUND, "unit": "lb", "date": "at 2", "event_id": "e2",
        "position": 2, "reps": 10,
    }  # fmt: skip
    assert row["estimated_1rm"]["e1rm"] == 180.0
    assert row["estimated_1rm"]["e1rm_kg"] == 81.6
    assert improved(row, lifted(3, 132.0, unit="lb")) is None
    assert heavier(lifted(1, 60.0), lifted(2, 133.0, unit="lb")) == lifted(2, 133.0, unit="lb")


def test_the_body_s_own_weight_counts_repetitions_and_holds_no_weight() -> None:
    row = after(lifted(1, 0.0, 12))
    assert list(row["by_rep_count"]) == ["12"]
    assert row["max_weight"] is row["max_volume"] is row["estimated_1rm"] is None
    weighted = improved(row, lifted(2, 10.0, 12))
    assert weighted
    assert weighted["max_weight"]["weight"] == 10.0


def test_timed_sets_longer_then_heavier_then_first() -> None:
    assert longer(held(1, 60), held(2, 61)) == held(2, 61)
    assert longer(held(1, 60, 5.0), held(2, 60, 10.0)) == held(2, 60, 10.0)
    assert longer(held(2, 60), held(1, 60)) == held(1, 60)
    assert longer(None, held(1, 60)) == held(1, 60)
    row = after(held(1, 60), held(2, 60), held(3, 59, 50.0))
    assert row["longest"]["position"] == 1
    assert after(held(1, 60), held(2, 60, 5.0))["longest"]["position"] == 2
    assert row["by_rep_count"] == {}
    assert "max_weight" not in row


def test_timed_and_counted_sets_of_one_exercise_live_side_by_side() -> None:
    row = after(held(1, 60), lifted(2, 0.0, 5), held(3, 90), lifted(4, 5.0, 5))
    assert row["longest"]["duration_seconds"] == 90
    assert row["by_rep_count"]["5"]["position"] == 4


def test_a_record_is_replaced_by_the_next_best() -> None:
    row = after(lifted(1, 80.0), lifted(2, 90.0), lifted(3, 100.0, 5))
    assert replaced(row, "bench-press", 10, lifted(1, 80.0)) == after(lifted(3, 100.0, 5), lifted(1, 80.0))


def test_a_record_without_a_next_best_goes() -> None:
    row = after(lifted(1, 80.0), held(2, 60))
    rest = replaced(row, "bench-press", 10, None)
    assert rest
    assert rest["by_rep_count"] == {}
    assert rest["max_weight"] is None
    assert replaced(rest, "bench-press", None, None) is None
    assert replaced(None, "bench-press", 10, None) is None
    assert replaced(None, "bench-press", 10, lifted(1, 80.0)) == after(lifted(1, 80.0))
    assert replaced(None, "bench-press", None, held(1, 60)) == after(held(1, 60))


def kinds(before: dict[str, Any] | None, now: dict[str, Any] | None) -> list[tuple[str, float, str]]:
    return [(one["kind"], one["value"], one["unit"]) for one in broken(before, now)]


def test_a_first_set_breaks_no_record() -> None:
    assert broken(None, after(lifted(1, 80.0))) == []
    assert broken(after(lifted(1, 80.0)), None) == []


def test_records_are_told_the_greatest_honour_first_and_as_entered() -> None:
    before = after(lifted(1, 80.0, 10))
    assert kinds(before, after(lifted(1, 80.0, 10), lifted(2, 200.0, 10, "lb"))) == [
        ("max_weight", 200.0, "lb"), ("estimated_1rm", 266.7, "lb"), ("max_volume", 907.184, "kg"),
    ]  # fmt: skip
    assert kinds(before, after(lifted(1, 80.0, 10), lifted(2, 85.0, 1))) == [("max_weight", 85.0, "kg")]
    assert kinds(before, after(lifted(1, 80.0, 10), lifted(2, 60.0, 14))) == [("max_volume", 840.0, "kg")]
    assert kinds(after(held(1, 60)), after(held(1, 60), held(2, 75))) == [("longest", 75, "s")]


def test_an_equal_set_or_one_of_other_repetitions_breaks_nothing() -> None:
    before = after(lifted(1, 80.0, 10))
    assert kinds(before, after(lifted(1, 80.0, 10), lifted(2, 80.0, 9))) == []
    assert kinds(after(held(1, 60)), after(held(1, 60), held(2, 60, 5.0))) == []  # heavier, and no longer


def test_volume_is_what_was_moved() -> None:
    sets = [
        {"weight": 80.0, "unit": "kg", "reps": 10},
        {"weight": 100.0, "unit": "lb", "reps": 2},
        {"weight": 20.0, "unit": "kg", "reps": None},
        {"weight": 0.0, "unit": "kg", "reps": 12},
    ]
    assert volume(sets) == 800.0 + 100 * POUND * 2
    assert volume([]) == 0.0


_sets = st.lists(
    st.tuples(
        st.sampled_from([0.0, 50.0, 60.0, 62.5, 110.231, 135.0]),
        st.sampled_from([1, 5, 10, None]),
        st.sampled_from(["kg", "lb"]),
    ),
    min_size=1,
    max_size=12,
)


@FEW
@given(_sets, st.data())
def test_counting_one_by_one_equals_looking_at_all(
    drawn: list[tuple[float, Any, str]], data: st.DataObject
) -> None:
    """Improving with every set in turn, or putting each kind's best in, in any order: the same records."""
    sets = [
        lifted(n, weight, reps, unit, None if reps else 30 + n % 3)
        for n, (weight, reps, unit) in enumerate(drawn, 1)
    ]
    row = None
    for reps in data.draw(st.permutations(sorted({one.reps or 0 for one in sets}))):
        best = None
        for one in sets:
            if (one.reps or 0) == reps:
                best = heavier(best, one) if reps else longer(best, one)
        row = replaced(row, "bench-press", reps or None, best)
    assert row == {**dict.fromkeys(row or {}), **after(*sets)}
    assert all(improved(row, replace(one, position=one.position + 100)) is None for one in sets)
