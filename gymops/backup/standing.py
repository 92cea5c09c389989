"""What the audit says of each recovery point, of restore-tests, and of the store itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from gymops.backup.evidence import Evidence, Expected, Gap, Result, Trial
from gymops.backup.findings import LOOSE, Finding, Kind, day
from gymops.backup.port import Point
from gymops.backup.schedule import spelled
from gymops.backup.slots import words
from gymops.backup.tiers import CONTINUOUS, Tier

_FIX = "gymops runbook show backup-failure"
_LOCKABLE = frozenset({"aws-backup", "base", "copy", "dump"})
"""What a vault of AWS Backup, or a bucket's object lock, can hold; RDS's own snapshots nothing can."""


def restorable(tier: Tier, evidence: Evidence) -> bool:
    """Whether anything of a tier can be restored."""
    if tier.schedule is None:
        return any(not window.gone for window in evidence.listing.windows)
    return any(point.tier == tier.name and point.ready for point in evidence.listing.points)


def of_tests(tier: Tier, evidence: Evidence, expected: Expected, now: datetime) -> Iterator[Finding]:
    """What the newest restore-tests of a tier say, and whether there are any."""
    own = tests_of(tier, evidence)
    command = f"gymops restore-test {evidence.environment} --tier {tier.name}"
    passed = next((one for one in own if one.result is Result.PASSED), None)
    if own and own[0].result is not Result.PASSED:
        kind = Kind.TEST_FAILED if own[0].result is Result.FAILED else Kind.UNVERIFIED
        runbook = "gymops runbook show audit" if kind is Kind.TEST_FAILED else command
        what = own[0].message or str(own[0].result)
        yield Finding(kind, tier.name, own[0].began, what, runbook, own[0].point)
    elif not evidence.tests_known:
        pass
    elif passed is None:
        yield Finding(Kind.UNTESTED, tier.name, now, "no restore of it was ever proved", command)
    elif now - passed.began > expected.test_every:
        what = f"the last proof is {words(now - passed.began)} old"
        yield Finding(Kind.STALE, tier.name, passed.began, what, command, passed.point)
    if passed is None:
        return
    for kind, seconds, target, what in (
        (Kind.RTO, passed.rto_seconds, tier.rto, "the last restore-test took"),
        (Kind.RPO, passed.rpo_seconds, tier.rpo, "the last restore-test lost"),
    ):
        if kind is Kind.RPO and expected.off_hours and tier.schedule is None:
            continue  # nothing was written while it was off, so nobody knows what a test then would have lost
        if seconds is not None and target is not None and timedelta(seconds=seconds) > target:
            told = f"{what} {words(timedelta(seconds=seconds))}; the target is {spelled(target)}"
            yield Finding(kind, tier.name, passed.began, told, command, passed.point)


def tests_of(tier: Tier, evidence: Evidence) -> list[Trial]:
    """The restore-tests of a tier, the newest first; those of the latest time are the continuous one's."""
    of = {point.id: point.tier for point in evidence.listing.points}
    own = [
        one
        for one in evidence.tests
        if tier.name == (one.tier or CONTINUOUS) or (one.point and of.get(one.point) == tier.name)
    ]
    return sorted(own, key=lambda one: one.began, reverse=True)


def of_points(evidence: Evidence, expected: Expected, now: datetime) -> Iterator[Finding]:
    """What is wrong with single recovery points."""
    tiers = {tier.name: tier for tier in expected.tiers}
    needed = _needed(evidence, expected, now)
    for point in evidence.listing.points:
        if not point.ready:
            continue
        if not point.encrypted:
            yield Finding(Kind.UNENCRYPTED, point.tier, point.taken, "it is not encrypted", _FIX, point.id)
        if expected.locked and point.kind in _LOCKABLE and not point.locked:
            what = "nothing keeps it from being deleted"
            yield Finding(Kind.UNLOCKED, point.tier, point.taken, what, _FIX, point.id)
        tier = tiers.get(point.tier or "")
        if tier is not None and tier.schedule is not None:
            yield from _kept(point, tier, now, needed)


def _kept(point: Point, tier: Tier, now: datetime, needed: set[str]) -> Iterator[Finding]:
    until = point.keep_until
    if until is None or until > point.taken + tier.keep + LOOSE:
        how = "for ever" if until is None else f"until {day(until)}"
        what = f"it is kept {how}; its tier says {spelled(tier.keep)}"
        yield Finding(Kind.BEYOND, tier.name, point.taken, what, _FIX, point.id)
    elif until < point.taken + tier.keep - LOOSE:
        what = f"it is kept until {day(until)} only; its tier says {spelled(tier.keep)}"
        yield Finding(Kind.SHORT, tier.name, point.taken, what, _FIX, point.id)
    elif until + LOOSE < now and point.id not in needed:
        what = f"it is still there, though its time was over on {day(until)}"
        yield Finding(Kind.BEYOND, tier.name, point.taken, what, _FIX, point.id)


def _needed(evidence: Evidence, expected: Expected, now: datetime) -> set[str]:
    """What pruning keeps though its time is over: the last good one, and what the window begins with."""
    failed = {one.point for one in evidence.tests if one.result is Result.FAILED}
    ready = sorted((one for one in evidence.listing.points if one.ready), key=lambda one: one.taken)
    good = [one for one in ready if one.id not in failed and one.damaged is None]
    kept = {one.id for one in [*ready[-1:], *good[-1:]]}
    for tier in expected.tiers:
        if tier.schedule is None:
            for row in (ready, good):
                before = [one for one in row if one.kind == "base" and one.taken <= now - tier.keep]
                kept |= {one.id for one in before[-1:]}
    return kept


def of_store(evidence: Evidence, now: datetime) -> Iterator[Finding]:
    """What is wrong with the log, the records and the bytes."""
    if evidence.put_back is not None:
        what = "a restored database took its place, and nothing since can be restored: it was not copied yet"
        command = f"gymops backup {evidence.environment}"
        yield Finding(Kind.NO_BASE, None, evidence.put_back, what, command)
    if evidence.damaged is not None:
        what = f"the log is damaged: {evidence.damaged.message}"
        yield Finding(Kind.DAMAGED, None, evidence.damaged.since, what, evidence.damaged.next)
    taken = {point.id: point for point in evidence.listing.points}
    for name in evidence.no_bytes:
        point = taken.get(name)
        when = point.taken if point else now
        tier = point.tier if point else None
        yield Finding(Kind.NO_BYTES, tier, when, "its files are gone, or not whole", _FIX, name)
    if evidence.no_entry:
        count, first = len(evidence.no_entry), evidence.no_entry[0]
        more = f" and {count - 1} more" if count > 1 else ""
        what = f"no record names {first}{more}"
        yield Finding(Kind.NO_ENTRY, None, now, what, f"gymops backup {evidence.environment}")
    if evidence.seals is not None:
        yield Finding(Kind.SEALS, None, now, evidence.seals, "gymops runbook show audit")


def of_parts(evidence: Evidence, now: datetime) -> Iterator[Finding]:
    """What is not kept of single tables and buckets."""
    backup, deploy = f"gymops backup {evidence.environment}", f"gymops deploy {evidence.environment}"
    between = "no time between two backups can be restored: point-in-time recovery is off"
    said = {
        Gap.BACKUP: (Kind.UNCOVERED, "nothing that can be restored has it", backup),
        Gap.TIMES: (Kind.NO_TIMES, between, deploy),
        Gap.VERSIONS: (Kind.NO_VERSIONS, "what is overwritten or deleted is gone: versioning is off", deploy),
    }
    for one in evidence.lacking:
        kind, what, command = said[one.gap]
        yield Finding(kind, None, now, f"{one.name}: {what}", command)
