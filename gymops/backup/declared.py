"""Tiers as a template declares them: what its stack takes, in words that are read back.

``continuous keep 30 days rpo 1 hour rto 30 minutes; daily tuesday-saturday 03:00 keep 30 days; monthly
1. 05:00 keep 365 days copy us-east-1; locked; off-hours``
"""

from __future__ import annotations

import re

from gymops.backup.evidence import Expected
from gymops.backup.schedule import duration, parse
from gymops.backup.tiers import DEFAULT, Tier
from gymops.errors import ConfigError

_TIER = re.compile(
    r"(?P<name>\w+)(?: (?P<when>.+?))? keep (?P<keep>\d+ \w+)"
    r"(?: rpo (?P<rpo>\d+ \w+))?(?: rto (?P<rto>\d+ \w+))?(?: copy (?P<copy>\S+))?"
)
_LOCKED, _OFF_HOURS = "locked", "off-hours"


def declared(text: str) -> Expected:
    """What there should be; targets it does not say are those of the default of a tier's name.

    Raises:
        ConfigError: it is not understood.
    """
    parts = [part.strip() for part in text.split(";") if part.strip()]
    tiers = tuple(_tier(part) for part in parts if part not in (_LOCKED, _OFF_HOURS))
    return Expected(tiers, locked=_LOCKED in parts, off_hours=_OFF_HOURS in parts)


def _tier(text: str) -> Tier:
    found = _TIER.fullmatch(text)
    if not found:
        raise ConfigError(
            f"{text!r} is no tier", hint="the stack's output BackupTiers says what it takes: gymops deploy"
        )
    name, where = found["name"], "BackupTiers"
    usual = next((tier for tier in DEFAULT if tier.name == name), None)
    schedule = parse(found["when"], where) if found["when"] else None
    rpo = duration(found["rpo"], where) if found["rpo"] else usual.rpo if usual else None
    rto = duration(found["rto"], where) if found["rto"] else usual.rto if usual else None
    return Tier(name, schedule, duration(found["keep"], where), rpo, rto, found["copy"])
