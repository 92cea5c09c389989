"""Snapshots of real data, and instances made from them or from the automated backups."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

from gymops.errors import GymopsError
from gymops.local.plane import ministack, postgres
from gymops.local.plane.context import Context, iso
from gymops.local.plane.faults import Fault, not_found
from gymops.local.plane.rds import records
from gymops.local.plane.rds.instances import Instances, Request, retention_start
from gymops.local.plane.rds.records import OURS, Record, instances, snapshots

# What a restored instance takes over from the one it was made of; the rest is RDS's default, as on AWS.
_TAKEN_OVER = (
    "Engine", "EngineVersion", "DBInstanceClass", "AllocatedStorage", "StorageType", "MasterUsername",
    "StorageEncrypted", "KmsKeyId", "BackupRetentionPeriod", "PreferredBackupWindow",
)  # fmt: skip


class Snapshots:
    """Copies of instances' data."""

    def __init__(self, context: Context, instances: Instances, keep: Callable[[], None]) -> None:
        self._context = context
        self._instances = instances
        self._keep = keep

    def create(self, name: str, identifier: str, *, kind: str = "manual", tags: Any = ()) -> Record:
        """Copy an instance's data as it is now.

        Raises:
            Fault: the name is taken, or the instance is missing or busy.
        """
        if not name:
            raise Fault("InvalidParameterValue", "DBSnapshotIdentifier must be given")
        if name in snapshots():
            raise Fault("DBSnapshotAlreadyExists", f"Cannot create the snapshot because {name} exists.")
        instance = records.instance(identifier)
        if instance["DBInstanceStatus"] not in {"available", "stopped"}:
            raise Fault(
                "InvalidDBInstanceState",
                f"Cannot create a snapshot because the database instance {identifier} is not currently in"
                " the available state.",
            )
        record = self._register(name, instance, kind, tags)
        database = records.database(self._context, instance)
        target = records.data_of(self._context, record)

        def copy() -> None:
            if postgres.runs(database):
                postgres.base_backup(database, target, durable=self._context.settings.durable)
            else:
                postgres.copy_data(database.data, target)

        return self._pass(record, copy)

    def settle(self, name: str) -> None:
        """Wait until a snapshot is there.

        Raises:
            Fault: it failed.
        """
        record = records.snapshot(name)
        while record["Status"] == "creating":
            self._context.clock.sleep(0.02)
        if record["Status"] == "failed":
            raise Fault("InternalFailure", f"the snapshot {name} failed", 500)

    def copy(self, source: str, name: str, *, tags: Any = None, key: str | None = None) -> Record:
        """A second snapshot of the same data, also into another region."""
        origin = records.snapshot(source)
        if name in snapshots():
            raise Fault("DBSnapshotAlreadyExists", f"Cannot create the snapshot because {name} exists.")
        if origin["Status"] != "available":
            raise Fault("InvalidDBSnapshotState", f"{source} is {origin['Status']}")
        record: Record = {
            **origin,
            "DBSnapshotIdentifier": name,
            "DBSnapshotArn": _snapshot_arn(name),
            "SourceDBSnapshotIdentifier": origin["DBSnapshotArn"],
            "SnapshotType": "manual",
            "SnapshotCreateTime": iso(self._context.clock.now()),
            "TagList": list(tags or []),
            OURS: {**origin[OURS], "data": str(uuid.uuid4())},
        }
        if key:
            record |= {"KmsKeyId": key, "Encrypted": True}
        snapshots()[name] = record
        return self._pass(
            record,
            lambda: _link(records.data_of(self._context, origin), records.data_of(self._context, record)),
        )

    def delete(self, name: str, *, by_owner: bool = False) -> Record:
        """Delete a snapshot and its data.

        Raises:
            Fault: there is none, or it belongs to automated backups or AWS Backup.
        """
        record = records.snapshot(name)
        if record["SnapshotType"] != "manual" and not by_owner:
            owner = "AWS Backup" if record["SnapshotType"] == "awsbackup" else "its instance"
            raise Fault("InvalidDBSnapshotState", f"{name} belongs to {owner} and is deleted by it")
        snapshots().pop(record["DBSnapshotIdentifier"])
        shutil.rmtree(records.data_of(self._context, record), ignore_errors=True)
        records.rds()._tags.pop(record["DBSnapshotArn"], None)
        self._keep()
        return {**record, "Status": "deleted"}

    def automated(self, instance: Record) -> None:
        """The daily backup: a base for point-in-time restores, and a snapshot to see and to copy."""
        self._instances.begin_backups(instance)
        backups = records.backups(self._context, instance["DbiResourceId"])
        now = self._context.clock.now()
        name = f"rds:{instance['DBInstanceIdentifier']}-{now:%Y-%m-%d-%H-%M-%S}"
        record = self._register(name, instance, "automated", ())
        newest = backups.read().bases[-1].name
        _link(backups.folder / "base" / newest, records.data_of(self._context, record))
        record["Status"] = "available"
        limit = retention_start(self._context, instance)
        backups.forget(limit)
        for old in list(snapshots().values()):
            ours = old["DbiResourceId"] == instance["DbiResourceId"] and old["SnapshotType"] == "automated"
            if ours and old["SnapshotCreateTime"] < iso(limit):
                self.delete(old["DBSnapshotIdentifier"], by_owner=True)
        self._keep()

    def drop_automated(self, resource: str) -> None:
        """Delete the automated snapshots of an instance."""
        for old in list(snapshots().values()):
            if old["DbiResourceId"] == resource and old["SnapshotType"] == "automated":
                self.delete(old["DBSnapshotIdentifier"], by_owner=True)

    def restore(self, name: str, request: Request) -> Record:
        """A new instance with a snapshot's data."""
        origin = records.snapshot(name)
        if origin["Status"] != "available":
            raise Fault("InvalidDBSnapshotState", f"{name} is {origin['Status']}")
        record = self._restored(origin, origin, request)
        database = records.database(self._context, record)

        def put_back() -> None:
            postgres.copy_data(records.data_of(self._context, origin), database.data)
            self._open(record, request)

        return self._instances.through(record, "creating", put_back, "available")

    def restore_to_time(self, source: Record, moment: datetime | None, request: Request) -> Record:
        """A new instance with exactly the commits before the first one past ``moment``; None: the latest.

        Raises:
            Fault: there are no backups, or the time is outside of what they cover.
        """
        if not source["BackupRetentionPeriod"]:
            raise Fault(
                "PointInTimeRestoreNotEnabled",
                f"Point-in-time restore is not enabled for {source['DBInstanceIdentifier']}.",
            )
        self._instances.latest_restorable(source)
        backups = records.backups(self._context, source["DbiResourceId"])
        window = backups.window()
        if window is None:
            raise Fault("InvalidRestoreFault", "There is no automated backup to restore from yet.")
        earliest, latest = window
        moment = moment or latest
        if not earliest <= moment <= latest:
            raise Fault(
                "InvalidParameterValue",
                f"The specified instance cannot be restored to {iso(moment)}: the earliest restorable time is"
                f" {iso(earliest)}, the latest {iso(latest)}.",
            )
        record = self._restored(source, source, request)
        database = records.database(self._context, record)

        def put_back() -> None:
            record[OURS]["recovery"] = dict(backups.restore(database, moment))
            self._open(record, request)
            record[OURS].pop("recovery")

        return self._instances.through(record, "creating", put_back, "available")

    def _open(self, record: Record, request: Request) -> None:
        self._instances.bring_up(record)
        self._instances.apply_parameters(record, restart=True)
        if request.get("ManageMasterUserPassword"):
            self._instances.passwords.take_over(record, request.get("MasterUserSecretKmsKeyId"))
        if record["BackupRetentionPeriod"]:
            self._instances.begin_backups(record)

    def _restored(self, origin: Record, source: Record, request: Request) -> Record:
        taken = {key: origin[key] for key in _TAKEN_OVER if origin.get(key) not in (None, "")}
        record = self._instances.register({**taken, **request})
        record["DBName"] = source.get("DBName", "")
        return record

    def _register(self, name: str, instance: Record, kind: str, tags: Any) -> Record:
        record: Record = records.rds()._create_snapshot_internal(name, instance)
        record["SnapshotType"] = kind
        record["Status"] = "creating"
        record["SnapshotCreateTime"] = iso(self._context.clock.now())
        record["BackupRetentionPeriod"] = instance["BackupRetentionPeriod"]
        record["PreferredBackupWindow"] = instance.get("PreferredBackupWindow")
        record["VpcId"] = instance.get("DBSubnetGroup", {}).get("VpcId", "")
        record["TagList"] = list(tags) or (
            list(instance.get("TagList", [])) if instance.get("CopyTagsToSnapshot") else []
        )
        if record["TagList"]:
            records.rds()._tags[record["DBSnapshotArn"]] = record["TagList"]
        record[OURS] = {"data": str(uuid.uuid4())}
        return record

    def _pass(self, record: Record, work: Callable[[], None]) -> Record:
        record["Status"] = "creating"
        record["PercentProgress"] = 0
        self._keep()
        shown = dict(record)

        def finish() -> None:
            try:
                work()
                record["Status"] = "available"
                record["PercentProgress"] = 100
            except (GymopsError, psycopg.Error, OSError) as error:
                record["Status"] = "failed"
                raise Fault("InternalFailure", str(error), 500) from error
            finally:
                self._keep()

        if self._context.settings.delay == 0:
            finish()
        else:
            ministack.background(lambda: self._instances.later(finish), "snapshot")
        return shown


def find_source(request: Request) -> Record:
    """The instance that a point-in-time restore is made of, by name, ARN or resource id.

    Raises:
        Fault: there is none.
    """
    name = request.get("SourceDBInstanceIdentifier")
    resource = request.get("SourceDbiResourceId")
    if name:
        return records.instance(str(name))
    found = [one for one in instances().values() if one["DbiResourceId"] == resource]
    if not found:
        raise not_found("DBInstanceNotFound", "DBInstance", str(resource))
    return found[0]


def _snapshot_arn(name: str) -> str:
    return f"arn:aws:rds:{ministack.region()}:{ministack.account()}:snapshot:{name}"


def _link(source: Any, target: Any) -> None:
    """A copy that shares the files: neither side ever changes them."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copytree(source, target, symlinks=True, copy_function=os.link)
