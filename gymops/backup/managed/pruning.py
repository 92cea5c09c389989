"""Letting go of snapshots of RDS that nobody else deletes, and of records of what AWS let go of."""

from __future__ import annotations

from datetime import datetime

from gymops.aws.databases import Databases
from gymops.backup.catalogue import Catalogue
from gymops.backup.port import Listing
from gymops.backup.recovery_point import Kind


def prune(catalogue: Catalogue, databases: Databases, found: Listing, now: datetime) -> None:
    """Of what has its time over, but never the newest good snapshot; the record first, so that nothing is
    listed that is not there.
    """
    if found.silent:
        return
    there = {point.id for point in found.points}
    ours = [point for point in found.points if point.kind == "snapshot" and point.keep_until]
    newest = next((point.id for point in reversed(ours) if point.ready and point.damaged is None), None)
    for one in catalogue.points():
        over = one.keep_until is not None and one.keep_until < now
        if over and one.id != newest and (one.id not in there or one.kind is Kind.SNAPSHOT):
            catalogue.remove(one)
    for point in ours:
        if point.keep_until and point.keep_until < now and point.id != newest:
            databases.forget_snapshot(point.id)
