"""Moments between two backups of tables: looked at, restored, proved, forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gymops.backup.evidence import Result
from gymops.backup.findings import Kind
from gymops.backup.items.backups import ItemBackups
from gymops.backup.managed.lease import Leases
from gymops.backup.port import OutOfReach, Restored, Wanted
from gymops.backup.recovery_point import NoPoint
from gymops.errors import Unverified
from tests.contract.objects import MemoryObjects
from tests.unit.backup.items.world import (
    CONTINUOUS,
    DAILY,
    NOTHING,
    TRAILS,
    MemoryTables,
    kinds,
    made_item,
    restore_tested,
)
from tests.unit.clocks import START, FakeClock


def test_a_moment_is_looked_at_from_both_sides_waited_for_restored_and_proved(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    clock.sleep(1000.25)
    # After the first look at each table, before the moment; then after the moment, before the second look.
    tables.looked = [NOTHING, lambda: tables.put("users", made_item(0, "b")),
                     lambda: tables.put("users", made_item(1, "b"))]  # fmt: skip
    told: list[str] = []
    made = backups.times.witness(lambda phase, how_far: told.append(f"{phase} {how_far}"))
    assert (made.taken, made.items) == (START + timedelta(seconds=1006), 2)
    assert "wait until 2026-01-01T00:16:46Z can be restored; now up to 2026-01-01T00:11:51Z" in told
    assert clock.now() - made.taken >= TRAILS
    tables.put("users", made_item(9))
    tested = restore_tested(backups, tier=CONTINUOUS)
    assert (tested.result, tested.events.restored, tested.restored_to) == (Result.PASSED, 2, made.taken)
    assert tested.recovery_point is None
    assert tested.rpo_seconds is not None
    assert 300 <= tested.rpo_seconds < 330
    assert tested.target.met is True
    assert set(tables.there) == {"users", "goals"}

    def spoil(restored: Restored) -> str:
        tables.remove(f"{restored.name}-users", made_item(2))
        return "gone"

    assert (
        restore_tested(backups, spoil, CONTINUOUS).message
        == 'the table users: the item {"id":{"S":"u2"}} is missing'
    )


def test_what_a_killed_test_of_a_moment_left_goes_with_the_next(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock, objects: MemoryObjects
) -> None:
    clock.sleep(1000)
    backups.times.witness()
    left = backups.plan(Wanted(tier="continuous", test=True))
    backups.restore(left)
    Leases(objects, "prod").drop(left.id)
    assert set(backups.clear()) == {f"{left.to}-users", f"{left.to}-goals"}
    assert set(tables.there) == {"users", "goals"}


def test_what_can_be_restored_no_more_is_forgotten_with_what_it_was_held_to(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    clock.sleep(1000)
    backups.times.witness()
    tables.earliest = clock.now()
    kept = backups.times.witness()
    assert [one.id for one in backups.sets.moments()] == [kept.id]
    assert len(backups.vault.blobs.keys("")) == 2


def test_a_time_is_restored_as_it_was_and_proved_where_something_was_recorded_of_it(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    clock.sleep(10)
    tables.put("users", made_item(0, "later"))
    with pytest.raises(OutOfReach, match="only just begun"):
        backups.plan(Wanted(at=clock.now()))
    clock.sleep(1000)
    with pytest.raises(OutOfReach) as refused:
        backups.plan(Wanted(at=clock.now()))
    assert refused.value.nearest == clock.now() - TRAILS
    with pytest.raises(OutOfReach) as refused:
        backups.plan(Wanted(at=START - timedelta(days=1)))
    assert refused.value.nearest == START
    with pytest.raises(NoPoint, match="can be proved"):
        backups.plan(Wanted(tier="continuous"))
    plan = backups.plan(Wanted(at=START + timedelta(seconds=9.9), to="then"))
    assert (plan.seal, plan.lost_since) == (None, START + timedelta(seconds=9))
    restored = backups.restore(plan)
    assert next(iter(tables.items("then-users"))) == made_item(0)
    with pytest.raises(Unverified, match="nothing was recorded around that moment"):
        backups.prove(plan, restored)
    made = backups.times.witness()
    plan = backups.plan(Wanted(at=made.taken, to="again"))
    assert backups.prove(plan, backups.restore(plan)).passed
    tables.continuous = False
    with pytest.raises(OutOfReach, match="goals, users"):
        backups.plan(Wanted(at=made.taken))


def test_the_times_in_between_are_held_to_a_test_where_the_tier_promises_them(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    clock.sleep(1000)
    assert [one.latest for one in backups.listing().windows] == [clock.now() - TRAILS]
    backups.tiers = (DAILY, CONTINUOUS)
    backups.take("daily")
    daily = restore_tested(backups)
    assert kinds(backups, clock, daily) == {Kind.UNTESTED}
    backups.times.witness()
    assert kinds(backups, clock, daily, restore_tested(backups, tier=CONTINUOUS)) == set()
    tables.continuous = False
    assert kinds(backups, clock, daily) == {Kind.NO_TIMES}
