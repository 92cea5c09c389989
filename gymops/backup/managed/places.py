"""Where an environment's database and its backups are, as the outputs of its stacks say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Places:
    """What the environment's stacks say, as outputs."""

    instance: str
    """The name of the RDS instance: ``DatabaseIdentifier``."""
    vault: str | None = None
    """AWS Backup's: ``BackupVaultName``. None: snapshots of RDS take its place."""
    role: str | None = None
    """As what AWS Backup works: ``BackupRoleArn``."""
    function: str | None = None
    """What reaches the database: ``DatabaseFunctionName``."""
    copies: str | None = None
    """The ARN of the vault in another region: ``CopyVaultArn``."""

    @property
    def copies_region(self) -> str | None:
        """Where the copies are."""
        return self.copies.split(":")[3] if self.copies else None

    @property
    def copies_vault(self) -> str:
        """The name of the vault for copies."""
        return self.copies.split(":", 6)[6] if self.copies else ""


def places(app: Mapping[str, str], copies: Mapping[str, str] | None = None) -> Places | None:
    """From the outputs of the application's stack, and of the one with the vault elsewhere; None: no RDS."""
    if not app.get("DatabaseIdentifier"):
        return None
    return Places(
        app["DatabaseIdentifier"],
        app.get("BackupVaultName"),
        app.get("BackupRoleArn"),
        app.get("DatabaseFunctionName"),
        (copies or {}).get("CopyVaultArn"),
    )
