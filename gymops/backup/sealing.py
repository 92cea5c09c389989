"""Seals of a server's event log, recorded; how they are taken is in ``gymops.eventlog.sealing``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from gymops.backup import dump
from gymops.backup.catalogue import Seals
from gymops.backup.recovery_point import SealedAt, sealed_at
from gymops.backup.source import Facts
from gymops.errors import Exists
from gymops.eventlog import sealing
from gymops.eventlog.digest import Rejected
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.seal import LogDamaged, Seal, Sealed
from gymops.eventlog.sealing import take
from gymops.pg.connection import Connection

__all__ = ["record", "recorded_view", "take"]

_OFTEN = 10
"""So often one is begun anew because another was faster."""


def record(connection: Connection, url: str, facts: Facts, seals: Seals, environment: str) -> SealedAt | None:
    """Seal what the log holds now, if it grew; the newest seal. None: there is no log of our schema.

    Raises:
        LogDamaged: the log is not what was sealed of it, or cannot be read.
        Exists: others seal all the time.
    """
    for attempt in range(_OFTEN):
        before = seals.sealed()
        if facts.ours:
            with closing(PostgresLog(url)) as log, sealing.readable():
                seal = take(log, before, environment)
        else:
            seal = _empty(connection, facts, before, environment)
        if found := _added(seals, before, seal, last=attempt == _OFTEN - 1):
            return found[0]
    raise AssertionError  # the last attempt returned or raised


@contextmanager
def recorded_view(
    connection: Connection, log: PostgresLog, facts: Facts, seals: Seals, environment: str
) -> Iterator[tuple[str, SealedAt | None, LogDamaged | None]]:
    """The same, of one view of the database that stays as it is: the name pg_dump knows it by, and the seal;
    where the log is damaged, the newest one there is, and how it is damaged.

    ``connection`` is another one than the log's: the seal's message is committed while the view is open.
    """
    for attempt in range(_OFTEN):
        before = seals.sealed()  # first: what is sealed later may hold more than the view
        seal, damage = None, None
        try:
            seal = None if facts.ours else _empty(connection, facts, before, environment)
        except LogDamaged as error:
            damage = error
        with dump.exported(log.connection if facts.ours else connection) as view:
            try:
                if facts.ours:
                    seal = _of_view(connection, log, before, environment)
            except LogDamaged as error:
                damage = error
            if found := _added(seals, before, seal, last=attempt == _OFTEN - 1):
                yield view, found[0], damage
                return


def _of_view(connection: Connection, log: PostgresLog, before: Sealed, environment: str) -> Seal | None:
    grown, rejected = sealing.read(log, sealing.known(before)), log.rejected()
    if before.last and not grown and rejected == before.last.rejected:
        return None
    at = sealing.emit(connection, "gymops.seal", str(sealing.following(before)))
    return sealing.compose(before, environment, grown, rejected, at)


def _empty(connection: Connection, facts: Facts, before: Sealed, environment: str) -> Seal | None:
    """A database without a table of events holds none, and that is sealed too; one that is of another schema
    is not. Where events were sealed, neither is what was sealed.
    """
    if facts.events and not before.events:
        return None
    if before.events:
        raise LogDamaged(
            f"the log that was sealed is gone: no events of our schema, and {before.events} were sealed",
            hint=f"gymops audit {environment}; gymops restore brings them back",
        )
    if before.last:
        return None
    return sealing.compose(before, environment, {}, Rejected(), sealing.emit(connection, "gymops.seal", "1"))


def _added(seals: Seals, before: Sealed, seal: Seal | None, *, last: bool) -> tuple[SealedAt | None] | None:
    """The newest seal; None if another was faster."""
    if seal is None:
        return (sealed_at(before.last) if before.last else None,)
    try:
        seals.add(seal)
    except Exists:
        if last:
            raise
        return None
    return (sealed_at(seal),)
