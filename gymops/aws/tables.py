"""DynamoDB: tables, what is in them, and their backups on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.backup_jobs import Job
from gymops.aws.session import AwsError, translated

Item = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB spells it: attribute -> type -> value."""
_GONE = frozenset({"ResourceNotFoundException", "TableNotFoundException", "BackupNotFoundException"})
_LOOKS = 12
"""So often in a row a new table is not found before it is gone."""


@dataclass(frozen=True)
class Table:
    """A table."""

    name: str
    arn: str
    status: str
    """``CREATING``, ``ACTIVE``, ``DELETING``, ..."""
    keys: tuple[str, ...]
    """The attributes of its primary key, the partition's first."""
    made: datetime
    continuous: bool
    """Whether it can be restored to any time: point-in-time recovery."""
    window: tuple[datetime, datetime] | None = None
    """Between which times; None: to none, or to none yet."""


@dataclass(frozen=True)
class TableBackup:
    """A backup on demand."""

    arn: str
    name: str
    status: str
    """``CREATING``, ``AVAILABLE``, ``DELETED``."""
    made: datetime
    bytes: int | None


class Tables:
    """The tables of an account's region."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._missed: dict[str, int] = {}
        """So often in a row a table was not there that is restored."""

    def find(self, name: str) -> Table | None:
        """A table; None if there is none."""
        try:
            with translated(f"the table {name}"):
                told = self._client.describe_table(TableName=name)["Table"]
                kept = self._client.describe_continuous_backups(TableName=name)
        except AwsError as error:
            if error.reason in _GONE:
                return None
            raise
        recovery = kept["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription") or {}
        on = recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
        ends = [recovery.get(f"{end}RestorableDateTime") for end in ("Earliest", "Latest")]
        keys = sorted(told["KeySchema"], key=lambda one: one["KeyType"] != "HASH")
        return Table(
            name,
            told["TableArn"],
            told["TableStatus"],
            tuple(one["AttributeName"] for one in keys),
            told["CreationDateTime"].astimezone(UTC),
            on,
            (ends[0].astimezone(UTC), ends[1].astimezone(UTC)) if on and ends[0] and ends[1] else None,
        )

    def key(self, name: str) -> str | None:
        """The key of KMS by which a table is encrypted; None: DynamoDB's own, or there is no table."""
        try:
            with translated(f"the table {name}"):
                told = self._client.describe_table(TableName=name)["Table"]
        except AwsError as error:
            if error.reason in _GONE:
                return None
            raise
        return (told.get("SSEDescription") or {}).get("KMSMasterKeyArn")

    def items(self, name: str) -> Iterator[Item]:
        """All items, each as it is when it is read; no snapshot."""
        with translated(f"the table {name}"):
            pages = self._client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
            for page in pages:
                yield from page["Items"]

    def back_up(self, table: str, name: str) -> str:
        """Begin a backup of what is in a table now; its ARN."""
        with translated(f"a backup of {table}"):
            told = self._client.create_backup(TableName=table, BackupName=name)
        return str(told["BackupDetails"]["BackupArn"])

    def backups(self, table: str) -> list[TableBackup]:
        """A table's backups on demand, also of one that is deleted; the oldest first."""
        with translated(f"the backups of {table}"):
            pages = self._client.get_paginator("list_backups").paginate(TableName=table, BackupType="USER")
            found = [one for page in pages for one in page["BackupSummaries"]]
        made = [
            TableBackup(
                one["BackupArn"],
                one["BackupName"],
                one["BackupStatus"],
                one["BackupCreationDateTime"].astimezone(UTC),
                one.get("BackupSizeBytes"),
            )
            for one in found
        ]
        return sorted(made, key=lambda one: one.made)

    def backing_up(self, arn: str) -> Job:
        """How far a backup is."""
        with translated(f"the backup {arn}"):
            told = self._client.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]
        done = {"AVAILABLE": "COMPLETED", "DELETED": "FAILED"}.get(told["BackupStatus"], "RUNNING")
        return Job(arn, done, "", "", arn if done == "COMPLETED" else None)

    def forget(self, arn: str) -> None:
        """Delete a backup; one that is gone is deleted already."""
        try:
            with translated(f"the backup {arn}"):
                self._client.delete_backup(BackupArn=arn)
        except AwsError as error:
            if error.reason not in _GONE:
                raise

    def restore(self, arn: str, name: str) -> None:
        """Begin to make a table of a backup, encrypted as the one it is of."""
        with translated(f"{name} from {arn}"):
            told = self._client.describe_backup(BackupArn=arn)["BackupDescription"]
            key = (told.get("SourceTableFeatureDetails") or {}).get("SSEDescription") or {}
            given = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key.get("KMSMasterKeyArn")}
            own = {"SSESpecificationOverride": given} if key.get("KMSMasterKeyArn") else {}
            self._client.restore_table_from_backup(TargetTableName=name, BackupArn=arn, **own)

    def restore_at(self, source: str, name: str, at: datetime) -> None:
        """Begin to make a table as another was at a whole second, encrypted as that one."""
        key = self.key(source)
        given = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        own = {"SSESpecificationOverride": given} if key else {}
        with translated(f"{name} from {source}"):
            self._client.restore_table_to_point_in_time(
                SourceTableName=source, TargetTableName=name, RestoreDateTime=at, **own
            )

    def restoring(self, name: str) -> Job:
        """How far a table is that is restored; DynamoDB may tell of a new one a little later."""
        try:
            with translated(f"the table {name}"):
                status = self._client.describe_table(TableName=name)["Table"]["TableStatus"]
        except AwsError as error:
            self._missed[name] = self._missed.get(name, 0) + 1
            if error.reason not in _GONE or self._missed[name] > _LOOKS:
                raise
            return Job(name, "RUNNING", "", "", name)
        self._missed.pop(name, None)
        return Job(name, "COMPLETED" if status == "ACTIVE" else "RUNNING", "", "", name)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Say what a table is for."""
        with translated(f"the table {name}"):
            arn = self._client.describe_table(TableName=name)["Table"]["TableArn"]
            given = [{"Key": key, "Value": value} for key, value in tags.items()]
            self._client.tag_resource(ResourceArn=arn, Tags=given)

    def delete(self, name: str) -> bool:
        """Begin to delete a table; whether it is still there."""
        try:
            with translated(f"the table {name}"):
                if self._client.describe_table(TableName=name)["Table"]["TableStatus"] != "DELETING":
                    self._client.delete_table(TableName=name)
        except AwsError as error:
            if error.reason in _GONE:
                return False
            if error.reason != "ResourceInUseException":  # it is being made still, or deleted
                raise
        return True

    def put(self, name: str, item: Item) -> None:
        """Write an item."""
        with translated(f"the table {name}"):
            self._client.put_item(TableName=name, Item=item)

    def remove(self, name: str, key: Item) -> None:
        """Delete an item."""
        with translated(f"the table {name}"):
            self._client.delete_item(TableName=name, Key=key)

    @property
    def _client(self) -> Any:
        return self._account.client("dynamodb")
