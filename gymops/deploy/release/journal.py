"""The journal: every step is written down before and after it is done, so that a killed operation goes on.

1. An operation is a record under the next number of its environment, made only where none is; only the last
   may be unfinished, and nothing else begins until it is finished or given up.
2. A step is written down as begun, then carried out, then written down as done, with its result.
3. The same command, started again, finds the unfinished record and goes on at the first step that is not
   done: a step that was begun looks first whether it happened, or may be repeated. If all was done, and only
   its process did not live or hear to tell, the same command tells it, and nothing is done twice.
4. Every write has the etag of the last as its condition, so whoever was overtaken writes no more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Protocol

from gymops.clock import Clock
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.plan import Outcome, Plan, Request
from gymops.deploy.release.records import dump, load
from gymops.errors import Changed, Exists, GateRefused, LockLost
from gymops.store.objects import Objects, named


class Guard(Protocol):
    """The lock, as far as an operation knows it."""

    @property
    def fence(self) -> int:
        """Grows with every taking of the lock."""
        ...

    @property
    def left(self) -> str | None:
        """The operation whose end the lock's former holder did not see."""
        ...

    def check(self) -> None:
        """Raise LockLost if it is ours no longer."""
        ...

    def working_on(self, operation: str) -> None:
        """Others are told so."""
        ...


class Unfinished(GateRefused):
    """Another operation is unfinished; the hint says how to go on with it, and how to give it up."""

    code: ClassVar[str] = "unfinished"

    def __init__(self, operation: Operation, *, but: str = "") -> None:
        super().__init__(
            f"{_told(operation)} is unfinished{but}",
            hint=f"{operation.request.command} goes on with it;"
            f" gymops attach {operation.environment} --abandon {operation.id} gives it up",
        )
        self.operation = operation


class Journal:
    """The operations of one environment: ``operations/ENV/NUMBER.json``."""

    def __init__(
        self,
        objects: Objects,
        environment: str,
        clock: Clock,
        nonce: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        self._objects = objects
        self._environment = named(environment)
        self._clock = clock
        self._nonce = nonce

    def latest(self) -> Operation | None:
        """The last operation that was begun."""
        found = self._last()
        return found[0] if found else None

    def get(self, number: int) -> Operation | None:
        """An operation by its number."""
        found = self._read(_key(self._environment, number))
        return found[0] if found else None

    def unfinished(self) -> Operation | None:
        """The operation that something is left to do of; there is at most one."""
        last = self.latest()
        return None if last is None or last.finished else last

    def begin(self, request: Request, plan: Plan, guard: Guard) -> Entry:
        """Write down that it begins, or that we go on with it where it was left.

        Raises:
            Unfinished: something else is unfinished, or the same with other steps.
            LockLost: another has taken the lock since.
        """
        while True:
            last = self._last()
            if last and last[0].fence > guard.fence:
                raise _overtaken(last[0])
            if last and not last[0].finished:
                return self._go_on(request, plan, guard, *last)
            if last and unseen(last[0], guard.left) and last[0].request.digest == request.digest:
                guard.working_on(last[0].id)
                return Entry(self._objects, *last, guard, self._nonce())
            try:
                return self._new(request, plan, guard, last[0].number + 1 if last else 1)
            except Exists:
                continue

    def abandon(self, operation: str, why: str, guard: Guard) -> Operation:
        """Give an unfinished operation up: what it has done stays done, and nobody goes on with it.

        Raises:
            Unfinished: it is another one that is unfinished.
            GateRefused: nothing is.
        """
        last = self._last()
        if last is None or last[0].finished:
            raise GateRefused(
                f"{self._environment}: nothing is unfinished", hint=f"gymops status {self._environment}"
            )
        found, etag = last
        if found.id != operation:
            raise Unfinished(found)
        if found.fence > guard.fence:
            raise _overtaken(found)
        entry = Entry(self._objects, found, etag, guard, self._nonce())
        guard.working_on(found.id)
        entry.write(replace(found, outcome=Outcome.ABANDONED, why=why, ended=self._clock.now()))
        return entry.operation

    def _go_on(self, request: Request, plan: Plan, guard: Guard, found: Operation, etag: str) -> Entry:
        if found.request.digest != request.digest:
            raise Unfinished(found)
        if found.plan != plan.digest:
            raise Unfinished(found, but=", and the gymops that began it has other steps than this one")
        entry = Entry(self._objects, found, etag, guard, self._nonce())
        guard.working_on(found.id)
        entry.write(found)  # from here on its former process can write no more
        return entry

    def _new(self, request: Request, plan: Plan, guard: Guard, number: int) -> Entry:
        operation = Operation.begin(
            request,
            plan,
            number=number,
            id=f"op-{number:08d}-{self._nonce()}",
            environment=self._environment,
            started=self._clock.now(),
            fence=guard.fence,
            writer=self._nonce(),
        )
        guard.working_on(operation.id)
        etag = self._objects.create(_key(self._environment, number), dump(operation))
        return Entry(self._objects, operation, etag, guard, operation.writer)

    def _last(self) -> tuple[Operation, str] | None:
        keys = self._objects.keys(f"operations/{self._environment}/")
        return self._read(keys[-1]) if keys else None

    def _read(self, key: str) -> tuple[Operation, str] | None:
        found = self._objects.get(key)
        return (load(Operation, found[0], key), found[1]) if found else None


class Entry:
    """One process's hold of a record: it ends when another process writes."""

    def __init__(self, objects: Objects, operation: Operation, etag: str, guard: Guard, writer: str) -> None:
        self.operation = operation
        self.guard = guard
        self._objects = objects
        self._etag = etag
        self._writer = writer

    def write(self, operation: Operation) -> None:
        """Write what is known now.

        Raises:
            LockLost: another process wrote meanwhile.
        """
        written = replace(operation, writes=operation.writes + 1, fence=self.guard.fence, writer=self._writer)
        key = _key(operation.environment, operation.number)
        try:
            self._etag = self._objects.replace(key, dump(written), self._etag)
        except Changed:
            raise _overtaken(operation) from None
        self.operation = written


def unseen(operation: Operation, left: str | None) -> bool:
    """Whether it ended, and whoever asked for it may not have been told; ``left`` is the lock's word."""
    return operation.id == left and operation.finished and operation.outcome is not Outcome.ABANDONED


def _key(environment: str, number: int) -> str:
    return f"operations/{environment}/{number:08d}.json"


def _told(operation: Operation) -> str:
    step = operation.current
    return (
        f"{operation.environment}: {operation.request.verb} {operation.id}, begun by {operation.request.who}"
        f" at {operation.started:%Y-%m-%d %H:%M:%S} UTC{f' and now at the step {step.name}' if step else ''},"
    )


def _overtaken(operation: Operation) -> LockLost:
    return LockLost(
        f"{operation.environment}: another process took over {operation.id}; this one stops here",
        hint=f"gymops status {operation.environment}",
    )
