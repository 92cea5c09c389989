"""What we know of an environment's backups, beside what AWS tells: our records, and the seals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gymops.backup import runs
from gymops.backup.catalogue import Seals
from gymops.backup.evidence import Damaged, Job, State
from gymops.backup.port import Listing
from gymops.backup.recovery_point import RecoveryPoint, SealedAt, sealed_at
from gymops.eventlog.seal import Seal

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Known:
    """Records, and who tells of seals: of thousands, only those are read that somebody asks for."""

    points: Sequence[RecoveryPoint] = ()
    by: Callable[[datetime], Seal | None] = lambda _: None
    """The newest seal that was taken by a time."""
    back: Callable[[], Iterable[Seal]] = tuple
    """All of them, from the newest one on back."""
    verified: Mapping[str, datetime] = field(default_factory=dict)
    """By the id of a point."""
    jobs: Sequence[Job] = ()
    """Backups of a damaged log."""

    @property
    def newest(self) -> Seal | None:
        """The newest seal."""
        return next(iter(self.back()), None)

    def sealed(self, at: datetime) -> SealedAt | None:
        """The newest seal that whatever is recovered up to a time must bring back."""
        found = self.by(at)
        return sealed_at(found) if found else None

    def damaged(self, at: datetime, sealed: SealedAt | None) -> str | None:
        """How the log was damaged at a time, as far as it was noticed by then; ``sealed``: the newest seal
        of then.
        """
        found = self._unmended(at, sealed.taken if sealed else None)
        return found[-1].message if found else None

    def still_damaged(self, environment: str, listing: Listing, now: datetime) -> Damaged | None:
        """Since when it is, and the way back; None: it is not, as far as anybody noticed."""
        newest = self.newest if self.jobs else None
        found = self._unmended(now, newest.taken if newest else None)
        if not found:
            return None
        return Damaged(found[0].began, found[-1].message, way_back(environment, listing, newest))

    def _unmended(self, at: datetime, sealed: datetime | None) -> Sequence[Job]:
        noticed = [one for one in self.jobs if one.began <= at]
        return runs.unmended(noticed, [one for one in self.points if one.began <= at], sealed)


def known(
    kept: runs.Kept,
    points: Sequence[RecoveryPoint],
    seals: Seals,
    verified: Mapping[str, datetime] | None = None,
) -> Known:
    """What is written down.

    Raises:
        Forged: a record is damaged.
    """
    jobs = [one for one in runs.runs(kept) if one.state is State.UNSEALED]
    return Known(points, seals.by_time(), seals.back, verified or {}, jobs)


def way_back(environment: str, listing: Listing, last: Seal | None) -> str:
    """The command that brings back the last moment of which it is known that all was well.

    RDS restores whole seconds: the one that ends with the seal's, so that all that was sealed comes back.
    """
    if last is not None:
        at = last.taken.replace(microsecond=0)
        at += _SECOND if at < last.taken else timedelta()
        if any(one.earliest <= at <= one.latest for one in listing.windows):
            return f"gymops restore {environment} --at {at:%Y-%m-%dT%H:%M:%SZ} --to NEW"
    good = [one for one in listing.points if one.ready and one.damaged is None]
    if not good:
        return f"gymops backups {environment}"
    return f"gymops restore {environment} --from {good[-1].id} --to NEW"
