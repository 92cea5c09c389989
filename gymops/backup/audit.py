"""The audit: whether every backup that should exist does, can be restored, and was shown to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from gymops.backup.evidence import Evidence, Expected, Gap, State, Trial
from gymops.backup.findings import LOOSE, Finding, Kind, day, volume
from gymops.backup.port import Point, Window
from gymops.backup.schedule import DAY, spelled
from gymops.backup.slots import SKEW, Mark, Slot, slots, words
from gymops.backup.standing import of_parts, of_points, of_store, of_tests, restorable, tests_of
from gymops.backup.tiers import Tier

COPYING = DAY
"""How long a copy to another region may take."""
_BEHIND = timedelta(minutes=2)
"""How far behind its target the latest restorable time may be seen: it moves on in steps."""
_BEFORE = 10
"""Backups of a tier that the next one's size is held to."""
_ENOUGH = 3
"""Of fewer than that nobody can say what is usual."""


@dataclass(frozen=True)
class Standing:
    """How a tier is."""

    tier: Tier
    expected: int
    """How many were due, and had the time they need."""
    taken: int
    """How many of them there were, in time or not."""
    newest: datetime | None
    """What of it can be restored; of the continuous one, the latest time that can."""
    tested: Trial | None
    """The newest restore-test."""


@dataclass(frozen=True)
class Audit:
    """What was found out about an environment's backups."""

    environment: str
    at: datetime
    findings: tuple[Finding, ...]
    """The worst first: what has no backup, what cannot be restored; then the rest."""
    slots: tuple[Slot, ...]
    standings: tuple[Standing, ...]
    tests: tuple[Trial, ...]
    """The newest first."""
    windows: tuple[Window, ...]
    """Any time between these can be restored."""

    @property
    def expected(self) -> int:
        """How many backups there should have been."""
        return sum(one.expected for one in self.standings)

    @property
    def taken(self) -> int:
        """How many of them there were."""
        return sum(one.taken for one in self.standings)

    @property
    def success_rate(self) -> float | None:
        """Of those that should have been; None: none should have been yet."""
        return self.taken / self.expected if self.expected else None

    @property
    def newest(self) -> datetime | None:
        """The latest time that can be restored."""
        return max((one.newest for one in self.standings if one.newest), default=None)


def audit(evidence: Evidence, expected: Expected, now: datetime, days: int | None = None) -> Audit:
    """Hold what there is to what there should be; each tier over the time it is kept, or the last days."""
    began = _began(evidence)
    rows: dict[str, list[Slot]] = {}
    found: list[Finding] = list(_unseen(evidence, now))
    if began is None:
        found += [] if found else [_nothing(evidence, now)]
    else:
        for tier in expected.tiers:
            rows[tier.name] = slots(tier, evidence, _since(tier, evidence, began, now, days), now)
            found += _of_tier(tier, rows[tier.name], evidence, expected, began, now)
        found += of_points(evidence, expected, now)
        found += of_store(evidence, now)
    found += of_parts(evidence, now)
    return Audit(
        evidence.environment,
        now,
        tuple(sorted(found, key=lambda one: (one.kind not in _WORST, -one.when.timestamp()))),
        tuple(slot for row in rows.values() for slot in row),
        tuple(_standing(tier, rows.get(tier.name, []), evidence) for tier in expected.tiers),
        tuple(sorted(evidence.tests, key=lambda one: one.began, reverse=True)),
        evidence.listing.windows,
    )


_WORST = frozenset(
    {
        Kind.DAMAGED,
        Kind.NO_BASE,
        Kind.TEST_FAILED,
        Kind.SEALS,
        Kind.NO_BYTES,
        Kind.MISSING,
        Kind.UNCOVERED,
        Kind.FAILED,
        Kind.UNSEEN,
    }
)


def _began(evidence: Evidence) -> datetime | None:
    """Since when there is anything; None: never."""
    listing = evidence.listing
    traces = [point.taken for point in listing.points] + [window.earliest for window in listing.windows]
    traces += [job.began for job in evidence.jobs]
    if evidence.began is not None and traces:
        return evidence.began
    return min(traces, default=None)


def _since(tier: Tier, evidence: Evidence, began: datetime, now: datetime, days: int | None) -> datetime:
    """Where points must still be there, or else where jobs tell of them."""
    seen = now - tier.keep + LOOSE
    told = began if evidence.jobs_since is None else evidence.jobs_since
    if evidence.jobs:
        seen = min(seen, told)
    if days is not None:
        seen = max(seen, now - days * DAY)
    return max(began, seen)


def _nothing(evidence: Evidence, now: datetime) -> Finding:
    name = evidence.environment
    return Finding(Kind.MISSING, None, now, "there is no backup at all", f"gymops backup {name}")


def _unseen(evidence: Evidence, now: datetime) -> Iterator[Finding]:
    silent = [f"{where}: {why}" for where, why in evidence.listing.silent.items()]
    for one in [*silent, *evidence.unseen]:
        yield Finding(
            Kind.UNSEEN, None, now, f"nobody could look: {one}", f"gymops doctor {evidence.environment}"
        )


def _of_tier(
    tier: Tier, row: Sequence[Slot], evidence: Evidence, expected: Expected, began: datetime, now: datetime
) -> Iterator[Finding]:
    if tier.schedule is None:
        yield from _continuous(tier, evidence, expected, began, now)
    yield from _marks(tier, row, evidence)
    yield from _sizes(tier, row, evidence)
    yield from _gone(tier, row, evidence, now)
    if tier.copy:
        yield from _copies(tier, tier.copy, row, evidence, now)
    if restorable(tier, evidence):
        yield from of_tests(tier, evidence, expected, now)


def _continuous(
    tier: Tier, evidence: Evidence, expected: Expected, began: datetime, now: datetime
) -> Iterator[Finding]:
    name = evidence.environment
    own = [window for window in evidence.listing.windows if not window.gone]
    if not own and any(one.gap is Gap.TIMES for one in evidence.lacking):
        return  # which table it is that cannot be restored to any time is said of that
    if not own:
        what = "nothing is received continuously: no time between two backups can be restored"
        yield Finding(Kind.MISSING, tier.name, now, what, f"gymops backup {name} --tier {tier.name}")
        return
    latest = max(window.latest for window in own)
    if tier.rpo is not None and now - latest > tier.rpo + _BEHIND:
        if any(one.at(now) for one in evidence.stopped):
            if not expected.off_hours:  # what stays off beyond them misses its next backup
                what = "the database is stopped"
                yield Finding(Kind.SKIPPED, tier.name, latest, what, f"gymops status {name}")
        else:
            what = f"what was committed in the last {words(now - latest)} cannot be restored"
            command = f"gymops backup {name}"  # whole, where a restored database goes on
            command += "" if evidence.put_back else f" --tier {tier.name}"
            yield Finding(
                Kind.RPO, tier.name, latest, f"{what}; at most {spelled(tier.rpo)} may be lost", command
            )
    # A server that was replaced has the time before in its own, kept backups.
    earliest = min(window.earliest for window in evidence.listing.windows)
    needed = max(began, now - tier.keep) + LOOSE
    if earliest > needed:
        what = f"times are restorable from {day(earliest)} on; they should be for {spelled(tier.keep)}"
        yield Finding(Kind.SHORT, tier.name, earliest, what, "gymops runbook show backup-failure")


def _marks(tier: Tier, row: Sequence[Slot], evidence: Evidence) -> Iterator[Finding]:
    kinds = {
        Mark.MISSING: Kind.MISSING,
        Mark.LATE: Kind.LATE,
        Mark.FAILED: Kind.FAILED,
        Mark.SKIPPED: Kind.SKIPPED,
    }
    again = f"gymops backup {evidence.environment} --tier {tier.name}"
    lasting = [slot for slot in row if slot.mark is not Mark.OPEN][-1:]
    for slot in row:
        if kind := kinds.get(slot.mark):
            open_ = slot in lasting and not slot.taken and kind is not Kind.SKIPPED
            command = again if open_ else "gymops runbook show backup-failure"
            if kind is Kind.SKIPPED:
                command = f"gymops status {evidence.environment}"
            yield Finding(kind, tier.name, slot.due, slot.message, command, next(iter(slot.points), None))


def _sizes(tier: Tier, row: Sequence[Slot], evidence: Evidence) -> Iterator[Finding]:
    sizes: list[int] = []
    for slot in row:
        if not slot.taken or slot.size is None:
            continue
        if len(sizes) >= _ENOUGH and slot.size * 2 < (usual := median(sizes[-_BEFORE:])):
            what = f"{volume(slot.size)}, where {volume(usual)} is usual"
            point = next(iter(slot.points), None)
            yield Finding(Kind.SMALL, tier.name, slot.due, what, _test(evidence), point)
        sizes.append(slot.size)


def _gone(tier: Tier, row: Sequence[Slot], evidence: Evidence, now: datetime) -> Iterator[Finding]:
    there = {point.id for point in evidence.listing.points}
    for slot in row:
        young = slot.began is not None and now < slot.began + tier.keep - LOOSE
        if slot.taken and slot.points and young and not there.intersection(slot.points):
            what = f"it was taken, and is gone before its {spelled(tier.keep)} are over"
            command = "gymops runbook show backup-failure"
            yield Finding(Kind.SHORT, tier.name, slot.due, what, command, slot.points[0])


def _copies(
    tier: Tier, region: str, row: Sequence[Slot], evidence: Evidence, now: datetime
) -> Iterator[Finding]:
    if region in evidence.listing.silent:
        return
    copies = [
        one.taken
        for one in evidence.listing.points
        if one.kind == "copy" and one.tier == tier.name and one.ready and _in(one, region)
    ]
    failed = [
        job for job in evidence.jobs if job.copy and job.tier == tier.name and job.state is State.FAILED
    ]
    for slot in row:
        if not slot.taken or slot.began is None or now < slot.began + COPYING:
            continue
        if not any(slot.due - SKEW <= at < slot.before - SKEW for at in copies):
            said = [job.message for job in failed if slot.due <= job.began < slot.before]
            what = f"there is no copy in {region}{f': {said[-1]}' if said and said[-1] else ''}"
            command = "gymops runbook show backup-failure"
            yield Finding(Kind.UNCOPIED, tier.name, slot.due, what, command, next(iter(slot.points), None))


def _in(point: Point, region: str) -> bool:
    return point.where == region or point.where.startswith(f"{region}/")


def _standing(tier: Tier, row: Sequence[Slot], evidence: Evidence) -> Standing:
    judged = [slot for slot in row if slot.mark is not Mark.OPEN]
    if tier.schedule is None:
        times = [window.latest for window in evidence.listing.windows if not window.gone]
    else:
        own = [point for point in evidence.listing.points if point.ready and point.tier == tier.name]
        times = [point.taken for point in own if point.damaged is None]
    return Standing(
        tier,
        len(judged),
        sum(slot.taken for slot in judged),
        max(times, default=None),
        next(iter(tests_of(tier, evidence)), None),
    )


def _test(evidence: Evidence) -> str:
    return f"gymops restore-test {evidence.environment} --all"
