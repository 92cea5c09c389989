"""RDS: a snapshot before a step that cannot be taken back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

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

    @property
    def ready(self) -> bool:
        """Whether it can be restored."""
        return self.status == "available"


class Instances:
    """The database instances of an account and region."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def snapshot(self, instance: str, name: str) -> Snapshot:
        """Begin a snapshot of this name; one that was begun before is found, so that a retry makes no second.

        Raises:
            AwsError: the instance does not exist, or is in no state for it.
        """
        rds = self._account.client("rds")
        begun = suppress(rds.exceptions.DBSnapshotAlreadyExistsFault)
        with translated(f"a snapshot of {instance}"), begun:
            rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=name)
        return self.find(name)

    def find(self, name: str) -> Snapshot:
        """How far a snapshot is.

        Raises:
            AwsError: there is none.
        """
        with translated(f"the snapshot {name}"):
            found = self._account.client("rds").describe_db_snapshots(DBSnapshotIdentifier=name)
        told = found["DBSnapshots"][0]
        if told["Status"] == "failed":
            raise AwsError(
                f"the snapshot {name} failed",
                reason="SnapshotFailed",
                hint=f"aws rds describe-events --source-type db-snapshot --source-identifier {name}",
            )
        return Snapshot(name, told["DBSnapshotArn"], told["Status"], int(told.get("PercentProgress", 0)))
