"""A dump of one database that only SQL reaches, of the very snapshot that is sealed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gymops.backup import stream
from gymops.backup.keys import Keys
from gymops.backup.stream import Written
from gymops.eventlog.log import Progress, silent
from gymops.eventlog.postgres import snapshot
from gymops.pg.connection import Connection, translated
from gymops.pg.programs import reading
from gymops.store.blobs import Blobs

NAME = "dump.zst.age"
"""Of the file in a recovery point's folder."""


@contextmanager
def exported(connection: Connection) -> Iterator[str]:
    """One unchanging view of the database, and the name by which pg_dump has the same."""
    with snapshot(connection):
        with translated():
            row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        if row is None:
            raise AssertionError("a query without a row")
        yield row[0]


def take(
    url: str, binaries: Path, view: str, blobs: Blobs, key: str, keys: Keys, progress: Progress = silent
) -> Written:
    """Dump a database, as an exported snapshot sees it, to a new file of the store.

    Raises:
        ProgramError: the server refuses, or goes away.
        StoreError: it cannot be written.
    """
    arguments = ("-Fc", "-Z0", f"--snapshot={view}")  # compressed once, on the way
    with blobs.write(key) as sink, reading(binaries, "pg_dump", url, *arguments) as output:
        written = stream.store(stream.Told(output, progress), sink, keys)
        output.finish()
    return written
