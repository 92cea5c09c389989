"""The worker over a year: each tier at its times, what failed again, and nothing forgotten by a new start."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import count, pairwise, takewhile
from threading import Event

import pytest

from gymops.backup.evidence import Result, State, Trial
from gymops.backup.tiers import DEFAULT
from gymops.backup.worker import AGAIN, TRIES, Ran, Task, beside, forever, once, tasks
from tests.unit.backup.test_audit import _base
from tests.unit.clocks import START, FakeClock

DAY = timedelta(days=1)
HOUR = DAY / 24
DISCRETE = DEFAULT[1:]


def test_a_year_of_days() -> None:
    clock = FakeClock()
    given = tasks("local", DISCRETE, [_base("p", START)], [Trial(START, Result.PASSED, None)], START)
    row = forever(given, clock, lambda _: Ran(0), most=86_400.0)
    done = takewhile(lambda one: one.began < START + 365 * DAY, row)
    assert Counter(" ".join(one.task.command) for one in done) == {
        "backup local --tier daily": 365,
        "backup local --tier weekly": 52,
        "backup local --tier monthly": 12,
        "restore-test local --all": 12,
        "audit local": 365,
    }


def test_what_is_received_is_received_twice_as_often_as_may_be_lost() -> None:
    clock = FakeClock()
    given = tasks("local", DEFAULT[:1], [_base("p", START)], [Trial(START, Result.PASSED, None)], START)
    done = takewhile(
        lambda one: one.began < START + timedelta(hours=1), forever(given, clock, lambda _: Ran(0))
    )
    assert sum(one.task.tier == "continuous" for one in done) == 24


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_no_more_is_lost_than_may_be_also_where_a_round_fails(minutes: int) -> None:
    rpo, clock = timedelta(minutes=minutes), FakeClock()
    tier = replace(DEFAULT[0], rpo=rpo)
    given = tasks("local", [tier], [_base("p", START)], [Trial(START, Result.PASSED, None)], START)
    times, lasts = count(1), rpo.total_seconds() / 8

    def run(_: Task) -> Ran:
        clock.sleep(lasts)
        return Ran(0 if next(times) % 5 else 1, "no answer")

    done = takewhile(lambda one: one.began < START + DAY, forever(given, clock, run))
    rounds = [one for one in done if one.well and one.task.received]
    assert len(rounds) > 90
    # What a round did not get is there when the next one ends.
    assert max(later.ended - one.began for one, later in pairwise(rounds)) <= rpo


def test_a_server_that_is_gone_is_asked_less_often() -> None:
    clock = FakeClock()
    (task,) = tasks("local", DEFAULT[:1], [_base("p", START)], [Trial(START, Result.PASSED, None)], START)[:1]
    done = takewhile(lambda one: one.began < START + HOUR, forever([task], clock, lambda _: Ran(1, "gone")))
    began = [one.began for one in done]
    assert [(later - one).total_seconds() for one, later in pairwise(began)][:6] == [10, 20, 40, 80, 80, 80]


def test_what_is_received_waits_for_no_copy() -> None:
    """A backup that does not end until three rounds were done."""
    given = tasks("local", DEFAULT[:2], [_base("p", START - DAY)], [Trial(START, Result.PASSED, None)], START)
    rounds, enough, over = count(1), Event(), Event()

    def run(task: Task) -> Ran:
        if over.is_set():
            raise OSError("that is all")
        if not task.received:
            return Ran(0 if enough.wait(60) else 1)
        if next(rounds) == 3:
            enough.set()
        return Ran(0)

    row = beside(given, Hasty(), run)
    assert next(one for one in row if not one.task.received).well
    over.set()
    with pytest.raises(OSError, match="that is all"):
        list(row)


def test_what_is_received_waits_for_the_first_backup_alone_and_for_no_other_environment() -> None:
    given = [
        *tasks("other", DEFAULT[:2], [_base("p", START)], [], START),
        *tasks("first", DEFAULT[:2], [], [], START),
    ]
    began: list[str] = []
    enough, over = Event(), Event()

    def run(task: Task) -> Ran:
        if over.is_set():
            raise OSError("that is all")
        began.append(" ".join(task.command))
        if task.command[0] == "restore-test" or task.command[:2] == ("backup", "other"):
            return Ran(0 if enough.wait(60) else 1)  # does not end until there was a round of the first
        if task.received:
            enough.set()
        return Ran(0)

    row = beside(given, Hasty(), run)
    assert next(one for one in row if one.task.command[0] == "restore-test").well
    assert began[0] == "backup first --tier daily"
    over.set()
    with pytest.raises(OSError, match="that is all"):
        list(row)


def test_a_lane_that_breaks_breaks_the_worker() -> None:
    def run(task: Task) -> Ran:
        raise OSError("no process can be started")

    with pytest.raises(OSError, match="no process"):
        list(beside(tasks("local", DEFAULT, [], [], START), FakeClock(), run))


class Hasty(FakeClock):
    """A clock of which an hour passes in a moment."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        time.sleep(0.001)


def test_without_a_backup_there_is_one_at_once_and_its_proof() -> None:
    given = tasks("local", DEFAULT, [], [], START)
    done = [" ".join(one.task.command) for one in once(given, FakeClock(), lambda _: Ran(0))]
    assert done == [
        "backup local --tier daily", "backup local --tier continuous", "restore-test local --all",
    ]  # fmt: skip


def test_who_starts_again_takes_what_was_due_meanwhile_once() -> None:
    points = [_base(f"{tier.name}-old", START - 3 * DAY, tier=tier.name) for tier in DISCRETE]
    given = tasks(
        "local", DISCRETE, points, [Trial(START - DAY, Result.PASSED, None)], START + timedelta(hours=4)
    )
    clock = FakeClock()
    clock.sleep(4 * 3600)
    done = [one.task.tier for one in once(given, clock, lambda _: Ran(0))]
    assert done == ["daily"]
    assert list(once(given, clock, lambda _: Ran(0))) == []


def test_what_failed_is_tried_again_and_then_waits_for_its_next_time() -> None:
    clock = FakeClock()
    task = Task(("backup", "local"), START - DAY, DISCRETE[0].schedule, tier="daily")
    clock.sleep(3 * 3600)
    began = []
    for done in takewhile(
        lambda one: one.began < START + DAY, forever([task], clock, lambda _: Ran(1, "full"))
    ):
        began.append(done.began)
        assert done.job
        assert (done.job.state, done.job.message) == (State.FAILED, "full")
    # What was due before START is done first.
    assert len(began) == TRIES
    assert [later - one for one, later in pairwise(began)] == [AGAIN] * (TRIES - 1)


def test_findings_are_no_failure_of_an_audit() -> None:
    task = Task(("audit", "local"), START - 2 * DAY, DISCRETE[0].schedule)
    (done,) = once([task], FakeClock(), lambda _: Ran(3))
    assert done.well
    assert done.job is None


def test_of_what_aws_takes_the_worker_does_the_rest() -> None:
    given = tasks("prod", DEFAULT, [], [], START, managed=True)
    assert [" ".join(one.command) for one in given] == [
        "backup prod --tier continuous", "restore-test prod --all", "audit prod --publish",
        "restore-test prod --pending",
    ]  # fmt: skip
    assert given[-1].due <= START
    given[-1].ended(START, START, well=False)
    assert given[-1].due == START + timedelta(hours=1)
