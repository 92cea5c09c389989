"""What was backed up together: the record of it, and of what a restore-test makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gymops.backup import envelope
from gymops.backup.keys import Keys
from gymops.backup.recovery_point import SealedAt, StoredFile
from gymops.store.objects import Objects, named
from gymops.store.records import plain, read

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """The backup of one table or bucket."""

    name: str
    arn: str
    backup: str
    """The ARN of its backup."""
    bytes: int | None
    """As AWS tells."""
    content: StoredFile
    """What it is held to: compressed and encrypted; this record, which is signed, has its hash."""
    items: int
    """That must come back."""
    moving: int
    """That were written while it was taken, and may come back as either."""
    digest: str
    """Of those that must."""
    kind: str = "table"
    """Or ``bucket``."""
    key: str | None = None
    """The key of KMS by which it was encrypted."""


@dataclass(frozen=True)
class Together:
    """A recovery point: the backups of all tables and buckets of an environment. Law: it is recorded once all
    of them can be restored.
    """

    id: str
    environment: str
    tier: str
    taken: datetime
    """What was written by then is in it."""
    ended: datetime
    parts: tuple[Part, ...]
    gymops: str
    keep_until: datetime | None = None

    @property
    def items(self) -> int:
        """How many must come back."""
        return sum(part.items for part in self.parts)

    @property
    def sealed(self) -> SealedAt:
        """What a restore must bring back, as the port says it; it stands in no row, so its number is 0."""
        head = together(part.digest for part in self.parts)
        return SealedAt(0, head, self.items, head, self.taken)


def together(digests: Iterable[str]) -> str:
    """The digest over those of several tables, in their order; of one, its own."""
    found = list(digests)
    return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()


@dataclass(frozen=True)
class Made:
    """The tables and buckets that a test makes. Law: it is recorded before any of them is, so whatever is
    recorded nobody else has made.
    """

    id: str
    to: str
    tables: tuple[str, ...]
    buckets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Begun:
    """A backup or a moment that is being recorded. Law: this is, before anything of it is made."""

    id: str
    began: datetime


class Sets:
    """``ID.json`` below ``sets/ENV/``, ``moments/ENV/``, ``made/ENV/`` and ``taking/ENV/``, signed."""

    def __init__(self, objects: Objects, environment: str, keys: Keys, trusted: Collection[str] = ()) -> None:
        self._objects, self._environment, self._keys = objects, named(environment), keys
        self._trusted = {keys.public, *trusted}

    def begin(self, one: Begun) -> None:
        """Record that something is going to be recorded."""
        self._add("taking", one.id, plain(one))

    def begun(self) -> Sequence[Begun]:
        """What was begun and has not ended, or was killed.

        Raises:
            Forged: one is damaged, or signed by another.
        """
        return self._all("taking", Begun)

    def ended(self, one: Begun) -> None:
        """It left nothing."""
        self._objects.delete(f"taking/{self._environment}/{one.id}.json")

    def add(self, one: Together) -> None:
        """Record a recovery point."""
        self._add("sets", one.id, plain(one))

    def all(self) -> Sequence[Together]:
        """All of them, the oldest first.

        Raises:
            Forged: one is damaged, or signed by another.
        """
        return sorted(self._all("sets", Together), key=lambda one: one.taken)

    def remove(self, one: Together) -> None:
        """Take one out."""
        self._objects.delete(f"sets/{self._environment}/{one.id}.json")

    def witness(self, one: Together) -> None:
        """Record what was seen around a moment."""
        self._add("moments", one.id, plain(one))

    def moments(self) -> Sequence[Together]:
        """All of them, the oldest first.

        Raises:
            Forged: one is damaged, or signed by another.
        """
        return sorted(self._all("moments", Together), key=lambda one: one.taken)

    def forget(self, one: Together) -> None:
        """Take a moment out."""
        self._objects.delete(f"moments/{self._environment}/{one.id}.json")

    def make(self, one: Made) -> None:
        """Record what a test is going to make."""
        self._add("made", one.id, plain(one))

    def made(self) -> Sequence[Made]:
        """What tests made, or were going to.

        Raises:
            Forged: one is damaged, or signed by another.
        """
        return self._all("made", Made)

    def unmade(self, one: Made) -> None:
        """It is gone."""
        self._objects.delete(f"made/{self._environment}/{one.id}.json")

    def _add(self, folder: str, name: str, document: object) -> None:
        data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        self._objects.create(f"{folder}/{self._environment}/{name}.json", envelope.close(data, self._keys))

    def _all(self, folder: str, kind: type[T]) -> list[T]:
        found = []
        for key in self._objects.keys(f"{folder}/{self._environment}/"):
            stored = self._objects.get(key)
            if stored is None:
                continue  # removed meanwhile
            try:
                one: T = read(kind, json.loads(envelope.open_(stored[0], key, self._trusted)))
            except (ValueError, TypeError) as error:
                raise envelope.Forged(
                    f"{key} is of another gymops: {error}", hint="pip install --upgrade gymops"
                ) from None
            found.append(one)
        return found
