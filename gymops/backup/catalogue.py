"""The catalogue: an environment's recovery points and seals, signed, in a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gymops.backup import envelope, recovery_point
from gymops.backup.keys import Keys
from gymops.backup.recovery_point import NoPoint, RecoveryPoint
from gymops.errors import GymopsError
from gymops.eventlog.seal import Seal, Sealed, SealError, sealed
from gymops.eventlog.seal import load as load_seal
from gymops.store.objects import Objects, named

_READERS = 8
_NEWER = "pip install --upgrade gymops"
_PUT = "put it back from where the backups are copied to"
T = TypeVar("T")


class Catalogue:
    """The recovery points of one environment: ``points/ENV/ID.json``."""

    def __init__(self, objects: Objects, environment: str, keys: Keys, trusted: Collection[str] = ()) -> None:
        self._objects = objects
        self._environment = named(environment)
        self._keys = keys
        self._trusted = {keys.public, *trusted}

    def add(self, point: RecoveryPoint) -> None:
        """Record one whose bytes are stored."""
        self._objects.create(self._key(point.id), envelope.close(point.dump(), self._keys))

    def points(self) -> Sequence[RecoveryPoint]:
        """All of them, the oldest first.

        Raises:
            Forged: a record is damaged, or signed by another.
        """
        return _read_all(self._objects.keys(self._key("")[: -len(".json")]), self._load)

    def get(self, point: str) -> RecoveryPoint:
        """The one of this id.

        Raises:
            NoPoint: there is none.
        """
        key = self._key(point)
        if self._objects.get(key) is None:
            raise NoPoint(f"there is no recovery point {point}", hint=f"gymops backups {self._environment}")
        return self._load(key)

    def remove(self, point: RecoveryPoint) -> None:
        """Forget one: before its bytes are deleted, so that none is ever listed without them."""
        self._objects.delete(self._key(point.id))

    def _load(self, key: str) -> RecoveryPoint:
        document = _opened(self._objects, key, self._trusted)
        try:
            found = recovery_point.load(document)
        except (ValueError, TypeError) as error:
            raise envelope.Forged(
                f"{key} is of another gymops: {error}", hint="pip install --upgrade gymops"
            ) from None
        if self._key(found.id) != key or found.environment != self._environment:
            raise envelope.Forged(
                f"{key} is the record of {found.environment} {found.id}", hint="put it back"
            )
        return found

    def _key(self, point: str) -> str:
        return f"points/{self._environment}/{point}.json"


class Seals:
    """The seals of one environment: ``seals/ENV/NUMBER.json``."""

    def __init__(self, objects: Objects, environment: str, keys: Keys, trusted: Collection[str] = ()) -> None:
        self._objects = objects
        self._environment = named(environment)
        self._keys = keys
        self._trusted = {keys.public, *trusted}

    def add(self, seal: Seal) -> None:
        """Record the next one.

        Raises:
            Exists: another was faster; read again, and seal what came since.
        """
        self._objects.create(self._key(seal.number), envelope.close(seal.dump(), self._keys))

    def read(self) -> Sequence[Seal]:
        """All of them, in order; each follows on the one before.

        Raises:
            Forged: one is damaged, or signed by another.
            SealError: one is missing, or not what it should be.
        """
        return _read_all(self._objects.keys(f"seals/{self._environment}/"), self._load)

    def sealed(self, upto: int | None = None) -> Sealed:
        """What they say together, up to the one of a number.

        Raises:
            Forged, SealError: as ``read``; or there is none of that number.
        """
        together = sealed(seal for seal in self.read() if upto is None or seal.number <= upto)
        if upto is not None and (together.last is None or together.last.number != upto):
            raise SealError(
                f"{self._environment} has no seal {upto}",
                hint="restore it from where the seals are copied to",
            )
        return together

    def _load(self, key: str) -> Seal:
        seal = load_seal(_opened(self._objects, key, self._trusted), key)
        if self._key(seal.number) != key or seal.environment != self._environment:
            raise envelope.Forged(f"{key} is seal {seal.number} of {seal.environment}", hint=_PUT)
        return seal

    def _key(self, number: int) -> str:
        return f"seals/{self._environment}/{number:08d}.json"


def _opened(objects: Objects, key: str, trusted: Collection[str]) -> bytes:
    found = objects.get(key)
    if found is None:
        raise GymopsError(f"{key} is gone", hint="somebody deletes at the same time: run the same again")
    return envelope.open_(found[0], key, trusted)


def _read_all(keys: Sequence[str], load: Callable[[str], T]) -> list[T]:
    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(load, keys))
