"""Vaults: what they hold, what their lock allows, and what has expired."""

from __future__ import annotations

from gymops.local.plane import ministack
from gymops.local.plane.backup.contents import Contents, Document, kind
from gymops.local.plane.context import Context
from gymops.local.plane.faults import Fault
from gymops.local.plane.rds.snapshots import Snapshots
from gymops.local.plane.store import Store

_DAY = 86_400


class Vaults:
    """The vaults and recovery points of the account and region being served."""

    def __init__(self, context: Context, snapshots: Snapshots, contents: Contents, store: Store) -> None:
        self._context = context
        self._contents = contents
        self._snapshots = snapshots
        self._store = store

    def now(self) -> float:
        """The time, in AWS's seconds."""
        return self._context.clock.now().timestamp()

    def need(self, vault: str) -> Document:
        """A vault's record.

        Raises:
            Fault: there is none.
        """
        found: Document | None = ministack.service("backup")._vaults.get(vault)
        if found is None:
            raise Fault("ResourceNotFoundException", f"Backup vault {vault} does not exist")
        return found

    def points(self) -> dict[str, Document]:
        """All recovery points, by their ARN."""
        return self._store.table("recovery-points")

    def point(self, arn: str, vault: str | None = None) -> Document:
        """One recovery point.

        Raises:
            Fault: there is none, or not in this vault.
        """
        found = self.points().get(arn)
        if found is None or (vault and found["BackupVaultName"] != vault):
            raise Fault("ResourceNotFoundException", f"Recovery point {arn} does not exist")
        return found

    def add(self, vault: str, arn: str, resource: str, job: Document, size: int) -> Document:
        """Record a recovery point."""
        record = self.need(vault)
        point = {
            "RecoveryPointArn": arn, "BackupVaultName": vault, "BackupVaultArn": record["BackupVaultArn"],
            "ResourceArn": resource, "ResourceType": kind(resource) or "RDS",
            "ResourceName": resource.rpartition(":")[2],
            "Status": "COMPLETED", "CreationDate": self.now(), "CompletionDate": self.now(),
            "IamRoleArn": job.get("IamRoleArn", ""), "Lifecycle": job.get("Lifecycle") or {},
            "CreatedBy": job.get("CreatedBy") or {}, "IsEncrypted": True, "IsParent": False,
            "BackupSizeInBytes": size, "StorageClass": "WARM",
            "EncryptionKeyArn": record.get("EncryptionKeyArn", ""),
            "VaultType": "BACKUP_VAULT",
        }  # fmt: skip
        self._dated(point)
        self.points()[arn] = point
        self._store.table("recovery-point-tags")[arn] = dict(job.get("_tags") or {})
        self._count(vault)
        return point

    def tags(self, point: Document) -> dict[str, str]:
        """The tags of a recovery point."""
        return dict(self._store.table("recovery-point-tags").get(point["RecoveryPointArn"], {}))

    def delete_point(self, vault: str, arn: str) -> None:
        """Delete a recovery point and its data.

        Raises:
            Fault: the vault is locked and it must be kept still.
        """
        point = self.point(arn, vault)
        lock = self.lock(vault)
        kept_until = point["CreationDate"] + int(lock.get("MinRetentionDays") or 0) * _DAY
        if lock and (self.now() < kept_until or not lock.get("MinRetentionDays")):
            raise Fault(
                "InvalidRequestException",
                f"Recovery point {arn} cannot be deleted: the vault {vault} is locked",
            )
        self._drop(point)

    def set_lifecycle(self, vault: str, arn: str, lifecycle: Document) -> Document:
        """Change how long a recovery point is kept."""
        point = self.point(arn, vault)
        self.check_retention(vault, lifecycle)
        point["Lifecycle"] = lifecycle
        self._dated(point)
        return point

    def lock(self, vault: str) -> Document:
        """A vault's lock; empty when it has none."""
        return self._store.table("vault-locks").get(vault, {})

    def set_lock(self, vault: str, asked: Document) -> None:
        """Lock a vault; with ``ChangeableForDays`` for good after that time (compliance)."""
        self.need(vault)
        self._need_changeable(vault)
        days = asked.get("ChangeableForDays")
        if days is not None and int(days) < 3:
            raise Fault("InvalidParameterValueException", "ChangeableForDays must be at least 3")
        low, high = asked.get("MinRetentionDays"), asked.get("MaxRetentionDays")
        if low is not None and high is not None and int(low) > int(high):
            raise Fault("InvalidParameterValueException", "MinRetentionDays is above MaxRetentionDays")
        self._store.table("vault-locks")[vault] = {
            "MinRetentionDays": low, "MaxRetentionDays": high,
            "LockDate": self.now() + int(days) * _DAY if days is not None else None,
        }  # fmt: skip

    def unlock(self, vault: str) -> None:
        """Take the lock off, while that is allowed."""
        self.need(vault)
        self._need_changeable(vault)
        self._store.table("vault-locks").pop(vault, None)

    def check_retention(self, vault: str, lifecycle: Document) -> None:
        """Compare a lifecycle with the vault's lock.

        Raises:
            Fault: it would be kept for too short or too long, or cold for too short.
        """
        lock, days = self.lock(vault), lifecycle.get("DeleteAfterDays")
        low, high = lock.get("MinRetentionDays"), lock.get("MaxRetentionDays")
        if low and days is not None and int(days) < int(low):
            raise Fault("InvalidParameterValueException", f"The retention is under the vault's {low} days")
        if high and (days is None or int(days) > int(high)):
            raise Fault("InvalidParameterValueException", f"The retention is over the vault's {high} days")
        cold = lifecycle.get("MoveToColdStorageAfterDays")
        if cold and days and int(days) < int(cold) + 90:
            raise Fault("InvalidParameterValueException", "DeleteAfterDays must be 90 days after the move")

    def describe(self, shown: Document) -> Document:
        """What the emulator shows of a vault, with what is true of it."""
        vault = shown["BackupVaultName"]
        held = sum(point["BackupVaultName"] == vault for point in self.points().values())
        lock = {key: value for key, value in self.lock(vault).items() if value is not None}
        return {**shown, "NumberOfRecoveryPoints": held, "Locked": bool(self.lock(vault)), **lock}

    def need_empty(self, vault: str) -> None:
        """Refuse to delete a vault that holds something."""
        if any(point["BackupVaultName"] == vault for point in self.points().values()):
            raise Fault(
                "InvalidRequestException", f"Backup vault {vault} cannot be deleted: it has recovery points"
            )

    def expire(self) -> None:
        """Delete what has been kept for as long as it was to be."""
        for point in list(self.points().values()):
            if self.now() >= point.get("CalculatedLifecycle", {}).get("DeleteAt", float("inf")):
                self._drop(point)

    def _drop(self, point: Document) -> None:
        if point["ResourceType"] == "RDS":
            self._snapshots.delete(point["RecoveryPointArn"].partition(":snapshot:")[2], by_owner=True)
        else:
            self._contents.drop(point["RecoveryPointArn"])
        self.points().pop(point["RecoveryPointArn"])
        self._store.table("recovery-point-tags").pop(point["RecoveryPointArn"], None)
        self._count(point["BackupVaultName"])

    def _dated(self, point: Document) -> None:
        days = point["Lifecycle"].get("DeleteAfterDays")
        # Always warm: RDS has no cold storage, and AWS ignores a move to it there.
        point["CalculatedLifecycle"] = {"DeleteAt": point["CreationDate"] + int(days) * _DAY} if days else {}

    def _need_changeable(self, vault: str) -> None:
        date = self.lock(vault).get("LockDate")
        if date is not None and self.now() >= date:
            raise Fault("InvalidRequestException", f"The lock of {vault} is for good")

    def _count(self, vault: str) -> None:
        self.need(vault)["NumberOfRecoveryPoints"] = sum(
            point["BackupVaultName"] == vault for point in self.points().values()
        )
