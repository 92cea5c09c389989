"""Seals of a database that only a function reaches, recorded."""

from __future__ import annotations

from gymops.backup.catalogue import Seals
from gymops.backup.managed.inside import Inside
from gymops.backup.port import Tell
from gymops.backup.recovery_point import SealedAt, sealed_at
from gymops.errors import Exists, SourceError
from gymops.eventlog.seal import LogDamaged, Seal


def record(inside: Inside, seals: Seals, tell: Tell) -> SealedAt | None:
    """Seal what the log holds now, if it grew; the newest seal. None: there is no log of ours.

    Raises:
        LogDamaged: the log is not what was sealed of it, or cannot be read.
        SealError: a seal is missing, or was changed.
    """
    while True:
        before = seals.sealed()
        try:
            found = inside.seal(before, seals.environment, tell)
        except SourceError as error:
            if not before.events:
                return _newest(before.last)
            raise LogDamaged(f"the log that was sealed is gone: {error.message}", hint=error.hint) from None
        if found is None:
            return _newest(before.last)
        try:
            seals.add(found)
        except Exists:
            continue  # another sealed at the same time: what came since is sealed behind it
        return sealed_at(found)


def _newest(seal: Seal | None) -> SealedAt | None:
    return sealed_at(seal) if seal else None
