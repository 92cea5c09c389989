"""What there is of the backups of a server of ours: its store, read through for the audit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from gymops.backup import listing, prune, runs
from gymops.backup.catalogue import Seals
from gymops.backup.envelope import Forged
from gymops.backup.evidence import Evidence, Trial
from gymops.backup.port import Listing
from gymops.backup.restore_test import Records, Tested
from gymops.backup.vault import Vault
from gymops.eventlog.seal import SealError

T = TypeVar("T")


def gather(vault: Vault, now: datetime) -> Evidence:
    """Read every record, and ask for the size of every file; nothing is changed.

    Raises:
        StoreError, AwsError: the store cannot be read.
    """
    unseen: list[str] = []
    tests = Records(vault.objects, vault.environment, vault.keys)
    found = _if_whole(unseen, Listing((), ()), lambda: listing.listing(vault))
    nothing: tuple[tuple[str, ...], tuple[str, ...]] = (), ()
    lost, unclaimed = _if_whole(unseen, nothing, lambda: _bytes(vault))
    return Evidence(
        vault.environment,
        found,
        jobs=tuple(_if_whole(unseen, [], lambda: list(runs.runs(vault)))),
        jobs_since=now,  # what succeeded is a recovery point
        tests=tuple(_if_whole(unseen, [], lambda: [trial(one) for one in tests.read()])),
        no_bytes=lost,
        no_entry=unclaimed,
        seals=seals(vault.seals),
        unseen=tuple(dict.fromkeys(unseen)),
    )


def seals(kept: Seals) -> str | None:
    """What is wrong with the chain of seals.

    Raises:
        StoreError, AwsError: they cannot be read.
    """
    try:
        kept.sealed()
    except (SealError, Forged) as error:
        return error.message
    return None


def trial(record: Tested) -> Trial:
    """What the audit needs of a restore-test's record."""
    return Trial(
        record.began,
        record.result,
        record.tier,
        record.recovery_point,
        record.rpo_seconds,
        record.rto_seconds,
        record.events.restored,
        record.digest.restored,
        record.message or "",
    )


def _bytes(vault: Vault) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Entries whose files are gone or too short, and files that no entry names."""
    # The files first: what is recorded meanwhile has its files already.
    there = list(vault.blobs.keys(f"{vault.environment}/"))
    old = [key for key in there if (vault.blobs.age(key) or 0.0) > prune.UNCLAIMED]
    points = vault.catalogue.points()
    lost = [one.id for one in points if any(vault.blobs.size(file.key) != file.bytes for file in one.files)]
    named = {file.key for point in points for file in point.files}
    for wal in vault.wals(list(points)):
        for stored in wal.stored():
            named.add(key := wal.file(stored.stem))
            if vault.blobs.size(key) is None:
                lost.append(stored.name)
    return tuple(lost), tuple(key for key in old if key not in named)


def _if_whole(unseen: list[str], otherwise: T, look: Callable[[], T]) -> T:
    """A record that is damaged hides what it says, and nothing else."""
    try:
        return look()
    except Forged as error:
        unseen.append(error.message)
        return otherwise
