"""What can be restored: every recovery point, and the times in between that the WAL covers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from gymops.backup import envelope
from gymops.backup.port import Listing, Point, Window
from gymops.backup.recovery_point import Kind, RecoveryPoint
from gymops.backup.vault import Vault
from gymops.backup.wal import Stored, Wal


def listing(vault: Vault) -> Listing:
    """Everything that can be restored, as far as records tell.

    Raises:
        Forged: a record is damaged.
        StoreError, AwsError: nobody can look.
    """
    points = vault.catalogue.points()
    there = set(vault.blobs.keys(f"{vault.environment}/"))
    passed = verified(vault)
    return Listing(
        points=tuple(_point(vault, one, there, passed) for one in points),
        windows=tuple(sorted(windows(vault, points), key=lambda one: one.latest, reverse=True)),
    )


def windows(vault: Vault, points: Sequence[RecoveryPoint]) -> Iterator[Window]:
    """Between which times everything can be restored: a base backup, and WAL behind it without a gap."""
    for wal in vault.wals(list(points)):
        bases = [
            one for one in points if one.kind is Kind.BASE and one.system == wal.system and one.start_lsn
        ]
        while bases:
            first = bases[0]
            row = wal.chain(first.timeline or 1, first.start_lsn or "")
            # Those that begin within it are part of the same window.
            names = {one.name for one in row}
            within = [one for one in bases if one is first or _begins(wal, one, names)]
            bases = [one for one in bases if one not in within]
            if latest := _latest(wal, row, within):
                yield Window(vault.environment, wal.system, first.ended, latest)


def verified(vault: Vault) -> Mapping[str, datetime]:
    """When a restore-test of a point last passed: ``tests/ENV/ID.json``."""
    found: dict[str, datetime] = {}
    for key in vault.objects.keys(f"tests/{vault.environment}/"):
        stored = vault.objects.get(key)
        record = json.loads(envelope.open_(stored[0], key, {vault.keys.public})) if stored else {}
        if record.get("result") == "passed":
            point, ended = record["recovery_point"], datetime.fromisoformat(record["ended"])
            found[point] = max(ended, found.get(point, ended))
    return found


def _begins(wal: Wal, base: RecoveryPoint, names: set[str]) -> bool:
    row = wal.chain(base.timeline or 1, base.start_lsn or "")
    return bool(row) and row[0].name in names


def _latest(wal: Wal, row: Sequence[Stored], bases: Sequence[RecoveryPoint]) -> datetime | None:
    """Up to when: the mark in the last segment; where that was in one that is gone, the newest base's end."""
    if not row:
        return None
    last = wal.segment(row[-1])
    if last.marked:
        return last.at
    return max(one.ended for one in bases)


def _point(vault: Vault, point: RecoveryPoint, there: set[str], passed: Mapping[str, datetime]) -> Point:
    return Point(
        id=point.id,
        kind=point.kind.value,
        tier=point.tier,
        taken=point.began,
        size=point.size,
        encrypted=True,
        locked=vault.locked(point),
        where=vault.where,
        ready=all(file.key in there for file in point.files),
        keep_until=point.keep_until,
        seal=point.seal,
        verified=passed.get(point.id),
        damaged=point.damaged,
    )
