"""A file on its way into an artefact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Stored(NamedTuple):
    """A file's bytes as a zip has them: with method 0 as they are, with 8 deflated."""

    method: int
    data: bytes


@dataclass(frozen=True)
class Entry:
    """A path inside, how to read what it holds, and whether it can be run. Nothing else gets in:
    neither times nor owners nor a umask's idea of rights.
    """

    path: str
    read: Callable[[], bytes]
    executable: bool = False
    origin: Path | None = None
    """The file it was, for messages."""
    stored: Callable[[], Stored] | None = None
    """The same, compressed, where it came so."""

    @property
    def mode(self) -> int:
        """Rights as every account needs them: Lambda's is none of ours."""
        return 0o755 if self.executable else 0o644


def under(folder: str, entries: list[Entry]) -> list[Entry]:
    """The same files, a folder further down."""
    return [replace(one, path=f"{folder}/{one.path}") for one in entries]
