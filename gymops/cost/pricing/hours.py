"""How many hours of a month a database runs, by the schedules that stop and start it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from gymops.cost.book import HOURS
from gymops.cost.inventory import Inventory

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WEEK = 7 * 24 * 60
_CRON = re.compile(r"cron\((\d+) (\d+) (\S+) \* (\S+) \*\)")


def running(there: Inventory) -> Decimal:
    """The hours of an average month; all of them where nothing stops it, or when cannot be told."""
    changes: dict[int, bool] = {}
    for item in there.of("AWS::Scheduler::Schedule"):
        target = item.text("Target", "Arn") or str(item.raw.get("Target", {}))
        for minute in _minutes(item.text("ScheduleExpression")):
            if "stopDBInstance" in target:
                changes[minute] = False
            elif "startDBInstance" in target:
                changes.setdefault(minute, True)
    if set(changes.values()) != {True, False}:
        return HOURS
    at = sorted(changes)
    on = sum(
        (after - minute) % _WEEK
        for minute, after in zip(at, [*at[1:], at[0]], strict=True)
        if changes[minute]
    )
    return HOURS * on / _WEEK


def _minutes(expression: str) -> Iterator[int]:
    """The minutes of a week, from Sunday 00:00, at which a schedule of days of the week runs."""
    found = _CRON.fullmatch(expression)
    if found is None or found[3] not in {"*", "?"}:
        return
    for day in _days(found[4]):
        yield (day * 24 + int(found[2])) * 60 + int(found[1])


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        if part in {"*", "?"}:
            yield from range(7)
        elif first in _DAYS and (last or first) in _DAYS:
            yield from range(_DAYS.index(first), _DAYS.index(last or first) + 1)
