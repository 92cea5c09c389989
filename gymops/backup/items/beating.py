"""Whatever is told also says that whoever tells it still lives."""

from __future__ import annotations

from collections.abc import Iterator

from gymops.backup.items.port import Counted
from gymops.backup.managed.lease import Leases
from gymops.backup.port import Tell


def beating(leases: Leases, identifier: str, beats: Iterator[int], tell: Tell) -> Tell:
    """Tell, and renew the lease of what runs."""

    def beat(phase: str, how_far: str) -> None:
        leases.hold(identifier, next(beats))
        tell(phase, how_far)

    leases.hold(identifier, next(beats))
    return beat


def counting(tell: Tell, phase: str, name: str) -> Counted:
    """Tell how many items were read."""
    return lambda number: tell(phase, f"{name}: {number:,} items")
