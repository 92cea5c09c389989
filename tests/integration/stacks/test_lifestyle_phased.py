"""lifestyle-phased's alarms: on what comes through the API, and only in the environment where it happens."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.stacks.environment import Environment, shipped
from tests.integration.stacks.updates.lifestyle_phased import OPERATOR
from tests.local_aws import Aws, until

pytestmark = pytest.mark.long


def test_errors_throttling_and_duration_ring_and_are_told(fresh: Aws) -> None:
    fresh.up()
    dev, prod = (made(fresh, name, account) for name, account in (("dev", "2" * 12), ("prod", "3" * 12)))
    queue = listener(dev)
    for _ in range(2):  # two of five minutes
        for _ in range(12):  # also where a period begins amid them, one has the five
            assert asked(dev) == 500  # its image is not there: Lambda cannot start it
        fresh.move_clock(61)
    until(lambda: ringing(dev) == ["errors"])
    for metric, value in (("Throttles", 1.0), ("Duration", 25_000.0)):
        measured(dev, metric, value)
    until(lambda: ringing(dev) == ["duration", "errors", "throttles"])
    wanted = {f"dev-lifestyle-app-dev-{one}" for one in ("duration", "errors", "throttles")}
    said: set[str] = set()

    def heard() -> bool:
        said.update(told(dev, queue))
        return said == wanted

    until(heard)
    assert ringing(prod) == []


def made(aws: Aws, name: str, account: str) -> Environment:
    given = {**shipped("lifestyle-phased").environments[name], **OPERATOR}
    found = Environment(aws, name, account, None, given, "lifestyle-phased")
    found.create()
    return found


def asked(env: Environment) -> int:
    try:
        with urllib.request.urlopen(env.outputs["app"]["ApiEndpoint"] + "/health", timeout=60) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def measured(env: Environment, metric: str, value: float) -> None:
    """What only AWS measures, for three of the last five minutes."""
    watch = env.client("cloudwatch")
    alarms = watch.describe_alarms(AlarmNamePrefix=f"{env.name}-")["MetricAlarms"]
    alarm = next(one for one in alarms if one["MetricName"] == metric)
    now = datetime.now(UTC) + timedelta(seconds=122)  # the clock was moved
    data = [
        {"MetricName": metric, "Dimensions": alarm["Dimensions"], "Value": value,
         "Timestamp": now - timedelta(seconds=30 + 60 * minute)} for minute in range(4)
    ]  # fmt: skip
    watch.put_metric_data(Namespace="AWS/Lambda", MetricData=data)


def ringing(env: Environment) -> list[str]:
    found = env.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
    return sorted(one["AlarmName"].rpartition("-")[2] for one in found)


def listener(env: Environment) -> str:
    """A queue that the topic tells."""
    sqs = env.client("sqs")
    queue = str(sqs.create_queue(QueueName="listener")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = env.outputs["app"]["AlertTopicArn"]
    env.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return queue


def told(env: Environment, queue: str) -> set[str]:
    """The alarms that rang, by name."""
    found: Any = env.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    messages = [json.loads(json.loads(one["Body"])["Message"]) for one in found.get("Messages", [])]
    return {str(one["AlarmName"]) for one in messages if one["NewStateValue"] == "ALARM"}
