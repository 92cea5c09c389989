"""AWS Backup's own restore tests: what they restored is proved, and they are told what the proof said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gymops.aws.backup_jobs import BackupJobs, RestoreTest
from gymops.backup.managed.listing import point_id
from gymops.backup.managed.proving import Proving
from gymops.backup.port import Listing, Tell
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


def judge(
    resource: str, jobs: BackupJobs, look: Callable[[], Listing], proving: Proving, tell: Tell
) -> Sequence[Verdict]:
    """Prove what waits for it of a resource, and tell AWS Backup, which then deletes what it restored.

    Raises:
        AwsError: AWS does not answer; what was not told is found by the next call.
    """
    waiting = [one for one in jobs.tests() if one.resource == resource]
    found = look() if waiting else None
    return [_judged(one, found, jobs, proving, tell) for one in waiting if found]


def _judged(one: RestoreTest, listing: Listing, jobs: BackupJobs, proving: Proving, tell: Tell) -> Verdict:
    name = point_id(one.point, jobs.region)
    tell("prove", f"{one.instance}, which AWS Backup restored from {name}")
    point = next((point for point in listing.points if point.id == name), None)
    try:
        if point is None:
            raise Unverified(f"there is no recovery point {name} any more")
        proof = proving.prove(one.instance, point.seal, tell)
    except Unverified as error:
        return Verdict(one.job, one.instance, name, None, error.message)
    if proof.passed:
        why = f"{proof.restored_events} events, digest {proof.restored_digest}"
    else:
        broken = "; ".join(one.describe() for one in proof.broken) or "the rejected rows differ"
        why = f"expected {proof.expected_events} events: {broken}"
    jobs.judge(one.job, passed=proof.passed, message=why)
    return Verdict(one.job, one.instance, name, proof.passed, why)
