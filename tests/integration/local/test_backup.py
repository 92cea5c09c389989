"""AWS Backup acts on real databases, passes through its states, and does not say yes to what is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.functions import ROLE
from tests.local_aws import Aws, unique, until


@pytest.fixture
def vault(aws: Aws) -> str:
    return _vault(aws)


def _vault(aws: Aws, region: str = "us-east-1") -> str:
    name = unique("vault")
    aws.client("backup", region=region).create_backup_vault(BackupVaultName=name)
    return name


def _database(aws: Aws) -> tuple[str, str]:
    name = aws.create_instance(BackupRetentionPeriod=0)
    aws.sql(name, "create table log as select generate_series(1, 100) as id")
    return name, aws.instance(name)["DBInstanceArn"]


def _back_up(aws: Aws, vault: str, arn: str, **given: Any) -> Any:
    backup = aws.client("backup")
    job = backup.start_backup_job(BackupVaultName=vault, ResourceArn=arn, IamRoleArn=ROLE, **given)
    return backup.describe_backup_job(BackupJobId=job["BackupJobId"])


def test_a_recovery_point_is_restored_into_a_second_instance(aws: Aws, vault: str) -> None:
    backup = aws.client("backup")
    name, arn = _database(aws)
    job = _back_up(aws, vault, arn)
    assert job["State"] == "COMPLETED"
    aws.sql(name, "delete from log")
    found = backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]
    assert [point["RecoveryPointArn"] for point in found] == [job["RecoveryPointArn"]]
    shown = backup.describe_recovery_point(BackupVaultName=vault, RecoveryPointArn=job["RecoveryPointArn"])
    assert shown["ResourceArn"] == arn
    metadata = backup.get_recovery_point_restore_metadata(
        BackupVaultName=vault, RecoveryPointArn=job["RecoveryPointArn"]
    )["RestoreMetadata"]
    restored = unique("restored")
    started = backup.start_restore_job(
        RecoveryPointArn=job["RecoveryPointArn"], IamRoleArn=ROLE,
        Metadata={**metadata, "DBInstanceIdentifier": restored},
    )  # fmt: skip
    done = backup.describe_restore_job(RestoreJobId=started["RestoreJobId"])
    assert (done["Status"], done["CreatedResourceArn"].rpartition(":")[2]) == ("COMPLETED", restored)
    assert aws.sql(restored, "select count(*) from log") == [100]


def test_a_job_on_a_resource_that_does_not_exist_fails(aws: Aws, vault: str) -> None:
    job = _back_up(aws, vault, "arn:aws:rds:us-east-1:111111111111:db:nobody")
    assert (job["State"], "nobody not found" in job["StatusMessage"]) == ("FAILED", True)
    backup = aws.client("backup")
    assert backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.start_backup_job(BackupVaultName="none", ResourceArn=job["ResourceArn"], IamRoleArn=ROLE)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.start_restore_job(
            RecoveryPointArn="arn:aws:rds:us-east-1:111111111111:snapshot:no", IamRoleArn=ROLE,
            Metadata={"DBInstanceIdentifier": "x"},
        )  # fmt: skip


@pytest.mark.long
def test_jobs_pass_through_their_states(fresh: Aws) -> None:
    fresh.settings = replace(fresh.settings, delay=0.6)
    fresh.up()
    vault, backup = _vault(fresh), fresh.client("backup")
    name = fresh.create_instance(BackupRetentionPeriod=0)
    until(lambda: fresh.instance(name)["DBInstanceStatus"] == "available")
    job = _back_up(fresh, vault, fresh.instance(name)["DBInstanceArn"])
    seen = [job["State"]]

    def ended() -> bool:
        state = backup.describe_backup_job(BackupJobId=job["BackupJobId"])["State"]
        seen.append(state)
        return bool(state == "COMPLETED")

    until(ended)
    assert list(dict.fromkeys(seen)) == ["CREATED", "RUNNING", "COMPLETED"]
    other = _back_up(fresh, vault, fresh.instance(name)["DBInstanceArn"])
    backup.stop_backup_job(BackupJobId=other["BackupJobId"])
    assert backup.describe_backup_job(BackupJobId=other["BackupJobId"])["State"] == "ABORTED"


def test_a_recovery_point_is_copied_to_another_region(aws: Aws, vault: str) -> None:
    backup, west = aws.client("backup"), aws.client("backup", region="us-west-1")
    there = _vault(aws, "us-west-1")
    job = _back_up(aws, vault, _database(aws)[1])
    copy = backup.start_copy_job(
        RecoveryPointArn=job["RecoveryPointArn"], SourceBackupVaultName=vault, IamRoleArn=ROLE,
        DestinationBackupVaultArn=f"arn:aws:backup:us-west-1:111111111111:backup-vault:{there}",
    )  # fmt: skip
    done = backup.describe_copy_job(CopyJobId=copy["CopyJobId"])["CopyJob"]
    assert done["State"] == "COMPLETED"
    found = west.list_recovery_points_by_backup_vault(BackupVaultName=there)["RecoveryPoints"]
    assert found[0]["RecoveryPointArn"] == done["DestinationRecoveryPointArn"]


def test_a_vault_with_recovery_points_is_not_deleted_and_a_locked_one_keeps_them(
    aws: Aws, vault: str
) -> None:
    backup = aws.client("backup")
    backup.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=7, MaxRetentionDays=30)
    shown = backup.describe_backup_vault(BackupVaultName=vault)
    assert (shown["Locked"], shown["MinRetentionDays"]) == (True, 7)
    _, arn = _database(aws)
    for days in (1, 60):
        with pytest.raises(ClientError, match="InvalidParameterValueException"):
            _back_up(aws, vault, arn, Lifecycle={"DeleteAfterDays": days})
    point = _back_up(aws, vault, arn, Lifecycle={"DeleteAfterDays": 7})["RecoveryPointArn"]
    given = {"BackupVaultName": vault, "RecoveryPointArn": point}
    with pytest.raises(ClientError, match="locked"):
        backup.delete_recovery_point(**given)
    with pytest.raises(ClientError, match="recovery points"):
        backup.delete_backup_vault(BackupVaultName=vault)
    with pytest.raises(ClientError, match="InvalidDBSnapshotState"):
        aws.client("rds").delete_db_snapshot(DBSnapshotIdentifier=point.partition(":snapshot:")[2])
    backup.delete_backup_vault_lock_configuration(BackupVaultName=vault)
    backup.delete_recovery_point(**given)
    backup.delete_backup_vault(BackupVaultName=vault)


@pytest.mark.long
def test_plans_restore_tests_and_lifecycles_follow_the_clock(fresh: Aws) -> None:
    """A day goes by, then the month after which what was kept has expired."""
    fresh.up()
    backup, vault = fresh.client("backup"), _vault(fresh)
    name, arn = _database(fresh)
    plan = backup.create_backup_plan(
        BackupPlan={
            "BackupPlanName": "daily",
            "Rules": [{"RuleName": "r", "TargetBackupVaultName": vault, "Lifecycle": {"DeleteAfterDays": 35},
                       "ScheduleExpression": "cron(0 5 ? * * *)"}],
        }
    )  # fmt: skip
    backup.create_backup_selection(
        BackupPlanId=plan["BackupPlanId"],
        BackupSelection={"SelectionName": "s", "IamRoleArn": ROLE, "Resources": [arn]},
    )
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
            "ProtectedResourceArns": [arn], "ValidationWindowHours": 1,
        },
    )  # fmt: skip
    fresh.move_clock(1)
    fresh.move_clock(86_400)
    points = backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]
    assert len(points) == 1
    fresh.move_clock(86_400)
    tests = backup.list_restore_jobs()["RestoreJobs"]
    assert [job["Status"] for job in tests] == ["COMPLETED"]
    restored = tests[0]["CreatedResourceArn"].rpartition(":")[2]
    assert fresh.sql(restored, "select count(*) from log") == [100]
    backup.put_restore_validation_result(RestoreJobId=tests[0]["RestoreJobId"], ValidationStatus="SUCCESSFUL")
    fresh.move_clock(1)
    assert [one["DBInstanceIdentifier"] for one in fresh.client("rds").describe_db_instances()["DBInstances"]
            ] == [name]  # fmt: skip
    backup.delete_restore_testing_selection(
        RestoreTestingPlanName="monthly", RestoreTestingSelectionName="db"
    )
    backup.delete_restore_testing_plan(RestoreTestingPlanName="monthly")
    before = {point["RecoveryPointArn"] for point in points}
    fresh.move_clock(40 * 86_400)
    left = backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]
    assert not before & {point["RecoveryPointArn"] for point in left}
