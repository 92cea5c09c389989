"""RDS and AWS Backup with real servers behind them: sealed under load, restored, proved, and told apart."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest

from gymops.backup.managed.tags import TEST
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import OutOfReach, Restored, Wanted
from gymops.backup.recovery_point import NoPoint
from gymops.clock import SystemClock
from gymops.errors import GateRefused
from gymops.eventlog import parts
from tests.integration.backup.managed.world import AWAY, World, append, restored
from tests.local_aws import until

pytestmark = pytest.mark.long


def test_sealed_under_load_every_kind_of_backup_brings_back_what_was_sealed(own: World) -> None:
    stop, url = threading.Event(), own.url(own.name)  # boto3 makes no clients in threads

    def write(number: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(0.1):
                append(connection, f"user-{number}", 300)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for one in writers:
        one.start()
    try:
        until(lambda: own.events(own.name) > 2000)
        snapshot = own.environment(places=replace(own.places, vault=None)).take("daily")
        monthly = own.backups.take("monthly")
        while own.backups.seal() is None or len(own.backups.seals.read()) < 5:
            pass
        at = own.now()
        own.backups.seal()
        own.covered(at + timedelta(seconds=1))
    finally:
        stop.set()
        for one in writers:
            one.join()
    found = own.backups.listing()
    assert {(point.id, point.kind, point.tier) for point in found.points if point.tier} >= {
        (snapshot.id, "snapshot", "daily"), (monthly.id, "aws-backup", "monthly"),
    }  # fmt: skip
    copy = next(point for point in found.points if point.kind == "copy")
    assert (copy.tier, copy.where.partition("/")[0], copy.seal) == ("monthly", AWAY, monthly.seal)
    for wanted in (
        Wanted(point=snapshot.id), Wanted(point=monthly.id), Wanted(point=copy.id), Wanted(at=at),
        Wanted(test=True),
    ):  # fmt: skip
        plan, made, proof = restored(own, wanted)
        assert (proof.passed, proof.broken) == (True, ()), wanted
        assert plan.seal is not None
        assert (proof.expected_events, proof.expected_digest) == (plan.seal.events, plan.seal.head)
        assert proof.restored_events > 0
        own.backups.drop(made)
        with pytest.raises(Exception, match="not found"):
            own.aws.instance(made.name)
    (back,) = (point for point in own.backups.listing().points if point.tier == "copied-back")
    assert (back.seal, back.taken, back.kind) == (monthly.seal, copy.taken, "aws-backup")


# What differs by its nature, or on this machine; a test is neither protected nor backed up.
OWN = frozenset(
    {"DBInstanceIdentifier", "DBInstanceArn", "DbiResourceId", "Endpoint", "InstanceCreateTime", "TagList"}
    | {"LatestRestorableTime", "MasterUserSecret", "AvailabilityZone"}
)


def test_a_restored_instance_is_set_as_its_source(world: World) -> None:
    world.log("ann", 3)
    world.backups.take("daily")
    before = world.aws.instance(world.name)
    latest = world.now()
    world.covered(latest)
    for wanted in (Wanted(tier="daily", to=f"{world.name}-a"), Wanted(at=latest, to=f"{world.name}-b")):
        plan = world.backups.plan(wanted)
        made = world.backups.restore(plan)
        after = world.aws.instance(made.name)
        differing = {
            name: (value, after.get(name))
            for name, value in before.items()
            if name not in OWN and after.get(name) != value
        }
        assert differing == {}
        assert after["MasterUserSecret"]["KmsKeyId"] == before["MasterUserSecret"]["KmsKeyId"]
        tags = {one["Key"]: one["Value"] for one in after["TagList"]}
        assert (tags["Name"], tags[TEST]) == (world.name, "false")
        assert plan.settings["DBSubnetGroupName"] == world.name
        assert (made.host, made.port, made.url) == ("127.0.0.1", after["Endpoint"]["Port"], None)
        assert world.backups.prove(plan, made).passed
        world.backups.drop(made)
    assert world.aws.instance(world.name) | {"LatestRestorableTime": 0} == before | {
        "LatestRestorableTime": 0
    }


def test_a_test_is_not_protected_and_archives_nothing(world: World) -> None:
    plan = world.backups.plan(Wanted(test=True))
    made = world.backups.restore(plan)
    after = world.aws.instance(made.name)
    assert (after["DeletionProtection"], after["BackupRetentionPeriod"]) == (False, 0)
    assert after["PubliclyAccessible"] is False
    world.backups.drop(made)


def test_a_row_changed_by_sql_after_it_was_sealed_is_named_and_the_second_before_is_whole(own: World) -> None:
    own.log("ann", 1500)
    own.log("bob", 20)
    own.backups.seal()
    good = own.now()
    own.now()
    with own.connect() as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        changed = connection.execute(
            "UPDATE events SET payload = payload || '{\"kg\": 62.5}'"
            " WHERE user_id = 'ann' AND position = 1100 RETURNING event_id"
        ).fetchone()
        assert changed
    bad = own.now()
    own.covered(bad)
    plan, made, proof = restored(own, Wanted(at=bad, test=True))
    assert not proof.passed
    assert [(one.user, one.chunk, one.position, one.missing) for one in proof.broken] == [("ann", 2, 1025, 0)]
    assert (proof.expected_events, proof.restored_events) == (1520, 1520)
    assert proof.expected_digest != proof.restored_digest
    own.backups.drop(made)
    plan, made, proof = restored(own, Wanted(at=good, test=True))
    assert proof.passed
    assert (plan.lost_since, plan.lost_events) == (good.replace(microsecond=0), 0)
    own.backups.drop(made)


def test_events_that_are_missing_are_counted_and_the_next_seal_alarms(own: World) -> None:
    own.log("ann", 30)
    own.backups.seal()
    with own.connect() as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM events WHERE position > 20")
    with pytest.raises(Exception, match="'ann' has 20 events, and 30 were sealed"):
        own.backups.seal()
    at = own.now()
    own.covered(at)
    _, made, proof = restored(own, Wanted(at=at, test=True))
    assert [(one.user, one.position, one.missing) for one in proof.broken] == [("ann", 21, 10)]
    own.backups.drop(made)


def test_a_time_that_no_backup_covers_is_refused_with_the_nearest(world: World) -> None:
    window = world.backups.listing().windows[0]
    with pytest.raises(OutOfReach, match="is after what can be restored") as late:
        world.backups.plan(Wanted(at=window.latest + timedelta(days=1)))
    assert late.value.nearest is not None
    assert late.value.nearest >= window.latest.replace(microsecond=0)
    with pytest.raises(OutOfReach, match="is before what can be restored") as early:
        world.backups.plan(Wanted(at=window.earliest - timedelta(days=1)))
    assert early.value.nearest is not None
    assert world.backups.plan(Wanted(at=early.value.nearest)).at == early.value.nearest
    with pytest.raises(NoPoint, match="no recovery point nobody"):
        world.backups.plan(Wanted(point="nobody"))
    with pytest.raises(NoPoint, match="of the tier monthly"):
        world.backups.plan(Wanted(tier="monthly"))


def test_a_restore_goes_over_no_database_and_drops_none_that_it_did_not_make(world: World) -> None:
    with pytest.raises(GateRefused, match="never goes over one"):
        world.backups.plan(Wanted(to=world.name))
    with pytest.raises(GateRefused, match="made by no restore"):
        world.backups.drop(Restored(world.name, "", 0, None))
    world.backups.drop(Restored("nobody", "", 0, None))


def test_a_log_of_many_users_is_sealed_and_proved_in_parts(
    own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = parts.split
    monkeypatch.setattr(parts, "split", lambda users, *_: small(users, most=700))
    for number in range(9):
        own.log(f"user-{number}", 3)
    own.backups.seal()
    own.log("user-4", 2000)
    own.log("between-4", 7)
    own.log("zoë", 1)
    first = own.backups.seal()
    assert (first and first.number, first and first.events) == (2, 2035)
    asked = [(one["after"], one["upto"]) for one in own.function.asked[-9:] if one["do"] == "seal"]
    assert len(asked) > 2
    assert own.backups.seal() == first
    at = own.now()
    own.covered(at)
    _, made, proof = restored(own, Wanted(at=at, test=True))
    assert (proof.passed, proof.restored_events, proof.newer) == (True, 2035, 0)
    with own.connect(made.name) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM events WHERE user_id = 'user-7'")
        connection.execute("UPDATE events SET event_type = 'SetDeleted' WHERE user_id = 'user-2'")
        append(connection, "new", 4)
    proof = own.backups.prove(own.backups.plan(Wanted(at=at)), made)
    assert [(one.user, one.missing) for one in proof.broken] == [("user-2", 0), ("user-7", 3)]
    assert (proof.passed, proof.restored_events, proof.newer) == (False, 2032, 4)
    own.backups.drop(made)


def test_automated_backups_outlive_their_instance_and_bring_it_back(own: World) -> None:
    own.log("ann", 40)
    own.backups.seal()
    at = own.now()
    own.covered(at)
    secret = own.function.environ
    rds = own.aws.client("rds")
    rds.modify_db_instance(DBInstanceIdentifier=own.name, DeletionProtection=False)
    rds.delete_db_instance(
        DBInstanceIdentifier=own.name, SkipFinalSnapshot=True, DeleteAutomatedBackups=False
    )
    gone = own.environment(places=None)
    window = gone.listing().windows[0]
    assert (window.source, window.gone) == (own.name, True)
    with pytest.raises(Exception, match="is gone"):
        gone.take("daily")
    plan = gone.plan(Wanted(at=at, to=own.name))
    made = gone.restore(plan)
    assert gone.prove(plan, made).passed
    assert own.events(own.name) == 40
    assert own.aws.instance(own.name)["DeletionProtection"] is True
    assert secret


def test_snapshots_whose_time_is_over_go_and_the_newest_never(own: World) -> None:
    class Later(SystemClock):
        days = 0

        def now(self) -> datetime:
            return super().now() + timedelta(days=self.days)

    clock = Later()
    backups = own.environment(
        places=replace(own.places, vault=None), patience=Patience(clock, interval=0.05, timeout=60.0)
    )
    own.log("ann", 3)
    foreign = "somebody-else"
    own.aws.client("rds").create_db_snapshot(DBSnapshotIdentifier=foreign, DBInstanceIdentifier=own.name)
    first = backups.take("daily")
    second = backups.take("daily")
    clock.days = 31
    backups.verified = lambda: {first.id: clock.now()}  # a test of that one passed, and of none that is newer
    third = backups.take("daily")
    assert {point.id for point in backups.listing().points} == {foreign, first.id, third.id}
    backups.verified = dict
    backups._prune(backups.source())
    assert {point.id for point in backups.listing().points} == {foreign, third.id}
    assert [one.id for one in backups._catalogue.points()] == [third.id]
    assert first.id != second.id
    clock.days = 90
    backups._prune(backups.source())
    assert {point.id for point in backups.listing().points} == {foreign, third.id}
