"""Time as a dependency, so that waiting can be tested without waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the operations know of time."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def ticks(clock: Clock, *, timeout: float, interval: float) -> Iterator[float]:
    """Yield the seconds gone by, once per ``interval`` seconds, at least once and until ``timeout``."""
    start = clock.monotonic()
    while True:
        gone = clock.monotonic() - start
        yield gone
        if gone >= timeout:
            return
        clock.sleep(min(interval, timeout - gone))
