"""A recovery point's record: one spelling, read strictly, ids that never collide."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from gymops.backup.recovery_point import load, new_id, sealed_at
from tests.unit.backup.growing import seals
from tests.unit.backup.points import point
from tests.unit.clocks import START


def test_it_is_read_as_it_was_written() -> None:
    for one in (point(), point(seal=sealed_at(seals(2)[1]), keep_until=START + timedelta(days=30))):
        assert load(one.dump()) == one
        assert load(one.dump()).dump() == one.dump()


def test_its_size_is_that_of_its_files() -> None:
    assert point().size == 100


def test_ids_of_one_second_differ_and_are_sorted_by_time() -> None:
    same = {new_id(START) for _ in range(1_000)}
    assert len(same) == 1_000
    assert max(same) < new_id(START + timedelta(seconds=1))


@pytest.mark.parametrize("change", [{"kind": "tape"}, {"tier": 5}, {"ended": "2026-01-01"}, {"more": 1}])
def test_what_is_no_recovery_point_is_refused(change: dict[str, object]) -> None:
    document = json.loads(point().dump()) | change
    with pytest.raises((ValueError, TypeError)):
        load(json.dumps(document).encode())


def test_what_an_earlier_gymops_did_not_write_has_its_default() -> None:
    document = json.loads(point().dump())
    del document["keep_until"], document["seal"]
    assert load(json.dumps(document).encode()).keep_until is None
