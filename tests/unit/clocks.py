"""A clock that only waiting moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Starts at the beginning of 2026; ``sleep`` is over at once."""

    def __init__(self) -> None:
        self._gone = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self._gone)

    def monotonic(self) -> float:
        return self._gone

    def sleep(self, seconds: float) -> None:
        self._gone += seconds
