"""Tiers that cannot be are refused, each with its reason; those of titan-trakr can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from gymops.backup.schedule import Schedule
from gymops.backup.tiers import DEFAULT, Tier, tiers
from gymops.backup.tiers_check import impossible
from gymops.errors import ConfigError

DAY = timedelta(days=1)


def _why(*given: Tier, managed: bool = True) -> list[str]:
    return list(impossible(given, managed=managed))


def test_those_of_titan_trakr_can_be_here_and_there() -> None:
    assert _why(*DEFAULT) == []
    assert _why(*DEFAULT, managed=False) == []


@pytest.mark.parametrize(
    ("schedule", "meets"),
    [
        (Schedule(3, 30), True),
        (Schedule(4, 0), False),
        (Schedule(2, 0), False),
        (Schedule(2, 30, weekday=6), True),
        (Schedule(3, 0, day=1), True),
        (Schedule(23, 0), False),
    ],
)
def test_two_backups_begin_an_hour_apart(schedule: Schedule, meets: bool) -> None:
    found = _why(DEFAULT[1], Tier("other", schedule, 90 * DAY))
    assert bool(found) is meets


def test_over_the_end_of_the_week_too() -> None:
    found = _why(
        Tier("late", Schedule(23, 30, weekday=6), 9 * DAY), Tier("early", Schedule(0, 0, weekday=0), 9 * DAY)
    )
    assert found == ["late (sunday 23:30) and early (monday 00:00) begin within an hour of each other"]


@pytest.mark.parametrize(
    ("tier", "managed", "said"),
    [
        (replace(DEFAULT[3], copy="us-east-1"), False, "a bucket of your own has replication"),
        (replace(DEFAULT[0], keep=36 * DAY), True, "any time of the last 35 days at the most"),
        (replace(DEFAULT[0], rpo=timedelta(minutes=1)), True, "cannot hold an rpo of 1 minute"),
    ],
)
def test_what_only_one_of_both_can_do_is_refused_to_the_other(tier: Tier, managed: bool, said: str) -> None:
    assert said in _why(tier, managed=managed)[0]
    assert _why(tier, managed=not managed) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weekly": {"cold": "30 days"}}, "cold after 30 days needs a keep of 120 days at the least"),
        ({"monthly": {"cold": "30 days"}}, "no cold storage for RDS"),
        ({"monthly": {"storage": "deep-archive"}}, "it takes 12 hours to get anything back"),
        ({"monthly": {"storage": "deep-archive", "rto": "2 days"}}, "a lifecycle rule"),
        ({"monthly": {"storage": "tape"}}, "storage is 'tape'"),
    ],
)
def test_what_could_not_be_fetched_in_time_is_refused(
    given: Mapping[str, Mapping[str, str]], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        tiers(given, "gymops.toml: environments.prod.backup.tiers")


def test_a_region_for_copies_is_read() -> None:
    assert tiers({"monthly": {"copy": "us-east-1"}}, "it")[0].copy == "us-east-1"
    assert tiers({"monthly": {"storage": "standard"}}, "it")[0] == DEFAULT[3]
