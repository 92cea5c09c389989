"""Where the backups of one environment are: signed records, and files that are compressed and encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gymops.backup import wal
from gymops.backup.catalogue import Catalogue, Seals
from gymops.backup.keys import Keys
from gymops.backup.recovery_point import RecoveryPoint
from gymops.backup.wal import Wal
from gymops.store.blobs import Blobs
from gymops.store.objects import Objects


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

    @property
    def catalogue(self) -> Catalogue:
        """Its recovery points."""
        return Catalogue(self.objects, self.environment, self.keys)

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
