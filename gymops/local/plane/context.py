"""What every part of the plane needs: the settings, the clock and the folders."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gymops.local.settings import LocalSettings


class MovableClock:
    """The machine's clock, which tests move forward to see schedules come due."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Context:
    """One running local AWS, as seen from inside."""

    def __init__(self, settings: LocalSettings, clock: MovableClock | None = None) -> None:
        self.settings = settings
        self.clock = clock or MovableClock()

    @property
    def databases(self) -> Path:
        return self.settings.state / "db"

    @property
    def snapshots(self) -> Path:
        return self.settings.state / "snapshots"

    @property
    def automated(self) -> Path:
        return self.settings.state / "automated"

    @property
    def functions(self) -> Path:
        return self.settings.state / "functions"


def iso(moment: datetime) -> str:
    """A time as AWS writes it, to the millisecond, never later than it is."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def parse(text: str) -> datetime:
    """A time as AWS or a client writes it."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
