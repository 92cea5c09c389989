"""AWS Backup's own restore tests: what they restored is proved, and they are told what the proof said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gymops.aws.backup_jobs import BackupJobs, RestoreTest
from gymops.backup.managed.backups import ManagedBackups
from gymops.backup.managed.listing import point_id
from gymops.backup.port import Restored, Tell, Wanted, untold
from gymops.backup.recovery_point import NoPoint
from gymops.errors import Unverified


@dataclass(frozen=True)
class Verdict:
    """What a proof said of a restore that AWS Backup made."""

    job: str
    instance: str
    point: str
    passed: bool | None
    """None: it could not be verified. AWS is told nothing then, and says TIMED_OUT after its window."""
    why: str


def judge(backups: ManagedBackups, jobs: BackupJobs, tell: Tell = untold) -> Sequence[Verdict]:
    """Prove what waits for it, and tell AWS Backup, which then deletes what it restored.

    Raises:
        AwsError: AWS does not answer; what was not told is found by the next call.
    """
    source = backups.source()
    return [_judged(backups, jobs, one, tell) for one in jobs.tests() if one.resource == source.arn]


def _judged(backups: ManagedBackups, jobs: BackupJobs, one: RestoreTest, tell: Tell) -> Verdict:
    point = point_id(one.point, jobs.region)
    tell("prove", f"{one.instance}, which AWS Backup restored from {point}")
    try:
        plan = backups.plan(Wanted(point=point, test=True))
        proof = backups.prove(plan, Restored(one.instance, "", 0, None), tell)
    except (Unverified, NoPoint) as error:
        return Verdict(one.job, one.instance, point, None, error.message)
    if proof.passed:
        why = f"{proof.restored_events} events, digest {proof.restored_digest}"
    else:
        broken = "; ".join(one.describe() for one in proof.broken) or "the rejected rows differ"
        why = f"expected {proof.expected_events} events: {broken}"
    jobs.judge(one.job, passed=proof.passed, message=why)
    return Verdict(one.job, one.instance, point, proof.passed, why)
