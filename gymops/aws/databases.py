"""RDS: instances with their settings, what they can be restored from, and restores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gymops.aws import database_settings
from gymops.aws.account import Account
from gymops.aws.instances import Snapshot, snapshot_of
from gymops.aws.session import AwsError, translated

_GONE = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault"})
_NO_SNAPSHOT = frozenset({"DBSnapshotNotFound", "DBSnapshotNotFoundFault"})
_BUSY = frozenset({"InvalidDBInstanceState", "InvalidDBInstanceStateFault"})


@dataclass(frozen=True)
class Database:
    """An instance."""

    name: str
    arn: str
    resource: str
    """Its own for good, also after another got its name: ``db-...``."""
    status: str
    host: str
    """Empty while it is being made."""
    port: int
    encrypted: bool
    key: str
    """The ARN of the key it is encrypted with."""
    secret: str | None
    """The ARN of the master's password, where RDS keeps it."""
    latest: datetime | None
    """The latest time that can be restored."""
    made: datetime | None
    changing: bool
    """Whether a change of its settings is not done yet."""
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By the names that ``database_settings`` has."""


@dataclass(frozen=True)
class Automated:
    """The automated backups of an instance, which may be gone."""

    instance: str
    arn: str
    resource: str
    status: str
    """``active``, ``retained``, ``creating``, ..."""
    earliest: datetime | None
    latest: datetime | None
    encrypted: bool


class Databases:
    """The instances of an account and region."""

    def __init__(self, account: Account, region: str | None = None) -> None:
        self._account = account
        self.region = region or account.region

    def find(self, name: str) -> Database | None:
        """An instance; None if there is none."""
        try:
            with translated(f"the database {name}"):
                found = self._client.describe_db_instances(DBInstanceIdentifier=name)
        except AwsError as error:
            if error.reason in _GONE:
                return None
            raise
        return _database(found["DBInstances"][0])

    def all(self) -> list[Database]:
        """Every instance."""
        with translated("the databases"):
            pages = self._client.get_paginator("describe_db_instances").paginate()
            return [_database(one) for page in pages for one in page["DBInstances"]]

    def of(self, resource: str) -> Database | None:
        """The instance with this resource id, whatever it is called by now; None if there is none."""
        return next((one for one in self.all() if one.resource == resource), None)

    def snapshots(self, instance: str) -> list[Snapshot]:
        """The snapshots of an instance, also after it is gone: its own, and RDS's daily ones."""
        with translated(f"the snapshots of {instance}"):
            pages = self._client.get_paginator("describe_db_snapshots").paginate(
                DBInstanceIdentifier=instance
            )
            found = [one for page in pages for one in page["DBSnapshots"]]
        return [snapshot_of(one) for one in found if one.get("SnapshotType") != "awsbackup"]

    def forget_snapshot(self, name: str) -> None:
        """Delete a snapshot; one that is gone is deleted already."""
        try:
            with translated(f"deleting the snapshot {name}"):
                self._client.delete_db_snapshot(DBSnapshotIdentifier=name)
        except AwsError as error:
            if error.reason not in _NO_SNAPSHOT:
                raise

    def automated(self, instance: str | None = None) -> list[Automated]:
        """The automated backups of instances of a name, of all without one: of what is there, and of what
        went.
        """
        asked = {"DBInstanceIdentifier": instance} if instance else {}
        try:
            with translated(f"the automated backups of {instance or 'all databases'}"):
                pages = self._client.get_paginator("describe_db_instance_automated_backups").paginate(**asked)
                return [_automated(one) for page in pages for one in page["DBInstanceAutomatedBackups"]]
        except AwsError as error:
            if error.reason.startswith("DBInstanceAutomatedBackupNotFound"):
                return []
            raise

    def restore_snapshot(
        self, name: str, snapshot: str, settings: Mapping[str, Any], tags: Mapping[str, str]
    ) -> None:
        """Begin to restore a snapshot (its name, or its ARN) as a new instance."""
        with translated(f"restoring {snapshot} as {name}"):
            self._client.restore_db_instance_from_db_snapshot(
                DBInstanceIdentifier=name,
                DBSnapshotIdentifier=snapshot,
                Tags=_tags(tags),
                **self._given("RestoreDBInstanceFromDBSnapshot", settings),
            )

    def restore_time(
        self, name: str, resource: str, at: datetime, settings: Mapping[str, Any], tags: Mapping[str, str]
    ) -> None:
        """Begin to restore an instance, by its resource id, as it was at a time; it may be gone."""
        with translated(f"restoring {resource} to {at:%Y-%m-%dT%H:%M:%SZ} as {name}"):
            self._client.restore_db_instance_to_point_in_time(
                TargetDBInstanceIdentifier=name,
                SourceDbiResourceId=resource,
                RestoreTime=at,
                Tags=_tags(tags),
                **self._given("RestoreDBInstanceToPointInTime", settings),
            )

    def conform(self, name: str, settings: Mapping[str, Any]) -> Sequence[str]:
        """Begin to change what is not set so; the names of what is changed."""
        there = self.find(name)
        if there is None:
            raise AwsError(f"the database {name} is gone", reason="DBInstanceNotFound")
        changes = database_settings.to_change(settings, there.settings)
        if changes:
            with translated(f"the settings of {name}"):
                self._client.modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True, **changes)
        return sorted(changes)

    def rename(self, name: str, new: str) -> bool:
        """Begin to give an instance another name, and protect it. False: it is in a state in which that
        cannot be done; ask again.
        """
        try:
            with translated(f"renaming {name} to {new}"):
                self._client.modify_db_instance(
                    DBInstanceIdentifier=name,
                    NewDBInstanceIdentifier=new,
                    DeletionProtection=True,
                    ApplyImmediately=True,
                )
        except AwsError as error:
            if error.reason not in _BUSY | _GONE:
                raise
            return False
        return True

    def untag(self, arn: str, names: Sequence[str]) -> None:
        """Take tags from an instance."""
        with translated(f"the tags of {arn}"):
            self._client.remove_tags_from_resource(ResourceName=arn, TagKeys=list(names))

    def delete(self, name: str) -> bool:
        """Begin to delete an instance with its automated backups, and without a final snapshot: one that a
        restore made. False: it is in a state in which nothing is deleted; ask again.
        """
        there = self.find(name)
        if there is None or there.status == "deleting":
            return True
        try:
            with translated(f"deleting {name}"):
                if there.settings.get("DeletionProtection"):
                    self._client.modify_db_instance(
                        DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
                    )
                self._client.delete_db_instance(
                    DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
                )
        except AwsError as error:
            if error.reason in _BUSY:
                return False
            if error.reason not in _GONE:
                raise
        return True

    def _given(self, operation: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        known = self._client.meta.service_model.operation_model(operation).input_shape.members
        return database_settings.for_restore(settings, frozenset(known))

    @property
    def _client(self) -> Any:
        return self._account.client("rds", self.region)


def _database(told: Mapping[str, Any]) -> Database:
    endpoint = told.get("Endpoint") or {}
    return Database(
        name=told["DBInstanceIdentifier"],
        arn=told["DBInstanceArn"],
        resource=told["DbiResourceId"],
        status=told["DBInstanceStatus"],
        host=endpoint.get("Address", ""),
        port=int(endpoint.get("Port", 0)),
        encrypted=bool(told.get("StorageEncrypted")),
        key=told.get("KmsKeyId", ""),
        secret=(told.get("MasterUserSecret") or {}).get("SecretArn"),
        latest=_utc(told.get("LatestRestorableTime")),
        made=_utc(told.get("InstanceCreateTime")),
        changing=bool(told.get("PendingModifiedValues"))
        or (told.get("MasterUserSecret") or {}).get("SecretStatus") == "creating",
        tags={one["Key"]: one["Value"] for one in told.get("TagList") or ()},
        settings=database_settings.read(told),
    )


def _automated(told: Mapping[str, Any]) -> Automated:
    window = told.get("RestoreWindow") or {}
    return Automated(
        instance=told["DBInstanceIdentifier"],
        arn=told["DBInstanceArn"],
        resource=told["DbiResourceId"],
        status=told.get("Status", ""),
        earliest=_utc(window.get("EarliestTime")),
        latest=_utc(window.get("LatestTime")),
        encrypted=bool(told.get("Encrypted")),
    )


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items() if not key.startswith("aws:")]


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None
