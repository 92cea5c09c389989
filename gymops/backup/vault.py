"""Where the backups of one environment are: signed records, and files that are compressed and encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from gymops.backup import wal
from gymops.backup.catalogue import Catalogue, Seals
from gymops.backup.keys import Keys
from gymops.backup.recovery_point import RecoveryPoint
from gymops.backup.wal import Wal
from gymops.store.blobs import Blobs
from gymops.store.objects import Objects

_ROUNDED = timedelta(seconds=1)
"""S3 keeps whole seconds, or less."""


class Lock(Protocol):
    """What keeps files from being deleted, where the store can; keys are those of the store's files."""

    @property
    def on(self) -> bool:
        """Whether the store can."""
        ...

    def hold(self, key: str, until: datetime) -> None:
        """Keep one until then, where the store can."""
        ...

    def until(self, key: str) -> datetime | None:
        """Until when one is kept; None: it is not."""
        ...


@dataclass(frozen=True)
class Vault:
    """The store of an environment's backups, and the keys to it."""

    environment: str
    objects: Objects
    blobs: Blobs
    keys: Keys
    work: Path
    """A private folder for what passes through."""
    where: str
    """For people: a folder, ``s3://bucket/prefix``."""
    lock: Lock | None = None
    """None: the store has nothing of the kind."""

    @property
    def catalogue(self) -> Catalogue:
        """Its recovery points."""
        if self.lock is None:
            return Catalogue(self.objects, self.environment, self.keys)
        return Catalogue(self.objects, self.environment, self.keys, hold=self.lock.hold)

    def locked(self, point: RecoveryPoint) -> bool:
        """Whether nobody can delete its files before its time is over.

        Raises:
            AwsError: nobody may look.
        """
        if self.lock is None or not self.lock.on or point.keep_until is None:
            return False
        held = [self.lock.until(file.key) for file in point.files]
        return all(until is not None and until >= point.keep_until - _ROUNDED for until in held)

    @property
    def seals(self) -> Seals:
        """What its event log held."""
        return Seals(self.objects, self.environment, self.keys)

    def wal(self, system: str, segment: int) -> Wal:
        """What was received of a database system; ``segment``: bytes of one."""
        return Wal(self.objects, self.blobs, self.environment, system, segment, self.keys)

    def wals(self, points: list[RecoveryPoint]) -> list[Wal]:
        """Of every database system there is WAL of."""
        sizes = {point.system: point.segment for point in points}
        return [
            self.wal(system, sizes.get(system, 16 << 20))
            for system in wal.systems(self.objects, self.environment)
        ]

    def key(self, point: str, name: str) -> str:
        """Of a file of a recovery point."""
        return f"{self.environment}/{point}/{name}"


def reach(wals: list[Wal]) -> dict[tuple[str, int], datetime]:
    """Up to when each database system and timeline was received."""
    found: dict[tuple[str, int], datetime] = {}
    for one in wals:
        last = {int(stored.name[:8], 16): stored for stored in one.stored()}
        for timeline, stored in last.items():
            found[one.system, timeline] = one.segment(stored).at
    return found
