"""What a table held around a backup of it: a hash of each item, as it was before and after.

Reading a table through is no snapshot, and neither is the backup; both go on beside the writers. So it is
read twice, once before the backup is asked for and once when it is done:

1. An item that was the same both times must be in the backup, unchanged. If it is not, the backup is bad.
2. One that was something else the second time, or not there, may be in the backup as it was either time.
3. One that is in the backup as neither of the two, or was there neither time, was perhaps written more than
   once in between. Nobody can tell: then nothing is proved, and nothing is wrong.

So a bad backup is never taken for a good one. A good one is taken for bad only where an item was changed and
put back to what it was, to the byte, between the two looks, and the backup has what it was meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Look = Mapping[str, str]
"""What was seen: the key of each item -> its hash."""


@dataclass(frozen=True)
class Content:
    """What a backup is held to."""

    steady: Look
    """Items that were the same before and after."""
    moving: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """The others, as they were before and after; None: not there."""

    @classmethod
    def of(cls, before: Look, after: Look) -> Content:
        """From two looks around the backup."""
        steady = {key: one for key, one in before.items() if after.get(key) == one}
        others = (before.keys() | after.keys()) - steady.keys()
        return cls(steady, {key: (before.get(key), after.get(key)) for key in others})

    @property
    def digest(self) -> str:
        """Over the steady ones."""
        return _digest(self.steady, self.steady)

    def lines(self) -> Iterator[bytes]:
        """As it is stored: an item a line, in the order of their keys."""
        for key in sorted(self.steady.keys() | self.moving.keys()):
            steady = self.steady.get(key)
            row = [key, steady] if steady else [key, *self.moving[key]]
            yield json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def load(lines: Iterable[bytes]) -> Content:
    """The reverse of ``lines``.

    Raises:
        ValueError: it is none.
    """
    steady: dict[str, str] = {}
    moving: dict[str, tuple[str | None, str | None]] = {}
    for line in lines:
        key, *states = json.loads(line)
        if len(states) == 1:
            steady[key] = states[0]
        else:
            moving[key] = (states[0], states[1])
    return Content(steady, moving)


@dataclass(frozen=True)
class Held:
    """What came back, held to what must."""

    expected: int
    """Items that must be there as they were."""
    restored: int
    """How many of them are."""
    missing: tuple[str, ...]
    """The keys of those that are not there; sorted, as the next."""
    changed: tuple[str, ...]
    """Of those that are something else."""
    unclear: tuple[str, ...]
    """Of items of which nobody can tell."""
    digest: str
    """Over what is there of those that must be."""


def hold(content: Content, found: Look, doubtful: Collection[str] = ()) -> Held:
    """Hold what is in a restored table to what was around its backup; of the doubtful nobody can tell."""
    missing = sorted(key for key in content.steady if key not in found)
    changed = sorted(key for key, one in content.steady.items() if found.get(key, one) != one)
    unclear = [key for key, states in content.moving.items() if found.get(key) not in states]
    unclear += [key for key in doubtful if key not in unclear]
    unclear += [key for key in found if key not in content.steady and key not in content.moving]
    return Held(
        len(content.steady),
        len(content.steady) - len(missing) - len(changed),
        tuple(missing),
        tuple(changed),
        tuple(sorted(unclear)),
        _digest(content.steady, found),
    )


def key(item: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> str:
    """An item's key, as text."""
    return _text({name: _plain(item[name]) for name in names})


def fingerprint(item: Mapping[str, Mapping[str, Any]]) -> str:
    """An item's hash: equal exactly when every attribute, its type and its value are. A set has no order."""
    whole = {name: _plain(value) for name, value in item.items()}
    return hashlib.sha256(_text(whole, sort=True).encode()).hexdigest()[:32]


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, given),) = value.items()
    if kind == "B":
        given = base64.b64encode(bytes(given)).decode()
    elif kind == "BS":
        given = sorted(base64.b64encode(bytes(one)).decode() for one in given)
    elif kind in {"SS", "NS"}:
        given = sorted(given)
    elif kind == "L":
        given = [_plain(one) for one in given]
    elif kind == "M":
        given = {name: _plain(one) for name, one in given.items()}
    return {kind: given}


def _text(value: Any, *, sort: bool = False) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=sort)


def _digest(of: Look, found: Look) -> str:
    hasher = hashlib.sha256()
    for name in sorted(of):
        if (one := found.get(name)) is not None:
            hasher.update(f"{len(name.encode())} {name} {one}\n".encode())
    return hasher.hexdigest()
