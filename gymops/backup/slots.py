"""What was due of a tier, and what became of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from gymops.backup.evidence import Evidence, Job, State
from gymops.backup.port import Point
from gymops.backup.tiers import Tier

SKEW = timedelta(minutes=1)
"""How far two clocks may be apart."""
START = timedelta(hours=1)
"""A job that begins within it is in time: AWS Backup's start window in the templates."""
END = timedelta(hours=3)
"""A job that ends within it is in time: the start window and the completion window."""
ENDLESS = timedelta(hours=12)
"""A job that runs longer does not end."""
T = TypeVar("T")


class Mark(StrEnum):
    """What became of it."""

    GOOD = "good"
    LATE = "late"
    FAILED = "failed"
    MISSING = "missing"
    SKIPPED = "skipped"
    """The database was stopped."""
    OPEN = "open"
    """It is due, or runs, and may still be in time; it counts for nothing yet."""


@dataclass(frozen=True)
class Slot:
    """One time a tier was due."""

    tier: str
    due: datetime
    before: datetime
    """When the next one is due; what begins by then belongs to this one."""
    mark: Mark
    began: datetime | None = None
    size: int | None = None
    points: tuple[str, ...] = ()
    """What was taken."""
    message: str = ""

    @property
    def taken(self) -> bool:
        """Whether there was a backup of it, in time or not."""
        return self.mark in {Mark.GOOD, Mark.LATE}


def slots(tier: Tier, evidence: Evidence, since: datetime, now: datetime) -> list[Slot]:
    """What was due of a tier behind one time and up to now, the oldest first.

    1. What began belongs to the last time that was due before, a minute of two clocks allowed.
    2. It was taken if a job of it completed, or a point of it can be restored: jobs are forgotten by AWS
       after a month, and points of a deleted record may still be told by a job.
    3. It is late if nothing began within the hour, or nothing was done by the third.
    4. Not taken, it failed if somebody tried, unless the database was stopped; else it is missing.
    """
    if tier.schedule is None:
        return []
    dues = list(tier.schedule.due(since, now + SKEW))
    jobs = _sorted_in(dues, [(one.began, one) for one in evidence.jobs if _of(one, tier)])
    points = [(one.taken, one) for one in evidence.listing.points if one.tier == tier.name and _own(one)]
    taken = _sorted_in(dues, points)
    ends = [*dues[1:], *[now + tier.schedule.interval][: len(dues)]]
    return [
        _slot(tier, due, before, jobs[number], taken[number], evidence, now)
        for number, (due, before) in enumerate(zip(dues, ends, strict=True))
    ]


def _of(job: Job, tier: Tier) -> bool:
    return job.tier == tier.name and not job.copy


def _own(point: Point) -> bool:
    return point.ready and point.kind != "copy" and point.damaged is None


def _sorted_in(dues: Sequence[datetime], found: Sequence[tuple[datetime, T]]) -> list[list[T]]:
    rows: list[list[T]] = [[] for _ in dues]
    for began, one in found:
        number = bisect_right(dues, began + SKEW) - 1
        if number >= 0:
            rows[number].append(one)
    return rows


def _slot(
    tier: Tier,
    due: datetime,
    before: datetime,
    tried: Sequence[Job],
    taken: Sequence[Point],
    evidence: Evidence,
    now: datetime,
) -> Slot:
    done = [job for job in tried if job.state is State.DONE]
    began = min([*(job.began for job in done), *(point.taken for point in taken)], default=None)
    if began is not None:
        sizes = [point.size for point in taken] or [job.size for job in done]
        names = dict.fromkeys([*(job.point for job in done), *(point.id for point in taken)])
        ended = min((job.ended for job in done if job.ended), default=began)
        in_time = began <= due + START + SKEW and ended <= due + END + SKEW
        return Slot(
            tier.name,
            due,
            before,
            Mark.GOOD if in_time else Mark.LATE,
            began,
            size=next((size for size in sizes if size is not None), None),
            points=tuple(name for name in names if name),
            message="" if in_time else _late(due, began, ended),
        )
    running = [job for job in tried if job.state is State.RUNNING and now < job.began + ENDLESS]
    failed = [job for job in tried if job.state is not State.SKIPPED]
    if running:
        mark, message = Mark.OPEN, ""
    elif len(failed) < len(tried) or any(one.at(due) for one in evidence.stopped):
        mark, message = Mark.SKIPPED, "the database was stopped"
    elif failed:
        mark, message = Mark.FAILED, failed[-1].message or _silent(failed[-1])
    elif now < due + START + SKEW:
        mark, message = Mark.OPEN, ""
    else:
        mark, message = Mark.MISSING, "nothing began"
    return Slot(tier.name, due, before, mark, tried[0].began if tried else None, message=message)


def _late(due: datetime, began: datetime, ended: datetime) -> str:
    if began > due + START + SKEW:
        return f"it began {words(began - due)} after it was due"
    return f"it ended {words(ended - due)} after it was due"


def _silent(job: Job) -> str:
    return "it does not end" if job.state is State.RUNNING else "it does not say why"


def words(span: timedelta) -> str:
    """A span as people say it: ``40 seconds``, ``7 minutes``, ``3 hours``, ``12 days``."""
    seconds = span.total_seconds()
    for unit, of, least in (("day", 86400, 2), ("hour", 3600, 2), ("minute", 60, 2), ("second", 1, 0)):
        if seconds >= of * least:
            count = int(seconds // of)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "no time"
