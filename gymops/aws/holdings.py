"""What is inside of buckets and backup vaults: they are not deleted while something is."""

from __future__ import annotations

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

_GONE = frozenset({"NoSuchBucket", "ResourceNotFoundException", "404"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


class Holdings:
    """The buckets and vaults of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def holds(self, kind: str, name: str, region: str) -> str:
        """What is in a bucket or a vault, in words; empty if nothing is, or it is neither.

        Raises:
            AwsError: the service does not answer.
        """
        look = {"AWS::S3::Bucket": self._objects, "AWS::Backup::BackupVault": self._points}.get(kind)
        if look is None or not name:
            return ""
        try:
            with translated(name):
                return look(name, region)
        except AwsError as error:
            if error.reason in _GONE:
                return ""
            if error.reason in _DENIED:
                return "what we may not look into"  # as of a vault that is gone, too
            raise

    def _objects(self, name: str, region: str) -> str:
        """Former versions and delete markers count too."""
        found = self._account.client("s3", region).list_object_versions(Bucket=name, MaxKeys=1)
        return "objects" if found.get("Versions") or found.get("DeleteMarkers") else ""

    def _points(self, name: str, region: str) -> str:
        client = self._account.client("backup", region)
        found = client.list_recovery_points_by_backup_vault(BackupVaultName=name, MaxResults=1)
        return "recovery points" if found.get("RecoveryPoints") else ""
