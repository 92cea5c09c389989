"""A log that is damaged: its bytes are backed up all the same, but as no good backup, and the way back is
said.

Whoever is woken by it needs both: what is there now, for whatever came since is in nothing else, and the last
moment in which all was well. So nothing is sealed, the bytes are taken and say of themselves that they are
not good, and no good one is let go of in favour of them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from gymops.backup import targets
from gymops.backup.port import Wanted
from gymops.backup.vault import Vault
from gymops.errors import GymopsError


def way_back(vault: Vault) -> str:
    """The command that brings back the last moment of which it is known that all was well.

    Raises:
        Forged, SealError: a record is damaged.
    """
    last = vault.seals.sealed().last
    if last is not None and _reachable(vault, last.taken):
        moment = f"{last.taken.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        return f"gymops restore {vault.environment} --at {moment} --to NEW"
    good = [one for one in vault.catalogue.points() if one.damaged is None]
    if not good:
        return f"gymops backups {vault.environment}"
    newest = max(good, key=lambda one: one.ended)
    return f"gymops restore {vault.environment} --from {newest.id} --to NEW"


def _reachable(vault: Vault, at: datetime) -> bool:
    try:
        return targets.choose(vault, Wanted(at=at)).point.damaged is None
    except GymopsError:
        return False
