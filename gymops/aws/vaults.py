"""AWS Backup: vaults and the recovery points in them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

_GONE = frozenset({"ResourceNotFoundException", "ResourceNotFoundFault"})
_READERS = 4


@dataclass(frozen=True)
class VaultPoint:
    """A recovery point."""

    arn: str
    """Of an RDS instance it is a snapshot's: ``arn:aws:rds:...:snapshot:awsbackup:...``."""
    vault: str
    resource: str
    """The ARN of what it is of."""
    status: str
    """``COMPLETED``, ``PARTIAL``, ``CREATING``, ``DELETING``, ``EXPIRED``, ``AVAILABLE``."""
    begun: datetime
    bytes: int | None
    encrypted: bool
    locked: bool
    """Whether the vault keeps it from being deleted."""
    delete_at: datetime | None
    tags: Mapping[str, str] = field(default_factory=dict)


class Vaults:
    """The vaults of an account and region."""

    def __init__(self, account: Account, region: str | None = None) -> None:
        self._account = account
        self.region = region or account.region

    def points(self, vault: str, resource: str) -> list[VaultPoint]:
        """The recovery points of a resource in a vault; nothing where there is no such vault."""
        try:
            with translated(f"the vault {vault}"):
                locked = bool(self._client.describe_backup_vault(BackupVaultName=vault).get("Locked"))
                pages = self._client.get_paginator("list_recovery_points_by_backup_vault").paginate(
                    BackupVaultName=vault, ByResourceArn=resource
                )
                found = [one for page in pages for one in page["RecoveryPoints"]]
        except AwsError as error:
            # AWS tells no one which vaults are not there: one that is deleted is denied as well.
            if error.reason in _GONE:
                return []
            raise
        with ThreadPoolExecutor(_READERS) as readers:  # one call for each: AWS lists them without tags
            tags = list(readers.map(self._tags, [one["RecoveryPointArn"] for one in found]))
        return [_point(one, locked, own) for one, own in zip(found, tags, strict=True)]

    def arn(self, vault: str) -> str:
        """A vault's ARN.

        Raises:
            AwsError: there is none.
        """
        with translated(f"the vault {vault}"):
            return str(self._client.describe_backup_vault(BackupVaultName=vault)["BackupVaultArn"])

    def forget(self, vault: str, point: str) -> None:
        """Delete a recovery point; one that is gone is deleted already."""
        try:
            with translated(f"the recovery point {point}"):
                self._client.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)
        except AwsError as error:
            if error.reason not in _GONE:
                raise

    def _tags(self, arn: str) -> Mapping[str, str]:
        try:
            with translated(f"the tags of {arn}"):
                return dict(self._client.list_tags(ResourceArn=arn, MaxResults=100)["Tags"])  # 50 at most
        except AwsError as error:
            if error.reason in _GONE:
                return {}  # it expired meanwhile
            raise

    @property
    def _client(self) -> Any:
        return self._account.client("backup", self.region)


def _point(told: Mapping[str, Any], locked: bool, tags: Mapping[str, str]) -> VaultPoint:
    delete_at = (told.get("CalculatedLifecycle") or {}).get("DeleteAt")
    utc = partial(datetime.astimezone, tz=UTC)
    return VaultPoint(
        arn=told["RecoveryPointArn"],
        vault=told["BackupVaultName"],
        resource=told["ResourceArn"],
        status=told["Status"],
        begun=utc(told["CreationDate"]),
        bytes=told.get("BackupSizeInBytes"),
        encrypted=bool(told.get("IsEncrypted")),
        locked=locked,
        delete_at=utc(delete_at) if delete_at else None,
        tags=tags,
    )
