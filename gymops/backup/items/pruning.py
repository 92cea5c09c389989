"""What is kept no longer, and what killed runs left: deleted by what is recorded of it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gymops.backup.items.port import Keeper
from gymops.backup.items.record import Begun, Sets
from gymops.backup.managed.lease import Leases
from gymops.backup.port import Tell
from gymops.backup.vault import Vault
from gymops.errors import GymopsError

_YOUNG = timedelta(hours=1)


@dataclass(frozen=True)
class Pruning:
    """Letting go of what is kept no longer, and of what killed runs left. Law: only what a record names is
    ever deleted, so that records that are lost take no backups with them.
    """

    environment: str
    tables: Sequence[str]
    keepers: Sequence[Keeper]
    vault: Vault
    sets: Sets
    leases: Leases
    label: str

    def old(self, now: datetime, verified: Container[str], tell: Tell) -> None:
        """The backups first, then the record: what is not deleted now is by the next run. The newest stays,
        and so does the newest of those that passed a restore-test.
        """
        found = self.sets.all()
        proved = [one.id for one in found if one.id in verified]
        stay = {one.id for one in found[-1:]} | set(proved[-1:])
        for one in found:
            if one.id in stay or one.keep_until is None or one.keep_until >= now:
                continue
            tell("prune", one.id)
            try:
                for part in one.parts:
                    whose(self.keepers, part.backup, self.environment).forget(part.backup)
                    self.vault.blobs.delete(part.content.key)
                self.sets.remove(one)
            except GymopsError as error:
                tell("stays", f"{one.id}, until the next backup: {error.message}")

    def left(self, now: datetime, tell: Tell) -> None:
        """What was begun an hour ago or earlier, is in no record, and nobody runs any more."""
        for one in self.sets.begun():
            if one.began >= now - _YOUNG or self.leases.held(one.id):
                continue
            try:
                self._left(one, now, tell)
            except GymopsError as error:
                tell("stays", f"what {one.id} left, until the next backup: {error.message}")

    def _left(self, one: Begun, now: datetime, tell: Tell) -> None:
        if one.id not in {made.id for made in (*self.sets.all(), *self.sets.moments())}:
            for own in self.keepers:
                label = f"{self.label}-{one.id}"
                for backup in own.strays(self.tables, label, now):
                    tell("prune", backup)
                    own.forget(backup)
            for key in self.vault.blobs.keys(f"{self.environment}/{one.id}/"):
                self.vault.blobs.delete(key)
        self.sets.ended(one)


def whose(keepers: Sequence[Keeper], backup: str, environment: str) -> Keeper:
    """Who keeps a backup.

    Raises:
        GymopsError: nobody any more.
    """
    found = next((one for one in keepers if one.keeps(backup)), None)
    if found is None:
        raise GymopsError(
            f"{backup} is in a vault that the stacks of {environment} do not name any more",
            hint=f"gymops status {environment}",
        )
    return found
