"""A year of an environment's backups as they should be, for the audit's tests to plant findings in."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gymops.backup.evidence import Evidence, Expected, Job, Result, State, Stopped, Trial
from gymops.backup.port import Listing, Point, Window
from gymops.backup.slots import SKEW
from gymops.backup.tiers import DEFAULT

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
BEGAN = datetime(2027, 3, 14, 12, tzinfo=UTC)
"""Two days before the clocks change in the US; the year has a leap day in it."""
NOW = datetime(2028, 3, 14, 12, 30, tzinfo=UTC)
TIERS = tuple(replace(one, copy="us-east-1") if one.name == "monthly" else one for one in DEFAULT)
EXPECTED = Expected(TIERS, locked=True)


@dataclass
class Year:
    """One job and one point for each time a tier was due; points as their retention left them."""

    jobs: list[Job] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    tests: list[Trial] = field(default_factory=list)
    stopped: list[Stopped] = field(default_factory=list)
    lag: timedelta = timedelta(minutes=4)

    def evidence(self) -> Evidence:
        window = Window("prod-db", "db-1", NOW - 30 * DAY, NOW - self.lag)
        return Evidence(
            "prod",
            Listing(tuple(sorted(self.points, key=lambda one: one.taken)), (window,)),
            jobs=tuple(self.jobs),
            tests=tuple(self.tests),
            stopped=tuple(self.stopped),
            began=BEGAN,
        )

    def replace_job(self, old: Job, **given: object) -> None:
        self.jobs[self.jobs.index(old)] = replace(old, **given)  # type: ignore[arg-type]

    def replace_point(self, point: str | None, **given: object) -> None:
        self.points = [replace(one, **given) if one.id == point else one for one in self.points]  # type: ignore[arg-type]

    def drop_point(self, point: str | None) -> None:
        self.points = [one for one in self.points if one.id != point]


def year(seed: int) -> Year:
    """A year in which all went well, with clocks that are up to a minute apart, and a log that grows."""
    draw = random.Random(seed)
    found = Year()
    for tier in TIERS:
        for number, due in enumerate(tier.schedule.due(BEGAN, NOW) if tier.schedule else ()):
            began = due + timedelta(seconds=draw.uniform(-SKEW.total_seconds(), 3500))
            size = int((5e9 + number * 1e6) * draw.uniform(0.9, 1.1))
            point = f"{tier.name}-{due:%Y%m%dT%H%M}"
            ended = began + timedelta(minutes=draw.uniform(1, 50))
            found.jobs.append(Job(tier.name, began, State.DONE, ended, point, size))
            until = began + tier.keep
            if until > NOW:
                where = {"monthly": ["us-west-1/prod", "us-east-1/prod"]}.get(tier.name, ["us-west-1/prod"])
                for place in where:
                    away = place.startswith("us-east")
                    found.points.append(
                        Point(
                            f"{'us-east-1/' if away else ''}{point}",
                            "copy" if away else "aws-backup",
                            tier.name,
                            began + (HOUR if away else 0 * HOUR),
                            size,
                            encrypted=True,
                            locked=True,
                            where=place,
                            ready=True,
                            keep_until=until + (HOUR if away else 0 * HOUR),
                        )
                    )
        for month in range(12):
            at = BEGAN + timedelta(days=30 * month + 20, hours=1)
            seconds = (tier.rto or DAY).total_seconds()
            found.tests.append(
                Trial(at, Result.PASSED, tier.name, None, 60.0, seconds * draw.uniform(0.3, 0.9))
            )
    return found
