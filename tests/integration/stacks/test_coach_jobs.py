"""The scheduled functions of fitzen-coach, with items in its tables: each does its work once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.integration.stacks.coach_parts import Coach, messages
from tests.local_aws import ACCOUNT, Aws

pytestmark = pytest.mark.long

AT = datetime(2026, 11, 21, tzinfo=UTC)
"""A midnight; what is asked about is the day before."""
DAY = "2026-11-20"


def test_each_scheduled_function_does_its_work_once(aws: Aws, tmp_path: Path) -> None:
    coach = Coach(aws, tmp_path)
    digest(coach)
    reminders(coach)
    streaks(coach)
    cleanup(coach)
    analytics(coach)
    schedules(coach)
    without_tables(coach)
    signed_in_by_others(coach)


def digest(coach: Coach) -> None:
    put(coach, "users", *({"user_id": f"u{n:03}"} for n in range(3)))
    put(coach, "workouts", *({"user_id": "u002", "workout_id": f"w{n}", "date": DAY} for n in range(2)),
        {"user_id": "u001", "workout_id": "old", "date": "2026-11-19"})  # fmt: skip
    put(coach, "nutrition", {"user_id": "u002", "meal_id": "m", "date": f"{DAY}T12:00:00Z"})
    heard = messages(coach.aws, coach.physical("RemindersTopic"))
    for sent in (1, 0):
        assert call(coach, "generate-daily-digest", AT + timedelta(hours=8))["sent"] == sent
    assert heard() == [("u002", "digest", f"{DAY}: 2 workouts, 1 meals")]


def reminders(coach: Coach) -> None:
    now = int(AT.timestamp())
    due = {"user_id": "u1", "due_at": now - 60, "message": "Drink", "kind": "meal"}
    put(coach, "reminders", {**due, "reminder_id": "once"},
        {**due, "reminder_id": "daily", "every_seconds": 86400, "message": "Run"},
        {**due, "reminder_id": "later", "due_at": now + 60},
        {**due, "reminder_id": "off", "enabled": False})  # fmt: skip
    heard = messages(coach.aws, coach.physical("RemindersTopic"))
    for sent in (2, 0):
        assert call(coach, "send-reminders", AT) == {"sent": sent}
    assert heard() == [("u1", "meal", "Drink"), ("u1", "meal", "Run")]
    assert got(coach, "reminders", user_id="u1", reminder_id="daily")["due_at"] == now - 60 + 86400
    assert got(coach, "reminders", user_id="u1", reminder_id="once")["sent_at"] == now


def streaks(coach: Coach) -> None:
    habit = {"user_id": "u1", "completed_today": 3, "name": "Stretching", "longest_streak": 9}
    put(coach, "habits",
        {**habit, "habit_id": "kept", "last_completed": DAY, "current_streak": 6},
        {**habit, "habit_id": "lost", "last_completed": "2026-11-18", "current_streak": 9})  # fmt: skip
    heard = messages(coach.aws, coach.physical("AchievementsTopic"))
    for counted in (2, 0):
        assert call(coach, "update-habit-streaks", AT) == {"day": DAY, "counted": counted}
    assert heard() == [("u1", "streak", "7 days on end: Stretching")]
    names = ("current_streak", "longest_streak", "completed_today")
    for name, expected in {"kept": [7, 9, 0], "lost": [0, 9, 0]}.items():
        found = got(coach, "habits", user_id="u1", habit_id=name)
        assert [found[one] for one in names] == expected


def cleanup(coach: Coach) -> None:
    now = int(AT.timestamp())
    old = [{"user_id": "u1", "timestamp": now - 91 * 86400 - n} for n in range(230)]  # more than one page
    put(coach, "chat-history", *old, {"user_id": "u1", "timestamp": now - 89 * 86400})
    for removed in (230, 0):
        assert call(coach, "cleanup-old-data", AT) == {"removed": removed}
    assert table(coach, "chat-history").scan()["Count"] == 1


def analytics(coach: Coach) -> None:
    yesterday = int(AT.timestamp()) - 3600
    put(coach, "users", {"user_id": "new", "created_at": f"{DAY}T09:00:00Z"})
    put(coach, "chat-history", *({"user_id": "u2", "timestamp": yesterday + n} for n in range(3)))
    expected = {"ActiveUsers": 3, "NewSignups": 1, "ChatMessages": 3, "Workouts": 2, "Meals": 1}
    for _ in range(2):
        assert call(coach, "aggregate-analytics", AT + timedelta(hours=1)) == {"day": DAY, **expected}
    found = coach.client("cloudwatch").get_metric_statistics(
        Namespace=f"test-{coach.app}", MetricName="ActiveUsers", Statistics=["Maximum"], Period=86400,
        StartTime=AT - timedelta(days=1), EndTime=AT,
    )["Datapoints"]  # fmt: skip
    assert [one["Maximum"] for one in found] == [3]


def schedules(coach: Coach) -> None:
    scheduler, group = coach.client("scheduler"), f"test-{coach.app}"
    found = {}
    for one in scheduler.list_schedules(GroupName=group)["Schedules"]:
        held = scheduler.get_schedule(Name=one["Name"], GroupName=group)
        assert json.loads(held["Target"]["Input"]) == {"time": "<aws.scheduler.scheduled-time>"}
        found[one["Name"]] = held["ScheduleExpression"]
    assert found == {
        "generate-daily-digest": "cron(0 8 * * ? *)", "send-reminders": "rate(1 hour)",
        "update-habit-streaks": "cron(0 0 * * ? *)", "cleanup-old-data": "cron(0 3 ? * SUN *)",
        "aggregate-analytics": "cron(0 1 * * ? *)",
    }  # fmt: skip


def without_tables(coach: Coach) -> None:
    """Where PostgreSQL serves, only what stays in tables is looked after."""
    coach.update(DataStore="postgres")
    there = {name for name in coach.resources() if name.endswith(("Function", "Schedule"))}
    assert there == {f"{job}{one}" for job in ("Reminders", "Cleanup") for one in ("Function", "Schedule")}


def signed_in_by_others(coach: Coach) -> None:
    """Google and Apple, when their ids are given: what proves the app to them comes out of its secrets."""
    for name, key in {"google-oauth": "client_secret", "apple-signin": "private_key"}.items():
        coach.client("secretsmanager").create_secret(
            Name=f"test-{coach.app}/{name}", SecretString=json.dumps({key: f"of {name}"})
        )
    apple = {"AppleServiceId": "com.fitzen.coach", "AppleTeamId": "A" * 10, "AppleKeyId": "B" * 10}
    coach.update(GoogleClientId="12345678.apps", **apple)
    users, pool = coach.client("cognito-idp"), coach.physical("UserPool")
    app = users.describe_user_pool_client(UserPoolId=pool, ClientId=coach.physical("UserPoolClient"))
    assert app["UserPoolClient"]["SupportedIdentityProviders"] == ["COGNITO", "Google", "SignInWithApple"]
    assert app["UserPoolClient"]["CallbackURLs"] == ["fitzen://signed-in"]
    for name, key, of in (
        ("Google", "client_secret", "google-oauth"), ("SignInWithApple", "private_key", "apple-signin")
    ):  # fmt: skip
        found = users.describe_identity_provider(UserPoolId=pool, ProviderName=name)["IdentityProvider"]
        assert found["ProviderDetails"][key] == f"of {of}"


def call(coach: Coach, name: str, at: datetime) -> Any:
    """One call, as its schedule makes it."""
    sent = json.dumps({"time": at.strftime("%Y-%m-%dT%H:%M:%SZ")})
    found = coach.client("lambda").invoke(FunctionName=f"test-{coach.app}-{name}", Payload=sent)
    answer = json.load(found["Payload"])
    assert "FunctionError" not in found, answer
    return answer


def table(coach: Coach, name: str) -> Any:
    held = boto3.resource(
        "dynamodb", endpoint_url=coach.aws.settings.url, region_name="us-east-1", aws_access_key_id=ACCOUNT,
        aws_secret_access_key="local",
    )  # fmt: skip
    return held.Table(f"test-{coach.app}-{name}")


def put(coach: Coach, name: str, *items: dict[str, Any]) -> None:
    with table(coach, name).batch_writer() as batch:
        for item in items:
            batch.put_item(Item=item)


def got(coach: Coach, name: str, **key: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = table(coach, name).get_item(Key=key)["Item"]
    return found
