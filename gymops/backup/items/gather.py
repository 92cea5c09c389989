"""What there is of the backups of tables: DynamoDB and the records are only read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gymops.backup import runs
from gymops.backup.envelope import Forged
from gymops.backup.evidence import Evidence, Gap, Lacking, Trial
from gymops.backup.items.backups import ItemBackups
from gymops.backup.port import Listing


def gather(
    backups: ItemBackups, now: datetime, tests: Sequence[Trial], others: Sequence[str] = ()
) -> Evidence:
    """Look at every table and every record; ``others``: buckets, which nothing here takes.

    Raises:
        AwsError: AWS does not answer.
    """
    unseen: list[str] = []
    listing = Listing((), ())
    covered: set[str] = set()
    try:
        listing = backups.listing()
        ready = {point.id for point in listing.points if point.ready}
        sets = [one for one in backups.sets.all() if one.id in ready]
        covered = {part.name for one in sets[-1:] for part in one.parts}
    except Forged as error:
        unseen.append(error.message)
    tables = {name: backups.tables.find(name) for name in backups.names}
    lacking = [Lacking(name, Gap.BACKUP) for name in [*tables, *others] if name not in covered]
    lacking += [Lacking(name, Gap.TIMES) for name, one in tables.items() if one and not one.continuous]
    unseen += [f"the table {name} is gone" for name, one in tables.items() if one is None]
    return Evidence(
        backups.environment,
        listing,
        jobs=tuple(runs.runs(backups.vault)),
        jobs_since=now,  # what succeeded is a recovery point
        tests=tuple(tests),
        no_bytes=tuple(point.id for point in listing.points if not point.ready),
        no_entry=() if unseen else tuple(backups.orphans()),
        unseen=tuple(unseen),
        lacking=tuple(lacking),
    )
