"""Who holds a lock from this machine: a file that its process keeps locked.

A process that is gone cannot give signs of life, nor take them back: its lock would outlast it by a minute.
Whoever comes after on the same machine, and finds the file unlocked with the lock's own nonce in it, knows.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class Trace:
    """The file of one environment's lock. Where it cannot be written nothing is known, and that is all."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._open: int | None = None

    def gone(self, nonce: str) -> bool:
        """Whether the lock of this nonce was taken from here, by a process that is gone."""
        with suppress(OSError):
            found = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(found, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return os.read(found, 100).decode(errors="replace") == nonce
            finally:
                os.close(found)
        return False

    def keep(self, nonce: str) -> None:
        """From now on until ``end``, or until this process is gone, the lock of this nonce is ours."""
        with suppress(OSError):
            if not self._file.parent.exists():
                self._file.parent.mkdir(mode=0o700, parents=True)
                (self._file.parent / ".gitignore").write_text("*\n", encoding="ascii")
            found = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.truncate(found, 0)
                os.write(found, nonce.encode())
            except OSError:
                os.close(found)
                raise
            self._open = found

    def end(self) -> None:
        """This process works under that lock no more."""
        if self._open is not None:
            os.close(self._open)
            self._open = None
