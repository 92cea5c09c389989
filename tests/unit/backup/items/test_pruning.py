"""What goes of backups of tables, and what never does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gymops.aws.session import AwsError
from gymops.backup.items.backups import ItemBackups
from gymops.backup.items.record import Begun, Sets
from gymops.backup.items.times import Times
from gymops.errors import GymopsError
from tests.contract.objects import MemoryObjects
from tests.unit.backup.items.world import (
    NOTHING,
    MemoryTables,
)
from tests.unit.clocks import FakeClock


def test_what_is_old_goes_with_the_next_backup_and_not_before(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    first = backups.take("daily")
    clock.sleep(timedelta(days=31).total_seconds())
    assert [one.id for one in backups.listing().points] == [first.id]
    second = backups.take("daily")
    assert [one.id for one in backups.listing().points] == [second.id]
    assert len(tables.kept) == 2
    assert len(backups.vault.blobs.keys("")) == 2


def test_the_newest_that_passed_a_restore_test_stays(backups: ItemBackups, clock: FakeClock) -> None:
    taken = []
    for _ in range(3):
        taken.append(backups.take("daily").id)
        clock.sleep(60)
    backups.verified = dict.fromkeys(taken[:2], clock.now()).copy
    clock.sleep(timedelta(days=31).total_seconds())
    newest = backups.take("daily").id
    assert [one.id for one in backups.listing().points] == [taken[1], newest]


def test_what_cannot_be_deleted_now_is_told_and_goes_with_the_next(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = backups.take("daily")
    clock.sleep(timedelta(days=31).total_seconds())
    told: list[str] = []

    def refused(_arn: str) -> None:
        raise AwsError("it is in use", reason="BackupInUseException")

    with monkeypatch.context() as busy:
        busy.setattr(tables, "forget", refused)
        second = backups.take("daily", lambda phase, how_far: told.append(f"{phase} {how_far}"))
    assert f"stays {first.id}, until the next backup: it is in use" in told
    assert {one.id for one in backups.listing().points} == {first.id, second.id}
    backups.take("daily")
    assert first.id not in {one.id for one in backups.listing().points}
    assert len(tables.kept) == len(backups.vault.blobs.keys("")) == 4


def test_what_a_killed_backup_left_goes_with_one_an_hour_later_and_no_lost_record_takes_a_backup_with_it(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock, objects: MemoryObjects
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    tables.meanwhile = [NOTHING, NOTHING, NOTHING, killed]
    with pytest.raises(KeyboardInterrupt):
        backups.take("daily")
    assert len(tables.kept) == 2
    assert backups.sets.begun() != []
    backups.take("daily")
    assert len(tables.kept) == 4
    clock.sleep(2 * 3600)
    backups.take("daily")
    assert (len(tables.kept), backups.sets.begun()) == (4, [])

    for key in objects.keys("sets/prod/"):
        objects.delete(key)
    clock.sleep(2 * 3600)
    backups.take("daily")
    assert len(tables.kept) == 6
    assert len(backups.orphans()) == 4


def test_looks_of_which_nothing_was_recorded_go(
    backups: ItemBackups, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.sleep(1000)

    def refused(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(Times, "_wait", refused)
        with pytest.raises(KeyboardInterrupt):
            backups.times.witness()
    kept = backups.times.witness()
    assert len(backups.vault.blobs.keys("")) == 4
    clock.sleep(2 * 3600)
    point = backups.take("daily")
    assert {one.split("/")[1] for one in backups.vault.blobs.keys("")} == {kept.id, point.id}


def test_what_is_recorded_stays_whatever_comes_after(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_self: Sets, _one: Begun) -> None:
        raise GymopsError("no answer")

    with monkeypatch.context() as down:
        down.setattr(Sets, "ended", lost)
        made = backups.take("daily")
    clock.sleep(timedelta(hours=3).total_seconds())
    backups.take("daily")
    assert made.id in {one.id for one in backups.listing().points if one.ready}
    assert len(tables.kept) == 4
    assert backups.sets.begun() == []
