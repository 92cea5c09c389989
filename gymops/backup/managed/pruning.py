"""Letting go of snapshots of RDS that nobody else deletes, and of records of what AWS let go of."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from gymops.aws.databases import Databases
from gymops.backup.catalogue import Catalogue
from gymops.backup.port import Listing
from gymops.backup.recovery_point import Kind


def prune(
    catalogue: Catalogue, databases: Databases, found: Listing, now: datetime, passed: Collection[str] = ()
) -> None:
    """Of what has its time over, but never the newest good snapshot, nor the newest of those that ``passed``
    a restore-test; the record first, so that nothing is listed that is not there.
    """
    if found.silent:
        return
    there = {point.id for point in found.points}
    ours = [point for point in found.points if point.kind == "snapshot" and point.keep_until]
    good = [point.id for point in ours if point.ready and point.damaged is None]
    stay = {*good[-1:], *[point for point in good if point in passed][-1:]}
    for one in catalogue.points():
        over = one.keep_until is not None and one.keep_until < now
        if over and one.id not in stay and (one.id not in there or one.kind is Kind.SNAPSHOT):
            catalogue.remove(one)
    for point in ours:
        if point.keep_until and point.keep_until < now and point.id not in stay:
            databases.forget_snapshot(point.id)
