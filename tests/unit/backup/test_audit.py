"""The audit against a year of jobs: what is planted is found, and nothing is invented."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gymops.backup.audit import audit
from gymops.backup.declared import declared
from gymops.backup.evidence import Evidence, Expected, Job, Result, State, Stopped, Trial
from gymops.backup.findings import Kind, volume
from gymops.backup.port import Listing, Point, Window
from gymops.backup.schedule import Schedule, parse
from gymops.backup.slots import Mark, slots, words
from gymops.backup.telling import metrics
from gymops.backup.tiers import DEFAULT
from tests.unit.backup.years import BEGAN, DAY, EXPECTED, HOUR, NOW, TIERS, Year, year

Planted = tuple[Kind, str | None, datetime]
"""Kind, tier, and when it was due or taken."""


def _due(job: Job) -> datetime:
    schedule = {tier.name: tier for tier in TIERS}[job.tier].schedule
    assert schedule
    return max(schedule.due(job.began - 32 * DAY, job.began + timedelta(minutes=1)))


def _missing(row: Year, job: Job) -> Planted:
    row.jobs.remove(job)
    row.drop_point(job.point)
    row.drop_point(f"us-east-1/{job.point}")
    return Kind.MISSING, job.tier, _due(job)


def _failed(row: Year, job: Job) -> Planted:
    row.replace_job(job, state=State.FAILED, point=None, size=None, message="the window clashed")
    row.drop_point(job.point)
    row.drop_point(f"us-east-1/{job.point}")
    return Kind.FAILED, job.tier, _due(job)


def _unsealed(row: Year, job: Job) -> Planted | None:
    """Its bytes are there, of a damaged log."""
    if job.point not in {one.id for one in row.points}:
        return None
    row.replace_job(job, state=State.UNSEALED, message="5 events are gone")
    row.replace_point(job.point, damaged="5 events are gone")
    row.drop_point(f"us-east-1/{job.point}")
    return Kind.FAILED, job.tier, _due(job)


def _late(row: Year, job: Job) -> Planted:
    began = _due(job) + timedelta(hours=2)
    row.replace_job(job, began=began, ended=began + HOUR / 2)
    row.replace_point(job.point, taken=began)
    return Kind.LATE, job.tier, _due(job)


def _skipped(row: Year, job: Job) -> Planted:
    planted = _missing(row, job)[1:]
    row.stopped.append(Stopped(planted[1] - HOUR / 6, planted[1] + HOUR / 4))
    return (Kind.SKIPPED, *planted)


def _small(row: Year, job: Job) -> Planted:
    row.replace_job(job, size=1000)
    row.replace_point(job.point, size=1000)
    return Kind.SMALL, job.tier, _due(job)


def _gone(row: Year, job: Job) -> Planted | None:
    if job.point not in {one.id for one in row.points} or job.began + _keep(job) - 2 * DAY < NOW:
        return None  # its time is over, or nearly
    row.drop_point(job.point)
    return Kind.SHORT, job.tier, _due(job)


def _open(row: Year, job: Job) -> Planted | None:
    return _point(row, job, Kind.UNENCRYPTED, encrypted=False)


def _unlocked(row: Year, job: Job) -> Planted | None:
    return _point(row, job, Kind.UNLOCKED, locked=False)


def _kept_short(row: Year, job: Job) -> Planted | None:
    return (
        _point(row, job, Kind.SHORT, keep_until=NOW + timedelta(minutes=1))
        if job.began > NOW - 9 * DAY
        else None
    )


def _kept_long(row: Year, job: Job) -> Planted | None:
    return _point(row, job, Kind.BEYOND, keep_until=None)


def _copy(row: Year, job: Job) -> Planted | None:
    if job.tier != "monthly" or f"us-east-1/{job.point}" not in {one.id for one in row.points}:
        return None
    row.drop_point(f"us-east-1/{job.point}")
    return Kind.UNCOPIED, job.tier, _due(job)


def _point(row: Year, job: Job, kind: Kind, **given: object) -> Planted | None:
    if job.point not in {one.id for one in row.points}:
        return None
    row.replace_point(job.point, **given)
    return kind, job.tier, job.began


def _keep(job: Job) -> timedelta:
    return {tier.name: tier.keep for tier in TIERS}[job.tier]


PLANTS: tuple[Callable[[Year, Job], Planted | None], ...] = (
    _missing, _failed, _unsealed, _late, _skipped, _small, _gone, _open, _unlocked, _kept_short, _kept_long,
    _copy,
)  # fmt: skip


def _found(row: Year, now: datetime = NOW) -> set[Planted]:
    return {(one.kind, one.tier, one.when) for one in audit(row.evidence(), EXPECTED, now).findings}


@pytest.mark.parametrize("seed", range(5))
def test_in_a_year_in_which_all_went_well_nothing_is_found(seed: int) -> None:
    found = audit(year(seed).evidence(), EXPECTED, NOW)
    assert found.findings == ()
    assert found.success_rate == 1
    assert found.expected == 366 + 52 + 12


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_all_that_is_planted_is_found_and_nothing_is_invented(seed: int) -> None:
    draw = random.Random(seed)
    row = year(seed)
    planted: set[Planted] = set()
    hurt: list[tuple[str, datetime]] = []
    # Not the first of a tier: of them nobody can say which size is usual.
    for tier, count, recent in (
        ("daily", 8, False),
        ("daily", 6, True),
        ("weekly", 6, False),
        ("monthly", 3, True),
    ):
        jobs = [job for job in row.jobs if job.tier == tier and (tier, _due(job)) not in hurt][4:]
        for job in draw.sample(jobs[-28:] if recent else jobs, min(count, len(jobs))):
            hurt.append((tier, _due(job)))
            found = draw.choice(PLANTS)(row, job)
            if found:
                planted.add(found)
    assert _found(row) == planted


def test_what_began_before_the_first_was_due_counts_for_none() -> None:
    row = year(1)
    row.jobs.insert(0, Job("daily", BEGAN + HOUR, State.DONE, None, None, 5_000_000_000))
    assert _found(row) == set()


def test_at_month_ends_and_on_the_leap_day_nothing_is_due_twice_or_never() -> None:
    row = year(2)
    days = [slot.due for slot in audit(row.evidence(), EXPECTED, NOW).slots if slot.tier == "daily"]
    assert datetime(2028, 2, 29, 3, tzinfo=BEGAN.tzinfo) in days
    assert len(set(days)) == 366
    assert {(due.hour, due.minute) for due in days} == {(3, 0)}, "UTC knows no summer time"


@pytest.mark.parametrize(
    ("after", "mark"),
    [(timedelta(minutes=30), Mark.OPEN), (timedelta(hours=2), Mark.MISSING)],
)
def test_what_is_due_has_an_hour_to_begin(after: timedelta, mark: Mark) -> None:
    due = datetime(2028, 3, 14, 3, tzinfo=BEGAN.tzinfo)
    row = year(3)
    row.jobs = [job for job in row.jobs if not (job.tier == "daily" and job.began > due - HOUR)]
    row.points = [one for one in row.points if not (one.tier == "daily" and one.taken > due - HOUR)]
    found = slots(TIERS[1], row.evidence(), NOW - 5 * DAY, due + after)
    assert found[-1].mark is mark


def test_a_job_that_runs_is_no_finding_until_it_does_not_end() -> None:
    due = datetime(2028, 3, 14, 3, tzinfo=BEGAN.tzinfo)
    evidence = Evidence("prod", Listing((), ()), jobs=(Job("daily", due, State.RUNNING),))
    daily = TIERS[1]
    assert slots(daily, evidence, due - HOUR, due + 5 * HOUR)[-1].mark is Mark.OPEN
    last = slots(daily, evidence, due - HOUR, due + 13 * HOUR)[-1]
    assert (last.mark, last.message) == (Mark.FAILED, "it does not end")


def test_a_second_attempt_makes_good_what_the_first_did_not() -> None:
    due = datetime(2028, 3, 14, 3, tzinfo=BEGAN.tzinfo)
    jobs = (Job("daily", due, State.FAILED), Job("daily", due + HOUR / 2, State.DONE))
    found = slots(TIERS[1], Evidence("prod", Listing((), ()), jobs), due - HOUR, due + 2 * HOUR)
    assert [slot.mark for slot in found] == [Mark.GOOD]


def test_without_a_single_backup_that_is_what_is_found() -> None:
    found = audit(Evidence("local", Listing((), ())), Expected(), NOW)
    assert [(one.kind, one.tier, one.next) for one in found.findings] == [
        (Kind.MISSING, None, "gymops backup local")
    ]
    assert found.success_rate is None


def test_with_a_first_backup_only_its_proof_is_missing() -> None:
    point = _base("one", NOW - HOUR / 4)
    window = Window("7", "7", point.taken, NOW - HOUR / 60)
    evidence = Evidence("local", Listing((point,), (window,)))
    assert {(one.kind, one.tier) for one in audit(evidence, Expected(), NOW).findings} == {
        (Kind.UNTESTED, "continuous"), (Kind.UNTESTED, "daily"),
    }  # fmt: skip
    proved = replace(evidence, tests=(Trial(NOW, Result.PASSED, None, "one", 12.0, 3.0),))
    assert audit(proved, Expected(), NOW).findings == ()


def _base(name: str, taken: datetime, **given: object) -> Point:
    values = {"kind": "base", "tier": "daily", "size": 100, "encrypted": True, "locked": False} | given
    kept = {"keep_until": taken + 30 * DAY, "where": "here", "ready": True}
    return Point(name, taken=taken, **{**kept, **values})  # type: ignore[arg-type]


CONTINUOUS = Expected((DEFAULT[0],))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"latest": NOW - HOUR}, Kind.RPO),
        ({"earliest": NOW - 20 * DAY}, Kind.SHORT),
        ({"gone": True}, Kind.MISSING),
    ],
)
def test_the_continuous_tier_is_held_to_its_targets(change: dict[str, object], kind: Kind) -> None:
    window = Window("7", "7", NOW - 30 * DAY, NOW - timedelta(minutes=5))
    tests = (Trial(NOW - DAY, Result.PASSED, None),)
    good = Evidence("local", Listing((), (window,)), tests=tests, began=NOW - 99 * DAY)
    assert audit(good, CONTINUOUS, NOW).findings == ()
    bad = replace(good, listing=Listing((), (replace(window, **change),)))  # type: ignore[arg-type]
    assert [one.kind for one in audit(bad, CONTINUOUS, NOW).findings] == [kind]


def test_a_database_that_is_stopped_loses_nothing() -> None:
    window = Window("7", "7", NOW - 30 * DAY, NOW - HOUR)
    tests = (Trial(NOW - DAY, Result.PASSED, None),)
    evidence = Evidence("local", Listing((), (window,)), tests=tests, stopped=(Stopped(NOW - HOUR),))
    assert [one.kind for one in audit(evidence, CONTINUOUS, NOW).findings] == [Kind.SKIPPED]


def test_one_that_is_stopped_by_a_schedule_is_nothing_to_find_until_it_misses_a_backup() -> None:
    """As staging is: off at 07:00 on each day, on at 16:00 from Monday to Friday."""
    expected = declared("continuous keep 30 days; daily tuesday-saturday 03:00 keep 30 days; off-hours")
    off = NOW.replace(hour=7, minute=0) - (NOW.weekday() - 5) % 7 * DAY  # on a Saturday
    window = Window("7", "7", off - 40 * DAY, off)
    nights = [off - days * DAY - 4 * HOUR for days in range(29)]
    points = tuple(
        _base(f"{at}", at, keep_until=at + 30 * DAY + 20 * HOUR)
        for at in nights
        if at.weekday() in range(1, 6)
    )
    tests = (
        Trial(off, Result.PASSED, None, rpo_seconds=6 * 3600.0),
        Trial(off, Result.PASSED, "daily", rpo_seconds=1.0),
    )
    evidence = Evidence(
        "staging", Listing(points, (window,)), tests=tests, stopped=(Stopped(off),), began=off - 99 * DAY
    )

    def found(later: timedelta, of: Expected = expected) -> set[tuple[Kind, str | None]]:
        return {(one.kind, one.tier) for one in audit(evidence, of, off + later).findings}

    morning = timedelta(hours=1.5)  # 08:30, when the worker audits
    assert found(morning) == found(DAY + morning) == found(2 * DAY + morning) == set()
    assert found(3 * DAY + morning) == {(Kind.SKIPPED, "daily")}  # it did not come back on Monday
    unplanned = replace(expected, off_hours=False)
    assert found(morning, unplanned) == {(Kind.SKIPPED, "continuous"), (Kind.RPO, "continuous")}
    told = {name: value for name, value, _ in metrics(audit(evidence, expected, off + morning))}
    assert (told["Findings"], told["RestoreTestMissed"]) == (0.0, 0.0)
    told = {name: value for name, value, _ in metrics(audit(evidence, unplanned, off + morning))}
    assert told["RestoreTestMissed"] == 1.0


@pytest.mark.parametrize(
    ("tests", "kinds"),
    [
        ([Trial(NOW - 36 * DAY, Result.PASSED, "daily")], {Kind.STALE}),
        ([Trial(NOW - DAY, Result.FAILED, "daily", message="chunk 3 of alice")], {Kind.TEST_FAILED}),
        ([Trial(NOW - DAY, Result.UNVERIFIED, "daily")], {Kind.UNVERIFIED}),
        ([Trial(NOW - DAY, Result.PASSED, "daily", None, 1.0, 1201.0)], {Kind.RTO}),
        ([Trial(NOW - DAY, Result.PASSED, "daily", None, 86401.0, 1.0)], {Kind.RPO}),
        ([Trial(NOW - DAY, Result.PASSED, "weekly", None, 1.0, 1.0)], {Kind.UNTESTED}),
        (
            [Trial(NOW - 2 * DAY, Result.FAILED, "daily"), Trial(NOW - DAY, Result.PASSED, "daily")],
            set(),
        ),
    ],
)
def test_restore_tests_are_held_to_what_they_showed(tests: list[Trial], kinds: set[Kind]) -> None:
    evidence = Evidence("local", Listing((_base("one", NOW - HOUR),), ()), tests=tuple(tests))
    assert {one.kind for one in audit(evidence, Expected((DEFAULT[1],)), NOW).findings} == kinds


def test_what_pruning_needs_is_not_kept_too_long() -> None:
    """The last good one, and the one that the continuous window begins with."""
    row = [_base(f"p{day}", NOW - day * DAY) for day in (35, 32, 31, 1)]
    tests = tuple(Trial(NOW, Result.PASSED, tier) for tier in ("daily", None))
    window = Window("7", "7", NOW - 31 * DAY, NOW)
    evidence = Evidence("local", Listing(tuple(row), (window,)), tests=tests, began=NOW - DAY)
    found = [one for one in audit(evidence, Expected(DEFAULT[:2]), NOW).findings if one.kind is Kind.BEYOND]
    assert {one.point for one in found} == {"p35", "p32"}


def test_what_a_store_lacks_or_has_too_much_of_is_found() -> None:
    listing = Listing((_base("one", NOW - HOUR),), ())
    tests = (Trial(NOW, Result.PASSED, "daily"),)
    evidence = Evidence(
        "local",
        listing,
        tests=tests,
        no_bytes=("one",),
        no_entry=("local/x", "local/y"),
        seals="seal 3 is gone",
    )
    found = audit(evidence, Expected((DEFAULT[1],)), NOW).findings
    assert {one.kind for one in found} == {Kind.NO_BYTES, Kind.NO_ENTRY, Kind.SEALS}
    assert (
        next(one.what for one in found if one.kind is Kind.NO_ENTRY) == "no record names local/x and 1 more"
    )


def test_where_nobody_could_look_nothing_is_missing_but_the_look() -> None:
    row = year(4)
    row.points = [one for one in row.points if one.kind != "copy"]
    evidence = row.evidence()
    silent = replace(evidence, listing=replace(evidence.listing, silent={"us-east-1": "no answer"}))
    found = audit(silent, EXPECTED, NOW).findings
    assert [(one.kind, one.what) for one in found] == [
        (Kind.UNSEEN, "nobody could look: us-east-1: no answer")
    ]


def test_aws_forgets_jobs_and_what_is_kept_longer_is_judged_by_its_points() -> None:
    row = year(5)
    row.jobs = [job for job in row.jobs if job.began > NOW - 30 * DAY]
    evidence = replace(row.evidence(), jobs_since=NOW - 30 * DAY)
    assert audit(evidence, EXPECTED, NOW).findings == ()
    old = next(job for job in year(5).jobs if job.tier == "monthly" and job.began < NOW - 99 * DAY)
    row.drop_point(old.point)
    evidence = replace(row.evidence(), jobs_since=NOW - 30 * DAY)
    assert [(one.kind, one.when) for one in audit(evidence, EXPECTED, NOW).findings] == [
        (Kind.MISSING, _due(old))
    ]


def test_several_days_of_the_week() -> None:
    found = parse("tuesday-saturday 03:00", "it")
    assert found == Schedule(3, 0, weekday=1, last=5)
    assert (found.text, found.cron) == ("tuesday-saturday 03:00", "0 3 * * 2,3,4,5,6")
    assert found.interval == 3 * DAY
    assert {at.weekday() for at in found.due(BEGAN, NOW)} == {1, 2, 3, 4, 5}
    assert parse("saturday-monday 03:00", "it").interval == 5 * DAY


@pytest.mark.parametrize(
    ("span", "said"),
    [(40, "40 seconds"), (100, "100 seconds"), (420, "7 minutes"), (10_000, "2 hours"), (864_000, "10 days")],
)
def test_a_span_is_told_as_people_say_it(span: int, said: str) -> None:
    assert words(timedelta(seconds=span)) == said


@pytest.mark.parametrize(("size", "said"), [(12, "12 B"), (3_400_000, "3.4 MB"), (812_000, "812 kB")])
def test_a_volume_is_told_as_people_say_it(size: int, said: str) -> None:
    assert volume(size) == said
