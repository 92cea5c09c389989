"""Small objects, and no write without a condition: what locks, journals, ledgers and catalogues stand on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from gymops.errors import ConfigError, GymopsError

Stored = tuple[bytes, str, float]
"""An object's bytes, its etag, and the seconds since it was written by the store's own clock."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class StoreError(GymopsError):
    """The store cannot be read or written: a full disk, missing rights, no such bucket."""

    code = "store"


class Objects(Protocol):
    """Laws: of any number of writers at once, under one condition, exactly one succeeds. A write is there
    whole or not at all. Writing what is there already, byte for byte, is the same write made again and
    answers as the first did: a writer that got no answer asks again, and its bytes hold something unique.
    """

    def get(self, key: str) -> Stored | None:
        """What is there now; None if nothing is."""
        ...

    def create(self, key: str, data: bytes) -> str:
        """Write where nothing is; the etag.

        Raises:
            Exists: something else is there.
        """
        ...

    def replace(self, key: str, data: bytes, etag: str) -> str:
        """Write over what has this etag; the new etag.

        Raises:
            Changed: it has another by now, or is gone.
        """
        ...

    def keys(self, prefix: str) -> Sequence[str]:
        """The keys that begin so, in the order of their bytes."""
        ...

    def delete(self, key: str, etag: str | None = None) -> None:
        """Delete it. Without an etag, what is not there is deleted already.

        Raises:
            Changed: it has another etag by now, or is gone.
        """
        ...


def named(environment: str) -> str:
    """The name of an environment, as a part of keys.

    Raises:
        ConfigError: it is none.
    """
    if not _NAME.fullmatch(environment):
        raise ConfigError(
            f"{environment!r} is no name of an environment",
            hint="letters, digits, dots, dashes and underscores, beginning with a letter or a digit",
        )
    return environment
