"""Tiers as gymops.toml has them, and what may go when: over three years, nothing that is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gymops.backup import lsn, schedule
from gymops.backup.recovery_point import Kind, RecoveryPoint
from gymops.backup.schedule import Schedule
from gymops.backup.tiers import DEFAULT, Tier, named, retention, tiers, window
from gymops.errors import ConfigError
from tests.unit.backup.points import point
from tests.unit.clocks import START

DAY = timedelta(days=1)
LINE = ("7", 1)


@pytest.mark.parametrize("text", ["03:00", "sunday 04:30", "1. 05:00", "28. 23:59", "monday 00:00"])
def test_a_schedule_is_spelled_as_it_is_read(text: str) -> None:
    assert schedule.parse(text, "it").text == text


@pytest.mark.parametrize("text", ["", "3:00", "24:00", "03:60", "caturday 03:00", "29. 03:00", "0. 03:00"])
def test_what_is_no_schedule_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"it: .* is no schedule"):
        schedule.parse(text, "it")


@pytest.mark.parametrize(
    ("text", "cron"), [("03:05", "5 3 * * *"), ("sunday 04:00", "0 4 * * 0"), ("1. 05:00", "0 5 1 * *")]
)
def test_a_schedule_as_cron_has_it(text: str, cron: str) -> None:
    assert schedule.parse(text, "it").cron == cron


def test_a_schedule_is_due_on_its_days() -> None:
    until = START + 365 * DAY
    daily, weekly, monthly = (list(tier.schedule.due(START, until)) for tier in DEFAULT if tier.schedule)
    assert (len(daily), len(weekly), len(monthly)) == (365, 52, 12)
    assert {at.weekday() for at in weekly} == {6}
    assert {at.day for at in monthly} == {1}
    assert {(at.hour, at.minute) for at in daily} == {(3, 0)}


def test_a_time_that_is_just_over_is_not_due_again() -> None:
    at = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
    assert list(Schedule(3, 0).due(at, at + timedelta(hours=23))) == []
    assert list(Schedule(3, 0).due(at - timedelta(seconds=1), at)) == [at]


@pytest.mark.parametrize("text", ["5 minutes", "1 hour", "30 days", "1 minute", "36 hours"])
def test_a_duration_is_spelled_as_it_is_read(text: str) -> None:
    assert schedule.spelled(schedule.duration(text, "it")) == text


@pytest.mark.parametrize("text", ["", "0 days", "5", "days", "-1 days", "1.5 days", "999999 days", "1 year"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"it: .* is no duration"):
        schedule.duration(text, "it")


def test_without_any_there_are_those_of_titan_trakr() -> None:
    assert [tier.name for tier in tiers({}, "it")] == ["continuous", "daily", "weekly", "monthly"]
    assert window(DEFAULT) == 30 * DAY


def test_those_named_are_the_only_ones_and_differ_where_they_say_so() -> None:
    daily, yearly = tiers(
        {"daily": {"keep": "7 days"}, "late": {"schedule": "22:00", "keep": "2 days"}}, "it"
    )
    assert daily == replace(DEFAULT[1], keep=7 * DAY)
    assert yearly == Tier("late", Schedule(22, 0), 2 * DAY)
    assert window((daily, yearly)) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"daily": {"kept": "7 days"}}, "unknown key 'kept'"),
        ({"late": {"schedule": "22:00"}}, "keep is missing"),
        ({"late": {"keep": "2 days"}}, "schedule is missing"),
        ({"continuous": {"schedule": "22:00"}}, "it has no schedule"),
        ({"weekly": {"keep": "3 days"}}, "kept for 3 days and taken every 7 days, there is none in between"),
        ({"daily": {"rpo": "5 minutes"}}, "taken every 1 day, it cannot hold an rpo of 5 minutes"),
    ],
)
def test_a_tier_that_cannot_be_is_refused(given: Mapping[str, Mapping[str, str]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tiers(given, "gymops.toml: environments.prod.backup.tiers")


def test_a_tier_is_found_by_its_name_and_daily_is_the_usual_one() -> None:
    assert named(DEFAULT, "weekly").name == "weekly"
    assert named(DEFAULT, None).name == "daily"
    with pytest.raises(ConfigError, match="no tier 'hourly'"):
        named(DEFAULT, "hourly")


def _kept(points: list[RecoveryPoint], now: datetime, **given: object) -> list[RecoveryPoint]:
    return list(retention(points, DEFAULT, now, **{"reach": {}, **given}).kept)  # type: ignore[arg-type]


def test_the_last_good_one_never_goes() -> None:
    old = point(START, keep_until=START + DAY)
    bad = point(START + DAY, keep_until=START + 2 * DAY)
    assert _kept([old, bad], START + 900 * DAY, failed={bad.id}) == [old]
    assert _kept([old, bad], START + 900 * DAY) == [bad]


def test_one_without_an_end_stays() -> None:
    first, last = point(START), point(START + DAY)
    assert _kept([first, last], START + 900 * DAY) == [first, last]


def test_the_base_the_window_begins_with_stays_and_with_it_the_wal_behind() -> None:
    row = [
        point(START + n * DAY, keep_until=START + (n + 7) * DAY, start_lsn=lsn.spell(n << 24))
        for n in range(60)
    ]
    now = START + 60 * DAY
    found = retention(row, DEFAULT, now, reach={LINE: now})
    assert found.kept[0] == row[30]  # 30 days ago
    assert list(found.kept[1:]) == row[54:]
    assert found.wal_from == {LINE: 30 << 24}


def test_one_that_did_not_pass_is_no_beginning_of_the_window() -> None:
    row = [point(START + n * DAY, keep_until=START + (n + 7) * DAY) for n in range(60)]
    now = START + 60 * DAY
    found = retention(row, DEFAULT, now, reach={LINE: now}, failed={row[30].id})
    assert found.kept[0] == row[29]


def test_a_server_that_is_gone_is_let_go_of_when_the_window_is_over() -> None:
    old = [point(START + n * DAY, keep_until=START + (n + 30) * DAY, system="old") for n in range(9)]
    new = [point(START + n * DAY, keep_until=START + (n + 30) * DAY, system="new") for n in range(10, 40)]
    reach = {("old", 1): START + 9 * DAY, ("new", 1): START + 38 * DAY}
    found = retention([*old, *new], DEFAULT, START + 38 * DAY, reach=reach)
    assert old[8] in found.kept
    assert found.wal_from[("old", 1)] is not None
    reach[("new", 1)] = START + 60 * DAY
    found = retention([*old, *new], DEFAULT, START + 60 * DAY, reach=reach)
    assert not set(old) & set(found.kept)
    assert found.wal_from[("old", 1)] is None


def test_dumps_go_by_their_time_alone() -> None:
    row = [
        point(START + n * DAY, keep_until=START + (n + 7) * DAY, kind=Kind.DUMP, start_lsn=None)
        for n in range(60)
    ]
    assert _kept(row, START + 60 * DAY) == row[54:]


def test_three_years() -> None:
    """Each day what is due is taken and what may go goes; every promise holds on every day."""
    points: list[RecoveryPoint] = []
    wal_from = 0
    discrete = [tier for tier in DEFAULT if tier.schedule]
    most = 0
    for day in range(3 * 365):
        now = START + (day + 1) * DAY
        for tier in discrete:
            assert tier.schedule
            for at in tier.schedule.due(now - DAY, now):
                place = int((at - START).total_seconds()) << 8
                points.append(
                    point(at, tier=tier.name, keep_until=at + tier.keep, start_lsn=lsn.spell(place))
                )
        failed = {one.id for one in points if one.ended.toordinal() % 11 == 0}
        found = retention(points, DEFAULT, now, reach={LINE: now}, failed=failed)
        assert set(found.kept) | set(found.expired) == set(points)
        points = list(found.kept)
        began = found.wal_from.get(LINE)
        if points:
            assert began is not None
            assert began >= wal_from, "what went does not come back"
            wal_from = began
        most = max(most, len(points))
        for tier in discrete:
            assert tier.schedule
            due = set(tier.schedule.due(max(START, now - tier.keep), now))
            assert due <= {one.ended for one in points if one.tier == tier.name}
        since = max(now - 30 * DAY, START + DAY)
        if day > 2:
            first = [one for one in points if one.ended <= since and one.start_lsn]
            assert any(lsn.parse(one.start_lsn or "") >= wal_from for one in first), (
                "the window has a beginning"
            )
    assert most <= 30 + 13 + 13 + 3
    assert len(points) > 40
