"""Tiers that cannot be: refused before anything is deployed or taken, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import combinations

from gymops.backup.schedule import DAY, DAYS, Schedule, spelled
from gymops.backup.tiers import Tier

START = timedelta(hours=1)
"""Backups begin within it, and no other should: AWS Backup's start window in the templates."""
COLD = 90 * DAY
"""What goes cold stays there so long at the least (AWS Backup)."""
_WEEK = 7 * 24 * 60
_FETCH: Mapping[str, timedelta] = {
    "deep-archive": timedelta(hours=12),
    "glacier": timedelta(hours=5),
    "standard": timedelta(),
}
"""How long S3 needs until the first byte can be read."""


def impossible(tiers: Sequence[Tier], *, managed: bool) -> Iterator[str]:
    """Why they cannot be; ``managed``: AWS takes them, of an RDS instance."""
    for tier in tiers:
        yield from (f"{tier.name}: {why}" for why in _alone(tier, managed=managed))
    for one, other in combinations([tier for tier in tiers if tier.schedule], 2):
        if one.schedule and other.schedule and _near(one.schedule, other.schedule):
            yield (
                f"{one.name} ({one.schedule.text}) and {other.name} ({other.schedule.text})"
                " begin within an hour of each other"
            )


def cold(keep: timedelta, after: timedelta) -> str:
    """Why a tier does not move to cold storage."""
    if keep < after + COLD:
        return (
            f"what goes cold stays there for 90 days: cold after {spelled(after)} needs a keep of"
            f" {spelled(after + COLD)} at the least, and it is {spelled(keep)}"
        )
    return "AWS Backup has no cold storage for RDS, and there is none elsewhere: keep it warm"


def archive(storage: str, rto: timedelta | None) -> str | None:
    """Why a tier does not lie in a storage class of S3; None: it may."""
    if storage not in _FETCH:
        return f"storage is {storage!r}: one of {', '.join(_FETCH)}"
    fetch = _FETCH[storage]
    if rto is not None and rto < fetch:
        return f"it takes {spelled(fetch)} to get anything back from {storage}: no rto of {spelled(rto)}"
    return f"gymops stores nothing in {storage}: give a bucket of copies a lifecycle rule" if fetch else None


def _alone(tier: Tier, *, managed: bool) -> Iterator[str]:
    if tier.copy and not managed:
        yield "AWS Backup copies to another region; a bucket of your own has replication for that"
    if tier.schedule is None and managed and tier.keep > 35 * DAY:
        yield f"RDS restores any time of the last 35 days at the most, not of {spelled(tier.keep)}"
    if tier.schedule is None and managed and tier.rpo and tier.rpo < timedelta(minutes=5):
        yield f"RDS is up to 5 minutes behind: it cannot hold an rpo of {spelled(tier.rpo)}"


def _near(one: Schedule, other: Schedule) -> bool:
    return any(
        _apart(first, second) < START.total_seconds() / 60
        for first in _minutes(one)
        for second in _minutes(other)
    )


def _apart(one: int, other: int) -> int:
    return min((one - other) % _WEEK, (other - one) % _WEEK)


def _minutes(schedule: Schedule) -> list[int]:
    """Minutes of the week; a day of the month can be any day of the week."""
    days = schedule.weekdays or list(range(len(DAYS)))
    return [day * 24 * 60 + schedule.hour * 60 + schedule.minute for day in days]
