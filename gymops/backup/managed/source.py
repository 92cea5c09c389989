"""Where an environment's database is, and what its backups go by: written down, for stacks can go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gymops.backup import envelope
from gymops.backup.keys import Keys
from gymops.backup.managed.places import Places
from gymops.errors import Changed, Exists
from gymops.store.objects import Objects, named
from gymops.store.records import plain, read


@dataclass(frozen=True)
class Source:
    """A database as it was when we last looked."""

    places: Places
    arn: str
    resource: str
    settings: Mapping[str, Any] = field(default_factory=dict)


class Sources:
    """The record of an environment's source: ``sources/ENV.json``, signed."""

    def __init__(self, objects: Objects, environment: str, keys: Keys, trusted: frozenset[str]) -> None:
        self._objects = objects
        self._key = f"sources/{named(environment)}.json"
        self._keys = keys
        self._trusted = {keys.public, *trusted}

    def read(self) -> Source | None:
        """As it was written down; None if it never was.

        Raises:
            Forged: it is damaged, or signed by another.
        """
        found = self._objects.get(self._key)
        if found is None:
            return None
        document = envelope.open_(found[0], self._key, self._trusted)
        try:
            source: Source = read(Source, json.loads(document))
        except (ValueError, TypeError) as error:
            raise envelope.Forged(
                f"{self._key} is of another gymops: {error}", hint="pip install --upgrade gymops"
            ) from None
        return source

    def write(self, source: Source) -> None:
        """Write it down, unless it says so already, or somebody else does at this moment."""
        data = json.dumps(plain(source), sort_keys=True).encode()
        found = self._objects.get(self._key)
        try:
            if found is None:
                self._objects.create(self._key, envelope.close(data, self._keys))
            elif envelope.open_(found[0], self._key, self._trusted) != data:
                self._objects.replace(self._key, envelope.close(data, self._keys), found[1])
        except (Exists, Changed):
            return
