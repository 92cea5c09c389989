"""What became of backups that were begun and are no good recovery points: failed, skipped, or of a damaged
log. Signed records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from gymops.backup import envelope
from gymops.backup.evidence import Job, State
from gymops.backup.port import Tell, untold
from gymops.backup.recovery_point import RecoveryPoint, new_id
from gymops.backup.signature import Signer
from gymops.backup.tiers import Tier
from gymops.clock import Clock
from gymops.errors import ConfigError, GymopsError
from gymops.store.objects import Objects
from gymops.store.records import plain, read

_SECOND = timedelta(seconds=1)
"""An id tells the second only."""


class Kept(Protocol):
    """Where records of an environment lie, and by whom they are signed."""

    @property
    def environment(self) -> str:
        """Whose."""
        ...

    @property
    def objects(self) -> Objects:
        """Where."""
        ...

    @property
    def keys(self) -> Signer:
        """By whom."""
        ...


def record(vault: Kept, job: Job) -> None:
    """Write it down: ``runs/ENV/ID.json``."""
    key = f"{_folder(vault)}{new_id(job.began)}.json"
    vault.objects.create(key, envelope.close(json.dumps(plain(job)).encode(), vault.keys))


def runs(vault: Kept, since: datetime | None = None) -> Sequence[Job]:
    """All that were written down, or those that began since a time; the oldest first.

    Raises:
        Forged: one is damaged, or signed by another.
    """
    folder, found = _folder(vault), []
    first = f"{folder}{new_id(since - _SECOND)[:16]}" if since else ""
    for key in vault.objects.keys(folder):
        stored = vault.objects.get(key) if key >= first else None
        if stored is not None:
            job: Job = read(Job, json.loads(envelope.open_(stored[0], key, {vault.keys.public})))
            if since is None or job.began >= since:
                found.append(job)
    return sorted(found, key=lambda one: one.began)


def leave_word(kept: Kept, job: Job, *, once: bool) -> None:
    """Write it down for the audit; ``once``: not again what was written down last."""
    last = next(reversed(runs(kept)), None) if once else None
    if last is None or (last.state, last.message) != (job.state, job.message):
        record(kept, job)


def unmended(jobs: Iterable[Job], points: Sequence[RecoveryPoint], sealed: datetime | None) -> Sequence[Job]:
    """The backups of a damaged log since the newest seal, or the newest good one; the oldest first."""
    good = [one.began for one in points if one.damaged is None]
    mended = max([*good, *([sealed] if sealed else [])], default=None)
    found = [one for one in jobs if one.state is State.UNSEALED and (mended is None or one.began > mended)]
    return sorted(found, key=lambda one: one.began)


@contextmanager
def watched(vault: Kept, tier: Tier, clock: Clock, tell: Tell = untold) -> Iterator[None]:
    """A backup that fails in this block is written down, for ``backups`` and the audit; of a tier without a
    schedule what can be restored tells by itself, and a wrong setting is no attempt.
    """
    began = clock.now()
    try:
        yield
    except ConfigError:
        raise
    except GymopsError as error:
        if tier.schedule is not None:
            failed = Job(tier.name, began, State.FAILED, clock.now(), message=error.message)
            try:
                record(vault, failed)
            except GymopsError as worse:
                tell("record", f"that it failed is not recorded: {worse.message}")
        raise


def _folder(vault: Kept) -> str:
    return f"runs/{vault.environment}/"
