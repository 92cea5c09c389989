"""RDS: snapshots, taken for a backup or before a step that cannot be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of an instance."""

    name: str
    arn: str
    status: str
    """``creating``, ``available``, ``failed``, ..."""
    percent: int
    kind: str = "manual"
    """``manual``, ``automated``, ``awsbackup``, ..."""
    taken: datetime | None = None
    """None: it is being taken."""
    gigabytes: int = 0
    """Of the volume; what is stored is less, and AWS does not tell it."""
    encrypted: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it can be restored."""
        return self.status == "available"


class Instances:
    """The database instances of an account and region."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def snapshot(self, instance: str, name: str, tags: Mapping[str, str] | None = None) -> Snapshot:
        """Begin a snapshot of this name; one that was begun before is found, so that a retry makes no second.

        Raises:
            AwsError: the instance does not exist, or is in no state for it.
        """
        rds = self._account.client("rds")
        given = {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}
        begun = suppress(rds.exceptions.DBSnapshotAlreadyExistsFault)
        with translated(f"a snapshot of {instance}"), begun:
            rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=name, **given)
        return self.find(name)

    def find(self, name: str) -> Snapshot:
        """How far a snapshot is.

        Raises:
            AwsError: there is none.
        """
        with translated(f"the snapshot {name}"):
            found = self._account.client("rds").describe_db_snapshots(DBSnapshotIdentifier=name)
        told = snapshot_of(found["DBSnapshots"][0])
        if told.status == "failed":
            raise AwsError(
                f"the snapshot {name} failed",
                reason="SnapshotFailed",
                hint=f"aws rds describe-events --source-type db-snapshot --source-identifier {name}",
            )
        return told


def snapshot_of(told: Mapping[str, Any]) -> Snapshot:
    """A snapshot as RDS tells of it."""
    taken = told.get("SnapshotCreateTime")
    return Snapshot(
        name=told["DBSnapshotIdentifier"],
        arn=told["DBSnapshotArn"],
        status=told["Status"],
        percent=int(told.get("PercentProgress", 0)),
        kind=told.get("SnapshotType", "manual"),
        taken=taken.astimezone(UTC) if taken else None,
        gigabytes=int(told.get("AllocatedStorage", 0)),
        encrypted=bool(told.get("Encrypted")),
        tags={one["Key"]: one["Value"] for one in told.get("TagList") or ()},
    )
