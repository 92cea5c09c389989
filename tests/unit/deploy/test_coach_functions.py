"""The coach's scheduled functions, as their parts have them: what is sent once, and what a failure leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from gymops import resources
from gymops.deploy.syntax import parse
from tests.unit.deploy.coach_tables import World

AT = {"time": "2026-11-21T00:00:00Z"}
NOW = 1_795_219_200
DAY = "2026-11-20"
Run = Callable[[str], Any]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls a function for that midnight."""
    monkeypatch.setattr(boto3, "resource", lambda _: world)
    monkeypatch.setattr(boto3, "client", lambda _: world)
    for name in (*world.tables, "TOPIC"):
        monkeypatch.setenv(name, name)

    def call(part: str) -> Any:
        file = resources.path("cloudformation") / "fitzen-coach" / "functions" / f"{part}.yaml"
        (function,) = [
            one["Properties"]
            for one in parse(file.read_text(encoding="utf-8"), part)["Resources"].values()
            if one["Type"] == "AWS::Lambda::Function"
        ]
        names: dict[str, Any] = {}
        exec(compile(function["Code"]["ZipFile"], part, "exec"), names)  # noqa: S102 - our own template
        return names["handler"](AT, None)

    return call


def test_a_reminder_that_cannot_be_sent_is_due_again(world: World, run: Run) -> None:
    one = {"user_id": "u", "reminder_id": "r", "due_at": NOW - 10, "message": "Run"}
    often = {**one, "reminder_id": "often", "every_seconds": 60}
    world.tables["REMINDERS"].items = [dict(one), dict(often)]
    world.down = True
    with pytest.raises(RuntimeError, match="no answer"):
        run("reminders")
    assert world.tables["REMINDERS"].items == [one, often]
    world.down = False
    assert run("reminders") == {"sent": 2}
    assert run("reminders") == {"sent": 0}
    assert world.sent == ["Run", "Run"]


def test_a_reminder_missed_for_long_is_sent_once_and_due_at_its_next_time(world: World, run: Run) -> None:
    world.tables["REMINDERS"].items = [
        {"user_id": "u", "reminder_id": "r", "due_at": NOW - 250, "message": "Run", "every_seconds": 100}
    ]
    assert run("reminders") == {"sent": 1}
    assert world.tables["REMINDERS"].items[0]["due_at"] == NOW + 50


def test_two_calls_at_once_send_one_reminder(world: World, run: Run) -> None:
    reminders = world.tables["REMINDERS"]
    reminders.items = [{"user_id": "u", "reminder_id": "r", "due_at": NOW, "message": "Run"}]
    reminders.before = lambda: reminders.items[0].update(sent_at=NOW)
    assert run("reminders") == {"sent": 0}
    assert world.sent == []


def test_a_summary_that_cannot_be_sent_is_sent_by_the_next_try(world: World, run: Run) -> None:
    world.tables["USERS"].items = [{"user_id": "u", "last_digest": "2026-11-01"}, {"user_id": "idle"}]
    world.tables["WORKOUTS"].items = [{"user_id": "u", "workout_id": "w", "date": DAY}]
    world.down = True
    with pytest.raises(RuntimeError, match="no answer"):
        run("digest")
    assert world.tables["USERS"].items[0]["last_digest"] == "2026-11-01"
    world.down = False
    assert run("digest") == {"day": DAY, "sent": 1}
    assert run("digest") == {"day": DAY, "sent": 0}
    assert world.sent == [f"{DAY}: 1 workouts"]


def test_a_milestone_that_cannot_be_told_is_counted_by_the_next_try(world: World, run: Run) -> None:
    habit = {"user_id": "u", "habit_id": "h", "current_streak": 29, "last_completed": DAY}
    world.tables["HABITS"].items = [dict(habit)]
    world.down = True
    with pytest.raises(RuntimeError, match="no answer"):
        run("streaks")
    (found,) = world.tables["HABITS"].items
    assert (found["current_streak"], found["streak_day"]) == (29, "")
    found.update(last_completed="2026-11-21T00:00:09Z", completed_today=2)  # the app writes meanwhile
    world.down = False
    assert run("streaks") == {"day": DAY, "counted": 1}
    assert (found["current_streak"], found["completed_today"]) == (30, 2)
    assert world.sent == ["30 days on end: h"]


def test_what_was_done_after_midnight_is_of_the_new_day(world: World, run: Run) -> None:
    world.tables["HABITS"].items = [
        {"user_id": "u", "habit_id": "h", "last_completed": "2026-11-21T00:00:02Z", "completed_today": 1}
    ]
    run("streaks")
    assert world.tables["HABITS"].items[0]["completed_today"] == 1
