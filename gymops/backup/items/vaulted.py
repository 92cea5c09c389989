"""AWS Backup, as who keeps backups of tables and buckets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gymops.aws.backup_jobs import BackupJobs, Job
from gymops.aws.vaults import VaultPoint, Vaults
from gymops.backup.items.port import Kept, Planned
from gymops.backup.items.record import Part
from gymops.backup.managed.listing import TIER
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Point, Tell

_READY = frozenset({"COMPLETED", "AVAILABLE"})
_TOGETHER = timedelta(hours=3)
"""What a plan begins at one time has begun and ended by then: its windows in the templates."""


@dataclass(frozen=True)
class Vaulted:
    """A vault (``port.Keeper``)."""

    jobs: BackupJobs
    vaults: Vaults
    patience: Patience
    vault: str
    role: str
    """As what AWS Backup works."""

    def keeps(self, backup: str) -> bool:
        return ":backup:" in backup

    def back_up(self, name: str, arn: str, label: str, tier: str, days: int, tell: Tell) -> str:
        job = self.jobs.back_up(arn, self.vault, self.role, f"{label}-{name}", days=days, tags={TIER: tier})
        return self.patience.job("backup", f"a backup of {name}", lambda: self.jobs.backup(job), tell)

    def there(self, parts: Sequence[tuple[str, str]]) -> Mapping[str, Kept]:
        found = [one for _, arn in parts for one in self.vaults.points(self.vault, arn)]
        return {one.arn: Kept(one.bytes, one.encrypted, one.locked) for one in found if one.status in _READY}

    def planned(self, sources: Sequence[tuple[str, str]], known: Collection[str]) -> Sequence[Planned]:
        names = {arn: name for name, arn in sources}
        found = [
            one
            for arn in names
            for one in self.vaults.points(self.vault, arn)
            if one.arn not in known and one.status in _READY
        ]
        groups: list[list[VaultPoint]] = []
        for one in sorted(found, key=lambda one: (one.tags.get(TIER, ""), one.begun)):
            last = groups[-1][0] if groups else None
            if last and last.tags.get(TIER) == one.tags.get(TIER) and one.begun - last.begun < _TOGETHER:
                groups[-1].append(one)
            else:
                groups.append([one])
        made = [Planned(_point(row), frozenset(names[one.resource] for one in row)) for row in groups]
        return sorted(made, key=lambda one: one.point.taken)

    def restore(self, part: Part, name: str, plan: str) -> Callable[[], Job]:
        # A token that is used again begins nothing: it is another one for each plan.
        token = f"{plan}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        if part.kind == "bucket":
            given = {"DestinationBucketName": name, "NewBucket": "true", "Encrypted": "true",
                     "EncryptionType": "original", "CreationToken": token}  # fmt: skip
        else:
            key = part.key
            own = {"encryptionType": "KMS", "kmsMasterKeyArn": key} if key else {"encryptionType": "Default"}
            given = {"targetTableName": name, **own}
        job = self.jobs.restore(part.backup, self.role, given, token)
        return lambda: self.jobs.restoring(job)

    def forget(self, backup: str) -> None:
        self.vaults.forget(self.vault, backup)

    def strays(self, names: Sequence[str], label: str, before: datetime) -> Sequence[str]:  # noqa: ARG002
        return ()  # the vault lets go of them by its lifecycle


def _point(row: Sequence[VaultPoint]) -> Point:
    """All that was taken at one time, as it is listed."""
    first = row[0]
    ends = [one.delete_at for one in row if one.delete_at]
    return Point(
        id=f"plan-{first.begun:%Y%m%dT%H%M%SZ}",
        kind="aws-backup",
        tier=first.tags.get(TIER),
        taken=first.begun,
        size=sum(one.bytes or 0 for one in row),
        encrypted=all(one.encrypted for one in row),
        locked=all(one.locked for one in row),
        where=first.vault,
        ready=True,
        keep_until=min(ends) if len(ends) == len(row) else None,
    )
