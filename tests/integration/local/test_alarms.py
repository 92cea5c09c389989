"""The template's alarms on what a function does behind its alias, and on what is told of backups."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gymops.aws.account import Account
from gymops.aws.notices import Metrics
from gymops.backup import telling
from gymops.deploy.template import architecture, compose
from gymops.local.plane.functions.metrics import Point, state_of
from tests.integration.local.functions import deploy, invoke
from tests.local_aws import ACCOUNT, Aws, unique, until

BROKEN = "def handler(event, context): raise RuntimeError('broken')"
GOOD = "def handler(event, context): return 'good'"


def template_alarm(name: str) -> dict[str, Any]:
    template = compose(architecture("titan-trakr").stack("app").template)
    return dict(template.body["Resources"][name]["Properties"])


@pytest.mark.long
def test_the_template_s_alarm_rings_for_the_alias_that_fails_and_no_other(fresh: Aws) -> None:
    fresh.up()
    lambdas, watch = fresh.client("lambda"), fresh.client("cloudwatch")
    failing, fine = deploy(fresh, BROKEN), deploy(fresh, GOOD)
    alarms = {}
    for function in failing, fine:
        version = lambdas.publish_version(FunctionName=function)["Version"]
        lambdas.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
        alarms[function] = unique("errors")
        watch.put_metric_alarm(
            **{
                **template_alarm("ErrorsAlarm"), "AlarmName": alarms[function], "AlarmActions": [],
                "OKActions": [], "AlarmDescription": "", "Dimensions": [
                    {"Name": "FunctionName", "Value": function},
                    {"Name": "Resource", "Value": f"{function}:live"},
                ],
            }
        )  # fmt: skip
    url = lambdas.create_function_url_config(FunctionName=failing, AuthType="NONE", Qualifier="live")
    for _ in range(2):  # two of five minutes
        for _ in range(4):
            assert "failed" in invoke(fresh, failing, Qualifier="live")
        assert httpx.get(url["FunctionUrl"], timeout=60).status_code == 502
        assert invoke(fresh, fine, Qualifier="live") == "good"
        for _ in range(9):
            invoke(fresh, failing)  # not through the alias
        fresh.move_clock(61)

    def ringing() -> Any:
        return [one["AlarmName"] for one in watch.describe_alarms(StateValue="ALARM")["MetricAlarms"]]

    assert until(ringing) == [alarms[failing]]
    fresh.move_clock(301)
    until(lambda: not ringing())


class Heard:
    """A topic, the queue that hears it, and the template's alarms on what is told of backups."""

    def __init__(self, aws: Aws, *names: str) -> None:
        self._aws = aws
        sns, self._sqs = aws.client("sns"), aws.client("sqs")
        topic = sns.create_topic(Name=unique("alerts"))["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName=unique("heard"))["QueueUrl"]
        told = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=told["Attributes"]["QueueArn"])
        self.environment, self.moved = unique("env"), timedelta()
        for name in names:
            found = template_alarm(name)
            actions = {key: [topic] for key in found if key.endswith("Actions")}
            aws.client("cloudwatch").put_metric_alarm(
                **{
                    **found, **actions, "AlarmName": f"{self.environment}-{name}", "AlarmDescription": name,
                    "Dimensions": [{"Name": "Environment", "Value": self.environment}],
                    **{key: 2 for key in ("EvaluationPeriods", "DatapointsToAlarm") if found[key] != 1},
                }
            )  # fmt: skip

    def later(self, span: timedelta) -> None:
        self.moved += span
        self._aws.move_clock(span.total_seconds())

    def tell(self, **values: float) -> None:
        account = Account("us-east-1", endpoint=self._aws.settings.url, number=ACCOUNT)
        Metrics(account, telling.NAMESPACE).put(
            [(name, value, "Count") for name, value in values.items()],
            telling.dimensions(self.environment), datetime.now(UTC) + self.moved,
        )  # fmt: skip

    def states(self) -> dict[str, str]:
        found = self._aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=self.environment)
        return {one["AlarmName"].rpartition("-")[2]: one["StateValue"] for one in found["MetricAlarms"]}

    def next(self) -> tuple[str, str]:
        """The next alarm that the topic told, and its state."""

        def message() -> Any:
            return self._sqs.receive_message(QueueUrl=self._queue, WaitTimeSeconds=5).get("Messages")

        (one,) = until(message)
        self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=one["ReceiptHandle"])
        told = json.loads(json.loads(one["Body"])["Message"])
        return told["AlarmName"].rpartition("-")[2], told["NewStateValue"]


@pytest.mark.long
def test_the_last_audit_and_restore_test_ring_until_the_next_and_silence_rings_once_there_was_one(
    fresh: Aws,
) -> None:
    fresh.up()
    heard = Heard(fresh, "AuditAlarm", "AuditSilenceAlarm", "RestoreTestAlarm", "RestoreTargetAlarm")
    assert set(heard.states().values()) == {"INSUFFICIENT_DATA"}
    heard.later(timedelta(days=3))  # nobody is told of audits that were never to be
    heard.tell(Findings=0, RestoreTestPassed=1, RestoreTestMissed=0)
    names = {heard.next() for _ in range(4)}
    assert names == {(name, "OK") for name in heard.states()}

    heard.later(timedelta(hours=20))
    heard.tell(Findings=2, RestoreTestPassed=0, RestoreTestMissed=1)
    rang = {heard.next() for _ in range(3)}
    assert rang == {(name, "ALARM") for name in ("AuditAlarm", "RestoreTestAlarm", "RestoreTargetAlarm")}
    heard.later(timedelta(days=3))  # no news of them is none
    assert heard.next() == ("AuditSilenceAlarm", "INSUFFICIENT_DATA")
    assert {state for name, state in heard.states().items() if name != "AuditSilenceAlarm"} == {"ALARM"}
    heard.tell(Findings=0, RestoreTestPassed=1, RestoreTestMissed=0)
    assert {heard.next() for _ in range(4)} == {(name, "OK") for name in heard.states()}


@pytest.mark.parametrize(
    ("failures", "state"),
    [
        ({}, None),
        ({10: 5}, "OK"),  # one minute is not enough
        ({10: 5, 70: 5}, "ALARM"),
        ({10: 4, 70: 5}, "OK"),
        ({10: 5, 250: 9}, "ALARM"),
        ({10: 5, 310: 9}, "OK"),  # too long ago
        ({400: 9}, "OK"),
    ],
)
def test_so_many_periods_must_breach(failures: Mapping[int, int], state: str | None) -> None:
    points = [{"Timestamp": 1000.0 - ago, "Value": float(count)} for ago, count in failures.items()]
    assert state_of(template_alarm("ErrorsAlarm"), points, total, 1000.0) == state


@pytest.mark.parametrize(
    ("missing", "state"),
    [
        ("notBreaching", "OK"),
        ("breaching", "ALARM"),
        ("missing", "INSUFFICIENT_DATA"),
        (None, "INSUFFICIENT_DATA"),
        ("ignore", None),
    ],
)
def test_periods_without_points(missing: str | None, state: str | None) -> None:
    alarm = {**template_alarm("ErrorsAlarm"), "TreatMissingData": missing}
    assert state_of(alarm, [{"Timestamp": 1.0, "Value": 9.0}], total, 1000.0) == state


def total(points: Sequence[Point]) -> float | None:
    return sum(one["Value"] for one in points) if points else None
