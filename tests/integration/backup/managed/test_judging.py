"""AWS Backup's own restore tests, judged by the function that EventBridge calls, which can sign nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from gymops.aws.backup_jobs import BackupJobs
from gymops.aws.kms import WrappingKey
from gymops.aws.s3 import S3Objects
from gymops.backup.wrapped import WrappedKeys
from gymops.clock import SystemClock
from gymops.errors import Unverified
from gymops.scheduled import answer
from gymops.store.below import Below
from tests.integration.backup.managed.world import REGION, ROLE, World
from tests.local_aws import Aws, unique, until


class Judged(World):
    """A world whose keys KMS wraps, with a restore-testing plan, and an event of its restores."""

    def __init__(self, aws: Aws, home: Path) -> None:
        super().__init__(aws, home)
        s3, self.bucket = aws.client("s3"), unique("releases")
        s3.create_bucket(Bucket=self.bucket)
        self.key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.records = Below(S3Objects(self.account.client("s3"), self.bucket, SystemClock()), "backups/")
        self.topic = aws.client("sns").create_topic(Name=unique("alerts"))["TopicArn"]
        self.jobs, self.backup = BackupJobs(self.account), aws.client("backup")

    def wrap(self) -> None:
        """Its keys are those that KMS wraps."""
        keys = WrappedKeys(self.records, "prod").open(WrappingKey(self.account, self.key))
        self.backups = self.environment(objects=self.records, keys=keys)

    def plan(self) -> str:
        """The plan, whose time comes with the next day but one; the queue that hears of its restores."""
        made = self.backup.create_restore_testing_plan(
            RestoreTestingPlan={
                "RestoreTestingPlanName": "monthly", "ScheduleExpression": "rate(2 days)",
                "RecoveryPointSelection": {"Algorithm": "LATEST_WITHIN_WINDOW", "IncludeVaults": ["*"],
                                           "RecoveryPointTypes": ["SNAPSHOT"]},
            }
        )  # fmt: skip
        self.backup.create_restore_testing_selection(
            RestoreTestingPlanName="monthly",
            RestoreTestingSelection={
                "RestoreTestingSelectionName": "db", "ProtectedResourceType": "RDS", "IamRoleArn": ROLE,
                "ProtectedResourceArns": [self.aws.instance(self.name)["DBInstanceArn"]],
                "ValidationWindowHours": 24,
            },
        )  # fmt: skip
        sqs, events = self.aws.client("sqs"), self.aws.client("events")
        queue = sqs.create_queue(QueueName=unique("heard"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        detail = {"status": ["COMPLETED"], "restoreTestingPlanArn": [made["RestoreTestingPlanArn"]]}
        pattern = {
            "source": ["aws.backup"], "detail-type": ["Restore Job State Change"], "detail": detail,
        }  # fmt: skip
        events.put_rule(Name="restored", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="restored", Targets=[{"Id": "1", "Arn": arn, "Input": '{"do": "judge"}'}])
        self.aws.move_clock(1)
        return str(queue)

    def heard(self, queue: str) -> Any:
        """The event of a restore, as the function gets it."""
        self.aws.move_clock(2 * 86_400)
        sqs = self.aws.client("sqs")
        (one,) = until(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages"))
        return json.loads(one["Body"])

    def answer(self, event: Any) -> dict[str, Any]:
        """What the function answers."""
        environ = {
            "GYMOPS_APP_ENVIRONMENT": "prod", "GYMOPS_DATABASE": self.name,
            "GYMOPS_BACKUP_VAULT": self.vault.rpartition(":")[2], "GYMOPS_COPY_VAULT": "",
            "GYMOPS_BACKUP_TIERS": "daily 03:00 keep 30 days", "GYMOPS_ALERT_TOPIC": self.topic,
            "GYMOPS_RELEASE_BUCKET": self.bucket, "GYMOPS_DATABASE_FUNCTION": f"{self.name}-database",
            "GYMOPS_KMS_KEY": self.key,
        }  # fmt: skip
        return answer(event, environ, self.account, clock=SystemClock(), functions=self.function)

    def validation(self, job: str) -> tuple[str, str]:
        """What AWS Backup was told of a job."""
        told = self.backup.describe_restore_job(RestoreJobId=job)
        return told["ValidationStatus"], told.get("ValidationStatusMessage", "")


@pytest.fixture
def tested(fresh: Aws, tmp_path: Path) -> Judged:
    fresh.up()
    assert fresh.client("kms").meta.region_name == REGION
    return Judged(fresh, tmp_path)


@pytest.mark.long
def test_what_aws_backup_restored_is_judged_when_it_says_so(tested: Judged) -> None:
    tested.wrap()
    tested.log("ann", 12)
    tested.backups.take("daily")
    queue = tested.plan()
    found = tested.answer({"do": "audit"})  # by the clock, before there is anything to judge
    assert (found["judged"], found["ok"]) == ([], True)

    found = tested.answer(tested.heard(queue))
    (verdict,) = found["judged"]
    assert verdict["passed"] is True
    assert tested.validation(verdict["job"]) == ("SUCCESSFUL", verdict["why"])
    assert verdict["why"].startswith("12 events, digest ")
    assert {one["restore_test"]["result"] for one in found["tiers"]} == {"passed"}
    assert tested.answer({"do": "judge"})["judged"] == []

    # A log that is damaged is told by the clock as well, once whoever seals has noticed.
    with tested.connect() as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM events WHERE position = 12")
    assert tested.backups.take("continuous").damaged
    (worst, *_) = tested.answer({"do": "audit"})["findings"]
    assert (worst["kind"], worst["next"]) == ("log-damaged", tested.backups.way_back())


@pytest.mark.long
def test_damage_is_told_and_what_cannot_be_judged_is_tried_again_and_never_a_verdict(tested: Judged) -> None:
    tested.log("ann", 12)
    tested.backups = tested.environment(objects=tested.records)  # its keys are in files
    tested.backups.take("daily")
    event = tested.heard(tested.plan())
    (waiting,) = tested.jobs.tests()
    with pytest.raises(Unverified, match="not wrapped by KMS"):
        tested.answer(event)
    found = tested.answer({"do": "audit"})  # which has other things to say, and says them
    assert (found["judged"], tested.validation(waiting.job)[0]) == ([], "VALIDATING")

    keys = WrappedKeys(tested.records, "prod").open(
        WrappingKey(tested.account, tested.key), lambda: secrets(tested)
    )
    assert keys.public == tested.backups.keys.public
    place = tested.aws.instance(waiting.instance)["Endpoint"]
    url = make_conninfo(tested.url(tested.name), host=place["Address"], port=place["Port"])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM events WHERE position = 12")
    (verdict,) = tested.answer({"do": "audit"})["judged"]  # what the event missed
    assert verdict["passed"] is False
    assert "user 'ann', chunk 1: 1 events are missing" in verdict["why"]
    assert tested.validation(waiting.job) == ("FAILED", verdict["why"])
    found = tested.answer({"do": "judge"})
    assert ("test-failed", "daily") in {(one["kind"], one["tier"]) for one in found["findings"]}


def secrets(tested: Judged) -> Any:
    from gymops.backup.keys import secrets_there

    return secrets_there(tested.home / "keys", {})
