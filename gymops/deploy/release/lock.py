"""One lock for each environment: ``locks/ENV.json``.

1. Taking it writes the next fencing number over a record that is released, or makes the first.
2. The holder writes a sign of life every third of the lock's time, under the condition that nobody else
   wrote; as soon as it cannot, or its time is over, it stops at the next step.
3. Another takes it over only when the time since the last sign of life, by the store's own clock, is over and
   the stack is at rest; or when its holder was a process of this machine and is gone, which lets go of it.
4. Releasing leaves the record with its number, so that the number never goes back, and with the operation
   where its holder did not see it end.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import ClassVar, Self

from gymops.clock import Clock
from gymops.deploy.release.records import dump, load
from gymops.deploy.release.trace import Trace
from gymops.errors import Changed, Exists, GymopsError, LockHeld, LockLost
from gymops.store.objects import Objects, named

SECONDS = 60.0
"""How long a lock outlives its holder."""
_SLACK = 2.0
"""Seconds: the store's times are whole seconds."""

_PARTING = 2.0
"""Seconds that the end of a command waits for the lock to be released."""


@dataclass(frozen=True)
class Owner:
    """A process that holds locks."""

    user: str
    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid})"


@dataclass(frozen=True)
class LockRecord:
    """What the lock's object says. Law: ``fence`` grows by one with every taking, and never goes back."""

    SCHEMA: ClassVar[int] = 1

    environment: str
    owner: Owner
    nonce: str
    """Of each taking another, so that no two takers write the same bytes."""
    fence: int
    since: datetime
    heartbeat: datetime
    expires: datetime
    seconds: float
    beats: int = 0
    operation: str | None = None
    """What it is held for, or was when somebody left without knowing how that ended."""
    released: datetime | None = None
    schema: int = SCHEMA

    def expired(self, age: float) -> bool:
        """Whether its time is over, ``age`` seconds after the last sign of life."""
        return age > self.seconds + _SLACK


def held_by(objects: Objects, environment: str) -> tuple[LockRecord, float] | None:
    """Who holds the lock, and the seconds since the last sign of life; None if nobody does."""
    found = _read(objects, _key(named(environment)))
    return None if found is None or found[0].released else (found[0], found[2])


def working_on(objects: Objects, environment: str) -> str | None:
    """The operation that it is held for, or that its last holder did not see the end of."""
    found = _read(objects, _key(named(environment)))
    return found[0].operation if found else None


class Lock:
    """The lock of one environment, for one process."""

    def __init__(
        self,
        objects: Objects,
        environment: str,
        owner: Owner,
        clock: Clock,
        *,
        seconds: float = SECONDS,
        nonce: Callable[[], str] = lambda: secrets.token_hex(8),
        trace: Trace | None = None,
    ) -> None:
        self._objects = objects
        self._environment = named(environment)
        self._key = _key(environment)
        self._owner = owner
        self._clock = clock
        self._seconds = seconds
        self._nonce = nonce
        self._trace = trace

    def holder(self) -> tuple[LockRecord, float] | None:
        """Who holds it, as ``held_by``."""
        return held_by(self._objects, self._environment)

    def take(self, settled: Callable[[], bool], *, patience: float = 0.0) -> Held:
        """Take it; ``settled`` tells whether the stack is at rest. ``patience``: seconds to wait for it.

        Raises:
            LockHeld: another holds it, or held it and its stack still moves.
        """
        until = self._clock.monotonic() + patience
        while True:
            try:
                return self._take(settled)
            except LockHeld:
                left = until - self._clock.monotonic()
                if left <= 0:
                    raise
                self._clock.sleep(min(1.0, left))

    def _take(self, settled: Callable[[], bool]) -> Held:
        found = self._read()
        if found and not found[0].released and not self._gone(found[0]):
            record, _, age = found
            if not record.expired(age):
                raise _held(record, age, f"it can be taken over in {record.seconds + _SLACK - age:.0f} s")
            if not settled():
                raise _held(record, age, "its time is over, but its stack is still moving")
        asked = self._clock.monotonic()
        left = found[0].operation if found else None
        record = self._mine(found[0].fence + 1 if found else 1, left)
        if self._trace:
            self._trace.keep(record.nonce)  # before it is written: the answer may be lost
        try:
            etag = self._write(record, found)
        except BaseException:
            if self._trace:
                self._trace.end()
            raise
        return Held(self._objects, self._key, record, etag, self._clock, asked, left, self._trace)

    def _gone(self, record: LockRecord) -> bool:
        return self._trace is not None and self._trace.gone(record.nonce)

    def _write(self, record: LockRecord, found: tuple[LockRecord, str, float] | None) -> str:
        try:
            if found:
                return self._objects.replace(self._key, dump(record), found[1])
            return self._objects.create(self._key, dump(record))
        except (Exists, Changed):
            now = self._read()
            if now is None:
                raise LockHeld(f"{self._environment}: another was faster", hint="run it again") from None
            raise _held(now[0], now[2], "it was faster") from None

    def _mine(self, fence: int, left: str | None) -> LockRecord:
        now = self._clock.now()
        return LockRecord(
            self._environment,
            self._owner,
            self._nonce(),
            fence,
            since=now,
            heartbeat=now,
            expires=now + timedelta(seconds=self._seconds),
            seconds=self._seconds,
            operation=left,
        )

    def _read(self) -> tuple[LockRecord, str, float] | None:
        return _read(self._objects, self._key)


class Held:
    """The lock, held. As a context it gives signs of life, and releases the lock at the end."""

    def __init__(
        self,
        objects: Objects,
        key: str,
        record: LockRecord,
        etag: str,
        clock: Clock,
        asked: float,
        left: str | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.left = left
        """The operation whose end its former holder did not see."""
        self._trace = trace
        self._objects = objects
        self._key = key
        self._record = record
        self._etag = etag
        self._clock = clock
        self._alive = (asked, record.heartbeat)
        """When the last write that succeeded was begun, by both clocks: a machine that sleeps stops the one,
        and the other can be set."""
        self._lost: LockLost | None = None
        self._working = False
        self._one = threading.RLock()
        self._end = threading.Event()
        self._beating: threading.Thread | None = None

    @property
    def fence(self) -> int:
        """Greater than that of every holder before."""
        return self._record.fence

    def check(self) -> None:
        """At the boundary of every step.

        Raises:
            LockLost: it is another's, or no sign of life was written in its time.
        """
        if self._lost is None and self._over():
            self._lost = self._loss(f"no sign of life could be written for {self._record.seconds:.0f} s")
        if self._lost is not None:
            raise self._lost

    def working_on(self, operation: str) -> None:
        """Say in the record what it is held for."""
        self._write(operation=operation)
        self._working = True

    def beat(self) -> None:
        """Write a sign of life.

        Raises:
            LockLost: it is another's by now, or its time was over before.
            GymopsError: the store does not answer; there may be time for another try.
        """
        self._write()

    def release(self, *, seen: bool = True) -> None:
        """Leave it to others; ``seen``: how the operation ended, or what it waits for, is known here.

        Where that fails it ends by itself when its time is over.
        """
        try:
            if not self._one.acquire(timeout=_PARTING):
                return  # a sign of life hangs in a network that is lost
            try:
                if self._lost is None and not self._record.released:
                    if seen and self._working:
                        self._record = replace(self._record, operation=None)
                    with suppress(GymopsError):
                        self._write(released=self._clock.now())
            finally:
                self._one.release()
        finally:
            if self._trace:
                self._trace.end()

    def __enter__(self) -> Self:
        self._beating = threading.Thread(target=self._beats, name="lock", daemon=True)
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if self._beating:
            self._beating.join(timeout=_PARTING)
        self.release(seen=error is None or (isinstance(error, GymopsError) and not error.unknown))

    def _beats(self) -> None:
        while not self._end.wait(self._record.seconds / 3):
            try:
                self.beat()
            except LockLost:
                return
            except GymopsError:
                continue  # check() tells when the time is over

    def _write(self, *, operation: str | None = None, released: datetime | None = None) -> None:
        with self._one:
            self.check()
            asked, now = self._clock.monotonic(), self._clock.now()
            record = replace(
                self._record,
                beats=self._record.beats + 1,
                heartbeat=now,
                expires=now + timedelta(seconds=self._record.seconds),
                operation=operation or self._record.operation,
                released=released,
            )
            self._etag = self._replace(dump(record))
            self._record, self._alive = record, (asked, now)

    def _replace(self, data: bytes) -> str:
        try:
            return self._objects.replace(self._key, data, self._etag)
        except Changed:
            found = self._objects.get(self._key)
        # A sign of life that nobody answered may have been written all the same.
        if found and load(LockRecord, found[0], self._key).nonce == self._record.nonce:
            with suppress(Changed):
                return self._objects.replace(self._key, data, found[1])
        self._lost = self._loss("another has taken it over")
        raise self._lost

    def _over(self) -> bool:
        asked, heartbeat = self._alive
        gone = max(self._clock.monotonic() - asked, (self._clock.now() - heartbeat).total_seconds())
        return gone > self._record.seconds

    def _loss(self, why: str) -> LockLost:
        environment = self._record.environment
        return LockLost(
            f"{environment}: the lock is lost: {why}; this process stops, what it began may still be running",
            hint=f"gymops status {environment}; the same command goes on",
        )


def _key(environment: str) -> str:
    return f"locks/{environment}.json"


def _read(objects: Objects, key: str) -> tuple[LockRecord, str, float] | None:
    found = objects.get(key)
    return (load(LockRecord, found[0], key), found[1], found[2]) if found else None


def _held(record: LockRecord, age: float, why: str) -> LockHeld:
    what = f" for {record.operation}" if record.operation else ""
    return LockHeld(
        f"{record.environment}: locked by {record.owner} since {record.since:%Y-%m-%d %H:%M:%S} UTC{what},"
        f" last sign of life {age:.0f} s ago; {why}",
        hint=f"gymops attach {record.environment} follows it; gymops status {record.environment}",
    )
