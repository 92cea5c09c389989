"""What can go wrong while something is built, in a user's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from gymops.errors import GymopsError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class BuildError(GymopsError):
    """The artefact cannot be built; nothing is left of the attempt."""

    code: ClassVar[str] = "build"


class RegistryError(GymopsError):
    """A registry refuses, does not answer, or holds something else than it should."""

    code: ClassVar[str] = "registry"

    def __init__(
        self, message: str, *, hint: str | None = None, status: int | None = None, unknown: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        """The HTTP status, where there was an answer."""
        self._unknown = unknown

    @property
    def unknown(self) -> bool:
        """Whether it may work when it is asked again: no answer, or a server's fault."""
        return self._unknown


@contextmanager
def written(where: Path, setting: str = "--out") -> Iterator[None]:
    """Turn what a disk says into our words; ``setting`` names another folder.

    Raises:
        BuildError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise BuildError(
                f"{where}: no space is left on this disk",
                hint=f"free some, or name another folder with {setting}",
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise BuildError(
                f"{where}: cannot be written: {error.strerror}", hint=f"name another folder with {setting}"
            ) from None
        raise BuildError(f"{error.filename or where}: {error.strerror or error}") from None
