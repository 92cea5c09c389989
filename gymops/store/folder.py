"""Files in a folder."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gymops.clock import Clock
from gymops.errors import Exists
from gymops.store.blobs import NoBlob, Sink, Stream
from gymops.store.directory import durable, path_of, told

_NEW = ".new-"
_LOCKING = 10.0
"""Seconds: no writer takes longer to lock what it has made."""


class FolderBlobs:
    """One file for each key. It is written beside its place, made durable, and then linked there. What a
    killed writer left has a name that no key has, and a lock that nobody holds.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    @contextmanager
    def write(self, key: str) -> Iterator[Sink]:
        path = path_of(self._folder, key)
        with told(self._folder):
            if path.exists():
                raise Exists(f"{key}: exists already")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=_NEW, dir=path.parent)
            new = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                    try:
                        os.link(new, path)
                    except FileExistsError:
                        raise Exists(f"{key}: exists already") from None
            finally:
                new.unlink(missing_ok=True)
            durable(path.parent)

    @contextmanager
    def read(self, key: str) -> Iterator[Stream]:
        with told(self._folder):
            try:
                file = path_of(self._folder, key).open("rb")
            except FileNotFoundError:
                raise NoBlob(f"{key}: is not there", hint="gymops backups lists what is") from None
            with file:
                yield file

    def size(self, key: str) -> int | None:
        with told(self._folder), suppress(FileNotFoundError):
            return path_of(self._folder, key).stat().st_size
        return None

    def age(self, key: str) -> float | None:
        with told(self._folder), suppress(FileNotFoundError):
            written = path_of(self._folder, key).stat().st_mtime
            return max(0.0, self._clock.now().timestamp() - written)
        return None

    def keys(self, prefix: str) -> Sequence[str]:
        with told(self._folder):
            files = [
                file for file in self._folder.rglob("*") if file.is_file() and not file.name.startswith(".")
            ]
        keys = (file.relative_to(self._folder).as_posix() for file in files)
        return sorted((key for key in keys if key.startswith(prefix)), key=str.encode)

    def delete(self, key: str) -> None:
        with told(self._folder):
            path_of(self._folder, key).unlink(missing_ok=True)

    def sweep(self, seconds: float) -> None:  # noqa: ARG002 - a lock tells who lives
        with told(self._folder):
            for left in self._folder.rglob(f"{_NEW}*"):
                with suppress(FileNotFoundError, BlockingIOError), left.open("rb") as file:
                    old = self._clock.now().timestamp() - os.fstat(file.fileno()).st_mtime > _LOCKING
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if old:
                        left.unlink()
