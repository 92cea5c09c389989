"""Dates and times in all of SQLite's habits: ISO texts, unix seconds or milliseconds, julian days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

EPOCH = date(2000, 1, 1).toordinal()
"""PostgreSQL counts days, and microseconds, from here."""
_UNIX_2000 = 946_684_800
_JULIAN_MS_1970 = 210_866_760_000_000
_LOWEST, _HIGHEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds since 1970 of the first and last moment of the years 1 to 9999."""
_DAY = 86_400_000_000

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)? ?(Z|z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?", re.ASCII)


class Moment(NamedTuple):
    """A date, a time or both, as a text has it."""

    days: int
    """Since 2000."""
    micros: int
    """Since midnight."""
    offset: int | None
    """Microseconds ahead of UTC; None without a zone."""
    dated: bool
    """There is no time of day."""


def read(text: str) -> Moment:
    """A date, or a date and a time, as SQLite writes and reads them.

    Raises:
        ValueError: in plain words.
    """
    found = _ISO.fullmatch(text)
    if not found:
        raise ValueError("no ISO date")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - EPOCH
    except ValueError:
        raise ValueError("no day of the calendar") from None
    if hour is None:
        return Moment(days, 0, None, dated=True)
    return Moment(days, _micros(hour, minute, second, fraction), _offset(zone), dated=False)


def read_clock(text: str) -> int:
    """A time of day, in microseconds since midnight.

    Raises:
        ValueError: in plain words.
    """
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError("no time of day")
    return _micros(*found.groups())


def unix(value: float, *, per_second: int = 1) -> int:
    """Seconds (or what ``per_second`` says) since 1970, as microseconds since 2000.

    Raises:
        ValueError: outside the years 1 to 9999.
    """
    if isinstance(value, int):
        return _bounded(value * (1_000_000 // per_second)) - _UNIX_2000 * 1_000_000
    if not -1e15 < value < 1e15:
        raise ValueError("outside the years 1 to 9999")
    return _bounded(round(value * (1_000_000 // per_second))) - _UNIX_2000 * 1_000_000


def julian(value: float) -> int:
    """Days since noon of 24 November 4714 BC, read to the millisecond as SQLite does.

    Raises:
        ValueError: outside the years 1 to 9999.
    """
    if not 1_721_425.5 <= value < 5_373_484.5:
        raise ValueError("no julian day of the years 1 to 9999")
    milliseconds = int(value * 86_400_000.0 + 0.5)
    return _bounded((milliseconds - _JULIAN_MS_1970) * 1000) - _UNIX_2000 * 1_000_000


def is_julian(value: float) -> bool:
    """Whether a number is a julian day of the years 1 to 9999; as unix seconds it would lie in early 1970."""
    return 1_721_425.5 <= value < 5_373_484.5


def shown(micros: int) -> str:
    """Microseconds since 2000 as PostgreSQL reads them."""
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return moment.isoformat(sep=" ")


def _micros(hour: str, minute: str, second: str | None, fraction: str | None) -> int:
    parts = int(hour), int(minute), int(second or 0)
    if parts[0] > 23 or parts[1] > 59 or parts[2] > 59:
        raise ValueError("no time of day")
    digits = fraction or ""
    if digits[6:].strip("0"):
        raise ValueError("finer than a microsecond")
    return ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1_000_000 + int(digits[:6].ljust(6, "0"))


def _offset(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 14 or minutes > 59:
        raise ValueError("no time zone")
    return (hours * 60 + minutes) * 60_000_000 * (-1 if zone[0] == "-" else 1)


def _bounded(micros: int) -> int:
    if not _LOWEST <= micros <= _HIGHEST:
        raise ValueError("outside the years 1 to 9999")
    return micros
