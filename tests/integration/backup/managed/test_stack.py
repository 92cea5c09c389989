"""titan-trakr's own stacks: sealed and proved by the functions they deploy, with the artefact they run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.aws.account import Account
from gymops.aws.backup_jobs import BackupJobs
from gymops.aws.databases import Databases
from gymops.aws.functions import Functions
from gymops.aws.instances import Instances
from gymops.aws.kms import WrappingKey
from gymops.aws.s3 import S3Objects
from gymops.aws.vaults import Vaults
from gymops.backup.managed.backups import ManagedBackups
from gymops.backup.managed.places import places
from gymops.backup.managed.taking import Aws, Kept
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Wanted
from gymops.backup.wrapped import WrappedKeys
from gymops.clock import SystemClock
from gymops.errors import SourceError
from gymops.store.below import Below
from tests.integration.backup.managed.world import append
from tests.integration.stacks.conftest import artefact, make
from tests.integration.stacks.environment import Environment
from tests.local_aws import until

__all__ = ["artefact", "make"]
pytestmark = pytest.mark.long
NEVER = ("pyrage", "zstandard")
"""What only who keeps backups needs; cryptography also checks the tracker's tokens."""


def test_the_functions_seal_prove_and_judge_and_their_artefact_has_no_keys(
    make: Callable[[str], Environment], artefact: Path
) -> None:
    names = [name for file in artefact.glob("*.zip") for name in zipfile.ZipFile(file).namelist()]
    assert "gymops/eventlog/parts.py" in names
    packages = {part for name in names for part in name.split("/")[:2]}
    assert not packages & {*NEVER}

    environment = make("prod")
    account = Account(
        environment.of.region, endpoint=environment.aws.settings.url, number=environment.account
    )
    functions, clock = Functions(account), SystemClock()
    found = places(environment.outputs["app"], environment.outputs["copies"])
    assert found is not None
    assert found.function is not None
    assert found.vault
    assert found.role
    assert found.copies_region == "us-east-1"
    upgraded = functions.invoke(found.function, {"do": "schema-upgrade"})
    assert not upgraded.answer.get("error"), upgraded.answer
    bucket = environment.outputs["base"]["ReleaseBucketName"]
    objects = Below(S3Objects(account.client("s3"), bucket, clock), "backups/")
    keys = WrappedKeys(objects, "prod").open(WrappingKey(account, environment.outputs["app"]["BackupKeyArn"]))
    backups = ManagedBackups(
        environment="prod", prefix="prod-titan", places=found, keys=keys, objects=objects,
        aws=Aws(
            Databases(account), Instances(account), BackupJobs(account), Vaults(account), functions,
            lambda region: (BackupJobs(account, region), Vaults(account, region)),
        ),
        patience=Patience(clock, interval=0.1, timeout=120.0),
        tiers={"monthly": Kept(365, copied=True), "continuous": Kept(30)},
    )  # fmt: skip
    with _connect(environment, found.instance) as connection:
        append(connection, "ann", 1100)
        append(connection, "bob", 7)
        monthly = backups.take("monthly")
        append(connection, "bob", 5)
        assert (monthly.seal and monthly.seal.events, monthly.locked, monthly.encrypted) == (1107, True, True)
        copy = next(point for point in backups.listing().points if point.kind == "copy")
        assert (copy.where.split("/")[0], copy.tier, copy.seal) == ("us-east-1", "monthly", monthly.seal)

        for point, newer in ((monthly.id, 0), (copy.id, 0)):
            plan = backups.plan(Wanted(point=point, test=True))
            made = backups.restore(plan)
            proof = backups.prove(plan, made)
            assert (proof.passed, proof.restored_events, proof.newer) == (True, 1107, newer)
            if point == monthly.id:
                assert backups.read(made) == (
                    "healthy; the history of ann lists 0 workouts, its export all 1100 events"
                )
                assert backups.spoil(made, "later-event") == "later-event: user 'ann', position 1"
                assert [(one.user, one.chunk) for one in backups.prove(plan, made).broken] == [("ann", 1)]
            backups.drop(made)

        job = judged_by_event(environment)
        assert (job["ValidationStatus"], job["RecoveryPointArn"]) == ("SUCCESSFUL", point_arn(environment))
        assert job["ValidationStatusMessage"].startswith("1107 events, digest ")

        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("UPDATE events SET event_type = 'x' WHERE user_id = 'ann' AND position = 1030")
        daily = backups.take("monthly")
        plan = backups.plan(Wanted(point=daily.id, test=True))
        made = backups.restore(plan)
        proof = backups.prove(plan, made)
        assert [(one.user, one.chunk, one.position) for one in proof.broken] == [("ann", 2, 1025)]
        with _connect(environment, made.name) as spoilt:
            spoilt.execute("DROP TABLE events CASCADE")
        with pytest.raises(SourceError):
            backups.prove(plan, made)
        backups.drop(made)


def judged_by_event(environment: Environment) -> Any:
    """The plan's time comes; its restore, once the function that its event calls has judged it."""
    backup, name = environment.client("backup"), "prod_gym_app"
    plan = backup.get_restore_testing_plan(RestoreTestingPlanName=name)["RestoreTestingPlan"]

    def set_to(schedule: str) -> None:
        new = {"ScheduleExpression": schedule, "RecoveryPointSelection": plan["RecoveryPointSelection"]}
        backup.update_restore_testing_plan(RestoreTestingPlanName=name, RestoreTestingPlan=new)

    def jobs() -> Any:
        environment.aws.move_clock(0)  # it looks what is due
        return backup.list_restore_jobs()["RestoreJobs"]

    set_to("rate(0 minutes)")
    until(jobs)
    set_to(plan["ScheduleExpression"])

    def judged() -> Any:
        return [one for one in jobs() if one["ValidationStatus"] != "VALIDATING"]

    return until(judged, seconds=120)[-1]


def point_arn(environment: Environment) -> str:
    """The newest recovery point."""
    vault = environment.outputs["app"]["BackupVaultName"]
    points = environment.client("backup").list_recovery_points_by_backup_vault(BackupVaultName=vault)
    newest = max(points["RecoveryPoints"], key=lambda one: one["CreationDate"])
    return str(newest["RecoveryPointArn"])


def _connect(environment: Environment, instance: str) -> psycopg.Connection[Any]:
    found = environment.client("rds").describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"][0]
    arn = found["MasterUserSecret"]["SecretArn"]
    secret = json.loads(environment.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return psycopg.connect(
        host=found["Endpoint"]["Address"], port=found["Endpoint"]["Port"], dbname="gym",
        user=secret["username"], password=secret["password"], autocommit=True,
    )  # fmt: skip
