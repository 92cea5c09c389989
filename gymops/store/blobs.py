"""Files of any size, written once: what backups are stored in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from gymops.errors import GymopsError


class NoBlob(GymopsError):
    """There is no file of that key."""

    code = "no_blob"


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take some."""
        ...


class Stream(Protocol):
    """Where bytes come from."""

    def read(self, size: int = -1, /) -> bytes:
        """Some; none at the end."""
        ...


class Blobs(Protocol):
    """Laws: a file is there whole and durable, or not at all, whenever its writer ends, even by SIGKILL; one
    that is there is never written again.
    """

    def write(self, key: str) -> AbstractContextManager[Sink]:
        """A new file; it is there when the block ends well.

        Raises:
            Exists: there is one of that key.
            StoreError: a full disk, missing rights.
        """
        ...

    def read(self, key: str) -> AbstractContextManager[Stream]:
        """A file's bytes.

        Raises:
            NoBlob: there is none.
        """
        ...

    def size(self, key: str) -> int | None:
        """Bytes; None if it is not there."""
        ...

    def age(self, key: str) -> float | None:
        """Seconds since it was written; None if it is not there."""
        ...

    def keys(self, prefix: str) -> Sequence[str]:
        """The keys that begin so, in the order of their bytes."""
        ...

    def delete(self, key: str) -> None:
        """Delete it; what is not there is deleted already."""
        ...

    def sweep(self, seconds: float) -> None:
        """Delete what killed writers left; where nobody can tell who lives, what is older than this."""
        ...
