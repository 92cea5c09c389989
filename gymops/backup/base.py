"""A base backup of a whole server: taken by pg_basebackup in one pass, and unpacked again.

What is stored is one tar with the WAL it needs: it is restored alone up to its end, and with the WAL received
since up to any later time.
"""

from __future__ import annotations

import os
import re
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

from gymops.backup import stream
from gymops.backup.handover import BLOCK, Handover
from gymops.backup.keys import Keys
from gymops.backup.recovery_point import StoredFile
from gymops.backup.stream import Damaged, Written
from gymops.eventlog.log import Progress, silent
from gymops.pg.connection import Connection, translated
from gymops.pg.programs import ProgramError, reading
from gymops.store.blobs import Blobs

NAME = "base.tar.zst.age"
"""Of the file in a recovery point's folder."""

_START = re.compile(r"log start point: ([0-9A-F]+/[0-9A-F]+) on timeline (\d+)")
_END = re.compile(r"log end point: ([0-9A-F]+/[0-9A-F]+)")


@dataclass(frozen=True)
class Base:
    """A base backup, as it was stored."""

    written: Written
    timeline: int
    start_lsn: str
    """Its WAL, and what was received since, is needed from here on."""
    end_lsn: str
    """A restore must at least come this far."""


def take(
    connection: Connection, url: str, binaries: Path, blobs: Blobs, key: str, keys: Keys,
    progress: Progress = silent,
) -> Base:  # fmt: skip
    """Copy a whole server to a new file of the store; ``connection`` is one to it, in autocommit.

    Raises:
        ProgramError: the server refuses, or goes away.
        StoreError: it cannot be written.
    """
    arguments = ("-D", "-", "-Ft", "-X", "fetch", "-c", "fast", "--no-sync", "-v")
    with (
        _kept_wal(connection),
        blobs.write(key) as sink,
        reading(binaries, "pg_basebackup", url, *arguments) as output,
    ):
        written = stream.store(stream.Told(output, progress), sink, keys)
        output.finish()
        start, end = _START.search(output.said), _END.search(output.said)
        if start is None or end is None:
            raise ProgramError(f"pg_basebackup does not say from where to where: {output.said[-200:]}")
    return Base(written, int(start[2]), start[1], end[1])


def unpack(blobs: Blobs, file: StoredFile, keys: Keys, folder: Path, progress: Progress = silent) -> None:
    """Unpack a stored base backup into an empty folder: a data directory, private to us, not started.

    ``progress`` is told of stored bytes. What was stored is hashed as it is read.

    Raises:
        Damaged: it is not what was stored; what was unpacked of it is of no use.
        KeyProblem: it is encrypted to another key.
        NoBlob: it is gone.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    with blobs.read(file.key) as stored:
        source = stream.Checked(stream.Told(stored, progress), file.key, file.bytes, file.sha256)
        with _untarring(folder, file.key) as sink:
            stream.load(source, sink, keys, name=file.key)
        source.finish()


@contextmanager
def _kept_wal(connection: Connection) -> Iterator[None]:
    """The server keeps the WAL of the copy until it is fetched at its end; a slot that ends with the session
    sees to that.
    """
    name = f"gymops_base_{uuid4().hex[:12]}"
    with translated():
        connection.execute("SELECT pg_create_physical_replication_slot(%s, true, true)", (name,))
    yield
    with translated():
        connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))


def _write_back(path: Path) -> None:
    """Let the disk begin with a file: recovery makes all of them durable, and waits for less then."""
    if sys.platform == "linux":
        with suppress(OSError):
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(opened)


@contextmanager
def _untarring(folder: Path, name: str) -> Iterator[Handover]:
    """A tar that is written here is unpacked by a thread beside."""
    handed = Handover()

    def unpacking() -> None:
        try:
            with tarfile.open(fileobj=cast(BinaryIO, handed), mode="r:") as tar:
                tar.copybufsize = BLOCK  # type: ignore[attr-defined]
                for one in tar:
                    # "data": neither owners nor places outside are taken from it.
                    tar.extract(one, folder, filter="data")
                    _write_back(folder / one.name)
        finally:
            handed.drain()  # what is behind the end, or comes after a failure

    with ThreadPoolExecutor(1, thread_name_prefix="unpack") as beside:
        unpacked = beside.submit(unpacking)
        try:
            yield handed
        finally:
            handed.close()
    try:
        unpacked.result()
    except tarfile.TarError as error:
        raise Damaged(f"{name} is no whole tar: {error}", hint="gymops backups lists others") from None
    except OSError as error:
        raise stream.no_room(error, folder) from None
