"""Seals and proofs as they go into a function and come out of it: parts of users, each small enough.

A Lambda takes and gives 6 MB. What is known of the streams goes in compressed; the users of a part are those
behind one and up to another, so that also one nobody knew of is in exactly one part.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from gymops.errors import Unverified
from gymops.eventlog.digest import Rejected, Stream
from gymops.eventlog.postgres import Between
from gymops.eventlog.proof import Broken, Part
from gymops.eventlog.seal import Grown
from gymops.eventlog.sealing import Known, Mark

MOST = 4_000_000
"""Bytes of a part, as they are reckoned: well below 6 MB, for what is answered is no smaller."""

_USER, _HASH = 120, 50
"""Bytes of a user beside the name, and of a hash, compressed and in base64."""

T = TypeVar("T")


@dataclass(frozen=True)
class Expected:
    """What some users' streams must come back as."""

    streams: Mapping[str, Stream]
    chunks: Mapping[str, Sequence[bytes]]


def split(users: Mapping[str, int], most: int = MOST) -> Iterator[tuple[Between, list[str]]]:
    """Parts of the users, in order; each user costs as many hashes. The last part has no end.

    Raises:
        Unverified: one user alone is too large.
    """
    after: str | None = None
    part: list[str] = []
    size = 0
    for user in sorted(users):
        cost = len(user.encode()) + _USER + _HASH * users[user]
        if cost > most:
            raise Unverified(
                f"{user!r} has too many events to be proved by a function",
                hint="gymops verify from within the network reads any number",
            )
        if part and size + cost > most:
            yield Between(after, part[-1]), part
            after, part, size = part[-1], [], 0
        part.append(user)
        size += cost
    yield Between(after, None), part


def pack(document: Any) -> str:
    """JSON, compressed, as text."""
    return b64encode(zlib.compress(json.dumps(document, separators=(",", ":")).encode())).decode()


def unpack(text: str, read: Callable[[Any], T]) -> T:
    """The reverse.

    Raises:
        Unverified: it is no such thing.
    """
    try:
        return read(json.loads(zlib.decompress(b64decode(text, validate=True))))
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise Unverified(f"a part of a seal is damaged: {error}", hint="run the same again") from None


def known(streams: Mapping[str, Known]) -> str:
    """What is known of sealed streams."""
    return pack({user: [one.events, one.closed.hex(), one.head.hex()] for user, one in streams.items()})


def read_known(text: str) -> dict[str, Known]:
    """The reverse."""
    return unpack(
        text,
        lambda found: {user: Known(one[0], _hash(one[1]), _hash(one[2])) for user, one in found.items()},
    )


def grown(streams: Mapping[str, Grown]) -> str:
    """What was read for a seal."""
    return pack(
        {
            user: [one.events, one.head.hex(), [chunk.hex() for chunk in one.chunks]]
            for user, one in streams.items()
        }
    )


def read_grown(text: str) -> dict[str, Grown]:
    """The reverse."""

    def read(found: Mapping[str, Any]) -> dict[str, Grown]:
        return {user: Grown(one[0], _hash(one[1]), tuple(map(_hash, one[2]))) for user, one in found.items()}

    return unpack(text, read)


def mark(at: Mark, rejected: Rejected) -> dict[str, Any]:
    """Where a seal is, and the rejected rows."""
    return {"taken": at.taken.isoformat(), "lsn": at.lsn, "system": at.system, "rejected": vars(rejected)}


def read_mark(found: Mapping[str, Any]) -> tuple[Mark, Rejected]:
    """The reverse."""
    taken = datetime.fromisoformat(found["taken"])
    return Mark(taken, found["lsn"], found["system"]), Rejected(**found["rejected"])


def expected(part: Expected) -> str:
    """What must come back."""
    return pack(
        {
            user: [one.events, one.head.hex(), [chunk.hex() for chunk in part.chunks[user]]]
            for user, one in part.streams.items()
        }
    )


def read_expected(text: str) -> Expected:
    """The reverse."""

    def read(found: Mapping[str, Any]) -> Expected:
        return Expected(
            {user: Stream(one[0], _hash(one[1])) for user, one in found.items()},
            {user: list(map(_hash, one[2])) for user, one in found.items()},
        )

    return unpack(text, read)


def held(part: Part) -> str:
    """What came back."""
    return pack(
        {
            "events": part.events,
            "head": part.head,
            "newer": part.newer,
            "other": {user: [one.events, one.head.hex()] for user, one in part.other.items()},
            "broken": [vars(one) for one in part.broken],
        }
    )


def read_held(text: str) -> Part:
    """The reverse."""

    def read(found: Mapping[str, Any]) -> Part:
        return Part(
            events=found["events"],
            head=found["head"],
            newer=found["newer"],
            other={user: Stream(one[0], _hash(one[1])) for user, one in found["other"].items()},
            broken=tuple(Broken(**one) for one in found["broken"]),
        )

    return unpack(text, read)


def _hash(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != 32:
        raise ValueError("a hash of another length")
    return found
