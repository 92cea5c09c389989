"""Moving traffic to a version: all at once, a canary, or step by step, watching all the while.

1. Point the alias at the new version with the step's share; the rest stays where it was.
2. Until the step's time is up, ask through the alias as users do, and look at the alarms.
3. At the first sign of trouble, point the alias back, and say what it was.
4. After the last step the alias is the new version's alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gymops.clock import Clock
from gymops.deploy.smoke import Asked
from gymops.errors import ConfigError, GymopsError

_NAME = re.compile(
    r"(?P<all>AllAtOnce)"
    r"|(?P<kind>Canary|Linear)(?P<percent>[0-9]{1,2})Percent(?:Every)?(?P<count>[0-9]{1,4})(?P<unit>Second|Minute)s?"
)

SLOW = 2.0
"""A new version is slow where its median is this many times the old one's, and SLOW_BY seconds more."""
SLOW_BY = 0.25
_ENOUGH = 5
"""Answers of each version before they are compared."""
_LOOKS = 100
"""Looks after which a step ends without enough answers."""


@dataclass(frozen=True)
class Step:
    """A share of the requests, and how long it stays so."""

    percent: int
    seconds: float


@dataclass(frozen=True)
class Shape:
    """How traffic moves; names as CodeDeploy has them."""

    name: str
    steps: tuple[Step, ...]
    """Before the last one, which is everything and has no end."""

    @classmethod
    def parse(cls, name: str) -> Shape:
        """Read a name such as ``Canary10Percent5Minutes`` or ``Linear10PercentEvery1Minute``.

        Raises:
            ConfigError: it is none.
        """
        found = _NAME.fullmatch(name)
        if not found or found["percent"] in {"0", "00"}:
            raise ConfigError(
                f"traffic: {name!r} is no way to move it",
                hint="AllAtOnce, Canary10Percent5Minutes, Linear10PercentEvery1Minute; any numbers will do",
            )
        if found["all"]:
            return cls(name, ())
        percent, seconds = (
            int(found["percent"]),
            int(found["count"]) * (60.0 if found["unit"] == "Minute" else 1.0),
        )
        shares = [percent] if found["kind"] == "Canary" else range(percent, 100, percent)
        return cls(name, tuple(Step(share, seconds) for share in shares))


AT_ONCE = Shape("AllAtOnce", ())


class Aliases(Protocol):
    """The alias that serves."""

    def now(self) -> str:
        """The version it points at."""

    def split(self, version: str, other: str, share: float) -> None:
        """Send a share (0 to 1) to ``other``, the rest to ``version``."""

    def point(self, version: str) -> None:
        """Send everything to one version."""


@dataclass
class Watched:
    """What was seen while traffic moved."""

    asked: int = 0
    failed: list[Asked] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Version -> how long its good answers took."""

    def add(self, one: Asked) -> None:
        """Count an answer."""
        self.asked += 1
        if one.good:
            self.seconds.setdefault(one.version, []).append(one.seconds)
        else:
            self.failed.append(one)

    def trouble(self, old: str, new: str) -> str | None:
        """What is wrong with the new version: it fails, or is slower than the old one.

        The old version's own failures are not held against the new one.
        """
        for one in self.failed:
            if one.version == new:
                status = "no answer" if one.status is None else one.status
                return f"{one.path} through the alias: {status}{f', {one.problem}' if one.problem else ''}"
        before, after = self.seconds.get(old, []), self.seconds.get(new, [])
        if min(len(before), len(after)) >= _ENOUGH:
            # The first answer of a version starts it; the median does not see it.
            was, now = _median(before), _median(after)
            if now > was * SLOW and now > was + SLOW_BY:
                return f"version {new} takes {now * 1000:,.0f} ms, version {old} {was * 1000:,.0f} ms"
        return None


class Returned(GymopsError):
    """Traffic was given back to the version before."""

    exit_code = 5
    code = "returned"


def move(
    alias: Aliases,
    new: str,
    shape: Shape,
    *,
    ask: Callable[[], Sequence[Asked]],
    alarms: Callable[[], Sequence[str]],
    clock: Clock,
    every: float = 1.0,
    watched: Watched | None = None,
    logs: str = "gymops logs",
) -> Iterator[str]:
    """Move the traffic and yield what happens, a line for each step; ``logs`` is the command that shows them.

    ``ask`` sends some requests through the alias, ``alarms`` names the alarms that ring; ``every`` is the
    time between two looks, in seconds. The alarms that rang before are known to be no fault of this version.
    Killed and run again it begins anew from wherever the alias is.

    Raises:
        Returned: the new version is in trouble; the alias is back at the old one.
    """
    old = alias.now()
    if old == new:
        alias.point(new)
        yield f"version {new} serves already"
        return
    seen = watched if watched is not None else Watched()
    rang = frozenset(alarms())
    for step in shape.steps:
        alias.split(old, new, step.percent / 100)
        yield f"{step.percent}% of the requests go to version {new}"
        _watch(alias, old, new, step.seconds, ask, alarms, rang, clock, every, seen, logs)
    alias.point(new)
    yield f"version {new} serves"
    _watch(alias, old, new, 0.0, ask, alarms, rang, clock, every, seen, logs)


def _watch(
    alias: Aliases,
    old: str,
    new: str,
    seconds: float,
    ask: Callable[[], Sequence[Asked]],
    alarms: Callable[[], Sequence[str]],
    rang: frozenset[str],
    clock: Clock,
    every: float,
    seen: Watched,
    logs: str,
) -> None:
    """Look at least once, and until the time is up and there is enough to tell by; not for ever, as a small
    share may bring nobody to the new version.
    """
    end = clock.monotonic() + seconds
    for look in itertools.count(1):
        for one in ask():
            seen.add(one)
        ringing = [name for name in alarms() if name not in rang]
        trouble = f"the alarm {ringing[0]} rings" if ringing else seen.trouble(old, new)
        if trouble:
            alias.point(old)
            raise Returned(
                f"{trouble}; version {old} serves again", hint=f"{logs} shows what the version wrote"
            )
        left = end - clock.monotonic()
        known = len(seen.seconds.get(new, ())) >= _ENOUGH or look >= _LOOKS
        if left <= 0 and (known or not seconds):
            return
        clock.sleep(min(every, left) if left > 0 else every)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
