"""AWS's schedule expressions: ``cron(0 5 ? * MON *)`` and ``rate(12 hours)``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from gymops.local.plane.faults import Fault

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_Field = tuple[int, int, list[str]]
_FIELDS: tuple[_Field, ...] = (
    (0, 59, []), (0, 23, []), (1, 31, []), (1, 12, _MONTHS), (1, 7, _DAYS), (1970, 2199, []),
)  # fmt: skip
_FURTHEST = timedelta(days=400)


def due(expression: str, last: datetime, now: datetime) -> bool:
    """Whether the schedule came up after ``last`` and no later than ``now``; all in UTC.

    Raises:
        Fault: it is no schedule.
    """
    if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return now >= last + timedelta(**{f"{match[2]}s": int(match[1])})
    match = re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", expression)
    if match is None:
        raise Fault("InvalidParameterValueException", f"{expression} is no schedule expression")
    sets = [_values(text, *field) for text, field in zip(match.groups(), _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays, years = sets
    day = max(last, now - _FURTHEST).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= now:
        weekday = day.isoweekday() % 7 + 1
        if day.day in days and day.month in months and weekday in weekdays and day.year in years:
            moments = (day.replace(hour=hour, minute=minute) for hour in hours for minute in minutes)
            if any(last < moment <= now for moment in moments):
                return True
        day += timedelta(days=1)
    return False


def _values(text: str, low: int, high: int, names: list[str]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        try:
            if span in {"*", "?"}:
                first, last = low, high
            else:
                ends = [
                    names.index(end.upper()) + 1 if end.upper() in names else int(end)
                    for end in span.split("-")
                ]
                first, last = ends[0], high if step and len(ends) == 1 else ends[-1]
            found |= set(range(first, last + 1, int(step or 1)))
        except ValueError as error:
            raise Fault("InvalidParameterValueException", f"{text} cannot be used in a schedule") from error
    return {value for value in found if low <= value <= high}
