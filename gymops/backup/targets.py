"""What a restore begins with and up to where it goes: decided from the catalogue, before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from gymops.backup import lsn
from gymops.backup.port import OutOfReach, Wanted
from gymops.backup.recovery_point import Kind, NoPoint, RecoveryPoint, SealedAt, sealed_at
from gymops.backup.tiers import CONTINUOUS
from gymops.backup.vault import Vault
from gymops.backup.wal import Segment, Stored, Wal, WalGap
from gymops.eventlog.seal import Seal

Behind = Callable[[int], Iterable[Seal]]
"""The seals from one on, in order."""

_READERS = 8
_PAGE = 8192
"""Behind a seal's place comes the record of its commit."""


@dataclass(frozen=True)
class Target:
    """A recovery point, and how far to go from it."""

    point: RecoveryPoint
    at: datetime | None
    """Up to when; None: as far as ``wal`` goes, or the point as it is where there is none."""
    lost_since: datetime
    """What was committed by then comes back."""
    seal: SealedAt | None
    """The newest one that must come back; None: nothing was sealed by then."""
    wal: tuple[Stored, ...] = ()
    end: int | None = None
    """Of the WAL without a target: the place that must be reached; a moment is marked there."""

    @property
    def recovery(self) -> Mapping[str, str]:
        """As PostgreSQL takes it."""
        if self.at is not None:
            return {"recovery_target_time": f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"}
        return {} if self.wal else {"recovery_target": "immediate"}


@dataclass(frozen=True)
class _Span:
    """A base backup, and the times that the WAL behind it restores."""

    base: RecoveryPoint
    wal: Wal | None
    row: tuple[Stored, ...]
    """From its start on, without a gap."""
    marked: Segment | None
    """The last of them that ends at a mark."""
    gap: bool
    """Whether there is more behind a gap."""
    sealed: datetime | None
    """When the newest seal in it was taken: that is a mark as well."""

    @property
    def until(self) -> datetime | None:
        """Every time between the base's end and this one."""
        marks = (self.marked.at if self.marked else None, self.sealed)
        return max((at for at in marks if at and at > self.base.ended), default=None)


def choose(vault: Vault, wanted: Wanted) -> Target:
    """What is restored for what is wanted.

    Raises:
        OutOfReach: the time is not covered; it says which is the nearest.
        NoPoint: there is no such point, none of that tier, or none at all.
        WalGap: the point is there, and WAL that it needs is not.
        Forged: a record is damaged, or signed by another.
    """
    points = sorted(vault.catalogue.points(), key=lambda one: (one.ended, one.id))
    seals = vault.seals.since
    chosen = _point(vault.environment, points, wanted)
    bases = [one for one in points if one.kind is Kind.BASE and (chosen is None or one is chosen)]
    if wanted.at is not None:
        return _time(vault, bases or points, wanted.at, seals)
    if chosen is not None:
        return _alone(chosen, seals)
    if not bases:
        if not points:
            raise NoPoint("there is no recovery point", hint=f"gymops backup {vault.environment}")
        return _alone(points[-1], seals)
    return _latest(vault.environment, _span(vault, bases[-1], seals), seals)


def passed(point: RecoveryPoint, seals: Behind, upto: int, by: datetime | None = None) -> SealedAt | None:
    """The last seal that a recovery from a point passes up to a place in the WAL, and that was taken by a
    time; None: nothing was sealed by then.

    A database that was put back goes on with another history, and its first seal says so: none from there on
    is passed by what was taken before, unless the server's WAL goes on as well. Where the seals behind an old
    point went, there is the point's own.
    """
    first, found = point.seal.number if point.seal else 1, point.seal
    for one in seals(first):
        past = lsn.parse(one.lsn) > upto
        elsewhere = one.goes_on and not one.goes_on.here and one.number > first
        if past or elsewhere or one.system != point.system:
            break
        if by is None or one.taken <= by:
            found = sealed_at(one)
    return found


def _point(environment: str, points: Sequence[RecoveryPoint], wanted: Wanted) -> RecoveryPoint | None:
    """None: whichever fits."""
    if wanted.point is not None:
        found = [one for one in points if one.id == wanted.point]
        if not found:
            raise NoPoint(
                f"there is no recovery point {wanted.point}", hint=f"gymops backups {environment} lists them"
            )
        return found[0]
    if wanted.tier in (None, CONTINUOUS):
        return None
    found = [one for one in points if one.tier == wanted.tier]
    if not found:
        raise NoPoint(
            f"there is no recovery point of the tier {wanted.tier}",
            hint=f"gymops backup {environment} --tier {wanted.tier}",
        )
    return found[-1]


def _alone(point: RecoveryPoint, seals: Behind) -> Target:
    """A point as it is."""
    if point.kind is Kind.DUMP or point.end_lsn is None:
        return Target(point, None, point.began, point.seal)
    return Target(point, None, point.began, passed(point, seals, lsn.parse(point.end_lsn)))


def _latest(environment: str, span: _Span, seals: Behind) -> Target:
    if span.gap:
        until = span.until or span.base.ended
        raise WalGap(
            f"WAL is missing: nothing that was committed after {_text(until)} can be restored",
            hint=f"gymops restore {environment} --at {_text(until)} --to NEW; gymops backup {environment}",
        )
    if span.until is None:
        return _alone(span.base, seals)
    end = lsn.parse(span.marked.end_lsn) if span.marked else None
    seal = passed(span.base, seals, end or span.row[-1].end)
    return Target(span.base, None, span.until, seal, span.row, end)


def _time(vault: Vault, points: Sequence[RecoveryPoint], at: datetime, seals: Behind) -> Target:
    """The newest base that was done by then, and the WAL from its start to the first mark past the time."""
    before = [one for one in points if one.ended <= at]
    after = next((one for one in points if one.ended > at), None)
    if not before:
        raise _out_of_reach(vault.environment, at, "before", after.ended if after else None)
    base = before[-1]
    if base.kind is not Kind.BASE:
        raise _out_of_reach(vault.environment, at, "after", base.ended, f"or --from {base.id}")
    span = _span(vault, base, seals)
    if span.until is None or at > span.until:
        gap = f"; {'WAL is missing' if span.gap else 'nothing was received'} from there on"
        aside = f"or --at {_text(after.ended)}" if after else ""
        raise _out_of_reach(vault.environment, at, "after", span.until or base.ended, aside, gap)
    row = span.row
    if span.wal is not None:
        with ThreadPoolExecutor(_READERS) as readers:
            segments = list(readers.map(span.wal.segment, row))
        past = next((n for n, one in enumerate(segments) if one.marked and one.at > at), len(row) - 1)
        row = row[: past + 1]
    return Target(base, at, at, passed(base, seals, row[-1].end, at), row)


def _span(vault: Vault, base: RecoveryPoint, seals: Behind) -> _Span:
    if base.system is None or base.timeline is None or base.start_lsn is None or base.end_lsn is None:
        return _Span(base, None, (), None, gap=False, sealed=None)
    wal = vault.wal(base.system, base.segment)
    row = tuple(wal.chain(base.timeline, base.start_lsn))
    end = row[-1].end if row else lsn.parse(base.start_lsn)
    later = [one for one in wal.stored() if lsn.timeline(one.name) == base.timeline and one.start >= end]
    seal = passed(base, seals, end - _PAGE) if row else None
    return _Span(
        base, wal, row, _marked(wal, row, lsn.parse(base.end_lsn)), gap=bool(later),
        sealed=seal.taken if seal else None,
    )  # fmt: skip


def _marked(wal: Wal, row: Sequence[Stored], behind: int) -> Segment | None:
    for one in reversed(row):
        if one.end < behind:
            return None
        segment = wal.segment(one)
        if segment.marked:
            return segment
    return None


def _out_of_reach(
    environment: str, at: datetime, side: str, nearest: datetime | None, aside: str = "", why: str = ""
) -> OutOfReach:
    if nearest is None:
        return OutOfReach(
            "nothing is backed up", nearest=None, hint=f"gymops backup {environment} takes a backup"
        )
    return OutOfReach(
        f"{_text(at)} is {side} what can be restored: the nearest time is {_text(nearest)}{why}",
        nearest=nearest,
        hint=f"gymops restore {environment} --at {_text(nearest)} --to NEW {aside}".strip(),
    )


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
