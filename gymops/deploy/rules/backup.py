"""Backups that cannot be, or would fail: told before the deploy, not by the first restore."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gymops.deploy.rules import Found, Subject, listed, rule
from gymops.deploy.template import Resource

HOUR = 60
DAY = 24 * HOUR
WEEK = 7 * DAY
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class Window:
    """Minutes of the week, from Sunday 00:00 UTC; ``end`` may lie in the next one."""

    what: str
    start: int
    end: int

    def near(self, other: Window, minutes: int) -> bool:
        """Whether the two are less than so many minutes apart, in any week."""
        return any(
            self.start + shift < other.end + minutes and other.start < self.end + shift + minutes
            for shift in (-WEEK, 0, WEEK)
        )


@rule("G040")
def windows_overlap(subject: Subject) -> Iterator[Found]:
    """AWS Backup's jobs, RDS's backups and its maintenance are an hour apart; else one can fail."""
    for database in subject.template.resources("AWS::RDS::DBInstance"):
        told = set()
        for environment in subject.environments:
            for key, one, other in _clashes(subject, database, environment):
                message = f"in {environment}, {one.what} is within an hour of {other.what}"
                if message not in told:
                    told.add(message)
                    yield Found(("Resources", database.name, "Properties", key), message)


def _clashes(subject: Subject, database: Resource, environment: str) -> Iterator[tuple[str, Window, Window]]:
    backup = _property(subject, database, "PreferredBackupWindow", environment)
    maintenance = _property(subject, database, "PreferredMaintenanceWindow", environment)
    own = [("PreferredBackupWindow", window) for window in _daily(backup)]
    own += [("PreferredMaintenanceWindow", window) for window in _weekly(maintenance)]
    jobs = [window for rule_ in _plan_rules(subject, environment) for window in _jobs(rule_)]
    for key, window in own:
        for job in jobs:
            if window.near(job, HOUR):
                yield key, window, job
    for _, one in own:
        for key, other in own:
            if key == "PreferredMaintenanceWindow" and one.what != other.what and one.near(other, HOUR):
                yield key, other, one


def _property(subject: Subject, resource: Resource, key: str, environment: str) -> Any:
    return dict(subject.values(resource.properties.get(key))).get(environment)


def _plan_rules(subject: Subject, environment: str) -> Iterator[dict[str, Any]]:
    for plan in subject.template.resources("AWS::Backup::BackupPlan"):
        body = _property(subject, plan, "BackupPlan", environment)
        for one in listed(body.get("BackupPlanRule")) if isinstance(body, dict) else []:
            if isinstance(one, dict):
                yield one


def _daily(text: Any) -> list[Window]:
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", str(text))
    if not found:
        return []
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    end += DAY if end <= start else 0
    return [Window(f"RDS's backup ({text})", day * DAY + start, day * DAY + end) for day in range(7)]


def _weekly(text: Any) -> list[Window]:
    found = re.fullmatch(r"(\w{3}):(\d\d):(\d\d)-(\w{3}):(\d\d):(\d\d)", str(text))
    if not found or found[1].upper() not in _DAYS or found[4].upper() not in _DAYS:
        return []
    start = _DAYS.index(found[1].upper()) * DAY + int(found[2]) * 60 + int(found[3])
    end = _DAYS.index(found[4].upper()) * DAY + int(found[5]) * 60 + int(found[6])
    return [Window(f"maintenance ({text})", start, end + (WEEK if end <= start else 0))]


def _jobs(rule_: dict[str, Any]) -> Iterator[Window]:
    """When a rule's job may run: from its start to the end of its start window and an hour more.

    A day of the month can be any day of the week.
    """
    found = re.fullmatch(r"cron\((\d+) (\d+) (\S+) \S+ (\S+) \S+\)", str(rule_.get("ScheduleExpression")))
    if not found:
        return
    start = int(found[2]) * 60 + int(found[1])
    length = int(rule_.get("StartWindowMinutes", 480)) + HOUR
    name = f"the {rule_.get('RuleName', '')} backup ({found[2]:0>2}:{found[1]:0>2})"
    for day in range(7):
        if _on(day, found[4]):
            yield Window(name, day * DAY + start, day * DAY + start + length)


def _on(day: int, days: str) -> bool:
    if days in {"?", "*"}:
        return True
    for part in days.upper().split(","):
        first, _, last = part.partition("-")
        if first in _DAYS and (last or first) in _DAYS:
            span = (_DAYS.index(last or first) - _DAYS.index(first)) % 7
            if (day - _DAYS.index(first)) % 7 <= span:
                return True
    return False


@rule("G041")
def cold_rds(subject: Subject) -> Iterator[Found]:
    """Nothing of RDS goes cold: AWS Backup has no cold storage for it, and ignores the wish."""
    if not any(True for _ in subject.template.resources("AWS::RDS::DBInstance")):
        return
    for plan in subject.template.resources("AWS::Backup::BackupPlan"):
        for environment in subject.environments:
            for one in _plan_rules(subject, environment):
                if "MoveToColdStorageAfterDays" in str(one):
                    path = ("Resources", plan.name, "Properties", "BackupPlan", "BackupPlanRule")
                    yield Found(path, f"{one.get('RuleName')} moves to cold storage, which RDS has not")


@rule("G042")
def not_kept(subject: Subject) -> Iterator[Found]:
    """Every tier says how long it is kept: unsaid, it is forever, and so is its price."""
    for plan in subject.template.resources("AWS::Backup::BackupPlan"):
        for environment in subject.environments:
            for one in _plan_rules(subject, environment):
                if not one.get("Lifecycle", {}).get("DeleteAfterDays"):
                    path = ("Resources", plan.name, "Properties", "BackupPlan", "BackupPlanRule")
                    yield Found(path, f"{one.get('RuleName')} is kept forever: Lifecycle DeleteAfterDays")


@rule("G043")
def lock_forever(subject: Subject) -> Iterator[Found]:
    """A vault is locked for ever only where a parameter says so: nobody can undo it, AWS included."""
    for vault in subject.template.resources("AWS::Backup::BackupVault"):
        lock = vault.properties.get("LockConfiguration")
        if isinstance(lock, dict) and isinstance(lock.get("ChangeableForDays"), (int, str)):
            path = ("Resources", vault.name, "Properties", "LockConfiguration")
            yield Found(
                path, f"locked for ever after {lock['ChangeableForDays']} days: leave it to a parameter"
            )
