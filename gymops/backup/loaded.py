"""A dump, loaded into a fresh embedded server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gymops.backup import stream
from gymops.backup.isolated import NotRecovered
from gymops.backup.port import Tell
from gymops.backup.recovery_point import RecoveryPoint, StoredFile
from gymops.backup.stream import Writer
from gymops.backup.vault import Vault
from gymops.clock import Clock
from gymops.errors import ServerError
from gymops.pg import embedded
from gymops.pg.cluster import last_useful
from gymops.pg.embedded import Server
from gymops.pg.programs import address, seen_with

# Owners and rights name roles that are not here; subscriptions would speak to others.
_LEFT_OUT = ("--no-owner", "--no-privileges", "--no-subscriptions", "--no-publications", "--no-tablespaces")
_ROOM = ("No space left", "Disk quota", "could not extend")


def load(server: Server, vault: Vault, point: RecoveryPoint, clock: Clock, tell: Tell) -> None:
    """Make a server, and load the dump into its database; it ends with this process.

    Raises:
        Damaged, NoBlob, KeyProblem: it is not what was stored, is gone, or is encrypted to another key.
        NotRecovered: pg_restore does not take it.
        ServerError: the server cannot be made.
    """
    tell("start", "a fresh server")
    embedded.start(server, clock=clock, tied_to_parent=True)
    file = point.files[0]
    tell("load", f"{file.bytes / 1e6:,.1f} MB, checked as they are read")
    with restoring(server.binaries, server.url(), file.key, *_LEFT_OUT) as sink:
        read(vault, file, sink)


def read(vault: Vault, file: StoredFile, sink: Writer) -> None:
    """A dump, as it was before it was stored.

    Raises:
        Damaged, NoBlob, KeyProblem: it is not what was stored, is gone, or is encrypted to another key.
    """
    with vault.blobs.read(file.key) as stored:
        source = stream.Checked(stored, file.key, file.bytes, file.sha256)
        stream.load(source, sink, vault.keys, name=file.key)
        source.finish()


@contextmanager
def restoring(binaries: Path, url: str, name: str, *arguments: str) -> Iterator[Writer]:
    """What is written here is loaded into a database by pg_restore.

    Raises:
        NotRecovered: it does not take it.
        ServerError: there is no room for it.
    """
    command = [
        str(binaries / "pg_restore"), "--exit-on-error", *arguments, "-d", address(url),
    ]  # fmt: skip
    with subprocess.Popen(
        command, env=seen_with(url), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        if process.stdin is None or process.stderr is None:
            raise AssertionError("it was started with pipes")
        said: list[bytes] = []
        errors = process.stderr
        reader = threading.Thread(target=lambda: said.append(errors.read()))
        reader.start()
        try:
            yield _Past(process.stdin.fileno())
            process.stdin.close()
        except BaseException:
            process.kill()
            raise
        finally:
            reader.join()
        status, why = process.wait(), b"".join(said).decode(errors="replace")
    if status != 0:
        if any(cause in why for cause in _ROOM):
            raise ServerError(f"{name} cannot be loaded: {last_useful(why)}", hint="make room on the disk")
        raise NotRecovered(f"{name} cannot be loaded: {last_useful(why)}")


class _Past:
    """Writes to a pipe; when its reader is gone, what is left is only read, for its hash."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def write(self, data: bytes, /) -> int:
        if self._descriptor is not None:
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except BrokenPipeError:
                self._descriptor = None
        return len(data)
