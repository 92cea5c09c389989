"""titan-trakr on the local AWS in use: what it answers, what it keeps, whom it tells of trouble."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gymops.eventlog.digest import LogDigest
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.using import caller, database, log_a_set, log_digest, owner, sign_in, stored
from tests.local_aws import until

pytestmark = pytest.mark.long

Make = Callable[[str], Environment]


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_a_set_is_logged_kept_and_restored(name: str, make: Make) -> None:
    env = make(name)
    assert database(env, "schema-upgrade")["applied"]
    somebody = caller(env)
    health = somebody.get("/api/health")
    assert (health.status, health.body["status"]) == (200, "ok")
    assert somebody.get("/api/export").status == 401
    sign_in(env, somebody)
    logged = log_a_set(somebody)
    assert stored(env, logged) == "SetLogged"
    if name == "prod":
        assert through_the_proxy(env)
    digest = restored_digest(env)
    assert digest == log_digest(owner(env, env.outputs["app"]["DatabaseIdentifier"]))
    assert digest.head == database(env, "digest")["digest"]
    assert digest.events == 4


def test_an_alarm_of_the_template_reaches_its_subscriber(make: Make) -> None:
    env = make("staging")
    sqs, sns, cloudwatch = (env.client(service) for service in ("sqs", "sns", "cloudwatch"))
    queue = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=env.outputs["app"]["AlertTopicArn"], Protocol="sqs", Endpoint=arn)
    alarm = cloudwatch.describe_alarms(AlarmNames=["staging-gym-app-errors"])["MetricAlarms"][0]
    for minutes in (1, 2, 3):
        cloudwatch.put_metric_data(
            Namespace=alarm["Namespace"],
            MetricData=[
                {
                    "MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"], "Value": 9.0,
                    "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes),
                }
            ],
        )  # fmt: skip
    until(lambda: ("staging-gym-app-errors", "ALARM") in told(sqs, queue), seconds=120)


def told(sqs: Any, queue: str) -> list[tuple[str, str]]:
    """What has come: which alarm, and what it is now."""
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    found = [json.loads(json.loads(one["Body"])["Message"]) for one in messages.get("Messages", [])]
    return [(one["AlarmName"], one["NewStateValue"]) for one in found]


def through_the_proxy(env: Environment) -> bool:
    """Whether the function is told the proxy's address, and the proxy knows no other target."""
    variables = env.client("lambda").get_function_configuration(FunctionName="prod-gym-app")["Environment"]
    rds = env.client("rds")
    targets = rds.describe_db_proxy_targets(DBProxyName="prod-gym-app")["Targets"]
    assert [one["RdsResourceId"] for one in targets] == [env.outputs["app"]["DatabaseIdentifier"]]
    set_ = variables["Variables"]
    assert "GYMOPS_APP_DATABASE_SECRET_ARN" not in set_
    assert set_["GYMOPS_APP_DATABASE_HOST"] != env.outputs["app"]["DatabaseHost"]
    return bool(set_["GYMOPS_APP_DATABASE_HOST"] == env.outputs["app"]["ProxyEndpoint"])


def restored_digest(env: Environment) -> LogDigest:
    """Of a second instance, from a snapshot of the first."""
    rds = env.client("rds")
    rds.create_db_snapshot(
        DBSnapshotIdentifier="before", DBInstanceIdentifier=env.outputs["app"]["DatabaseIdentifier"]
    )
    rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="before")
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="second", DBSnapshotIdentifier="before", ManageMasterUserPassword=True,
        DBSubnetGroupName=env.outputs["app"]["DatabaseSubnetGroup"],
        VpcSecurityGroupIds=[env.outputs["app"]["DatabaseSecurityGroupId"]],
        DBParameterGroupName=env.outputs["app"]["DatabaseParameterGroup"],
    )  # fmt: skip
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="second")
    return log_digest(owner(env, "second"))
