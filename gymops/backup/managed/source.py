"""Where an environment's database is, and what its backups go by: written down, for stacks can go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gymops.aws.databases import Database, Databases
from gymops.backup import envelope
from gymops.backup.keys import Keys
from gymops.backup.managed.places import Places
from gymops.errors import Changed, Exists, GymopsError
from gymops.store.objects import Objects, named
from gymops.store.records import plain, read

_STOPPED = frozenset({"stopped", "stopping", "starting"})


@dataclass(frozen=True)
class Source:
    """A database as it was when we last looked."""

    places: Places
    arn: str
    resource: str
    settings: Mapping[str, Any] = field(default_factory=dict)


class Stopped(GymopsError):
    """The database is stopped, as at night: nothing can be backed up, and nothing changes either."""

    code = "stopped"


def running(databases: Databases, environment: str, instance: str) -> Database:
    """An instance that can be backed up now.

    Raises:
        Stopped: it is stopped.
        GymopsError: it is gone.
    """
    there = databases.find(instance)
    if there is None:
        raise GymopsError(
            f"the database {instance} is gone",
            hint=f"gymops backups {environment} lists what it can be restored from",
        )
    if is_stopped(there):
        raise Stopped(
            f"the database {there.name} is {there.status}",
            hint=f"aws rds start-db-instance --db-instance-identifier {there.name}",
        )
    return there


def is_stopped(there: Database | None) -> bool:
    """Whether it is off, or on its way there or back."""
    return there is not None and there.status in _STOPPED


class Sources:
    """The record of an environment's source: ``sources/ENV.json``, signed."""

    def __init__(self, objects: Objects, environment: str, keys: Keys, trusted: frozenset[str]) -> None:
        self._objects = objects
        self._environment = environment
        self._key = f"sources/{named(environment)}.json"
        self._keys = keys
        self._trusted = {keys.public, *trusted}

    def now(self, databases: Databases, places: Places | None) -> Source:
        """As it is now, and written down for when it is gone; then as it was written down.

        Raises:
            GymopsError: there is none, and there never was.
        """
        there = databases.find(places.instance) if places else None
        if places is None or there is None:
            found = self.read()
            if found is None:
                raise GymopsError(
                    f"{self._environment} has no database, and none was ever backed up",
                    hint=f"gymops status {self._environment}",
                )
            return replace(found, places=places) if places else found
        source = Source(places, there.arn, there.resource, dict(there.settings))
        self.write(source)
        return source

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
