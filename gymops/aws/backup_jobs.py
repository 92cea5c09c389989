"""AWS Backup: jobs that back up, copy and restore, and what its restore tests are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

_ENDED = frozenset({"COMPLETED", "FAILED", "ABORTED", "EXPIRED", "PARTIAL"})


@dataclass(frozen=True)
class Job:
    """A job that backs up, copies or restores."""

    id: str
    state: str
    """``CREATED``, ``PENDING``, ``RUNNING``, ``COMPLETED``, ``FAILED``, ``ABORTED``, ``EXPIRED``, ..."""
    percent: str
    message: str
    made: str | None
    """The ARN of what it made: a recovery point, an instance."""
    begun: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self.state in _ENDED

    @property
    def completed(self) -> bool:
        """Whether it made what it was to make."""
        return self.state == "COMPLETED"


@dataclass(frozen=True)
class RestoreTest:
    """A restore that a restore-testing plan of AWS Backup made, and waits to hear about."""

    job: str
    plan: str
    """The ARN of the plan."""
    point: str
    """The ARN of the recovery point."""
    resource: str
    """The ARN of what the recovery point is of."""
    instance: str
    """The name of the instance."""


class BackupJobs:
    """The jobs of an account and region."""

    def __init__(self, account: Account, region: str | None = None) -> None:
        self._account = account
        self.region = region or account.region

    def back_up(
        self,
        resource: str,
        vault: str,
        role: str,
        token: str,
        *,
        days: int | None,
        tags: Mapping[str, str],
    ) -> str:
        """Begin a recovery point, kept for so many days; the job's id. The same token begins no second."""
        with translated(f"a backup of {resource}"):
            job = self._client.start_backup_job(
                BackupVaultName=vault,
                ResourceArn=resource,
                IamRoleArn=role,
                IdempotencyToken=token,
                RecoveryPointTags=dict(tags),
                **_lifecycle(days),
            )
        return str(job["BackupJobId"])

    def copy(self, point: str, vault: str, to: str, role: str, token: str, *, days: int | None) -> str:
        """Begin to copy a recovery point into another vault (its ARN, of any region); the job's id."""
        with translated(f"a copy of {point}"):
            job = self._client.start_copy_job(
                RecoveryPointArn=point,
                SourceBackupVaultName=vault,
                DestinationBackupVaultArn=to,
                IamRoleArn=role,
                IdempotencyToken=token,
                **_lifecycle(days),
            )
        return str(job["CopyJobId"])

    def backup(self, job: str) -> Job:
        """How far a backup is."""
        with translated(f"the backup job {job}"):
            told = self._client.describe_backup_job(BackupJobId=job)
        return _job(job, told, told.get("State", ""), told.get("RecoveryPointArn"))

    def copying(self, job: str) -> Job:
        """How far a copy is."""
        with translated(f"the copy job {job}"):
            told = self._client.describe_copy_job(CopyJobId=job)["CopyJob"]
        return _job(job, told, told.get("State", ""), told.get("DestinationRecoveryPointArn"))

    def restore(self, point: str, role: str, metadata: Mapping[str, str], token: str) -> str:
        """Begin to restore a recovery point; the job's id. The same token begins no second."""
        with translated(f"a restore of {point}"):
            job = self._client.start_restore_job(
                RecoveryPointArn=point, IamRoleArn=role, Metadata=dict(metadata), IdempotencyToken=token
            )
        return str(job["RestoreJobId"])

    def restoring(self, job: str) -> Job:
        """How far a restore is."""
        with translated(f"the restore job {job}"):
            told = self._client.describe_restore_job(RestoreJobId=job)
        return _job(job, told, told.get("Status", ""), told.get("CreatedResourceArn"))

    def tests(self) -> list[RestoreTest]:
        """The restores of restore-testing plans that nobody has judged yet."""
        with translated("the restore jobs"):
            pages = self._client.get_paginator("list_restore_jobs").paginate(ByStatus="COMPLETED")
            jobs = [job for page in pages for job in page["RestoreJobs"]]
        return [
            RestoreTest(
                job["RestoreJobId"],
                plan,
                job.get("RecoveryPointArn", ""),
                job.get("SourceResourceArn", ""),
                str(job.get("CreatedResourceArn", "")).rpartition(":")[2],
            )
            for job in jobs
            if (plan := (job.get("CreatedBy") or {}).get("RestoreTestingPlanArn"))
            and job.get("ValidationStatus") == "VALIDATING"
        ]

    def judge(self, job: str, *, passed: bool, message: str) -> None:
        """Tell AWS Backup what a proof said of a restore of its plans; it deletes what it restored then.

        Of two that tell it at once, the first counts.
        """
        try:
            with translated(f"the validation of {job}"):
                self._client.put_restore_validation_result(
                    RestoreJobId=job,
                    ValidationStatus="SUCCESSFUL" if passed else "FAILED",
                    ValidationStatusMessage=message[:1000],
                )
        except AwsError as error:
            if error.reason != "InvalidRequestException" or any(one.job == job for one in self.tests()):
                raise

    @property
    def _client(self) -> Any:
        return self._account.client("backup", self.region)


def need(job: Job, what: str) -> str:
    """What a job made.

    Raises:
        AwsError: it made nothing.
    """
    if not job.completed or not job.made:
        raise AwsError(
            f"{what}: the job {job.id} is {job.state}{f': {job.message}' if job.message else ''}",
            reason=f"Job{job.state.title()}",
            hint="run the same again; AWS Backup refuses jobs within an hour of RDS's own windows",
        )
    return job.made


def _job(identifier: str, told: Mapping[str, Any], state: str, made: str | None) -> Job:
    begun = told.get("CreationDate")
    return Job(
        identifier,
        state,
        str(told.get("PercentDone") or ""),
        told.get("StatusMessage") or "",
        made,
        begun.astimezone(UTC) if begun else None,
    )


def _lifecycle(days: int | None) -> dict[str, Any]:
    return {"Lifecycle": {"DeleteAfterDays": days}} if days else {}
