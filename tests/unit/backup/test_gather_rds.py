"""What AWS Backup's jobs come to in the audit's words, and what of an audit is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gymops.aws.backup_history import PastJob
from gymops.aws.databases import Database
from gymops.backup.audit import audit
from gymops.backup.evidence import Evidence, Result, State, Trial
from gymops.backup.findings import Kind
from gymops.backup.gather_rds import gather
from gymops.backup.port import Listing, Point, Window
from gymops.backup.telling import Told, alert, metrics, restore_tests
from tests.unit.backup.test_page import audited, hurt
from tests.unit.backup.years import DAY, EXPECTED, NOW, year

ARN = "arn:aws:rds:us-west-1:1:snapshot:awsbackup:job-1"
POINT = Point("awsbackup:job-1", "aws-backup", "daily", NOW, 1, True, True, "us-west-1/prod", True)


class History:
    region = "us-west-1"

    def __init__(self, **jobs: PastJob) -> None:
        self._jobs = jobs

    def _of(self, kind: str) -> list[PastJob]:
        return [self._jobs[kind]] if kind in self._jobs else []

    def backups(self, resource: str, since: datetime) -> list[PastJob]:
        assert since == NOW - 30 * DAY
        return self._of("backup")

    def copies(self, resource: str, since: datetime) -> list[PastJob]:
        return self._of("copy")

    def tests(self, resource: str, since: datetime) -> list[PastJob]:
        return self._of("test")


def _job(state: str = "COMPLETED", **given: Any) -> PastJob:
    values: dict[str, Any] = {"ended": NOW, "rule": "daily", "point": ARN, "bytes": 5, "message": ""} | given
    return PastJob("job-1", state, NOW - timedelta(minutes=9), **values)


def _gather(status: str = "available", **jobs: PastJob) -> Evidence:
    database = Database(
        "prod-db", "arn:db", "db-1", status, "host", 5432, True, "key", None, NOW, NOW - 99 * DAY, False
    )
    listing = Listing((POINT,), (Window("prod-db", "db-1", NOW - 30 * DAY, NOW - DAY),))
    return gather("prod", database, listing, History(**jobs), NOW)


@pytest.mark.parametrize(
    ("job", "state", "message"),
    [
        (_job(), State.DONE, ""),
        (_job("RUNNING", ended=None), State.RUNNING, ""),
        (_job("FAILED", message="no rights"), State.FAILED, "no rights"),
        (_job("EXPIRED"), State.FAILED, "it did not begin within its hour"),
        (_job("FAILED", message="Instance prod-db is stopped"), State.SKIPPED, "Instance prod-db is stopped"),
        (
            _job("FAILED", message="it is not in the available state"),
            State.SKIPPED,
            "it is not in the available state",
        ),
    ],
)
def test_a_job_is_told_as_what_became_of_it(job: PastJob, state: State, message: str) -> None:
    (found,) = _gather(backup=job).jobs
    assert (found.tier, found.state, found.message) == ("daily", state, message)
    assert found.point == (POINT.id if state is State.DONE else None)


def test_a_job_that_somebody_asked_for_is_of_the_tier_of_its_point() -> None:
    (found,) = _gather(backup=_job(rule=None)).jobs
    assert found.tier == "daily"
    assert _gather(backup=_job(rule=None, point=None)).jobs == ()


def test_a_copy_is_no_backup() -> None:
    (found,) = _gather(copy=_job("FAILED", message="no vault")).jobs
    assert found.copy


@pytest.mark.parametrize(
    ("verdict", "result"),
    [
        ("SUCCESSFUL", Result.PASSED),
        ("FAILED", Result.FAILED),
        ("TIMED_OUT", Result.UNVERIFIED),
        (None, Result.UNVERIFIED),
    ],
)
def test_what_aws_backup_restored_is_proved_only_if_somebody_said_so(
    verdict: str | None, result: Result
) -> None:
    (found,) = _gather(test=_job(verdict=verdict)).tests
    assert (found.result, found.tier, found.rto_seconds) == (result, "daily", 540.0)
    assert _gather(test=_job(verdict="VALIDATING")).tests == ()


def test_a_stopped_instance_is_stopped_since_it_can_no_more_be_restored() -> None:
    assert _gather().stopped == ()
    (found,) = _gather("stopped").stopped
    assert found.since == NOW - DAY


def test_where_our_records_cannot_be_read_no_test_is_missed() -> None:
    kinds = {one.kind for one in audit(_gather(), EXPECTED, NOW).findings}
    assert not kinds & {Kind.UNTESTED, Kind.STALE}
    late = audit(_gather(test=_job(verdict="TIMED_OUT")), EXPECTED, NOW).findings
    assert Kind.UNVERIFIED in {one.kind for one in late}


def test_metrics_say_how_it_stands() -> None:
    told = {name: (value, unit) for name, value, unit in metrics(audited(hurt()))}
    assert told["Findings"] == (6.0, "Count")
    assert told["NewestAge"] == (240.0, "Seconds")
    assert 92 < told["SuccessRate"][0] < 93
    assert (told["RestoreTestPassed"], told["RestoreTestMissed"]) == ((1.0, "Count"), (0.0, "Count"))


@pytest.mark.parametrize(
    ("result", "rpo", "rto", "passed", "missed"),
    [
        (Result.PASSED, 5.0, 50.0, 1.0, 0.0),
        (Result.PASSED, 5.1, 50.0, 1.0, 1.0),
        (Result.PASSED, 6.0, 51.0, 1.0, 2.0),
        (Result.PASSED, None, None, 1.0, 0.0),
        (Result.FAILED, 1.0, None, 0.0, 0.0),
        (Result.UNVERIFIED, None, None, 0.0, 0.0),
    ],
)
def test_the_worst_of_restore_tests_is_told(
    result: Result, rpo: float | None, rto: float | None, passed: float, missed: float
) -> None:
    good = Told.of(Trial(NOW, Result.PASSED, "daily", rpo_seconds=2.0, rto_seconds=3.0), 5.0, 50.0)
    one = Told.of(Trial(NOW, result, "daily", rpo_seconds=rpo, rto_seconds=rto), 5.0, 50.0)
    told = {name: value for name, value, _ in restore_tests([good, one])}
    assert (told["RestoreTestPassed"], told["RestoreTestMissed"]) == (passed, missed)
    assert (told["RestoreTestRpo"], told["RestoreTestRto"]) == (max(rpo or 0, 2.0), max(rto or 0, 3.0))
    assert list(restore_tests([])) == []


def test_an_alert_tells_what_is_new_and_what_is_still_so() -> None:
    row = hurt()
    assert alert(audited(row)) is None, "what happened days ago was told then"
    row.tests = []
    told = alert(audited(row))
    assert told
    assert told[0] == "prod: 4 findings in its backups"
    assert "never-tested: weekly" in told[1]
    assert "gymops restore-test prod --tier weekly" in told[1]


def test_where_nothing_is_found_nobody_is_told() -> None:
    row = year(1)
    row.jobs = [job for job in row.jobs if job.began > NOW - 30 * DAY]
    found = audit(replace(row.evidence(), jobs_since=NOW - 30 * DAY), EXPECTED, NOW)
    assert alert(found) is None
    assert Kind.MISSING not in {one.kind for one in found.findings}
