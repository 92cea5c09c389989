"""Backing up tables and buckets together: looked at, backed up, looked at again.

AWS says of no backup which moment it is of, only that it is of about when it was asked for: what was written
a minute before is in it, what was written since may be. So that time lies between asking and the looks:

1. Look at all, and wait: whatever was seen is now old enough to be in a backup.
2. Back up all, and wait: whatever is written from now on is too new to be in one.
3. Look at all again. What was the same both times is in every backup, as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from gymops import __version__
from gymops.backup.items import looks
from gymops.backup.items.beating import beating, counting
from gymops.backup.items.content import Content, Look
from gymops.backup.items.port import Holder, Keeper, Source
from gymops.backup.items.record import Begun, Part, Sets, Together
from gymops.backup.managed.lease import Leases
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Tell
from gymops.backup.recovery_point import new_id
from gymops.backup.schedule import DAY
from gymops.backup.tiers import Tier
from gymops.backup.vault import Vault
from gymops.errors import GymopsError


@dataclass(frozen=True)
class Taking:
    """Of one environment."""

    environment: str
    sources: Sequence[Source]
    holders: Mapping[str, Holder]
    takes: Mapping[str, Keeper]
    vault: Vault
    patience: Patience
    sets: Sets
    leases: Leases
    label: str
    apart: float
    """Seconds by which a backup's moment is uncertain."""

    def take(self, tier: Tier, tell: Tell) -> Together:
        """What was begun is recorded first, so that the next run knows what a killed one left."""
        sources = [one for one in self.sources if one.kind in self.takes]
        if not sources:
            raise GymopsError(
                f"nothing takes backups of the buckets of {self.environment}: its stacks have no vault",
                hint="AWS::Backup::BackupVault in the template; outputs BackupVaultName, BackupRoleArn",
            )
        clock = self.patience.clock
        began = clock.now()
        begun = Begun(new_id(began), began)
        tell = beating(self.leases, begun.id, count(), tell)
        backups: dict[Source, str] = {}
        try:
            self.sets.begin(begun)
            arns = {one: self._arn(one) for one in sources}
            before = {one: self._look(one, "before", tell) for one in sources}
            taken = clock.now()
            self._wait(tell)
            for one in sources:
                tell("backup", one.name)
                backups[one] = self.takes[one.kind].back_up(
                    one.name, arns[one], f"{self.label}-{begun.id}", tier.name, -(-tier.keep // DAY), tell
                )
            self._wait(tell)
            parts = [
                self._part(begun.id, one, arns[one], backups[one], before.pop(one), tell) for one in sources
            ]
            made = Together(
                begun.id, self.environment, tier.name, taken, clock.now(), tuple(parts), __version__,
                began + tier.keep,
            )  # fmt: skip
            self.sets.add(made)
        except GymopsError:
            with suppress(GymopsError):  # the next run finds what is not deleted now
                for source, backup in backups.items():
                    self.takes[source.kind].forget(backup)
                for key in self.vault.blobs.keys(f"{self.environment}/{begun.id}/"):
                    self.vault.blobs.delete(key)
            raise
        finally:
            with suppress(GymopsError):
                self.leases.drop(begun.id)
        with suppress(GymopsError):  # it is recorded, and the next run sees that
            self.sets.ended(begun)
        return made

    def _arn(self, one: Source) -> str:
        found = self.holders[one.kind].arn(one.name)
        if found is None:
            raise GymopsError(
                f"the {one.kind} {one.name} is gone",
                hint=f"gymops backups {self.environment} lists what it can be restored from",
            )
        return found

    def _look(self, one: Source, when: str, tell: Tell) -> Look:
        what = f"{one.name}, {when}"
        tell("look", what)
        return self.holders[one.kind].look(one.name, counting(tell, "look", what))

    def _wait(self, tell: Tell) -> None:
        if self.apart:
            tell("wait", f"{self.apart:.0f} s: so far beside what was asked for a backup's moment may be")
            self.patience.clock.sleep(self.apart)

    def _part(self, identifier: str, one: Source, arn: str, backup: str, before: Look, tell: Tell) -> Part:
        content = Content.of(before, self._look(one, "after", tell))
        key = f"{self.environment}/{identifier}/{one.kind}-{one.name}.jsonl.zst.age"
        stored = looks.keep(self.vault, content, key)
        kept = self.takes[one.kind].there([(one.name, arn)]).get(backup)
        size, items, moving = kept.bytes if kept else None, len(content.steady), len(content.moving)
        own = self.holders[one.kind].key(one.name)
        return Part(one.name, arn, backup, size, stored, items, moving, content.digest, one.kind, own)
