"""Waiting for an operation on a stack: an iterator of what happens, that knows not knowing from failing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gymops.aws.session import AwsError
from gymops.clock import Clock
from gymops.deploy.stack import slow
from gymops.deploy.stack.events import of_operation
from gymops.deploy.stack.port import Event, Reader, Stack
from gymops.deploy.stack.probe import Probes
from gymops.errors import Unknown

T = TypeVar("T")


@dataclass(frozen=True)
class Pace:
    """How often AWS is asked: often while something happens, seldom while nothing does."""

    first: float = 1.0
    most: float = 10.0
    growth: float = 1.4
    timeout: float = 3 * 3600.0
    """Seconds after which nobody waits any more; the operation goes on."""
    patience: float = 180.0
    """Seconds without any answer after which the network counts as lost."""
    quiet: float = 60.0
    """Seconds without an event after which it is said what is being waited for."""


@dataclass(frozen=True)
class Progress:
    """Something to show while waiting."""

    seconds: float
    """Since the waiting began."""
    stack: str
    status: str
    """The stack's."""
    event: Event | None = None
    note: str = ""
    """What is slow and how long it usually takes, or that there is no answer."""


Waiting = Generator[Progress, None, T]
"""Yields what happens, and returns what came of it."""


def drain(waiting: Waiting[T], tell: Callable[[Progress], None]) -> T:
    """Wait to the end, telling what happens."""
    while True:
        try:
            tell(next(waiting))
        except StopIteration as ended:
            result: T = ended.value
            return result


@dataclass(frozen=True)
class Means:
    """What waiting needs."""

    clock: Clock
    pace: Pace = Pace()
    probes: Probes = field(default_factory=Probes)
    attach: str = "gymops attach ENV"
    """The command that goes on waiting."""
    usual: Callable[[str, str], str | None] = slow.usual
    """How long a (type, status) takes, if it is slow; on the local AWS nothing is."""


def follow(
    reader: Reader, stack: Stack, means: Means, *, after: str = "", mask: Callable[[str], str] = str
) -> Waiting[Stack]:
    """Wait until the stack is at rest, and return it; ``after`` is the last event that is known already.

    ``mask`` takes what is secret out of AWS's messages.

    Raises:
        Unknown: the credentials expired, the network is lost, or the deadline passed. The operation goes on.
    """
    return (yield from _Watch(reader, stack, means, after, mask).run())


class _Watch:
    """One waiting: what was seen, what is still being done, and since when."""

    def __init__(
        self, reader: Reader, stack: Stack, means: Means, after: str, mask: Callable[[str], str]
    ) -> None:
        self._reader = reader
        self._stack = stack
        self._clock = means.clock
        self._pace = means.pace
        self._probes = means.probes
        self._attach = means.attach
        self._usual = means.usual
        self._mask = mask
        self._before = self._last = after
        self._started = self._clock.monotonic()
        self._answered = self._started
        self._spoke = self._started
        self._busy: dict[str, tuple[Event, float]] = {}
        self._records: set[str] = set()

    def run(self) -> Waiting[Stack]:
        interval = self._pace.first
        while True:
            # The stack before its events: when it is at rest, they are complete.
            found = self._ask(lambda: self._reader.stack(self._stack.id))
            if isinstance(found, AwsError):
                yield self._progress(note=f"no answer from AWS, asking again: {found.message}")
            else:
                self._stack = found or self._gone()
                fresh = self._ask(self._fresh)
                for event in fresh if isinstance(fresh, list) else []:
                    interval = self._pace.first
                    yield from self._seen(event)
                if not self._stack.busy and isinstance(fresh, list) and self._begun():
                    return self._stack
                yield from self._quiet()
            self._check_deadline()
            self._clock.sleep(interval)
            interval = min(interval * self._pace.growth, self._pace.most)

    def _begun(self) -> bool:
        """Whether the operation shows. What was just asked for may not have begun when AWS is asked first."""
        if self._last != self._before or not self._before or self._stack.status == "DELETE_COMPLETE":
            return True
        if self._clock.monotonic() - self._started > self._pace.patience:
            raise self._unknown("the operation was accepted, and has not begun")
        return False

    def _ask(self, call: Callable[[], T]) -> T | AwsError:
        try:
            answer = call()
        except AwsError as error:
            lasting = self._clock.monotonic() - self._answered
            if not error.passing or lasting > self._pace.patience:
                raise self._unknown(error.message) from None
            return error
        self._answered = self._clock.monotonic()
        return answer

    def _fresh(self) -> list[Event]:
        """The events that were not seen yet, the oldest first."""
        if not self._last:
            found = of_operation(self._reader.events(self._stack.id))
            self._last = found[-1].id if found else ""
            return found
        found = []
        for event in self._reader.events(self._stack.id):
            if event.id == self._last:
                break
            found.append(event)
        if found:
            self._last = found[0].id
        return found[::-1]

    def _seen(self, event: Event) -> Iterator[Progress]:
        now = self._spoke = self._clock.monotonic()
        yield self._progress(event)
        if event.of_stack:
            return
        if not event.status.endswith("_IN_PROGRESS"):
            self._busy.pop(event.name, None)
            return
        begun = event.name not in self._busy
        self._busy[event.name] = (event, self._busy[event.name][1] if not begun else now)
        usual = self._usual(event.kind, event.status)
        if begun and usual:
            yield self._progress(note=f"{event.name} takes a while: {usual}")
        record = slow.dns_record(event.reason)
        yield from self._wanted([record] if record else [], event)

    def _quiet(self) -> Iterator[Progress]:
        """After a time without events: what is being waited for, and how long it usually takes."""
        now = self._clock.monotonic()
        if now - self._spoke < self._pace.quiet:
            return
        self._spoke = now
        parts = []
        for event, since in self._busy.values():
            usual = self._usual(event.kind, event.status)
            parts.append(f"{event.name} for {_minutes(now - since)}{f' (usually {usual})' if usual else ''}")
            if event.kind == "AWS::CertificateManager::Certificate":
                yield from self._wanted(list(self._probes.pending(event.physical)), event)
        waits_for = "; ".join(parts) or f"{self._stack.name}, which is in {self._stack.status}"
        yield self._progress(note=f"still waiting for {waits_for}")

    def _wanted(self, records: list[str], event: Event) -> Iterator[Progress]:
        for record in records:
            if record not in self._records:
                self._records.add(record)
                yield self._progress(
                    note=f"{event.name} waits for this record in the domain's zone: {record}"
                )

    def _progress(self, event: Event | None = None, note: str = "") -> Progress:
        gone = self._clock.monotonic() - self._started
        if event is not None:
            event = replace(event, reason=self._mask(event.reason))
        return Progress(gone, self._stack.name, self._stack.status, event, note)

    def _gone(self) -> Stack:
        """AWS keeps a deleted stack for 90 days; what it has forgotten is deleted."""
        return Stack(self._stack.id, self._stack.name, "DELETE_COMPLETE")

    def _check_deadline(self) -> None:
        gone = self._clock.monotonic() - self._started
        if gone >= self._pace.timeout:
            raise self._unknown(f"it has not ended after {_minutes(gone)}")

    def _unknown(self, why: str) -> Unknown:
        return Unknown(
            f"{self._stack.name} was {self._stack.status} when last seen, and goes on at AWS; how, is not"
            f" known here: {why}",
            hint=f"renew the credentials or the connection, then: {self._attach}",
        )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
