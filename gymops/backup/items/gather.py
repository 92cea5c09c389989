"""What there is of the backups of tables and buckets: they and the records are only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gymops.backup import runs
from gymops.backup.envelope import Forged
from gymops.backup.evidence import Evidence, Gap, Lacking, Trial
from gymops.backup.items.backups import ItemBackups
from gymops.backup.port import Listing


def gather(backups: ItemBackups, now: datetime, tests: Sequence[Trial]) -> Evidence:
    """Look at every table, bucket and record.

    Raises:
        AwsError: AWS does not answer.
    """
    unseen: list[str] = []
    listing = Listing((), ())
    covered: set[str] = set()
    try:
        listing = backups.listing()
        if all(one.schedule for one in backups.tiers):  # nobody said that the times in between are kept
            listing = replace(listing, windows=())
        ready = {point.id for point in listing.points if point.ready}
        sets = [one for one in backups.sets.all() if one.id in ready]
        covered = {part.name for one in sets[-1:] for part in one.parts}
        covered |= {name for one in backups.planned()[-1:] for name in one.names}
    except Forged as error:
        unseen.append(error.message)
    gone = [one for one in backups.sources if backups.holders[one.kind].arn(one.name) is None]
    lacking = [Lacking(one.name, Gap.BACKUP) for one in backups.sources if one.name not in covered]
    for one in backups.sources:
        lacking += [Lacking(one.name, gap) for gap in backups.holders[one.kind].gaps(one.name)]
    unseen += [f"the {one.kind} {one.name} is gone" for one in gone]
    return Evidence(
        backups.environment,
        listing,
        jobs=tuple(runs.runs(backups.vault)),
        jobs_since=now,  # what succeeded is a recovery point
        tests=tuple(tests),
        no_bytes=tuple(point.id for point in listing.points if not point.ready and point.seal),
        no_entry=() if unseen else tuple(backups.orphans()),
        unseen=tuple(unseen),
        lacking=tuple(lacking),
    )
