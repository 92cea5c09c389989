"""When something is due: a time of every day, of a day of the week or of the month, in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gymops.errors import ConfigError

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPELLED = re.compile(
    r"(?:(?P<day>[a-z]+)(?:-(?P<last>[a-z]+))?|(?P<date>\d{1,2})\.) (?P<time>\d\d:\d\d)|(?P<daily>\d\d:\d\d)"
)
_DURATION = re.compile(r"(\d{1,5}) (minute|hour|day|week)s?")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Schedule:
    """A time of the day; on one day of the week or of the month, or else every day."""

    hour: int
    minute: int
    weekday: int | None = None
    """0 is Monday."""
    day: int | None = None
    """Of the month, 1 to 28: every month has it."""
    last: int | None = None
    """The last of several days of the week, from ``weekday`` on."""

    @property
    def text(self) -> str:
        """As gymops.toml has it: ``03:00``, ``sunday 04:00``, ``tuesday-saturday 03:00``, ``1. 05:00``."""
        on = f"{self.day}. " if self.day else ""
        if self.weekday is not None:
            on = DAYS[self.weekday] + (f"-{DAYS[self.last]} " if self.last is not None else " ")
        return f"{on}{self.hour:02}:{self.minute:02}"

    @property
    def cron(self) -> str:
        """As cron has it."""
        weekday = "*" if self.weekday is None else ",".join(str((one + 1) % 7) for one in self.weekdays)
        return f"{self.minute} {self.hour} {self.day or '*'} * {weekday}"

    @property
    def interval(self) -> timedelta:
        """The longest time between two."""
        return DAY * (31 if self.day else 1 if self.weekday is None else 8 - len(self.weekdays))

    def due(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """When it is due behind one time and up to another, in order."""
        at = since.astimezone(UTC).replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        while at <= until:
            if at > since and self._on(at):
                yield at
            at += DAY

    def _on(self, at: datetime) -> bool:
        return (self.weekday is None or at.weekday() in self.weekdays) and self.day in (None, at.day)

    @property
    def weekdays(self) -> list[int]:
        """On which it is due; none: it does not go by them."""
        if self.weekday is None:
            return []
        more = 0 if self.last is None else (self.last - self.weekday) % 7
        return [(self.weekday + one) % 7 for one in range(more + 1)]


def parse(text: str, where: str) -> Schedule:
    """``03:00``, ``sunday 04:00``, ``tuesday-saturday 03:00`` or ``1. 05:00``.

    Raises:
        ConfigError: it is none of them.
    """
    found = _SPELLED.fullmatch(text.strip().lower())
    if found:
        hour, minute = (int(part) for part in (found["time"] or found["daily"]).split(":"))
        day = int(found["date"]) if found["date"] else None
        first, last = found["day"], found["last"]
        known = {first, last} <= {None, *DAYS} and (last is None or first != last)
        if known and hour < 24 and minute < 60 and (day is None or 1 <= day <= 28):
            return Schedule(
                hour, minute, DAYS.index(first) if first else None, day, DAYS.index(last) if last else None
            )
    raise ConfigError(
        f"{where}: {text!r} is no schedule",
        hint='"03:00", "sunday 04:00", "tuesday-saturday 03:00", "1. 05:00" (up to the 28.); all in UTC',
    )


def duration(text: str, where: str) -> timedelta:
    """``5 minutes``, ``1 hour``, ``30 days``, ``12 weeks``.

    Raises:
        ConfigError: it is none.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    if not found or int(found[1]) == 0:
        raise ConfigError(f"{where}: {text!r} is no duration", hint='"5 minutes", "1 hour", "30 days"')
    return timedelta(**{f"{found[2]}s": int(found[1])})


def spelled(span: timedelta) -> str:
    """The reverse of ``duration``."""
    minutes = int(span.total_seconds() // 60)
    for unit, of in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes % of == 0:
            return f"{minutes // of} {unit}{'' if minutes == of else 's'}"
    raise AssertionError("every number of minutes is one")
