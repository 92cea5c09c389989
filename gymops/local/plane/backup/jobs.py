"""Backup, copy and restore jobs: they pass through their states, and fail where nothing is there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.backup.contents import Contents, Document, kind
from gymops.local.plane.backup.vaults import Vaults
from gymops.local.plane.context import Context
from gymops.local.plane.faults import Fault
from gymops.local.plane.rds import records
from gymops.local.plane.rds.instances import Instances
from gymops.local.plane.rds.snapshots import Snapshots
from gymops.local.plane.store import Store

_GB = 1 << 30
_HOUR = 3_600.0


class Jobs:
    """What AWS Backup does."""

    def __init__(
        self,
        context: Context,
        vaults: Vaults,
        instances: Instances,
        snapshots: Snapshots,
        contents: Contents,
        store: Store,
    ) -> None:
        self._context = context
        self._contents = contents
        self._vaults = vaults
        self._instances = instances
        self._snapshots = snapshots
        self._store = store

    def table(self, kind: str) -> dict[str, Document]:
        """The jobs of one kind: ``backup``, ``copy`` or ``restore``."""
        return self._store.table(f"{kind}-jobs")

    def job(self, kind: str, identifier: str) -> Document:
        """One job.

        Raises:
            Fault: there is none.
        """
        found = self.table(kind).get(identifier)
        if found is None:
            raise Fault("ResourceNotFoundException", f"The {kind} job {identifier} does not exist")
        return found

    def back_up(self, asked: Document) -> Document:
        """Take a recovery point of an instance, a table or a bucket."""
        vault = self._vaults.need(asked["BackupVaultName"])
        identifier, resource = str(uuid.uuid4()), str(asked["ResourceArn"])
        if not resource.startswith("arn:"):
            raise Fault("InvalidParameterValueException", f"{resource} is no ARN")
        self._vaults.check_retention(asked["BackupVaultName"], asked.get("Lifecycle") or {})
        job = {
            "BackupJobId": identifier, "BackupVaultName": asked["BackupVaultName"],
            "BackupVaultArn": vault["BackupVaultArn"], "ResourceArn": resource,
            "ResourceType": kind(resource) or "RDS", "IamRoleArn": asked.get("IamRoleArn", ""),
            "Lifecycle": asked.get("Lifecycle") or {},
            "CreatedBy": asked.get("CreatedBy") or {}, "BackupSizeInBytes": 0, "PercentDone": "0.0",
            "AccountId": ministack.account(), "IsParent": False, "StatusMessage": "",
            "InitiationDate": self._vaults.now(), "ResourceName": resource.rpartition(":")[2],
            "_tags": dict(asked.get("RecoveryPointTags") or {}),
        }  # fmt: skip
        self.table("backup")[identifier] = job

        def take() -> None:
            if kind(resource):
                where = f"{ministack.region()}:{ministack.account()}"
                arn = f"arn:aws:backup:{where}:recovery-point:{identifier}"
                size = self._contents.take(resource, arn)
                self._vaults.add(asked["BackupVaultName"], arn, resource, job, size)
                job.update({"RecoveryPointArn": arn, "BackupSizeInBytes": size, "PercentDone": "100.0"})
                return
            name = f"awsbackup:job-{identifier}"
            snapshot = self._snapshots.create(name, self._instance(resource)["DBInstanceIdentifier"],
                                              kind="awsbackup")  # fmt: skip
            self._snapshots.settle(name)
            size = int(snapshot["AllocatedStorage"]) * _GB
            arn = str(snapshot["DBSnapshotArn"])
            self._vaults.add(asked["BackupVaultName"], arn, resource, job, size)
            job.update({"RecoveryPointArn": arn, "BackupSizeInBytes": size, "PercentDone": "100.0"})

        self._run(job, "CREATED", take)
        return {"BackupJobId": identifier, "CreationDate": job["CreationDate"], "IsParent": False}

    def stop(self, identifier: str) -> None:
        """Abort a backup job that has not ended."""
        job = self.job("backup", identifier)
        if job["State"] not in {"CREATED", "PENDING", "RUNNING"}:
            raise Fault("InvalidRequestException", f"The job {identifier} is {job['State']} already")
        job["State"] = "ABORTED"

    def copy(self, asked: Document) -> Document:
        """Copy a recovery point into another vault, also in another region."""
        point = self._vaults.point(asked["RecoveryPointArn"], asked["SourceBackupVaultName"])
        if point["ResourceType"] != "RDS":
            raise Fault("InvalidRequestException", "The local AWS copies recovery points of RDS only")
        _, _, _, region, account, _, vault = str(asked["DestinationBackupVaultArn"]).split(":", 6)
        if account != ministack.account():
            raise Fault("AccessDeniedException", "The local AWS copies within an account only", 403)
        identifier = str(uuid.uuid4())
        with ministack.scope(account, region):
            self._vaults.need(vault)
            self._vaults.check_retention(vault, asked.get("Lifecycle") or {})
        job = {
            "CopyJobId": identifier, "SourceRecoveryPointArn": point["RecoveryPointArn"],
            "SourceBackupVaultArn": point["BackupVaultArn"], "IamRoleArn": asked.get("IamRoleArn", ""),
            "DestinationBackupVaultArn": asked["DestinationBackupVaultArn"],
            "ResourceArn": point["ResourceArn"], "ResourceType": "RDS", "AccountId": account,
            "BackupSizeInBytes": point["BackupSizeInBytes"], "Lifecycle": asked.get("Lifecycle") or {},
            "CreatedBy": point["CreatedBy"], "StatusMessage": "", "_tags": self._vaults.tags(point),
        }  # fmt: skip
        self.table("copy")[identifier] = job

        def take() -> None:
            name = f"awsbackup:copyjob-{identifier}"
            with ministack.scope(account, region):
                made = self._snapshots.copy(point["RecoveryPointArn"], name)
                self._snapshots.settle(name)
                records.snapshot(name)["SnapshotType"] = "awsbackup"
                arn = str(made["DBSnapshotArn"])
                self._vaults.add(vault, arn, point["ResourceArn"], job, point["BackupSizeInBytes"])
            job["DestinationRecoveryPointArn"] = arn

        self._run(job, "CREATED", take)
        return {"CopyJobId": identifier, "CreationDate": job["CreationDate"], "IsParent": False}

    def restore(self, asked: Document) -> Document:
        """A new instance, table or bucket from a recovery point."""
        point = self._vaults.point(asked["RecoveryPointArn"])
        metadata = dict(asked.get("Metadata") or {})
        if point["ResourceType"] == "RDS" and not metadata.get("DBInstanceIdentifier"):
            raise Fault("InvalidParameterValueException", "Metadata must hold DBInstanceIdentifier")
        identifier = str(uuid.uuid4())
        job = {
            "RestoreJobId": identifier, "RecoveryPointArn": point["RecoveryPointArn"],
            "IamRoleArn": asked.get("IamRoleArn", ""), "ResourceType": point["ResourceType"],
            "PercentDone": "0.00%",
            "BackupSizeInBytes": point["BackupSizeInBytes"], "AccountId": ministack.account(),
            "RecoveryPointCreationDate": point["CreationDate"], "StatusMessage": "",
            "SourceResourceArn": point["ResourceArn"], "CreatedBy": asked.get("CreatedBy") or {},
            "_metadata": metadata,
        }  # fmt: skip
        if (hours := asked.get("_hours")) is not None:  # of a restore test
            job["ValidationStatus"] = "VALIDATING" if hours else "SUCCESSFUL"
            job["_delete_at"] = self._vaults.now() + hours * _HOUR
        self.table("restore")[identifier] = job

        def put_back() -> None:
            if point["ResourceType"] != "RDS":
                made = self._contents.put_back(point, metadata)
                job.update({"CreatedResourceArn": made, "PercentDone": "100.00%"})
                return
            request = _request(metadata)
            name = point["RecoveryPointArn"].partition(":snapshot:")[2]
            self._snapshots.restore(name, request)
            record = records.instance(request["DBInstanceIdentifier"])
            self._instances.settle(record)
            job.update({"CreatedResourceArn": record["DBInstanceArn"], "PercentDone": "100.00%"})

        self._run(job, "PENDING", put_back, key="Status")
        return {"RestoreJobId": identifier}

    def metadata(self, arn: str, vault: str) -> Document:
        """With what a recovery point would be restored as its source was."""
        if self._vaults.point(arn, vault)["ResourceType"] != "RDS":
            return {}
        snapshot = records.snapshot(arn)
        keys = ("DBInstanceClass", "Engine", "StorageType", "AllocatedStorage")
        return {key: str(snapshot[key]) for key in keys if key in snapshot} | {
            "DBInstanceIdentifier": str(snapshot["DBInstanceIdentifier"])
        }

    def _instance(self, arn: str) -> Any:
        parts = arn.split(":", 6)
        if parts[2] != "rds" or parts[5] != "db":
            raise Fault("InvalidParameterValueException", f"The local AWS backs up no {arn}")
        if (parts[4], parts[3]) != (ministack.account(), ministack.region()):
            raise Fault("AccessDeniedException", f"{arn} belongs to another account or region")
        return records.instance(parts[6])

    def _run(self, job: Document, first: str, work: Callable[[], None], key: str = "State") -> None:
        job |= {key: first, "CreationDate": self._vaults.now()}
        delay = self._context.settings.delay

        def go() -> None:
            if delay:
                self._context.clock.sleep(delay / 2)
            if job[key] != first:
                return  # aborted
            job[key] = "RUNNING"
            if delay:
                self._context.clock.sleep(delay / 2)
            if job[key] != "RUNNING":
                return
            try:
                work()
                job[key] = "COMPLETED"
            except Fault as fault:
                job.update({key: "FAILED", "StatusMessage": fault.message})
            job["CompletionDate"] = self._vaults.now()
            if key == "Status":
                self._say_restored(job)

        if delay:
            ministack.background(go, "backup")
        else:
            go()

    def _say_restored(self, job: Document) -> None:
        """The event that AWS Backup sends when a restore has ended."""
        detail = {
            "restoreJobId": job["RestoreJobId"], "status": job["Status"], "resourceType": job["ResourceType"],
            "createdResourceArn": job.get("CreatedResourceArn", ""),
            "recoveryPointArn": job["RecoveryPointArn"],
            "sourceResourceArn": job["SourceResourceArn"], "iamRoleArn": job["IamRoleArn"],
            **{key[0].lower() + key[1:]: value for key, value in job["CreatedBy"].items()},
        }  # fmt: skip
        event = {
            "Source": "aws.backup", "DetailType": "Restore Job State Change", "Detail": json.dumps(detail),
            "Resources": [job["RecoveryPointArn"]],
        }  # fmt: skip
        ministack.service("eventbridge")._put_events({"Entries": [event]}, allow_aws_source=True)


def shown(job: Document) -> Document:
    """A job as its API shows it."""
    return {name: value for name, value in job.items() if not name.startswith("_")}


def _request(metadata: Document) -> Document:
    """A restore's metadata, all text, as a request to RDS."""
    request: Document = {}
    for key, value in metadata.items():
        name = key[0].upper() + key[1:]
        if name == "VpcSecurityGroupIds":
            request[name] = json.loads(value) if str(value).startswith("[") else [value]
        elif str(value).lower() in {"true", "false"}:
            request[name] = str(value).lower() == "true"
        else:
            request[name] = value
    for name in ("Engine", "AllocatedStorage", "Iops"):
        if name in request and not request[name]:
            request.pop(name)
    return request
