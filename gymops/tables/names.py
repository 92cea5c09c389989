"""Names in the target: PostgreSQL tells upper from lower case, keeps 63 bytes and reserves a few."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_BYTES = 63
_SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def fold(name: str) -> str:
    """A name as both databases understand it without quotes: only A to Z have a lower case there."""
    return name.translate(_LOWER)


class Names:
    """The names of one scope: the relations of a schema, or the columns of a table."""

    def __init__(self, *, keep: bool, taken: Iterable[str] = ()) -> None:
        self._keep = keep
        self._taken = set(taken)

    @classmethod
    def of_columns(cls, *, keep: bool) -> Names:
        """Those of a table's columns."""
        return cls(keep=keep, taken=_SYSTEM_COLUMNS)

    def claim(self, name: str) -> str | None:
        """Take exactly this name; None when it is taken."""
        if name in self._taken or len(name.encode()) > _MOST_BYTES:
            return None
        self._taken.add(name)
        return name

    def give(self, name: str) -> str:
        """The name as it becomes in the target; a number behind it where it would not be the only one."""
        wanted = name if self._keep else fold(name)
        number, found = 1, _cut(wanted, "")
        while found in self._taken:
            number += 1
            found = _cut(wanted, f"_{number}")
        self._taken.add(found)
        return found


def _cut(name: str, suffix: str) -> str:
    room = _MOST_BYTES - len(suffix)
    return name.encode()[:room].decode(errors="ignore") + suffix
