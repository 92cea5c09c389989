"""Buckets of S3: what a list tells of them is what a backup is held to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gymops.aws.buckets import Listed
from gymops.backup.evidence import Gap
from gymops.backup.items.content import Content, Look
from gymops.backup.items.port import EACH, Counted, uncounted
from gymops.backup.items.record import Part

_LONGEST = 63
"""Characters of a bucket's name."""


class Buckets(Protocol):
    """The buckets of an account."""

    def versioned(self, name: str) -> bool | None:
        """Whether it keeps what is overwritten; None: there is no such bucket."""

    def arn(self, name: str) -> str:
        """Of a bucket."""

    def objects(self, name: str) -> Iterator[Listed]:
        """The objects there are now."""

    def digests(self, name: str, key: str, etag: str) -> tuple[str, str] | None:
        """The MD5 and the SHA-256 of an object; None: it is not there, or another by now."""

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Say what a bucket is for."""

    def delete(self, name: str) -> bool:
        """Delete a bucket with all that is in it; whether it is still there."""

    def put(self, name: str, key: str, data: bytes) -> None:
        """Write an object."""

    def remove(self, name: str, key: str) -> None:
        """Delete an object."""


@dataclass(frozen=True)
class BucketHolder:
    """Buckets, as what holds items (``port.Holder``): an object is known by its size and its ETag."""

    buckets: Buckets

    def arn(self, name: str) -> str | None:
        return None if self.buckets.versioned(name) is None else self.buckets.arn(name)

    def key(self, name: str) -> str | None:  # noqa: ARG002
        return None  # each object is encrypted as it was

    def look(self, name: str, counted: Counted = uncounted) -> Look:
        found = {}
        for number, one in enumerate(self.buckets.objects(name), 1):
            found[one.key] = f"{one.bytes} {one.etag}"
            if number % EACH == 0:
                counted(number)
        return found

    def settled(
        self, part: Part, name: str, content: Content, found: Look, counted: Counted = uncounted
    ) -> tuple[Look, Sequence[str]]:
        """A copy may have another ETag, where it was written in other parts or encrypted otherwise. So what
        differs by its ETag alone is read: its MD5 may be the ETag of then, or it is what its source still is.
        """
        told, unclear = dict(found), []
        for key, now in found.items():
            states = [content.steady.get(key), *content.moving.get(key, ())]
            if now in states:
                continue
            alike = [one for one in states if one and one.split()[0] == now.split()[0]]
            same = {then: self._same(part.name, name, key, then, now) for then in alike}
            counted(len(told))
            if then := next((one for one, yes in same.items() if yes), None):
                told[key] = then
            elif None in same.values():
                told[key] = next(one for one, yes in same.items() if yes is None)
                unclear.append(key)
        return told, unclear

    def called(self, to: str, name: str) -> str:
        found = f"{to}-{name}".lower()
        if len(found) <= _LONGEST:
            return found
        short = to[:40].lower().rstrip("-.")
        return f"{short}-{hashlib.sha256(found.encode()).hexdigest()[:16]}"

    def gaps(self, name: str) -> Sequence[Gap]:
        return [Gap.VERSIONS] if self.buckets.versioned(name) is False else []

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        self.buckets.tag(name, tags)

    def delete(self, name: str) -> bool:
        return self.buckets.delete(name)

    def spoil(self, name: str, *, missing: bool) -> str | None:
        first = min(self.buckets.objects(name), key=lambda one: one.key, default=None)
        if first is None:
            return None
        if missing:
            self.buckets.remove(name, first.key)
            return f"the object {first.key} deleted"
        self.buckets.put(name, first.key, bytes(first.bytes + 1))
        return f"the object {first.key} changed"

    def _same(self, source: str, name: str, key: str, then: str, now: str) -> bool | None:
        copy = self.buckets.digests(name, key, now.split()[1])
        if copy is None:
            return None
        if copy[0] == then.split()[1]:
            return True
        live = self.buckets.digests(source, key, then.split()[1])
        return None if live is None else live[1] == copy[1]
