"""Backups of tables, against a DynamoDB in memory that others write to all the time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from gymops.aws.backup_jobs import Job
from gymops.aws.session import AwsError
from gymops.aws.tables import Item, Table, TableBackup
from gymops.backup import restore_test
from gymops.backup.audit import audit
from gymops.backup.catalogue import Seals
from gymops.backup.envelope import Forged
from gymops.backup.evidence import Expected, Result
from gymops.backup.findings import Kind
from gymops.backup.gather import trial
from gymops.backup.items.backups import ItemBackups
from gymops.backup.items.gather import gather
from gymops.backup.items.port import Source
from gymops.backup.items.record import Made
from gymops.backup.items.tables import OnDemand, TableHolder
from gymops.backup.items.times import Times
from gymops.backup.keys import Keys
from gymops.backup.managed.lease import Leases
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import OutOfReach, Restored, Tell, Wanted, untold
from gymops.backup.recovery_point import NoPoint
from gymops.backup.restore_test import How, run
from gymops.backup.schedule import DAY, Schedule
from gymops.backup.tiers import Tier
from gymops.backup.vault import Vault
from gymops.errors import GateRefused, GymopsError, Unverified
from gymops.store.folder import FolderBlobs
from tests.contract.objects import MemoryObjects
from tests.unit.clocks import START, FakeClock

DAILY = Tier("daily", Schedule(3, 0), 30 * DAY, rpo=DAY, rto=timedelta(minutes=30))
CONTINUOUS = Tier("continuous", None, 35 * DAY, rpo=timedelta(hours=1), rto=timedelta(minutes=30))
TRAILS = timedelta(minutes=5)
"""So far behind DynamoDB's latest time is."""
_NONE: Callable[[], None] = lambda: None  # noqa: E731


class MemoryTables:
    """Tables as dictionaries, and copies of them as backups."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.there: dict[str, dict[str, Item]] = {}
        self.kept: dict[str, tuple[str, TableBackup, dict[str, Item]]] = {}
        self.continuous, self.earliest = True, START
        self.history: list[tuple[datetime, dict[str, dict[str, Item]]]] = []
        """What there was after each write."""
        self.meanwhile: list[Callable[[], None]] = []
        """What others do after the first look, and after the backup."""
        self.numbers = count()
        self.beside = timedelta()
        """So far beside the request is the moment of a backup."""
        self.looked: list[Callable[[], None]] = []
        """What they do after each look."""

    def put(self, name: str, item: Item) -> None:
        self.there.setdefault(name, {})[json.dumps(item["id"])] = item
        self._written()

    def remove(self, name: str, key: Item) -> None:
        self.there[name].pop(json.dumps(key["id"]))
        self._written()

    def find(self, name: str) -> Table | None:
        if name not in self.there:
            return None
        window = (self.earliest, self.clock.now() - TRAILS) if self.continuous else None
        return Table(name, f"arn:aws:dynamodb:{name}", "ACTIVE", ("id",), START, self.continuous, window)

    def key(self, name: str) -> str | None:
        return f"key-of-{name}"

    def items(self, name: str) -> Iterator[Item]:
        yield from list(self.there[name].values())
        if self.looked:
            self.looked.pop(0)()

    def back_up(self, table: str, name: str) -> str:
        self._others()
        arn = f"arn:aws:dynamodb:{table}/backup/{next(self.numbers)}"
        made = TableBackup(arn, name, "AVAILABLE", self.clock.now(), 10)
        then = self.clock.now() + self.beside
        there = [there for when, there in self.history if when <= then][-1] if self.beside else self.there
        self.kept[arn] = (table, made, dict(there[table]))
        self._others()
        return arn

    def backups(self, table: str) -> list[TableBackup]:
        return [made for of, made, _ in self.kept.values() if of == table]

    def backing_up(self, arn: str) -> Job:
        return Job(arn, "COMPLETED", "", "", arn)

    def forget(self, arn: str) -> None:
        self.kept.pop(arn, None)

    def restore(self, arn: str, name: str) -> None:
        self.there[name] = dict(self.kept[arn][2])

    def restore_at(self, source: str, name: str, at: datetime) -> None:
        assert START <= at <= self.clock.now() - TRAILS
        self.there[name] = dict([there for when, there in self.history if when <= at][-1][source])

    def restoring(self, name: str) -> Job:
        return Job(name, "COMPLETED", "", "", name)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        assert name in self.there
        assert tags

    def delete(self, name: str) -> bool:
        return self.there.pop(name, None) is not None

    def _written(self) -> None:
        self.history.append((self.clock.now(), {name: dict(one) for name, one in self.there.items()}))

    def _others(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture
def tables(clock: FakeClock) -> MemoryTables:
    found = MemoryTables(clock)
    for number in range(3):
        found.put("users", _item(number))
    found.put("goals", _item(1))
    return found


@pytest.fixture
def vault(objects: MemoryObjects, keys: Keys, data: Path, clock: FakeClock) -> Vault:
    return Vault("prod", objects, FolderBlobs(data, clock), keys, data / "work", str(data))


@pytest.fixture
def backups(tables: MemoryTables, vault: Vault, clock: FakeClock) -> ItemBackups:
    patience, holder = Patience(clock), TableHolder(tables)
    demand = OnDemand(tables, patience)
    return ItemBackups(
        "prod", "prod-app", [Source("table", "goals"), Source("table", "users")],
        {"table": holder}, {"table": demand}, (demand,), vault, "us-east-1", patience, (DAILY,),
        Times("prod", ["goals", "users"], tables, holder, vault, patience),
    )  # fmt: skip


def _item(number: int, value: str = "a") -> Item:
    return {"id": {"S": f"u{number}"}, "value": {"S": value}}


def _test(
    backups: ItemBackups,
    spoil: Callable[[Restored], str] | None = None,
    tier: Tier = DAILY,
    tell: Tell = untold,
) -> restore_test.Tested:
    clock, vault = backups.patience.clock, backups.vault
    how = How("one", "prod", (tier,), Seals(vault.objects, "prod", vault.keys), spoil=spoil)
    return run(backups, Wanted(tier=tier.name), how, clock, tell)


def test_what_is_taken_is_listed_restored_and_proved(backups: ItemBackups, tables: MemoryTables) -> None:
    point = backups.take("daily")
    assert backups.listing().points == (point,)
    assert (point.ready, point.encrypted, point.seal and point.seal.events) == (True, True, 4)
    tables.put("users", _item(9))
    tested = _test(backups)
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
            tables.remove(f"{restored.name}-users", _item(1))
        else:
            tables.put(f"{restored.name}-users", _item(1, "secret"))
        return spoilt

    tested = _test(backups, spoil)
    assert (tested.result, tested.events.expected, tested.events.restored) == (Result.FAILED, 4, 3)
    how = "is missing" if spoilt == "missing" else "is not what it was when it was backed up"
    assert tested.message == f'the table users: the item {{"id":{{"S":"u1"}}}} {how}'
    assert set(tables.there) == {"users", "goals"}


def test_what_is_written_meanwhile_may_come_back_as_either(
    backups: ItemBackups, tables: MemoryTables
) -> None:
    tables.meanwhile = [_NONE, _NONE, lambda: tables.put("users", _item(0, "b")),
                        lambda: tables.put("users", _item(1, "b"))]  # fmt: skip
    backups.take("daily")
    parts = {part.name: part for part in backups.sets.all()[0].parts}
    assert (parts["users"].items, parts["users"].moving, parts["goals"].moving) == (1, 2, 0)
    assert parts["users"].key == "key-of-users"
    assert _test(backups).result is Result.PASSED


def test_of_what_is_written_twice_meanwhile_nobody_can_tell(
    backups: ItemBackups, tables: MemoryTables
) -> None:
    tables.meanwhile = [_NONE, _NONE, lambda: tables.put("users", _item(0, "b")),
                        lambda: tables.put("users", _item(0, "c"))]  # fmt: skip
    backups.take("daily")
    tested = _test(backups)
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
    tables.put("prod-app-test-results", _item(1))  # a table of the app's, whatever it is called
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
    tables.put(f"{asked.to}-users", _item(1))
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
    tested = _test(backups, tell=lambda phase, how_far: told.append(f"{phase} {how_far}"))
    assert tested.result is Result.PASSED
    assert len(backups.sets.made()) == left
    assert [one.endswith("is not deleted: slower") for one in told if one.startswith("left")] == [True] * left


def test_a_backup_is_not_bad_because_what_it_is_held_to_is(backups: ItemBackups, data: Path) -> None:
    backups.take("daily")
    file = next(data.rglob("table-users.jsonl.zst.age"))
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1])
    tested = _test(backups)
    assert tested.result is Result.UNVERIFIED
    assert tested.message is not None
    assert "the backup may be good" in tested.message
    file.unlink()
    assert _test(backups).result is Result.UNVERIFIED


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
    tables.put("new-users", _item(1))
    with pytest.raises(GateRefused, match="new-users"):
        backups.plan(Wanted(to="new"))


def test_a_moment_is_looked_at_from_both_sides_waited_for_restored_and_proved(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    clock.sleep(1000.25)
    # After the first look at each table, before the moment; then after the moment, before the second look.
    tables.looked = [_NONE, lambda: tables.put("users", _item(0, "b")),
                     lambda: tables.put("users", _item(1, "b"))]  # fmt: skip
    told: list[str] = []
    made = backups.times.witness(lambda phase, how_far: told.append(f"{phase} {how_far}"))
    assert (made.taken, made.items) == (START + timedelta(seconds=1006), 2)
    assert "wait until 2026-01-01T00:16:46Z can be restored; now up to 2026-01-01T00:11:51Z" in told
    assert clock.now() - made.taken >= TRAILS
    tables.put("users", _item(9))
    tested = _test(backups, tier=CONTINUOUS)
    assert (tested.result, tested.events.restored, tested.restored_to) == (Result.PASSED, 2, made.taken)
    assert tested.recovery_point is None
    assert tested.rpo_seconds is not None
    assert 300 <= tested.rpo_seconds < 330
    assert tested.target.met is True
    assert set(tables.there) == {"users", "goals"}

    def spoil(restored: Restored) -> str:
        tables.remove(f"{restored.name}-users", _item(2))
        return "gone"

    assert (
        _test(backups, spoil, CONTINUOUS).message == 'the table users: the item {"id":{"S":"u2"}} is missing'
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
    tables.put("users", _item(0, "later"))
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
    assert next(iter(tables.items("then-users"))) == _item(0)
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
    daily = _test(backups)
    assert _kinds(backups, clock, daily) == {Kind.UNTESTED}
    backups.times.witness()
    assert _kinds(backups, clock, daily, _test(backups, tier=CONTINUOUS)) == set()
    tables.continuous = False
    assert _kinds(backups, clock, daily) == {Kind.NO_TIMES}


def test_a_backup_that_fails_leaves_nothing_and_is_written_down(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    del tables.there["users"]
    with pytest.raises(GymopsError, match="users is gone"):
        backups.take("daily")
    assert tables.kept == {}
    assert backups.vault.blobs.keys("") == []
    assert Kind.UNSEEN in _kinds(backups, clock)


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

    tables.meanwhile = [_NONE, _NONE, _NONE, killed]
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


@pytest.mark.parametrize("beside", [timedelta(seconds=-60), timedelta(seconds=60)])
def test_what_is_written_about_when_a_backup_is_asked_for_makes_it_no_bad_one(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock, beside: timedelta
) -> None:
    backups.apart, tables.beside = 65.0, beside
    clock.sleep(1000)
    tables.put("users", _item(0, "b"))
    clock.sleep(30)
    point = backups.take("daily")
    assert point.taken == clock.now() - timedelta(seconds=2 * 65)
    tested = _test(backups)
    assert (tested.result, tested.events.restored) == (Result.PASSED, 4)


def test_the_audit_finds_what_is_not_kept(
    backups: ItemBackups, tables: MemoryTables, clock: FakeClock
) -> None:
    assert _kinds(backups, clock) == {Kind.MISSING, Kind.UNCOVERED}
    point = backups.take("daily")
    assert _kinds(backups, clock) == {Kind.UNTESTED}
    assert _kinds(backups, clock, _test(backups)) == set()
    tables.continuous = False
    assert _kinds(backups, clock, _test(backups)) == {Kind.NO_TIMES}
    tables.continuous = True
    tables.back_up("users", "gymops-prod-killed")
    clock.sleep(2 * 3600)
    assert _kinds(backups, clock, _test(backups)) == {Kind.NO_ENTRY}
    tables.forget(backups.sets.all()[0].parts[0].backup)
    assert _kinds(backups, clock) >= {Kind.NO_BYTES, Kind.UNCOVERED, Kind.NO_ENTRY}
    assert backups.listing().points[0].id == point.id


def _kinds(backups: ItemBackups, clock: FakeClock, *tests: restore_test.Tested) -> set[Kind]:
    found = gather(backups, clock.now(), [trial(one) for one in tests])
    return {one.kind for one in audit(found, Expected(tuple(backups.tiers)), clock.now()).findings}


def test_records_are_signed(backups: ItemBackups, objects: MemoryObjects) -> None:
    backups.sets.make(Made("one", "to", ("users",)))
    data, etag, _ = objects.get("made/prod/one.json") or pytest.fail("it is not there")
    objects.replace("made/prod/one.json", data.replace(b"users", b"goals"), etag)
    with pytest.raises(Forged):
        backups.clear()
