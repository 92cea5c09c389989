"""Tiers: what is backed up when, how long it is kept, how much may be lost, how long a restore may take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gymops.backup import lsn
from gymops.backup.recovery_point import Kind, RecoveryPoint
from gymops.backup.schedule import DAY, Schedule, duration, parse, spelled
from gymops.errors import ConfigError

CONTINUOUS = "continuous"
"""The tier of every time in between."""
_FIELDS = frozenset({"schedule", "keep", "rpo", "rto", "copy", "cold", "storage"})


@dataclass(frozen=True)
class Tier:
    """One kind of backup of an environment."""

    name: str
    schedule: Schedule | None
    """None: always; the WAL is received, and every time in between can be restored."""
    keep: timedelta
    rpo: timedelta | None = None
    """At most so much may be lost."""
    rto: timedelta | None = None
    """At most so long may a restore take, the proof included."""
    copy: str | None = None
    """The region that gets a copy."""


@dataclass(frozen=True)
class Retention:
    """What may go, and what of the rest is needed."""

    expired: tuple[RecoveryPoint, ...]
    kept: tuple[RecoveryPoint, ...]
    wal_from: Mapping[tuple[str, int], int | None] = field(default_factory=dict)
    """Database system and timeline -> where the WAL that is needed begins; None: none of it is. Of those not
    named here nothing is known, and nothing goes.
    """


DEFAULT = (
    Tier(CONTINUOUS, None, 30 * DAY, rpo=timedelta(minutes=5), rto=timedelta(minutes=15)),
    Tier("daily", Schedule(3, 0), 30 * DAY, rpo=DAY, rto=timedelta(minutes=20)),
    Tier("weekly", Schedule(4, 0, weekday=6), 90 * DAY, rpo=7 * DAY, rto=timedelta(minutes=30)),
    Tier("monthly", Schedule(5, 0, day=1), 365 * DAY, rpo=31 * DAY, rto=timedelta(hours=1)),
)
"""Those of titan-trakr."""


def tiers(given: Mapping[str, Mapping[str, str]], where: str) -> tuple[Tier, ...]:
    """The tiers of gymops.toml; where it names any, there are no others. What one does not say is as in the
    default of its name.

    Raises:
        ConfigError: one is none, or can never hold what it promises.
    """
    if not given:
        return DEFAULT
    usual = {tier.name: tier for tier in DEFAULT}
    found = tuple(_tier(name, values, usual.get(name), f"{where}.{name}") for name, values in given.items())
    for tier in found:
        if problem := _impossible(tier):
            raise ConfigError(f"{where}.{tier.name}: {problem}", hint="see docs/backups.md")
    return found


def named(tiers: Sequence[Tier], name: str | None) -> Tier:
    """The tier of a name; of none, the first that is not continuous.

    Raises:
        ConfigError: there is no such tier.
    """
    found = next((tier for tier in tiers if tier.name == name or (name is None and tier.schedule)), None)
    if found is None:
        names = ", ".join(tier.name for tier in tiers)
        raise ConfigError(f"there is no tier {name!r}", hint=f"--tier takes one of {names}")
    return found


def window(tiers: Sequence[Tier]) -> timedelta | None:
    """How far back every time can be restored; None: there are only single points."""
    return max((tier.keep for tier in tiers if tier.schedule is None), default=None)


def retention(
    points: Sequence[RecoveryPoint],
    tiers: Sequence[Tier],
    now: datetime,
    *,
    reach: Mapping[tuple[str, int], datetime],
    failed: Collection[str] = (),
) -> Retention:
    """What may go by now.

    1. A point goes when its time is over (``keep_until``),
    2. but not the newest one that is good: of those in ``failed`` a restore did not pass;
    3. and not the newest base that was there when the continuous window begins, as long as the WAL behind it
       reaches into the window (``reach``: up to when each database system and timeline was received).
    4. The WAL is needed from that base on; where there is none, from the oldest base that stays.
    """
    span = window(tiers)
    since = now - span if span is not None else None
    bases: dict[tuple[str, int], list[RecoveryPoint]] = {}
    for one in sorted(points, key=lambda one: one.ended):
        if one.kind is Kind.BASE and one.system is not None and one.timeline is not None:
            bases.setdefault((one.system, one.timeline), []).append(one)
    good = [one for one in points if one.id not in failed]
    needed = {one.id for one in sorted(good, key=lambda one: one.ended)[-1:]}
    anchors: dict[tuple[str, int], RecoveryPoint] = {}
    for line, row in bases.items():
        if since is None or max(reach.get(line, row[-1].ended), row[-1].ended) < since:
            continue
        anchors[line] = _anchor(row, since, failed)
        needed.add(anchors[line].id)
    kept = [one for one in points if one.id in needed or one.keep_until is None or one.keep_until > now]
    return Retention(
        expired=tuple(one for one in points if one not in kept),
        kept=tuple(kept),
        wal_from={line: _start(anchors.get(line)) for line in {*bases, *reach}},
    )


def _anchor(row: Sequence[RecoveryPoint], since: datetime, failed: Collection[str]) -> RecoveryPoint:
    """With which base the window begins: a good one, if there is any."""
    before = [one for one in row if one.ended <= since]
    good = [one for one in before if one.id not in failed]
    return (good or before or row[:1])[-1]


def _start(base: RecoveryPoint | None) -> int | None:
    return lsn.parse(base.start_lsn) if base and base.start_lsn else None


def _tier(name: str, values: Mapping[str, str], usual: Tier | None, where: str) -> Tier:
    if unknown := sorted(set(values) - _FIELDS):
        raise ConfigError(
            f"{where}: unknown key {unknown[0]!r}", hint=f"known keys: {', '.join(sorted(_FIELDS))}"
        )
    if "keep" not in values and usual is None:
        raise ConfigError(f"{where}: keep is missing", hint='how long its backups are kept: keep = "30 days"')
    spans: dict[str, Any] = {
        key: duration(values[key], f"{where}.{key}") if key in values else getattr(usual, key, None)
        for key in ("keep", "rpo", "rto")
    }
    _warm(values, spans, where)
    copy = values.get("copy", usual.copy if usual else None)
    return Tier(name, _schedule(name, values, usual, where), **spans, copy=copy)


def _warm(values: Mapping[str, str], spans: Mapping[str, Any], where: str) -> None:
    """No backup goes where a restore cannot fetch it in time.

    Raises:
        ConfigError: it says ``cold``, or a ``storage`` other than standard; with the reason.
    """
    from gymops.backup import tiers_check

    why = None
    if "cold" in values:
        why = tiers_check.cold(spans["keep"], duration(values["cold"], f"{where}.cold"))
    elif "storage" in values:
        why = tiers_check.archive(values["storage"], spans["rto"])
    if why:
        raise ConfigError(f"{where}: {why}", hint="see docs/backups.md")


def _schedule(name: str, values: Mapping[str, str], usual: Tier | None, where: str) -> Schedule | None:
    if name == CONTINUOUS:
        if "schedule" in values:
            raise ConfigError(
                f"{where}: it has no schedule, for it always runs", hint="give it an rpo instead"
            )
        return None
    if "schedule" in values:
        return parse(values["schedule"], f"{where}.schedule")
    if usual is None or usual.schedule is None:
        raise ConfigError(
            f"{where}: schedule is missing", hint='when it is taken, in UTC: schedule = "03:00"'
        )
    return usual.schedule


def _impossible(tier: Tier) -> str | None:
    if tier.schedule is None:
        return (
            "an rpo below a minute cannot be held" if tier.rpo and tier.rpo < timedelta(minutes=1) else None
        )
    interval = tier.schedule.interval
    if tier.keep < interval:
        return f"kept for {spelled(tier.keep)} and taken every {spelled(interval)}, there is none in between"
    if tier.rpo and tier.rpo < interval:
        return f"taken every {spelled(interval)}, it cannot hold an rpo of {spelled(tier.rpo)}"
    return None
