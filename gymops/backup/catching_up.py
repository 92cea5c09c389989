"""Receiving the WAL up to now, without a seal: before a restore of a database that may be damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gymops.backup import source, wal
from gymops.backup.recovery_point import Kind
from gymops.backup.vault import Vault
from gymops.pg.binaries import major
from gymops.pg.connection import Connection


def catch_up(connection: Connection, url: str, programs: Sequence[Path], vault: Vault) -> None:
    """Store what the server wrote since; of one that is dumped, or was never copied, there is nothing to.

    Raises:
        WalGap: what comes next is gone.
        ProgramError, DatabaseError, StoreError, AwsError: it cannot be received.
    """
    facts = source.facts(connection)
    mark = source.mark(connection)
    bases = [
        point
        for point in vault.catalogue.points()
        if point.kind is Kind.BASE and (point.system, point.timeline) == (mark.system, mark.timeline)
    ]
    newest = max(bases, key=lambda point: point.ended, default=None)
    binaries = next((one for one in programs if major(one) >= facts.major), None)
    if newest is None or newest.start_lsn is None or binaries is None:
        return
    wal.keep(connection, vault.environment)
    wal.receive(
        connection, url, binaries, vault.wal(mark.system, facts.segment), mark, newest.start_lsn, vault.work
    )
