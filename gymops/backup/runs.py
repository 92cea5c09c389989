"""What became of backups that were begun and are no recovery points: failed, or skipped. Signed records."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gymops.backup import envelope
from gymops.backup.evidence import Job
from gymops.backup.recovery_point import new_id
from gymops.backup.vault import Vault
from gymops.store.records import plain, read


def record(vault: Vault, job: Job) -> None:
    """Write it down: ``runs/ENV/ID.json``."""
    key = f"{_folder(vault)}{new_id(job.began)}.json"
    vault.objects.create(key, envelope.close(json.dumps(plain(job)).encode(), vault.keys))


def runs(vault: Vault) -> Sequence[Job]:
    """All that were written down.

    Raises:
        Forged: one is damaged, or signed by another.
    """
    found = []
    for key in vault.objects.keys(_folder(vault)):
        stored = vault.objects.get(key)
        if stored is not None:
            job: Job = read(Job, json.loads(envelope.open_(stored[0], key, {vault.keys.public})))
            found.append(job)
    return found


def _folder(vault: Vault) -> str:
    return f"runs/{vault.environment}/"
