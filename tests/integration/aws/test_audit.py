"""The audit by the clock on the local AWS: its backups, its metrics, its topic; from the artefact's files."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gymops.aws.account import Account
from gymops.cli.payload import payload
from gymops.clock import SystemClock
from gymops.deploy.build import sources
from gymops.errors import ConfigError
from gymops.scheduled import answer
from tests.integration.local.functions import ROLE, RUNTIME
from tests.local_aws import ACCOUNT, Aws, unique, until

pytestmark = pytest.mark.long

REGION = "us-east-1"
BACKUP_ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"


@pytest.fixture
def environ(aws: Aws) -> dict[str, str]:
    """An instance, a vault, a plan, a topic somebody listens to."""
    backup, sns, sqs = aws.client("backup"), aws.client("sns"), aws.client("sqs")
    name, vault = (
        aws.create_instance(DBInstanceIdentifier=unique("db"), BackupRetentionPeriod=30),
        unique("vault"),
    )
    until(lambda: aws.instance(name)["DBInstanceStatus"] == "available")
    backup.create_backup_vault(BackupVaultName=vault)
    topic = sns.create_topic(Name=unique("alerts"))["TopicArn"]
    queue = sqs.create_queue(QueueName=unique("heard"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return {
        "GYMOPS_APP_ENVIRONMENT": unique("env"),
        "GYMOPS_DATABASE": name,
        "GYMOPS_BACKUP_VAULT": vault,
        "GYMOPS_BACKUP_TIERS": "continuous keep 30 days; daily 03:00 keep 30 days",
        "GYMOPS_COPY_VAULT": "",
        "GYMOPS_ALERT_TOPIC": topic,
        "GYMOPS_RELEASE_BUCKET": "nothing-waits",
        "GYMOPS_DATABASE_FUNCTION": "nothing-waits",
        "GYMOPS_KMS_KEY": "nothing-waits",
        "QUEUE": queue,
    }


def _account(aws: Aws) -> Account:
    return Account(REGION, endpoint=aws.settings.url, number=ACCOUNT)


def _take(aws: Aws, environ: dict[str, str], tier: str = "daily") -> None:
    backup = aws.client("backup")
    resource = aws.instance(environ["GYMOPS_DATABASE"])["DBInstanceArn"]
    job = backup.start_backup_job(
        BackupVaultName=environ["GYMOPS_BACKUP_VAULT"], ResourceArn=resource, IamRoleArn=BACKUP_ROLE,
        RecoveryPointTags={"tier": tier}, Lifecycle={"DeleteAfterDays": 30},
    )["BackupJobId"]  # fmt: skip
    until(lambda: backup.describe_backup_job(BackupJobId=job)["State"] == "COMPLETED")


def _kinds(found: dict[str, Any]) -> set[tuple[str, str | None]]:
    return {(one["kind"], one["tier"]) for one in found["findings"]}


def test_where_all_is_there_it_puts_metrics_and_tells_nobody(aws: Aws, environ: dict[str, str]) -> None:
    _take(aws, environ)
    found = answer({"do": "audit"}, environ, _account(aws), clock=SystemClock())
    assert _kinds(found) == set()
    watch = aws.client("cloudwatch")
    put = watch.list_metrics(
        Namespace="gymops/Backup",
        Dimensions=[{"Name": "Environment", "Value": environ["GYMOPS_APP_ENVIRONMENT"]}],
    )["Metrics"]
    assert {one["MetricName"] for one in put} >= {"Findings", "NewestAge"}


def test_two_days_later_what_was_due_is_missing_and_told(aws: Aws, environ: dict[str, str]) -> None:
    class Later(SystemClock):
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(days=2)

    _take(aws, environ)
    found = answer({"do": "audit"}, environ, _account(aws), clock=Later())
    assert ("missing", "daily") in _kinds(found)
    assert found["success_rate"] < 1
    heard = aws.client("sqs").receive_message(QueueUrl=environ["QUEUE"], WaitTimeSeconds=20)["Messages"]
    told = json.loads(heard[0]["Body"])
    assert environ["GYMOPS_APP_ENVIRONMENT"] in told["Subject"]
    assert "missing: daily" in told["Message"]


def test_what_it_was_not_told_is_an_error(aws: Aws, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="asks for 'delete'"):
        answer({"do": "delete"}, environ, _account(aws), clock=SystemClock())
    with pytest.raises(ConfigError, match="GYMOPS_BACKUP_TIERS is not set"):
        answer({"do": "audit"}, {**environ, "GYMOPS_BACKUP_TIERS": ""}, _account(aws), clock=SystemClock())


def test_the_files_of_the_artefact_are_enough(aws: Aws, environ: dict[str, str]) -> None:
    """As a Lambda function, of gymops's own files in the artefact and of what Lambda's runtime brings."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for entry in sources.collect(payload()):
            archive.writestr(entry.path, entry.read())
    lambdas, name = aws.client("lambda"), unique("audit")
    lambdas.create_function(
        FunctionName=name, Runtime=RUNTIME, Role=ROLE, Timeout=120, Handler="gymops.scheduled.handler",
        Code={"ZipFile": held.getvalue()}, Environment={"Variables": environ},
    )  # fmt: skip
    _take(aws, environ)
    done = lambdas.invoke(FunctionName=name, Payload=json.dumps({"do": "audit"}).encode())
    found = json.loads(done["Payload"].read())
    assert "FunctionError" not in done, found
    assert found["environment"] == environ["GYMOPS_APP_ENVIRONMENT"]
    assert _kinds(found) == set()
    refused = lambdas.invoke(FunctionName=name, Payload=b'{"do": "restore"}')
    assert "FunctionError" in refused
