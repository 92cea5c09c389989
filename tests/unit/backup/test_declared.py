"""What a template says it takes is what its plan takes, and what titan-trakr's tiers are by default."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gymops.backup.declared import declared
from gymops.backup.schedule import DAYS
from gymops.backup.tiers import DEFAULT, Tier
from gymops.deploy.evaluate import evaluate
from gymops.deploy.template import architecture, compose
from gymops.errors import ConfigError
from tests.unit.deploy.shipped import stack, values

DAY = timedelta(days=1)
NAMES = {"SUN": 6, "MON": 0, "TUE": 1, "WED": 2, "THU": 3, "FRI": 4, "SAT": 5}


def _told(environment: str) -> str:
    app = stack("app")
    text = evaluate(app.body["Outputs"]["BackupTiers"]["Value"], app, values(app, environment))
    assert isinstance(text, str)
    return text


def _plan(environment: str) -> dict[str, Any]:
    app = stack("app")
    plan = app.body["Resources"]["BackupPlan"]["Properties"]["BackupPlan"]
    rules = evaluate(plan["BackupPlanRule"], app, values(app, environment))
    return {rule["RuleName"]: rule for rule in rules}


def _on(cron: str) -> tuple[int, int, list[int], int | None]:
    """Hour, minute, days of the week (0 is Monday), day of the month."""
    found = re.fullmatch(r"cron\((\d+) (\d+) (\S+) \* (\S+) \*\)", cron)
    assert found
    days: list[int] = []
    if found[4] not in {"?", "*"}:
        first, _, last = found[4].partition("-")
        span = (NAMES[last or first] - NAMES[first]) % 7
        days = [(NAMES[first] + one) % 7 for one in range(span + 1)]
    return int(found[2]), int(found[1]), days, int(found[3]) if found[3].isdigit() else None


@pytest.mark.parametrize("environment", ["local", "staging", "prod"])
def test_what_is_declared_is_what_the_plan_takes(environment: str) -> None:
    found, plan = declared(_told(environment)), _plan(environment)
    taken = {tier.name: tier for tier in found.tiers if tier.schedule}
    assert set(taken) == set(plan)
    for name, tier in taken.items():
        rule, schedule = plan[name], tier.schedule
        assert schedule
        assert _on(rule["ScheduleExpression"]) == (
            schedule.hour,
            schedule.minute,
            schedule.weekdays,
            schedule.day,
        )
        assert tier.keep == rule["Lifecycle"]["DeleteAfterDays"] * DAY
        copies = [one["DestinationBackupVaultArn"].split(":")[3] for one in rule.get("CopyActions", [])]
        assert copies == ([tier.copy] if tier.copy else [])
        assert rule["RecoveryPointTags"] == {"tier": name}
    locked = stack("app").body["Resources"]["BackupVault"]["Properties"]["LockConfiguration"]
    lock = evaluate({"Lock": locked}, stack("app"), values(stack("app"), environment))
    assert found.locked is ("Lock" in lock)


def test_continuous_backups_are_kept_as_rds_keeps_them() -> None:
    app = stack("app")
    days = evaluate(
        app.body["Resources"]["Database"]["Properties"]["BackupRetentionPeriod"], app, values(app, "prod")
    )
    assert declared(_told("prod")).tiers[0].keep == int(days) * DAY


def test_prod_takes_the_default_tiers_and_copies_the_monthly_one() -> None:
    expected = [replace(one, copy="us-east-1") if one.name == "monthly" else one for one in DEFAULT]
    assert list(declared(_told("prod")).tiers) == expected


def test_staging_takes_what_it_can_while_it_runs() -> None:
    assert _told("staging") == (
        "continuous keep 30 days; daily tuesday-saturday 03:00 keep 30 days; off-hours"
    )
    assert declared(_told("staging")).off_hours
    assert not declared(_told("prod")).off_hours


def test_the_function_is_told_what_the_stack_tells() -> None:
    app = stack("app")
    variables = app.body["Resources"]["OperationsFunction"]["Properties"]["Environment"]["Variables"]
    for environment in ("staging", "prod"):
        told = evaluate(variables["GYMOPS_BACKUP_TIERS"], app, values(app, environment))
        assert told == _told(environment)


def test_a_tier_of_another_name_has_no_targets() -> None:
    found = declared("hourly 13:00 keep 2 days; locked")
    assert found.tiers == (Tier("hourly", replace(DEFAULT[1].schedule, hour=13), 2 * DAY),)  # type: ignore[type-var]
    assert found.locked


def test_a_tier_says_its_targets_where_they_are_its_own() -> None:
    told = (
        "continuous keep 35 days rpo 1 hour rto 30 minutes; daily 03:00 keep 9 days rto 1 hour copy us-east-1"
    )
    continuous, daily = declared(told).tiers
    assert continuous == Tier("continuous", None, 35 * DAY, timedelta(hours=1), timedelta(minutes=30))
    assert (daily.rpo, daily.rto, daily.copy) == (DAY, timedelta(hours=1), "us-east-1")


def test_the_coach_may_lose_an_hour_and_be_away_for_half_an_hour() -> None:
    app = compose(architecture("fitzen-coach").stack("app").template)
    for store in ("dynamodb", "postgres"):
        usual = {name: str(one["Default"]) for name, one in app.parameters.items() if "Default" in one}
        told = evaluate(app.body["Outputs"]["BackupTiers"]["Value"], app, {**usual, "DataStore": store})
        continuous = declared(str(told)).tiers[0]
        assert (continuous.rpo, continuous.rto) == (timedelta(hours=1), timedelta(minutes=30))


@pytest.mark.parametrize("text", ["daily", "daily 03:00", f"daily {DAYS[0]} keep 2 days", "daily keep ever"])
def test_what_is_not_understood_is_told(text: str) -> None:
    with pytest.raises(ConfigError):
        declared(text)
