"""RDS and AWS Backup with real servers behind them: sealed under load, restored, proved, and told apart."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from gymops.aws.backup_jobs import BackupJobs
from gymops.aws.session import AwsError
from gymops.aws.vaults import Vaults
from gymops.backup.evidence import Result
from gymops.backup.managed import restoring
from gymops.backup.managed.backups import Stopped
from gymops.backup.managed.judging import judge
from gymops.backup.managed.waiting import Gone
from gymops.backup.port import OutOfReach, Restored, RestorePlan, Wanted
from gymops.backup.recovery_point import NoPoint, new_id
from gymops.backup.restore_test import How, run
from gymops.backup.restore_test import Tested as Verdict
from gymops.backup.tiers import DEFAULT
from gymops.clock import SystemClock
from gymops.errors import GateRefused, Unverified
from gymops.eventlog import parts
from gymops.eventlog.proof import Proof
from tests.integration.backup.managed.world import AWAY, ROLE, World, append
from tests.local_aws import Aws

pytestmark = pytest.mark.long


def restored(world: World, wanted: Wanted) -> tuple[RestorePlan, Restored, Proof]:
    plan = world.backups.plan(wanted)
    made = world.backups.restore(plan)
    return plan, made, world.backups.prove(plan, made)


def test_sealed_under_load_every_kind_of_backup_brings_back_what_was_sealed(own: World) -> None:
    stop = threading.Event()

    def write(number: int) -> None:
        with own.connect() as connection:
            while not stop.wait(0.1):
                append(connection, f"user-{number}", 300)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for one in writers:
        one.start()
    try:
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
        assert (tags["Name"], tags[restoring.TEST]) == (world.name, "false")
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


def test_what_was_begun_is_gone_on_with_and_something_else_under_its_name_refused(world: World) -> None:
    to = f"{world.name}-again"
    first = world.backups.plan(Wanted(to=to))
    world.backups.restore(first)
    world.log("late", 5)
    again = world.backups.plan(Wanted(to=to))
    assert (again.id, again.at) == (first.id, first.at)
    before = world.aws.instance(to)["DbiResourceId"]
    made = world.backups.restore(again)
    assert world.aws.instance(to)["DbiResourceId"] == before
    with pytest.raises(GateRefused):
        world.backups.plan(Wanted(to=to, test=True))
    with pytest.raises(GateRefused):
        world.backups.plan(Wanted(to=to, at=(first.at or world.now()) - timedelta(seconds=1)))
    world.backups.drop(made)


def test_what_a_killed_test_left_goes_with_the_next_and_what_runs_stays(world: World) -> None:
    other = world.environment()
    running, killed = (world.backups.plan(Wanted(test=True)) for _ in range(2))
    world.backups.restore(running)
    leases = other._leases
    leases._me = {"host": leases._me["host"], "pid": 2**22 + 1}  # no process has this id
    world.environment(objects=other.objects).restore(killed)
    leases.drop(killed.id)
    leases.hold(killed.id, 1)
    assert other.clear() == [killed.to]
    assert world.aws.instance(running.to)["DBInstanceStatus"] == "available"
    world.backups.drop(Restored(running.to, "", 0, None))
    assert other.clear() == []


def test_a_point_that_is_deleted_meanwhile_is_no_verdict(world: World) -> None:
    point = world.backups.take("daily")
    plan = world.backups.plan(Wanted(point=point.id, test=True))
    arn = f"arn:aws:rds:us-east-1:{world.account.number}:snapshot:{point.id}"
    world.aws.client("backup").delete_recovery_point(
        BackupVaultName=f"{world.name}-vault", RecoveryPointArn=arn
    )
    with pytest.raises(AwsError, match="not found"):
        world.backups.restore(plan)
    plan = world.backups.plan(Wanted(test=True))
    made = world.backups.restore(plan)
    world.aws.client("rds").delete_db_instance(DBInstanceIdentifier=made.name, SkipFinalSnapshot=True)
    with pytest.raises(Unverified, match="deleted meanwhile"):
        world.backups.prove(plan, made)
    with pytest.raises(Gone):
        world.backups.patience.database(world.backups.aws.databases, made.name, "", lambda *_: None)


def test_a_database_that_is_stopped_is_said_to_be_and_can_be_restored_all_the_same(world: World) -> None:
    world.backups.seal()
    at = world.now()
    world.covered(at)
    rds = world.aws.client("rds")
    rds.stop_db_instance(DBInstanceIdentifier=world.name)
    try:
        with pytest.raises(Stopped, match="is stopped"):
            world.backups.take("daily")
        with pytest.raises(Stopped):
            world.backups.seal()
        _, made, proof = restored(world, Wanted(at=at, test=True))
        assert proof.passed
        world.backups.drop(made)
    finally:
        rds.start_db_instance(DBInstanceIdentifier=world.name)


@contextmanager
def refused(world: World, service: str, code: str, times: int = 10**6) -> Iterator[list[int]]:
    """The service answers so, this often."""
    client = world.account.client(service)
    left = [times]

    def answer(**_: Any) -> Any:
        if not left[0]:
            return None
        left[0] -= 1
        error = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return SimpleNamespace(status_code=400), error

    event = f"before-call.{service}"
    client.meta.events.register_first(event, answer)
    try:
        yield left
    finally:
        client.meta.events.unregister(event, answer)


@pytest.mark.parametrize("service", ["rds", "backup"])
def test_credentials_that_expire_are_no_verdict(world: World, service: str) -> None:
    with refused(world, service, "ExpiredToken"), pytest.raises(AwsError) as error:
        world.backups.listing()
    assert error.value.unknown
    plan = world.backups.plan(Wanted(test=True))
    with refused(world, "rds", "ExpiredToken"), pytest.raises(AwsError) as error:
        world.backups.restore(plan)
    assert error.value.unknown
    made = world.backups.restore(plan)
    with refused(world, "rds", "ExpiredToken"), pytest.raises(AwsError) as error:
        world.backups.prove(plan, made)
    assert error.value.unknown
    world.backups.drop(made)


def test_throttling_ends_no_waiting(world: World) -> None:
    plan = world.backups.plan(Wanted(test=True))
    made = world.backups.restore(plan)
    told: list[str] = []
    with refused(world, "rds", "Throttling", 8) as left:
        found = world.backups.patience.database(
            world.backups.aws.databases, made.name, "restore", lambda _, text: told.append(text)
        )
    assert (found.status, left) == ("available", [0])
    assert "Throttling" in told[0]
    world.backups.drop(made)


def test_a_region_that_does_not_answer_leaves_the_rest_and_is_told(world: World) -> None:
    there = (BackupJobs(world.account, "us-west-2"), Silent(world.account, "us-west-2"))
    found = world.environment(aws=replace(world.backups.aws, elsewhere=lambda _: there)).listing()
    assert found.silent == {"us-west-2": "us-west-2 does not answer"}
    assert found.windows


class Silent(Vaults):
    """A region that is down."""

    def points(self, vault: str, resource: str) -> Any:
        raise AwsError("us-west-2 does not answer", reason="Unreachable", unknown=True)


def test_a_log_of_many_users_is_sealed_and_proved_in_parts(
    own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = parts.split
    monkeypatch.setattr(parts, "split", lambda users: small(users, most=700))
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


def test_two_that_seal_at_once_leave_one_row_of_seals(own: World) -> None:
    def before(event: dict[str, Any]) -> None:
        if event["do"] == "seal" and not raced:
            raced.append(1)
            other.seal()
            own.log("bob", 1)

    raced: list[int] = []
    other = own.environment()
    own.log("ann", 5)
    own.function.before = before
    found = own.backups.seal()
    assert (found and found.number, found and found.events) == (2, 6)
    assert [seal.events for seal in other.seals.read()] == [5, 6]


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


@pytest.mark.parametrize("damaged", [False, True])
def test_aws_backup_is_told_what_a_proof_said_of_its_own_restore_test(
    fresh: Aws, tmp_path: Path, damaged: bool
) -> None:
    fresh.up()
    own = World(fresh, tmp_path)
    own.log("ann", 12)
    own.backups.take("daily")
    jobs, backup = BackupJobs(own.account), fresh.client("backup")
    backup.create_restore_testing_plan(
        RestoreTestingPlan={
            "RestoreTestingPlanName": "monthly", "ScheduleExpression": "rate(2 days)",
            "RecoveryPointSelection": {"Algorithm": "LATEST_WITHIN_WINDOW", "IncludeVaults": ["*"],
                                       "RecoveryPointTypes": ["SNAPSHOT"]},
        }
    )  # fmt: skip
    backup.create_restore_testing_selection(
        RestoreTestingPlanName="monthly",
        RestoreTestingSelection={
            "RestoreTestingSelectionName": "db", "ProtectedResourceType": "RDS", "IamRoleArn": ROLE,
            "ProtectedResourceArns": [fresh.instance(own.name)["DBInstanceArn"]], "ValidationWindowHours": 1,
        },
    )  # fmt: skip
    assert judge(own.backups, jobs) == []
    fresh.move_clock(1)
    fresh.move_clock(2 * 86_400)
    (test,) = jobs.tests()
    if damaged:
        found = fresh.instance(test.instance)["Endpoint"]
        url = make_conninfo(own.url(own.name), host=found["Address"], port=found["Port"])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
            connection.execute("DELETE FROM events WHERE position = 12")
    (verdict,) = judge(own.backups, jobs)
    assert (verdict.instance, verdict.passed) == (test.instance, not damaged)
    assert (
        "user 'ann', chunk 1: 1 events are missing" in verdict.why if damaged else "12 events" in verdict.why
    )
    told = backup.describe_restore_job(RestoreJobId=test.job)
    assert told["ValidationStatus"] == ("FAILED" if damaged else "SUCCESSFUL")
    assert told["ValidationStatusMessage"] == verdict.why
    fresh.move_clock(1)
    assert own.backups.aws.databases.find(test.instance) is None
    assert judge(own.backups, jobs) == []


def _expired(event: dict[str, Any]) -> None:
    raise AwsError(f"{event['do']}: no", reason="ExpiredToken", unknown=True)


def test_a_restore_test_of_what_aws_backed_up_passes_fails_or_cannot_tell(own: World) -> None:
    own.log("ann", 30)
    point = own.backups.take("daily")
    tiers = tuple(tier for tier in DEFAULT if tier.name == "daily")

    def tested(wanted: Wanted) -> Verdict:
        how = How(new_id(own.now()), "prod", tiers, own.backups.seals)
        return run(own.backups, wanted, how, SystemClock())

    passed = tested(Wanted(tier="daily"))
    assert (passed.result, passed.recovery_point, passed.message) == (Result.PASSED, point.id, None)
    assert (passed.events.expected, passed.events.restored) == (30, 30)
    assert set(passed.phases) >= {"plan", "restore", "settings", "prove"}
    own.function.before = _expired
    assert tested(Wanted(tier="daily")).result is Result.UNVERIFIED
    own.function.before = lambda _: None
    with own.connect() as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("UPDATE events SET event_type = 'x' WHERE position = 3")
    own.backups.take("daily")
    failed = tested(Wanted(tier="daily"))
    assert failed.result is Result.FAILED
    assert failed.message is not None
    assert "user 'ann', chunk 1" in failed.message
    assert [one.name for one in own.backups.aws.databases.all() if one.name.startswith(f"{own.name}-")] == []
