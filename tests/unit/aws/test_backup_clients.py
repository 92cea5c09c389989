"""RDS and AWS Backup as they answer on a bad day, and what their answers say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from gymops.aws.account import Account
from gymops.aws.backup_jobs import BackupJobs, need
from gymops.aws.databases import Databases
from gymops.aws.session import AwsError
from gymops.aws.vaults import Vaults

THEN = datetime(2026, 11, 1, tzinfo=UTC)
ARN = "arn:aws:rds:us-west-1:123456789012:db:gym"
POINT = "arn:aws:rds:us-west-1:123456789012:snapshot:awsbackup:job-1"


@pytest.fixture
def account() -> Account:
    return Account("us-west-1", endpoint="http://127.0.0.1:1", number="123456789012")


@pytest.fixture
def rds(account: Account) -> Iterator[Stubber]:
    with Stubber(account.client("rds")) as stubber:
        yield stubber


@pytest.fixture
def backup(account: Account) -> Iterator[Stubber]:
    with Stubber(account.client("backup")) as stubber:
        yield stubber


def instance(**given: Any) -> dict[str, Any]:
    told = {
        "DBInstanceIdentifier": "gym", "DBInstanceArn": ARN, "DbiResourceId": "db-1",
        "DBInstanceStatus": "available", **given,
    }  # fmt: skip
    return {"DBInstances": [told]}


@pytest.mark.parametrize("code", ["ExpiredToken", "Throttling", "RequestLimitExceeded"])
def test_what_may_pass_is_unknown(account: Account, rds: Stubber, backup: Stubber, code: str) -> None:
    rds.add_client_error("describe_db_instances", code)
    with pytest.raises(AwsError) as error:
        Databases(account).find("gym")
    assert error.value.unknown
    backup.add_client_error("describe_backup_vault", code)
    with pytest.raises(AwsError) as error:
        Vaults(account).points("vault", ARN)
    assert error.value.unknown


def test_what_is_not_there_is_none_and_what_is_denied_is_an_error(account: Account, rds: Stubber) -> None:
    rds.add_client_error("describe_db_instances", "DBInstanceNotFound")
    assert Databases(account).find("gym") is None
    rds.add_client_error("describe_db_instance_automated_backups", "DBInstanceAutomatedBackupNotFound")
    assert Databases(account).automated("gym") == []
    rds.add_client_error("describe_db_instances", "AccessDenied")
    with pytest.raises(AwsError) as error:
        Databases(account).find("gym")
    assert not error.value.unknown


def test_a_protected_instance_loses_its_protection_before_it_goes(account: Account, rds: Stubber) -> None:
    rds.add_response("describe_db_instances", instance(DeletionProtection=True))
    rds.add_response(
        "modify_db_instance",
        {},
        {"DBInstanceIdentifier": "gym", "DeletionProtection": False, "ApplyImmediately": True},
    )
    wanted = {"DBInstanceIdentifier": "gym", "SkipFinalSnapshot": True, "DeleteAutomatedBackups": True}
    rds.add_response("delete_db_instance", {}, wanted)
    assert Databases(account).delete("gym")
    rds.assert_no_pending_responses()


def test_an_instance_that_is_busy_is_deleted_later(account: Account, rds: Stubber) -> None:
    rds.add_response("describe_db_instances", instance(DBInstanceStatus="creating"))
    rds.add_client_error("delete_db_instance", "InvalidDBInstanceState")
    assert not Databases(account).delete("gym")
    rds.add_response("describe_db_instances", instance(DBInstanceStatus="deleting"))
    assert Databases(account).delete("gym")


def test_a_change_that_is_pending_is_one_under_way(account: Account, rds: Stubber) -> None:
    for given, changing in (
        ({}, False),
        ({"PendingModifiedValues": {"MultiAZ": True}}, True),
        ({"MasterUserSecret": {"SecretArn": "a", "SecretStatus": "creating"}}, True),
    ):
        rds.add_response("describe_db_instances", instance(**given))
        found = Databases(account).find("gym")
        assert found is not None
        assert (found.changing, found.host, found.port) == (changing, "", 0)


def test_a_recovery_point_with_its_tags_and_its_vault_s_lock(account: Account, backup: Stubber) -> None:
    backup.add_response("describe_backup_vault", {"Locked": True})
    listed = {
        "RecoveryPointArn": POINT, "BackupVaultName": "vault", "ResourceArn": ARN, "Status": "COMPLETED",
        "CreationDate": THEN, "BackupSizeInBytes": 7, "IsEncrypted": True,
        "CalculatedLifecycle": {"DeleteAt": THEN},
    }  # fmt: skip
    backup.add_response("list_recovery_points_by_backup_vault", {"RecoveryPoints": [listed]})
    backup.add_response("list_tags", {"Tags": {"tier": "daily"}})
    (found,) = Vaults(account).points("vault", ARN)
    assert (found.locked, found.encrypted, found.bytes, found.delete_at) == (True, True, 7, THEN)
    assert found.tags == {"tier": "daily"}


def test_a_vault_that_is_not_there_holds_nothing(account: Account, backup: Stubber) -> None:
    backup.add_client_error("describe_backup_vault", "ResourceNotFoundException")
    assert Vaults(account).points("vault", ARN) == []


@pytest.mark.parametrize("state", ["FAILED", "ABORTED", "EXPIRED", "PARTIAL"])
def test_a_job_that_did_not_complete_made_nothing(account: Account, backup: Stubber, state: str) -> None:
    told = {"State": state, "StatusMessage": "window", "RecoveryPointArn": POINT, "CreationDate": THEN}
    backup.add_response("describe_backup_job", told)
    job = BackupJobs(account).backup("1")
    assert job.ended
    with pytest.raises(AwsError, match=f"the job 1 is {state}: window"):
        need(job, "a backup")


def test_only_restores_of_testing_plans_that_wait_are_tests(account: Account, backup: Stubber) -> None:
    plan = {"RestoreTestingPlanArn": "arn:plan"}
    jobs: list[dict[str, Any]] = [
        {"RestoreJobId": "1", "ValidationStatus": "VALIDATING", "CreatedBy": plan, "RecoveryPointArn": POINT,
         "SourceResourceArn": ARN, "CreatedResourceArn": f"{ARN}-test"},
        {"RestoreJobId": "2", "ValidationStatus": "SUCCESSFUL", "CreatedBy": plan},
        {"RestoreJobId": "3"},
    ]  # fmt: skip
    backup.add_response("list_restore_jobs", {"RestoreJobs": jobs}, {"ByStatus": "COMPLETED"})
    (found,) = BackupJobs(account).tests()
    assert (found.job, found.resource, found.instance) == ("1", ARN, "gym-test")
    told = {"RestoreJobId": "1", "ValidationStatus": "FAILED", "ValidationStatusMessage": "x" * 1000}
    backup.add_response("put_restore_validation_result", {}, told)
    BackupJobs(account).judge("1", passed=False, message="x" * 2000)


@pytest.mark.parametrize("waits", [True, False])
def test_of_two_that_judge_at_once_the_second_is_no_failure(
    account: Account, backup: Stubber, *, waits: bool
) -> None:
    status = "VALIDATING" if waits else "SUCCESSFUL"
    made = {"RestoreTestingPlanArn": "arn:plan"}
    jobs = [{"RestoreJobId": "1", "ValidationStatus": status, "CreatedBy": made}]
    backup.add_client_error("put_restore_validation_result", "InvalidRequestException")
    backup.add_response("list_restore_jobs", {"RestoreJobs": jobs}, {"ByStatus": "COMPLETED"})
    if waits:
        with pytest.raises(AwsError, match="InvalidRequest"):
            BackupJobs(account).judge("1", passed=True, message="")
    else:
        BackupJobs(account).judge("1", passed=True, message="")
