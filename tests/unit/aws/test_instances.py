"""RDS on moto: a snapshot is taken once, and one that failed is none."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws

from gymops.aws.account import Account
from gymops.aws.instances import Instances
from gymops.aws.session import AwsError


@mock_aws
def test_a_snapshot_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rds: Any = boto3.client(
        "rds", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
    )
    monkeypatch.setattr(Account, "client", lambda *_, **__: rds)
    rds.create_db_instance(
        DBInstanceIdentifier="prod-shop-db", DBInstanceClass="db.t4g.micro", Engine="postgres",
        AllocatedStorage=20, MasterUsername="owner", MasterUserPassword="x" * 12,
    )  # fmt: skip
    instances = Instances(Account("us-east-1"))
    first = instances.snapshot("prod-shop-db", "before")
    assert instances.snapshot("prod-shop-db", "before").arn == first.arn
    assert len(rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]) == 1
    assert instances.find("before").ready
    with pytest.raises(AwsError, match="the snapshot nowhere"):
        instances.find("nowhere")
    with pytest.raises(AwsError, match="a snapshot of another"):
        instances.snapshot("another", "after")


def test_one_that_failed_is_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rds:
        def describe_db_snapshots(self, **_: Any) -> dict[str, Any]:
            told = {"DBSnapshotIdentifier": "before", "DBSnapshotArn": "arn:1", "Status": "failed"}
            return {"DBSnapshots": [told]}

    monkeypatch.setattr(Account, "client", lambda *_, **__: Rds())
    with pytest.raises(AwsError, match="the snapshot before failed") as failed:
        Instances(Account("us-east-1")).find("before")
    assert "describe-events" in str(failed.value.hint)
