"""CloudWatch on moto: the alarms that ring, however many there are."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from gymops.aws.account import Account
from gymops.aws.alarms import Alarms


@mock_aws
def test_every_page_is_read_and_only_the_environment_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudwatch = boto3.client(
        "cloudwatch", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
    )
    monkeypatch.setattr(Account, "client", lambda *_, **__: cloudwatch)
    names = [f"prod-shop-{number:03d}" for number in range(120)]
    for name in [*names, "prod-shopping", "staging-shop-000"]:
        cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="Tests", MetricName="Any", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    assert Alarms(Account("us-east-1"), "prod-shop-").ringing() == names
