"""AWS Backup: what its jobs did; it forgets them after a month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import translated


@dataclass(frozen=True)
class PastJob:
    """A job that backed up, copied or restored, or was to."""

    id: str
    state: str
    """``CREATED``, ``RUNNING``, ``COMPLETED``, ``FAILED``, ``ABORTED``, ``EXPIRED``, ``PARTIAL``, ..."""
    began: datetime
    ended: datetime | None
    rule: str | None
    """The name of the plan's rule; None: somebody asked for it."""
    point: str | None
    """The ARN of the recovery point: made, copied from, or restored."""
    bytes: int | None
    message: str
    verdict: str | None = None
    """Of a restore-testing plan's restore: ``VALIDATING``, ``SUCCESSFUL``, ``FAILED``, ``TIMED_OUT``."""
    said: str = ""


class BackupHistory:
    """The jobs of an account and region."""

    def __init__(self, account: Account, region: str | None = None) -> None:
        self._account = account
        self.region = region or account.region

    def backups(self, resource: str, since: datetime) -> list[PastJob]:
        """Of a resource, the oldest first."""
        found = self._pages("list_backup_jobs", "BackupJobs", ByResourceArn=resource, ByCreatedAfter=since)
        return _sorted(_job(one, "BackupJobId", "State", "RecoveryPointArn") for one in found)

    def copies(self, resource: str, since: datetime) -> list[PastJob]:
        """Of a resource, the oldest first; they are listed where they begin."""
        found = self._pages("list_copy_jobs", "CopyJobs", ByResourceArn=resource, ByCreatedAfter=since)
        return _sorted(_job(one, "CopyJobId", "State", "SourceRecoveryPointArn") for one in found)

    def tests(self, resource: str, since: datetime) -> list[PastJob]:
        """Restores of a resource that restore-testing plans made, the oldest first."""
        found = self._pages("list_restore_jobs", "RestoreJobs", ByCreatedAfter=since)
        return _sorted(
            _job(one, "RestoreJobId", "Status", "RecoveryPointArn")
            for one in found
            if (one.get("CreatedBy") or {}).get("RestoreTestingPlanArn")
            and one.get("SourceResourceArn") in (None, resource)
        )

    def _pages(self, operation: str, key: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
        with translated("the jobs of AWS Backup"):
            client = self._account.client("backup", self.region)
            for page in client.get_paginator(operation).paginate(**asked):
                yield from page[key]


def _sorted(found: Iterator[PastJob]) -> list[PastJob]:
    return sorted(found, key=lambda one: one.began)


def _job(told: Mapping[str, Any], key: str, state: str, point: str) -> PastJob:
    ended = told.get("CompletionDate")
    return PastJob(
        id=told[key],
        state=told.get(state, ""),
        began=told["CreationDate"].astimezone(UTC),
        ended=ended.astimezone(UTC) if ended else None,
        rule=(told.get("CreatedBy") or {}).get("BackupRuleName"),
        point=told.get(point),
        bytes=told.get("BackupSizeInBytes"),
        message=told.get("StatusMessage") or "",
        verdict=told.get("ValidationStatus"),
        said=told.get("ValidationStatusMessage") or "",
    )
