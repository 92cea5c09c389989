"""What did not come back, as a proof says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gymops.backup.items.content import Held
from gymops.backup.items.record import Part
from gymops.eventlog.proof import Broken


@dataclass(frozen=True)
class Lost(Broken):
    """An item that must be in a table or a bucket, and is not there or something else."""

    def describe(self) -> str:
        """One line for people: names, and no value but the key's."""
        how = "is missing" if self.missing else "is not what it was when it was backed up"
        return f"{self.user}: the item {self.event_id} {how}"


def broken(part: Part, held: Held) -> Iterator[Lost]:
    """Of one table or bucket: what is missing, then what is something else."""
    for keys, missing in ((held.missing, 1), (held.changed, 0)):
        for one in keys:
            yield Lost(f"the {part.kind} {part.name}", 0, 0, one, missing)
