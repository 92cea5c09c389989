"""AWS Backup keeps what is in tables and buckets, and brings it back under another name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.local.functions import ROLE
from tests.local_aws import ACCOUNT, Aws, unique


@pytest.fixture
def vault(aws: Aws) -> str:
    name = unique("vault")
    aws.client("backup").create_backup_vault(BackupVaultName=name)
    return name


def _back_up(aws: Aws, vault: str, arn: str) -> Any:
    backup = aws.client("backup")
    job = backup.start_backup_job(
        BackupVaultName=vault, ResourceArn=arn, IamRoleArn=ROLE, RecoveryPointTags={"tier": "weekly"}
    )
    return backup.describe_backup_job(BackupJobId=job["BackupJobId"])


def _restore(aws: Aws, point: str, **metadata: str) -> Any:
    backup = aws.client("backup")
    job = backup.start_restore_job(RecoveryPointArn=point, IamRoleArn=ROLE, Metadata=metadata)
    return backup.describe_restore_job(RestoreJobId=job["RestoreJobId"])


def test_a_table_comes_back_as_it_was(aws: Aws, vault: str) -> None:
    dynamodb, name = aws.client("dynamodb"), unique("table")
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    dynamodb.put_item(TableName=name, Item={"id": {"S": "a"}, "n": {"N": "1"}})
    job = _back_up(aws, vault, f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{name}")
    assert (job["State"], job["ResourceType"]) == ("COMPLETED", "DynamoDB"), job
    dynamodb.put_item(TableName=name, Item={"id": {"S": "b"}})
    done = _restore(aws, job["RecoveryPointArn"], targetTableName=f"{name}-2")
    assert done["CreatedResourceArn"].endswith(f"table/{name}-2"), done
    items = dynamodb.scan(TableName=f"{name}-2")["Items"]
    assert items == [{"id": {"S": "a"}, "n": {"N": "1"}}]
    assert _restore(aws, job["RecoveryPointArn"], targetTableName=name)["Status"] == "FAILED"
    backup = aws.client("backup")
    assert backup.list_tags(ResourceArn=job["RecoveryPointArn"])["Tags"] == {"tier": "weekly"}
    backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=job["RecoveryPointArn"])
    assert dynamodb.list_backups(TableName=name)["BackupSummaries"] == []


def test_a_bucket_comes_back_as_it_was_and_needs_versions(aws: Aws, vault: str) -> None:
    s3, name = aws.client("s3"), unique("photos")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="a/b", Body=b"one", ContentType="image/png")
    arn = f"arn:aws:s3:::{name}"
    failed = _back_up(aws, vault, arn)
    assert (failed["State"], "no versioning" in failed["StatusMessage"]) == ("FAILED", True)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    job = _back_up(aws, vault, arn)
    s3.put_object(Bucket=name, Key="a/b", Body=b"two")
    done = _restore(aws, job["RecoveryPointArn"], DestinationBucketName=f"{name}-2", NewBucket="true")
    assert done["CreatedResourceArn"] == f"arn:aws:s3:::{name}-2"
    told = s3.get_object(Bucket=f"{name}-2", Key="a/b")
    assert (told["Body"].read(), told["ContentType"]) == (b"one", "image/png")
    assert _back_up(aws, vault, "arn:aws:s3:::nobody-has-it")["State"] == "FAILED"


def test_a_table_comes_back_as_it_was_at_a_time(aws: Aws) -> None:
    dynamodb, name = aws.client("dynamodb"), unique("table")
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip

    def switch(on: bool) -> None:
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": on}
        )

    def window() -> Any:
        told = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        return told["PointInTimeRecoveryDescription"]

    def restore(at: Any) -> dict[str, str]:
        to = unique("copy")
        dynamodb.restore_table_to_point_in_time(SourceTableName=name, TargetTableName=to, RestoreDateTime=at)
        items = dynamodb.scan(TableName=to)["Items"]
        assert dynamodb.describe_table(TableName=to)["Table"]["ItemCount"] == len(items)
        dynamodb.delete_table(TableName=to)
        return {one["id"]["S"]: one["n"]["N"] for one in items}

    def put(key: str, number: str) -> None:
        dynamodb.put_item(TableName=name, Item={"id": {"S": key}, "n": {"N": number}})

    put("a", "0")
    with pytest.raises(dynamodb.exceptions.PointInTimeRecoveryUnavailableException):
        restore(datetime.now(UTC))
    switch(True)
    put("a", "1")
    put("b", "1")
    aws.move_clock(10)
    then = window()["LatestRestorableDateTime"]
    aws.move_clock(10)
    put("a", "2")
    dynamodb.delete_item(TableName=name, Key={"id": {"S": "b"}})
    dynamodb.batch_write_item(
        RequestItems={name: [{"PutRequest": {"Item": {"id": {"S": "c"}, "n": {"N": "1"}}}}]}
    )
    assert restore(then) == {"a": "1", "b": "1"}
    now = window()["LatestRestorableDateTime"]
    aws.move_clock(2)
    assert restore(now + timedelta(seconds=1)) == {"a": "2", "c": "1"}
    for outside in (window()["EarliestRestorableDateTime"] - timedelta(seconds=2), now + timedelta(hours=1)):
        with pytest.raises(dynamodb.exceptions.InvalidRestoreTimeException):
            restore(outside)
    switch(False)
    switch(True)
    with pytest.raises(dynamodb.exceptions.InvalidRestoreTimeException):
        restore(then)
