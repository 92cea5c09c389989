"""What is told to whoever listens: CloudWatch's metrics, and a topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from gymops.aws.account import Account
from gymops.aws.session import translated

_SUBJECT = 100
"""Characters that SNS takes for one."""


class Metrics:
    """The metrics of one namespace."""

    def __init__(self, account: Account, namespace: str) -> None:
        self._account = account
        self._namespace = namespace

    def put(
        self, values: Sequence[tuple[str, float, str]], dimensions: Mapping[str, str], at: datetime
    ) -> None:
        """Names, values and units (``Count``, ``Percent``, ``Seconds``), all of one moment."""
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        with translated(f"the metrics {self._namespace}"):
            self._account.client("cloudwatch").put_metric_data(
                Namespace=self._namespace,
                MetricData=[
                    {"MetricName": name, "Value": value, "Unit": unit, "Timestamp": at, "Dimensions": named}
                    for name, value, unit in values
                ],
            )


class Topic:
    """An SNS topic."""

    def __init__(self, account: Account, arn: str) -> None:
        self._account = account
        self._arn = arn

    def publish(self, subject: str, text: str) -> None:
        """Tell everybody who subscribed."""
        with translated(f"the topic {self._arn}"):
            self._account.client("sns", self._arn.split(":")[3]).publish(
                TopicArn=self._arn, Subject=subject[:_SUBJECT], Message=text
            )
