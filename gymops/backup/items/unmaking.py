"""Deleting what a restore-test made, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gymops.aws.session import AwsError
from gymops.backup.items.port import Holder
from gymops.backup.items.record import Made, Sets
from gymops.backup.managed.lease import Leases
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Tell
from gymops.clock import ticks
from gymops.errors import GymopsError

_PATIENCE = 3600.0


@dataclass(frozen=True)
class Unmaking:
    """Of one environment."""

    sets: Sets
    leases: Leases
    holders: Mapping[str, Holder]
    patience: Patience

    def unmake(self, one: Made, tell: Tell) -> Sequence[str]:
        """Delete what is there, and wait until it is gone; its names. Law: AWS makes what it was asked for
        also after whoever asked was killed; so what was never seen is gone only once nothing can come.

        Raises:
            GymopsError: something stays.
        """
        names = [("table", name) for name in one.tables] + [("bucket", name) for name in one.buckets]
        seen: set[str] = set()
        for _ in ticks(self.patience.clock, timeout=_PATIENCE, interval=self.patience.interval):
            left = [name for kind, name in names if self._stays(kind, name, seen, tell)]
            if not left:
                break
            tell("drop", ", ".join(left))
        else:
            raise GymopsError(
                f"{one.to} is not deleted after an hour", hint="the next restore-test deletes it"
            )
        unseen = [name for _, name in names if name not in seen]
        if unseen and self._young(one):
            tell("left", f"{', '.join(unseen)}: may still be made; the next restore-test looks again")
        else:
            self.sets.unmade(one)
        self.leases.drop(one.id)
        return [name for _, name in names if name in seen]

    def _stays(self, kind: str, name: str, seen: set[str], tell: Tell) -> bool:
        """Whether it is still there, or AWS does not say."""
        try:
            if name not in seen:
                if self.holders[kind].arn(name) is None:
                    return False
                seen.add(name)
            return self.holders[kind].delete(name)
        except AwsError as error:
            if not error.passing:
                raise
            tell("drop", error.message)
            return True

    def _young(self, one: Made) -> bool:
        """Whether a restore that was begun for it may go on."""
        begun = datetime.strptime(one.id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return (self.patience.clock.now() - begun).total_seconds() < self.patience.timeout
