"""Objects in a directory: for environments on this machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gymops.clock import Clock
from gymops.errors import Changed, Exists, GymopsError
from gymops.store.objects import Stored, StoreError

_LOCK = ".lock"
_NEW = ".new"


class DirectoryObjects:
    """One file for each object, under its key. A writer holds the lock of the folder, which ends with its
    process; the file is written beside its place, made durable, and then moved there.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def get(self, key: str) -> Stored | None:
        with told(self._folder), suppress(FileNotFoundError), path_of(self._folder, key).open("rb") as file:
            data = file.read()
            written = os.fstat(file.fileno()).st_mtime
            return data, _etag(data), max(0.0, self._clock.now().timestamp() - written)
        return None

    def create(self, key: str, data: bytes) -> str:
        return self._write(key, data, lambda there: there is None, Exists(f"{key}: exists already"))

    def replace(self, key: str, data: bytes, etag: str) -> str:
        return self._write(key, data, lambda there: there == etag, Changed(f"{key}: has changed"))

    def keys(self, prefix: str) -> Sequence[str]:
        with told(self._folder):
            files = [file for file in self._folder.rglob("*") if file.is_file()]
        keys = [file.relative_to(self._folder).as_posix() for file in files]
        return sorted((key for key in keys if _visible(key) and key.startswith(prefix)), key=str.encode)

    def delete(self, key: str, etag: str | None = None) -> None:
        with told(self._folder), self._locked():
            if etag is not None and self._etag(key) != etag:
                raise Changed(f"{key}: has changed")
            path_of(self._folder, key).unlink(missing_ok=True)

    def _write(
        self, key: str, data: bytes, allowed: Callable[[str | None], bool], refusal: GymopsError
    ) -> str:
        path = path_of(self._folder, key)
        with told(self._folder), self._locked():
            there = self._etag(key)
            if there == _etag(data):
                return there
            if not allowed(there):
                raise refusal
            path.parent.mkdir(parents=True, exist_ok=True)
            new = self._folder / _NEW
            with new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            durable(path.parent)
            return _etag(data)

    def _etag(self, key: str) -> str | None:
        with suppress(FileNotFoundError):
            return _etag(path_of(self._folder, key).read_bytes())
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / _LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _visible(key: str) -> bool:
    return not any(part.startswith(".") for part in key.split("/"))


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def path_of(folder: Path, key: str) -> Path:
    """Where a key's file is.

    Raises:
        StoreError: it is no key.
    """
    parts = key.split("/")
    if not all(parts) or any(part.startswith(".") for part in parts):
        raise StoreError(f"{key!r} is no key", hint="names with slashes between them")
    return folder.joinpath(*parts)


def durable(folder: Path) -> None:
    """What was linked or moved into a folder is there also after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a message."""
    try:
        yield
    except OSError as error:
        hint = "make room on the disk" if error.errno == 28 else "check the folder and its permissions"
        raise StoreError(f"{error.filename or folder}: {error.strerror}", hint=hint) from None
