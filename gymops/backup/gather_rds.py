"""What there is of the backups of an RDS instance: asked of RDS and AWS Backup, which are only read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gymops.aws.backup_history import PastJob
from gymops.aws.databases import Database
from gymops.backup.evidence import Damaged, Evidence, Job, Result, State, Stopped, Trial
from gymops.backup.managed.listing import point_id
from gymops.backup.port import Listing, Point

REMEMBERED = timedelta(days=30)
"""How long AWS Backup lists jobs."""
_STATES: Mapping[str, State] = {
    "COMPLETED": State.DONE,
    "FAILED": State.FAILED,
    "ABORTED": State.FAILED,
    "ABORTING": State.FAILED,
    "EXPIRED": State.FAILED,
    "PARTIAL": State.FAILED,
}
_VERDICTS: Mapping[str, Result] = {"SUCCESSFUL": Result.PASSED, "FAILED": Result.FAILED}
_STOPPED = frozenset({"stopped", "stopping", "starting"})
# A job for an instance that is stopped fails, and says so in words only.
_NOT_THERE = re.compile(r"\bstopp(ed|ing)\b|not in (the )?.?available", re.IGNORECASE)


class History(Protocol):
    """What AWS Backup did."""

    @property
    def region(self) -> str:
        """Where."""
        ...

    def backups(self, resource: str, since: datetime) -> Sequence[PastJob]:
        """Of a resource."""
        ...

    def copies(self, resource: str, since: datetime) -> Sequence[PastJob]:
        """Of a resource."""
        ...

    def tests(self, resource: str, since: datetime) -> Sequence[PastJob]:
        """Restores that its restore-testing plans made."""
        ...


def gather(
    environment: str,
    database: Database,
    listing: Listing,
    history: History,
    now: datetime,
    tests: Sequence[Trial] | None = None,
    damaged: Damaged | None = None,
) -> Evidence:
    """Read the jobs of an instance; ``tests``: those that AWS knows nothing of, None if nobody can tell.

    Raises:
        AwsError: AWS does not answer.
    """
    arn, status = database.arn, database.status
    since = now - REMEMBERED
    there = {point.id: point for point in listing.points}
    tiers = {point.id: point.tier for point in listing.points}
    jobs = [_job(one, there, history.region) for one in history.backups(arn, since)]
    copies = [_job(one, there, history.region, copy=True) for one in history.copies(arn, since)]
    past = [
        _trial(one, tiers, history.region) for one in history.tests(arn, since) if one.verdict != "VALIDATING"
    ]
    newest = max((window.latest for window in listing.windows if not window.gone), default=now)
    return Evidence(
        environment,
        listing,
        jobs=tuple(job for job in [*jobs, *copies] if job.tier),
        jobs_since=since,
        tests=(*(tests or ()), *past),
        tests_known=tests is not None,
        stopped=(Stopped(newest),) if status in _STOPPED else (),
        damaged=damaged,
        began=database.made,
    )


def _job(one: PastJob, there: Mapping[str, Point], region: str, *, copy: bool = False) -> Job:
    point = point_id(one.point, region) if one.point else None
    state = _STATES.get(one.state, State.RUNNING)
    message = one.message or {"EXPIRED": "it did not begin within its hour"}.get(one.state, "")
    if state is State.FAILED and _NOT_THERE.search(message):
        state = State.SKIPPED
    found = there.get(point or "")
    tier = one.rule or (found.tier if found else None) or ""
    # Of a copy, the point is what it is copied from.
    made = point if state is State.DONE and not copy else None
    if made and found and found.damaged:
        state, message = State.UNSEALED, found.damaged
    return Job(tier, one.began, state, one.ended, made, one.bytes, message, copy)


def _trial(one: PastJob, tiers: Mapping[str, str | None], region: str) -> Trial:
    point = point_id(one.point, region) if one.point else None
    seconds = (one.ended - one.began).total_seconds() if one.ended else None
    result = _VERDICTS.get(one.verdict or "", Result.UNVERIFIED)
    if one.state not in {"COMPLETED", "PENDING", "RUNNING", "CREATED"}:
        result = Result.FAILED
    said = (
        one.said
        or one.message
        or ("nobody proved what AWS Backup restored" if result is Result.UNVERIFIED else "")
    )
    return Trial(one.began, result, tiers.get(point or ""), point, rto_seconds=seconds, message=said)
