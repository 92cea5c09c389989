"""RDS and AWS Backup on a bad day: killed, deleted, stopped, refused; and what each test's verdict is."""

from __future__ import annotations

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

from gymops.aws.backup_history import BackupHistory
from gymops.aws.backup_jobs import BackupJobs
from gymops.aws.session import AwsError
from gymops.aws.vaults import Vaults
from gymops.backup.audit import audit
from gymops.backup.declared import declared
from gymops.backup.evidence import Result
from gymops.backup.gather_rds import gather
from gymops.backup.managed.source import Stopped
from gymops.backup.managed.waiting import Gone
from gymops.backup.port import Restored, Wanted
from gymops.backup.recovery_point import new_id
from gymops.backup.restore_test import How, run
from gymops.backup.restore_test import Tested as Verdict
from gymops.backup.tiers import DEFAULT
from gymops.clock import SystemClock
from gymops.errors import GateRefused, Unverified
from tests.integration.backup.managed.world import ROLE, World, restored
from tests.local_aws import Aws

pytestmark = pytest.mark.long


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
        assert world.backups.stopped
        there = world.backups.aws.databases.find(world.name)
        assert there
        evidence = gather("prod", there, world.backups.listing(), BackupHistory(world.account), at, [])
        for words, kinds in (("", ["skipped"]), ("; off-hours", [])):
            expected = declared(f"continuous keep 7 days{words}")
            found = audit(evidence, expected, at + timedelta(hours=2)).findings
            assert [one.kind for one in found if one.kind in {"skipped", "rpo", "missing"}] == kinds
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
    assert own.backups.judge() == []
    fresh.move_clock(1)
    fresh.move_clock(2 * 86_400)
    (test,) = jobs.tests()
    if damaged:
        found = fresh.instance(test.instance)["Endpoint"]
        url = make_conninfo(own.url(own.name), host=found["Address"], port=found["Port"])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
            connection.execute("DELETE FROM events WHERE position = 12")
    (verdict,) = own.backups.judge()
    assert (verdict.instance, verdict.passed) == (test.instance, not damaged)
    assert (
        "user 'ann', chunk 1: 1 events are missing" in verdict.why if damaged else "12 events" in verdict.why
    )
    told = backup.describe_restore_job(RestoreJobId=test.job)
    assert told["ValidationStatus"] == ("FAILED" if damaged else "SUCCESSFUL")
    assert told["ValidationStatusMessage"] == verdict.why
    fresh.move_clock(1)
    assert own.backups.aws.databases.find(test.instance) is None
    assert own.backups.judge() == []


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
