"""CloudWatch: which alarms ring."""

from __future__ import annotations

from gymops.aws.account import Account
from gymops.aws.session import translated


class Alarms:
    """The alarms of an account and region whose names begin alike."""

    def __init__(self, account: Account, prefix: str) -> None:
        self._account = account
        self._prefix = prefix

    def ringing(self) -> list[str]:
        """Those in the state ALARM. INSUFFICIENT_DATA is no alarm, nor a sign of health.

        Raises:
            AwsError: CloudWatch does not answer.
        """
        pages = self._account.client("cloudwatch").get_paginator("describe_alarms")
        with translated("the alarms"):
            return sorted(
                alarm["AlarmName"]
                for page in pages.paginate(AlarmNamePrefix=self._prefix, StateValue="ALARM")
                for alarm in page["MetricAlarms"]
            )
