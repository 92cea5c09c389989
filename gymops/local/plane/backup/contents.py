"""What AWS Backup keeps of tables and buckets: all that was in them, as it was."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.calls import Calls
from gymops.local.plane.faults import Fault
from gymops.local.plane.store import Store

Document = dict[str, Any]
TABLE, BUCKET = "DynamoDB", "S3"


def kind(resource: str) -> str | None:
    """As what AWS Backup knows a resource, by its ARN; None: neither a table nor a bucket."""
    parts = resource.split(":", 5)
    if parts[2] == "dynamodb" and parts[5].startswith("table/"):
        return TABLE
    return BUCKET if parts[2] == "s3" and "/" not in parts[5] else None


class Contents:
    """The copies of an account and region, by the ARN of their recovery point."""

    def __init__(self, calls: Calls, store: Store) -> None:
        self._calls, self._store = calls, store

    def resources(self) -> Iterator[str]:
        """The ARNs of all tables and buckets."""
        where = f"{ministack.region()}:{ministack.account()}"
        for name in self._calls.client("dynamodb").list_tables()["TableNames"]:
            yield f"arn:aws:dynamodb:{where}:table/{name}"
        for one in self._calls.client("s3").list_buckets()["Buckets"]:
            yield f"arn:aws:s3:::{one['Name']}"

    def take(self, resource: str, point: str) -> int:
        """Copy what is in it now; the bytes.

        Raises:
            Fault: it is not there, or a bucket without versions.
        """
        name = _name(resource)
        with self._refusals():
            found = self._table(name, point) if kind(resource) == TABLE else self._bucket(name)
        self._store.table("recovery-point-contents")[point] = found
        return int(found["bytes"])

    def put_back(self, point: Document, metadata: Document) -> str:
        """Make a new table or bucket of a copy; its ARN.

        Raises:
            Fault: there is one of that name, or none is given.
        """
        kept = self._store.table("recovery-point-contents")[point["RecoveryPointArn"]]
        with self._refusals():
            if point["ResourceType"] == TABLE:
                return self._new_table(kept, _given(metadata, "targetTableName"))
            return self._new_bucket(kept, _given(metadata, "DestinationBucketName"))

    def drop(self, point: str) -> None:
        """Forget a copy."""
        kept = self._store.table("recovery-point-contents").pop(point, {})
        if "backup" in kept:
            self._calls.client("dynamodb").delete_backup(BackupArn=kept["backup"])

    def _table(self, name: str, point: str) -> Document:
        made = self._calls.client("dynamodb").create_backup(
            TableName=name, BackupName=f"awsbackup-{point.rpartition(':')[2]}"
        )["BackupDetails"]
        return {"backup": made["BackupArn"], "bytes": made.get("BackupSizeBytes") or 0}

    def _bucket(self, name: str) -> Document:
        s3 = self._calls.client("s3")
        if s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
            raise Fault("InvalidParameterValueException", f"The bucket {name} has no versioning")
        objects = []
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
            for one in page.get("Contents", []):
                told = s3.get_object(Bucket=name, Key=one["Key"])
                objects.append(
                    {
                        "Key": one["Key"], "Body": base64.b64encode(told["Body"].read()).decode(),
                        "ContentType": told["ContentType"], "Metadata": told["Metadata"],
                    }
                )  # fmt: skip
        return {"objects": objects, "bytes": sum(len(one["Body"]) * 3 // 4 for one in objects)}

    def _new_table(self, kept: Document, name: str) -> str:
        made = self._calls.client("dynamodb").restore_table_from_backup(
            TargetTableName=name, BackupArn=kept["backup"]
        )
        return str(made["TableDescription"]["TableArn"])

    def _new_bucket(self, kept: Document, name: str) -> str:
        s3 = self._calls.client("s3")
        s3.create_bucket(Bucket=name, **_place())
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        for one in kept["objects"]:
            s3.put_object(Bucket=name, **{**one, "Body": base64.b64decode(one["Body"])})
        return f"arn:aws:s3:::{name}"

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """What the services refuse ends the job, and not us."""
        try:
            yield
        except Exception as error:
            if code := self._calls.code_of(error):
                raise Fault(code, str(error)) from None
            raise


def _name(resource: str) -> str:
    return resource.rpartition("/" if kind(resource) == TABLE else ":")[2]


def _given(metadata: Document, key: str) -> str:
    if not metadata.get(key):
        raise Fault("InvalidParameterValueException", f"Metadata must hold {key}")
    return str(metadata[key])


def _place() -> Document:
    region = ministack.region()
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
