"""What there is of the backups of a server of ours: its store, read through for the audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from gymops.backup import damage, listing, prune, runs
from gymops.backup.catalogue import Seals
from gymops.backup.envelope import Forged
from gymops.backup.evidence import Damaged, Evidence, Job, State, Trial
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
    jobs: Sequence[Job] = _if_whole(unseen, (), lambda: tuple(runs.runs(vault)))
    return Evidence(
        vault.environment,
        found,
        jobs=tuple(jobs),
        jobs_since=now,  # what succeeded is a recovery point
        tests=tuple(_if_whole(unseen, [], lambda: [trial(one) for one in tests.read()])),
        no_bytes=lost,
        no_entry=unclaimed,
        seals=seals(vault.seals),
        damaged=_if_whole(unseen, None, lambda: _damaged(vault, jobs)),
        put_back=_if_whole(unseen, None, lambda: _put_back(vault)),
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


def _damaged(vault: Vault, jobs: Sequence[Job]) -> Damaged | None:
    if not any(one.state is State.UNSEALED for one in jobs):
        return None
    try:
        last, back = vault.seals.sealed().last, damage.way_back(vault)
    except SealError:
        last, back = None, "gymops runbook show restore"
    found = runs.unmended(jobs, vault.catalogue.points(), last.taken if last else None)
    return Damaged(found[0].began, found[-1].message, back) if found else None


def _put_back(vault: Vault) -> datetime | None:
    """A switch takes no backup by itself: a copy of everything would be in the way of those who have waited
    for the database, and whoever switches says when.
    """
    copied = max((one.began for one in vault.catalogue.points() if one.damaged is None), default=None)
    try:
        for one in vault.seals.back():
            if copied and one.taken < copied:
                return None
            if one.goes_on:
                return None if one.goes_on.here else one.taken
    except SealError:
        return None  # told by ``seals``
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
