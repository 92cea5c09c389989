"""The catalogue: an environment's recovery points and seals, signed, in a store."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import takewhile
from typing import TypeVar

from gymops.backup import envelope, recovery_point, summary
from gymops.backup.recovery_point import NoPoint, RecoveryPoint
from gymops.backup.signature import Signer
from gymops.errors import Exists, GymopsError
from gymops.eventlog.seal import GoesOn, Seal, Sealed, SealError, lineage
from gymops.eventlog.seal import load as load_seal
from gymops.store.objects import Objects, named

_READERS = 8
_AT_ONCE = 64
"""At most so many seals are read at a time where nobody knows how many are needed."""
_OFTEN = 10
"""So often a seal is begun anew because another was faster."""
_NEWER = "pip install --upgrade gymops"
_PUT = "put it back from where the backups are copied to"
T = TypeVar("T")


class Catalogue:
    """The recovery points of one environment: ``points/ENV/ID.json``; ``hold``: keeps a file until a time."""

    def __init__(
        self, objects: Objects, environment: str, keys: Signer, trusted: Collection[str] = (),
        hold: Callable[[str, datetime], None] = lambda _, __: None,
    ) -> None:  # fmt: skip
        self._hold = hold
        self._objects = objects
        self._environment = named(environment)
        self._keys = keys
        self._trusted = {keys.public, *trusted}

    def add(self, point: RecoveryPoint) -> None:
        """Record one whose bytes are stored; they are held as long as it is kept."""
        if point.keep_until is not None:
            for file in point.files:
                self._hold(file.key, point.keep_until)
        self._objects.create(self._key(point.id), envelope.close(point.dump(), self._keys))

    def points(self) -> Sequence[RecoveryPoint]:
        """All of them, the oldest first.

        Raises:
            Forged: a record is damaged, or signed by another.
        """
        found = _read_all(self._objects.keys(self._key("")[: -len(".json")]), self._load)
        return sorted(found, key=lambda one: (one.began, one.id))  # an id tells the second only

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
    """The seals of one environment: ``seals/ENV/NUMBER.json``; and of every thousandth (``every``, a power of
    ten) what all up to it say together, ``summaries/ENV/NUMBER.json``: later reads begin there, and older
    seals may go.
    """

    def __init__(
        self,
        objects: Objects,
        environment: str,
        keys: Signer,
        trusted: Collection[str] = (),
        every: int = 1000,
    ) -> None:
        self._objects = objects
        self.environment = named(environment)
        self._keys = keys
        self._trusted = {keys.public, *trusted}
        self._every = every

    def add(self, seal: Seal) -> None:
        """Record the next one.

        Raises:
            Exists: another was faster; read again, and seal what came since.
        """
        self._objects.create(self._key(seal.number), envelope.close(seal.dump(), self._keys))

    def go_on(
        self, proved: int, restore: str, make: Callable[[Sealed, int], Seal], *, here: bool = False
    ) -> Seal:
        """Record the seal with which a restored database goes on from the one that was proved of it; of each
        restore there is one, also where who recorded it was killed.

        ``make`` seals what is there now, given what was proved and the number of the seal; ``here``: in the
        same WAL.

        Raises:
            Exists: others seal all the time.
            Forged, SealError: as ``read``; or there is none of that number.
        """
        for attempt in range(_OFTEN):
            before, row = self.sealed(proved), list(takewhile(lambda one: one.number > proved, self.back()))
            if before.last is None:
                raise _gone(self.environment, proved)
            if there := next((one for one in row if one.goes_on and one.goes_on.restore == restore), None):
                return there
            last = row[0] if row else before.last
            number, goes_on = last.number + 1, GoesOn(proved, before.last.digest, restore, here)
            seal = replace(make(before, number), number=number, previous=last.digest, goes_on=goes_on)
            try:
                self.add(seal)
            except Exists:
                if attempt == _OFTEN - 1:
                    raise
            else:
                return seal
        raise AssertionError  # the last attempt returned or raised

    def read(self) -> Sequence[Seal]:
        """All of them, in order, each following on the one before; where older ones went, those that follow
        without a gap on a summary of the rest.

        Raises:
            Forged: one is damaged, or signed by another.
            SealError: one is missing, or not what it should be.
        """
        numbers = self._numbers("seals")
        first = next((at for at, n in enumerate(numbers) if numbers[-1] - n == len(numbers) - 1 - at), 0)
        row = self._row(numbers[first:])
        before = row[0].number - 1 if row else 0
        if before and _digest(self._summary(before)) != row[0].previous:
            raise _gone(self.environment, before)
        return row

    def since(self, number: int) -> Iterator[Seal]:
        """From one on, in order, each following on the one before, and read as far as anybody asks: up to
        where those behind it went. None at all, if that one went.

        Raises:
            Forged, SealError: as ``read``.
        """
        behind = [n for n in self._numbers("seals") if n >= number]
        there = next((at for at, n in enumerate(behind) if n != number + at), len(behind))
        if there < len(behind):
            last = behind[-1] - _unbroken(behind[::-1])
            if last not in self._numbers("summaries"):  # there older ones go, and nowhere else
                raise _gone(self.environment, last)
        yield from self._in_row(behind[:there])

    def back(self) -> Iterator[Seal]:
        """From the newest one on back, likewise.

        Raises:
            Forged, SealError: as ``read``.
        """
        numbers = self._numbers("seals")[::-1]
        yield from self._in_row(numbers[: _unbroken(numbers)])

    def by_time(self) -> Callable[[datetime], Seal | None]:
        """Who tells of the seals that are there which is the newest that was taken by a time: found by
        halves, each read once.

        Raises:
            Forged: one that is looked at is damaged, or signed by another.
        """
        numbers, seal = self._numbers("seals"), cache(lambda number: self._load(self._key(number)))

        def newest(at: datetime) -> Seal | None:
            place = bisect_right(numbers, at, key=lambda number: seal(number).taken)
            return seal(numbers[place - 1]) if place else None

        return newest

    def sealed(self, upto: int | None = None) -> Sealed:
        """What they say together, up to the one of a number.

        Raises:
            Forged, SealError: as ``read``; or there is none of that number.
        """
        begin = max((n for n in self._numbers("summaries") if upto is None or n <= upto), default=0)
        row = self._row(self._since(begin, upto))
        if not begin and not row and self._numbers("seals"):
            raise _gone(self.environment, upto or 1)
        if upto is not None and begin + len(row) != upto:
            raise _gone(self.environment, upto)
        together = self._summary(begin) if begin else Sealed()
        if row and (row[0].number, row[0].previous) != (begin + 1, _digest(together)):
            raise _gone(self.environment, begin + 1)
        path = lineage(row)
        if path and (goes_on := path[0].goes_on) and goes_on.number < begin:
            together = self.sealed(goes_on.number)  # a history that was given up is in the summary
        for seal in path:
            together.add(seal)
        return together

    def sum_up(self) -> None:
        """Write the summary that is due, if there is one."""
        last = max(self._since(max(self._numbers("summaries"), default=0)), default=0)
        due = last // self._every * self._every
        if due and self._objects.get(self._key(due, "summaries")) is None:
            document = envelope.close(summary.dump(self.sealed(due)), self._keys)
            with suppress(Exists):  # another's says the same
                self._objects.create(self._key(due, "summaries"), document)

    def forget(self, named: Collection[int], since: datetime) -> int:
        """Delete what nobody needs any more: not those since a time, not those that ``named`` and the seals
        since then go on from, nor what leads to them from the summary before; how many went.

        Raises:
            SealError: one is missing where none may go; nothing went.
        """
        summed, numbers = self._numbers("summaries"), self._numbers("seals")
        keep = [n for n in summed if self._taken(n) <= since]
        if not keep:
            return 0
        begin = keep[-1]
        behind = [n for n in numbers if n > begin]
        if behind != list(range(begin + 1, begin + 1 + len(behind))):
            raise _gone(self.environment, min(set(range(begin + 1, behind[-1])) - set(behind)))
        tail = self._row(behind)
        wanted = {*named, *(seal.goes_on.number for seal in tail if seal.goes_on)}
        needed = {
            n for want in wanted for n in range(max((s for s in summed if s < want), default=0), want + 1)
        }
        gone = [n for n in numbers if n <= begin and n not in needed]
        for number in gone:
            self._objects.delete(self._key(number))
        for number in summed:
            if number < begin and number not in needed:
                self._objects.delete(self._key(number, "summaries"))
        return len(gone)

    def _taken(self, number: int) -> datetime:
        last = self._summary(number).last
        if last is None:
            raise AssertionError("a summary is of a seal")
        return last.taken

    def _row(self, numbers: Sequence[int]) -> list[Seal]:
        return _read_all([self._key(number) for number in numbers], self._load)

    def _in_row(self, numbers: Sequence[int]) -> Iterator[Seal]:
        before: Seal | None = None
        size, left = _READERS, numbers
        while left:
            some, left, size = left[:size], left[size:], min(2 * size, _AT_ONCE)
            for one in self._row(some):
                later, earlier = (one, before) if before and before.number < one.number else (before, one)
                if later and earlier and later.previous != earlier.digest:
                    raise _gone(self.environment, earlier.number)
                yield (before := one)

    def _since(self, begin: int, upto: int | None = None) -> list[int]:
        """The numbers behind one and up to another, a thousand at a time: most are never listed."""
        found: list[int] = []
        group = begin // self._every
        while more := self._numbers("seals", f"{group:0{9 - len(str(self._every))}d}"):
            found += [n for n in more if begin < n and (upto is None or n <= upto)]
            group += 1
            if upto is not None and group * self._every > upto:
                break
        return found

    def _numbers(self, kind: str, prefix: str = "") -> list[int]:
        keys = self._objects.keys(f"{kind}/{self.environment}/{prefix}")
        return sorted(int(key.rpartition("/")[2].removesuffix(".json")) for key in keys)

    def _summary(self, number: int) -> Sealed:
        key = self._key(number, "summaries")
        if self._objects.get(key) is None:
            raise _gone(self.environment, number)
        together = summary.load(_opened(self._objects, key, self._trusted), key)
        last = together.last
        if last is None or last.number != number or last.environment != self.environment:
            raise envelope.Forged(f"{key} is of another seal", hint=_PUT)
        return together

    def _load(self, key: str) -> Seal:
        seal = load_seal(_opened(self._objects, key, self._trusted), key)
        if self._key(seal.number) != key or seal.environment != self.environment:
            raise envelope.Forged(f"{key} is seal {seal.number} of {seal.environment}", hint=_PUT)
        return seal

    def _key(self, number: int, kind: str = "seals") -> str:
        return f"{kind}/{self.environment}/{number:08d}.json"


def _unbroken(numbers: Sequence[int]) -> int:
    """How many are in a row, from the first one on down."""
    return next((at for at, n in enumerate(numbers) if n != numbers[0] - at), len(numbers))


def _digest(together: Sealed) -> str:
    return together.last.digest if together.last else ""


def _gone(environment: str, number: int) -> SealError:
    return SealError(
        f"{environment} has no seal {number}", hint="restore it from where the seals are copied to"
    )


def _opened(objects: Objects, key: str, trusted: Collection[str]) -> bytes:
    found = objects.get(key)
    if found is None:
        raise GymopsError(f"{key} is gone", hint="somebody deletes at the same time: run the same again")
    return envelope.open_(found[0], key, trusted)


def _read_all(keys: Sequence[str], load: Callable[[str], T]) -> list[T]:
    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(load, keys))
