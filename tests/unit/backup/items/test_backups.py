"""Backups of tables, against a DynamoDB in memory that others write to all the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gymops.aws.session import AwsError
from gymops.backup.envelope import Forged
from gymops.backup.evidence import Result
from gymops.backup.findings import Kind
from gymops.backup.items.backups import ItemBackups
from gymops.backup.items.record import Made
from gymops.backup.items.tables import OnDemand
from gymops.backup.managed.lease import Leases
from gymops.backup.port import Restored, Tell, Wanted
from gymops.backup.schedule import Schedule
from gymops.backup.tiers import Tier
from gymops.errors import GateRefused, GymopsError
from tests.contract.objects import MemoryObjects
from tests.unit.backup.items.world import (
    NOTHING,
    MemoryTables,
    kinds,
    made_item,
    restore_tested,
)
from tests.unit.clocks import FakeClock


def test_what_is_taken_is_listed_restored_and_proved(backups: ItemBackups, tables: MemoryTables) -> None:
    point = backups.take("daily")
    assert backups.listing().points == (point,)
    assert (point.ready, point.encrypted, point.seal and point.seal.events) == (True, True, 4)
    tables.put("users", made_item(9))
    tested = restore_tested(backups)
    assert (tested.result, tested.events.restored, tested.target.met) == (Result.PASSED, 4, True)
    assert set(tables.there) == {"users", "goals"}
    assert backups.sets.made() == []


@pytest.mark.parametrize("spoilt", ["missing", "changed"])
def test_what_does_not_come_back_is_named_by_its_key_and_never_by_its_value(
    backups: ItemBackups, tables: MemoryTables, spoilt: str
) -> None:
    backups.take("daily")

    def spoil(restored: Restored) -> str:
        if spoilt == "missing":
            tables.remove(f"{restored.name}-users", made_item(1))
        else:
            tables.put(f"{restored.name}-users", made_item(1, "secret"))
        return spoilt

    tested = restore_tested(backups, spoil)
    assert (tested.result, tested.events.expected, tested.events.restored) == (Result.FAILED, 4, 3)
    how = "is missing" if spoilt == "missing" else "is not what it was when it was backed up"
    assert tested.message == f'the table users: the item {{"id":{{"S":"u1"}}}} {how}'
    assert set(tables.there) == {"users", "goals"}


def test_what_is_written_meanwhile_may_come_back_as_either(
    backups: ItemBackups, tables: MemoryTables
) -> None:
    tables.meanwhile = [NOTHING, NOTHING, lambda: tables.put("users", made_item(0, "b")),
                        lambda: tables.put("users", made_item(1, "b"))]  # fmt: skip
    backups.take("daily")
    parts = {part.name: part for part in backups.sets.all()[0].parts}
    assert (parts["users"].items, parts["users"].moving, parts["goals"].moving) == (1, 2, 0)
    assert parts["users"].key == "key-of-users"
    assert restore_tested(backups).result is Result.PASSED


def test_of_what_is_written_twice_meanwhile_nobody_can_tell(
    backups: ItemBackups, tables: MemoryTables
) -> None:
    tables.meanwhile = [NOTHING, NOTHING, lambda: tables.put("users", made_item(0, "b")),
                        lambda: tables.put("users", made_item(0, "c"))]  # fmt: skip
    backups.take("daily")
    tested = restore_tested(backups)
    assert tested.result is Result.UNVERIFIED
    assert tested.message is not None
    assert 'users: {"id":{"S":"u0"}}' in tested.message
    assert set(tables.there) == {"users", "goals"}


def test_what_a_killed_test_left_goes_with_the_next_and_nothing_else(
    backups: ItemBackups, tables: MemoryTables, objects: MemoryObjects
) -> None:
    backups.take("daily")
    left = backups.plan(Wanted(test=True))
    backups.restore(left)
    backups.restore(backups.plan(Wanted(to="kept")))
    assert backups.clear() == []  # it runs: this process has its lease
    Leases(objects, "prod").drop(left.id)
    tables.put("prod-app-test-results", made_item(1))  # a table of the app's, whatever it is called
    assert set(backups.clear()) == {f"{left.to}-users", f"{left.to}-goals"}
    assert set(tables.there) == {"users", "goals", "kept-users", "kept-goals", "prod-app-test-results"}
    with pytest.raises(GateRefused):
        backups.drop(Restored("kept", "", 0, None))


def test_what_a_killed_test_asked_for_and_aws_makes_later_goes_as_well(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    backups.take("daily")
    asked = backups.plan(Wanted(test=True))
    backups.sets.make(Made(asked.id, asked.to, (f"{asked.to}-goals", f"{asked.to}-users")))
    assert backups.clear() == []
    tables.put(f"{asked.to}-users", made_item(1))
    assert backups.clear() == [f"{asked.to}-users"]
    assert backups.sets.made() != []
    clock.sleep(backups.patience.timeout)
    assert backups.clear() == []
    assert backups.sets.made() == []


@pytest.mark.parametrize(("passing", "left"), [(True, 0), (False, 1)])
def test_a_verdict_stands_whatever_becomes_of_what_was_restored(
    backups: ItemBackups, tables: MemoryTables, monkeypatch: pytest.MonkeyPatch, passing: bool, left: int
) -> None:
    backups.take("daily")
    errors = [AwsError("slower", reason="ThrottlingException" if passing else "Denied", unknown=passing)]
    delete = tables.delete

    def refused(name: str) -> bool:
        if errors:
            raise errors.pop()
        return delete(name)

    monkeypatch.setattr(tables, "delete", refused)
    told: list[str] = []
    tested = restore_tested(backups, tell=lambda phase, how_far: told.append(f"{phase} {how_far}"))
    assert tested.result is Result.PASSED
    assert len(backups.sets.made()) == left
    assert [one.endswith("is not deleted: slower") for one in told if one.startswith("left")] == [True] * left


def test_a_backup_is_not_bad_because_what_it_is_held_to_is(backups: ItemBackups, data: Path) -> None:
    backups.take("daily")
    file = next(data.rglob("table-users.jsonl.zst.age"))
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1])
    tested = restore_tested(backups)
    assert tested.result is Result.UNVERIFIED
    assert tested.message is not None
    assert "the backup may be good" in tested.message
    file.unlink()
    assert restore_tested(backups).result is Result.UNVERIFIED


def test_a_retention_of_hours_is_a_day(backups: ItemBackups, monkeypatch: pytest.MonkeyPatch) -> None:
    backups.tiers = (Tier("hourly", Schedule(3, 0), timedelta(hours=12)),)
    asked: list[int] = []
    keeper = backups.takes["table"]

    def back_up(_keeper: OnDemand, name: str, arn: str, label: str, tier: str, days: int, tell: Tell) -> str:
        asked.append(days)
        return own(keeper, name, arn, label, tier, days, tell)

    own: Callable[..., str] = OnDemand.back_up
    monkeypatch.setattr(OnDemand, "back_up", back_up)
    backups.take("hourly")
    assert asked == [1, 1]


def test_nothing_is_restored_over_a_table(backups: ItemBackups, tables: MemoryTables) -> None:
    backups.take("daily")
    tables.put("new-users", made_item(1))
    with pytest.raises(GateRefused, match="new-users"):
        backups.plan(Wanted(to="new"))


def test_a_backup_that_fails_leaves_nothing_and_is_written_down(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    del tables.there["users"]
    with pytest.raises(GymopsError, match="users is gone"):
        backups.take("daily")
    assert tables.kept == {}
    assert backups.vault.blobs.keys("") == []
    assert Kind.UNSEEN in kinds(backups, clock)


@pytest.mark.parametrize("beside", [timedelta(seconds=-60), timedelta(seconds=60)])
def test_what_is_written_about_when_a_backup_is_asked_for_makes_it_no_bad_one(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock, beside: timedelta
) -> None:
    backups.apart, tables.beside = 65.0, beside
    clock.sleep(1000)
    tables.put("users", made_item(0, "b"))
    clock.sleep(30)
    point = backups.take("daily")
    assert point.taken == clock.now() - timedelta(seconds=2 * 65)
    tested = restore_tested(backups)
    assert (tested.result, tested.events.restored) == (Result.PASSED, 4)


def test_the_audit_finds_what_is_not_kept(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    assert kinds(backups, clock) == {Kind.MISSING, Kind.UNCOVERED}
    point = backups.take("daily")
    assert kinds(backups, clock) == {Kind.UNTESTED}
    assert kinds(backups, clock, restore_tested(backups)) == set()
    tables.continuous = False
    assert kinds(backups, clock, restore_tested(backups)) == {Kind.NO_TIMES}
    tables.continuous = True
    tables.back_up("users", "gymops-prod-killed")
    clock.sleep(2 * 3600)
    assert kinds(backups, clock, restore_tested(backups)) == {Kind.NO_ENTRY}
    tables.forget(backups.sets.all()[0].parts[0].backup)
    assert kinds(backups, clock) >= {Kind.NO_BYTES, Kind.UNCOVERED, Kind.NO_ENTRY}
    assert backups.listing().points[0].id == point.id


def test_records_are_signed(backups: ItemBackups, objects: MemoryObjects) -> None:
    backups.sets.make(Made("one", "to", ("users",)))
    data, etag, _ = objects.get("made/prod/one.json") or pytest.fail("it is not there")
    objects.replace("made/prod/one.json", data.replace(b"users", b"goals"), etag)
    with pytest.raises(Forged):
        backups.clear()
