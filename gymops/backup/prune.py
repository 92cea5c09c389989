"""Pruning: what tiers let go of, what nobody names, what killed runs left; always the record first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gymops.backup import lsn
from gymops.backup.evidence import Result
from gymops.backup.recovery_point import RecoveryPoint
from gymops.backup.restore_test import Records
from gymops.backup.tiers import Tier, retention, window
from gymops.backup.vault import Vault, reach
from gymops.backup.wal import Stored, Wal, superseded

UNCLAIMED = 6 * 3600.0
"""Seconds after which bytes without a record are nobody's: a backup is read back before it is recorded, and
that takes time.
"""
_UPLOADS = 24 * 3600.0
"""Seconds after which an upload that nobody ended is given up."""


@dataclass(frozen=True)
class Pruned:
    """What went, and what was found on the way."""

    points: tuple[RecoveryPoint, ...]
    segments: int
    """Of the WAL."""
    unclaimed: tuple[str, ...]
    """Files that no record named."""
    without_bytes: tuple[RecoveryPoint, ...]
    """Recovery points whose files are gone; they stay listed until somebody looks (``gymops audit``)."""


def prune(vault: Vault, tiers: Sequence[Tier], now: datetime) -> Pruned:
    """Delete what may go by now. Killed at any moment, the next run goes on.

    No good one is: what was taken of a damaged log, has lost its files, or failed a restore-test.

    Raises:
        Forged: a record is damaged; nothing is deleted then.
        StoreError, AwsError: something cannot be deleted.
    """
    points = vault.catalogue.points()
    there = set(vault.blobs.keys(f"{vault.environment}/"))
    gone = [point for point in points if not {file.key for file in point.files} <= there]
    wals = vault.wals(list(points))
    tests = Records(vault.objects, vault.environment, vault.keys).read()
    failed = {one.recovery_point for one in tests if one.recovery_point and one.result is Result.FAILED}
    failed |= {one.id for one in points if one in gone or one.damaged}
    keep = retention(points, tiers, now, reach=reach(wals), failed=failed)
    for point in keep.expired:
        vault.catalogue.remove(point)
        for file in point.files:
            vault.blobs.delete(file.key)
    segments = 0
    for one in wals:
        for stored in _past(one, keep.wal_from):
            one.remove(stored)
            segments += 1
    vault.seals.sum_up()
    if span := window(tiers):
        vault.seals.forget({point.seal.number for point in keep.kept if point.seal}, now - span)
    return Pruned(keep.expired, segments, _sweep(vault, wals), tuple(gone))


def _past(one: Wal, needed: Mapping[tuple[str, int], int | None]) -> list[Stored]:
    """What is not needed of a database system's WAL."""
    stored = one.stored()
    past = list(superseded(stored))
    for segment in stored:
        begin = needed.get((one.system, lsn.timeline(segment.name)), 0)
        if segment not in past and (begin is None or segment.end <= begin):
            past.append(segment)
    return past


def _sweep(vault: Vault, wals: Sequence[Wal]) -> tuple[str, ...]:
    """Delete the files without a record that are old enough to be nobody's."""
    vault.blobs.sweep(_UPLOADS)
    unclaimed = [
        key for key in vault.blobs.keys(f"{vault.environment}/") if (vault.blobs.age(key) or 0.0) > UNCLAIMED
    ]
    # Read after the files: a record that comes in between claims its file, and that is then in there.
    named = {file.key for point in vault.catalogue.points() for file in point.files}
    named |= {one.file(stored.stem) for one in wals for stored in one.stored()}
    found = tuple(key for key in unclaimed if key not in named)
    for key in found:
        vault.blobs.delete(key)
    return found
