"""``AWS::RDS::DBInstance`` in a stack: the same methods as the API's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.faults import Fault
from gymops.local.plane.rds import records
from gymops.local.plane.rds.instances import Instances, Request
from gymops.local.plane.rds.records import Record
from gymops.local.plane.rds.snapshots import Snapshots

TYPE = "AWS::RDS::DBInstance"
Props = dict[str, Any]
Made = tuple[str, dict[str, Any]]

_RENAMED = {
    "VPCSecurityGroups": "VpcSecurityGroupIds",
}
# A change of these makes another instance, as the resource's reference says.
_REPLACING = (
    "DBInstanceIdentifier", "DBName", "DBSubnetGroupName", "Engine", "MasterUsername", "StorageEncrypted",
    "KmsKeyId", "DBSnapshotIdentifier", "SourceDBInstanceIdentifier", "Port",
)  # fmt: skip


class StackInstances:
    """DB instances as resources."""

    def __init__(self, instances: Instances, snapshots: Snapshots, retain: Callable[[Record], bool]) -> None:
        self._instances = instances
        self._snapshots = snapshots
        self._retain = retain

    def handlers(self) -> dict[str, Any]:
        """As CloudFormation's provisioner wants them."""
        return {
            "create": self.create, "update": self.update, "update_with_logical_id": True,
            "delete": self.delete, "snapshot": self.snapshot,
        }  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        """Create, or restore where the template names a snapshot."""
        request = _request(props)
        request.setdefault("DBInstanceIdentifier", ministack.physical_name(stack, logical_id, max_len=63))
        if request.get("DBClusterIdentifier"):
            raise Fault("InvalidParameterValue", "The local AWS has no DB clusters")
        if name := request.pop("DBSnapshotIdentifier", None):
            record = self._snapshots.restore(name, request)
        else:
            record = self._instances.create(request)
        return self._made(record["DBInstanceIdentifier"])

    def update(
        self, physical_id: str, old: Props, new: Props, stack: str, logical_id: str | None = None
    ) -> Made:
        """Modify; or replace, the new instance before the old one goes."""
        if any(old.get(key) != new.get(key) for key in _REPLACING):
            if new.get("DBInstanceIdentifier") == physical_id:
                raise Fault(
                    "InvalidParameterValue",
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing."
                    f" Rename {physical_id} and update the stack again.",
                )
            made = self.create(f"{logical_id or physical_id}2", new, stack)
            self.delete(physical_id, old)
            return made
        before, after = _request(old), _request(new)
        changed = {key: value for key, value in after.items() if before.get(key) != value}
        for key in ("DeletionProtection", "MultiAZ", "ManageMasterUserPassword"):
            if key in before and key not in after:
                changed[key] = False
        record = records.instance(physical_id)
        if changed:
            self._instances.modify(physical_id, {**changed, "ApplyImmediately": True})
        if "Tags" in changed:
            record["TagList"] = list(after["Tags"])
            records.rds()._tags[record["DBInstanceArn"]] = record["TagList"]
        return self._made(physical_id)

    def _made(self, name: str) -> Made:
        record = records.instance(name)
        self._instances.settle(record)
        return _attributes(record)

    def delete(self, physical_id: str, props: Props) -> None:
        """Delete, unless it is protected; one that is gone already is no failure."""
        if physical_id in records.instances():
            record = records.instance(physical_id)
            self._instances.check_deletable(physical_id)
            keep = str(props.get("DeleteAutomatedBackups", True)).lower() == "false" and self._retain(record)
            if not keep:
                self._snapshots.drop_automated(record["DbiResourceId"])
            self._instances.delete(physical_id, keep_backups=keep)
            self._instances.settle(record)

    def snapshot(self, physical_id: str, props: Props) -> None:  # noqa: ARG002 - as above
        """``DeletionPolicy: Snapshot``; not for one that will not be deleted."""
        self._instances.check_deletable(physical_id)
        number, taken = 1, records.snapshots()
        while (name := f"{physical_id}-final-snapshot-{number}") in taken:
            number += 1
        self._snapshots.create(name, physical_id)
        self._snapshots.settle(name)


def _request(props: Props) -> Request:
    found: Request = {}
    for key, value in props.items():
        name = _RENAMED.get(key, key)
        found[name] = (
            value.lower() == "true"
            if str(value).lower() in {"true", "false"} and isinstance(value, str)
            else value
        )
    secret = found.pop("MasterUserSecret", None)
    if isinstance(secret, dict) and secret.get("KmsKeyId"):
        found["MasterUserSecretKmsKeyId"] = secret["KmsKeyId"]
    for key in ("BackupRetentionPeriod", "AllocatedStorage"):
        if key in found:
            found[key] = int(found[key])
    return found


def _attributes(record: Record) -> Made:
    attributes = {
        "Endpoint.Address": record["Endpoint"]["Address"],
        "Endpoint.Port": str(record["Endpoint"]["Port"]),
        "Endpoint.HostedZoneId": record["Endpoint"]["HostedZoneId"],
        "DbiResourceId": record["DbiResourceId"],
        "DBInstanceArn": record["DBInstanceArn"],
    }
    if record.get("MasterUserSecret"):
        attributes["MasterUserSecret.SecretArn"] = record["MasterUserSecret"]["SecretArn"]
    return record["DBInstanceIdentifier"], attributes
