"""The template's alarms on what a function does behind its alias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from gymops.deploy.template import architecture, compose
from gymops.local.plane.functions.metrics import Point, state_of
from tests.integration.local.functions import deploy, invoke
from tests.local_aws import Aws, unique, until

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
    ("missing", "state"), [("notBreaching", "OK"), ("breaching", "ALARM"), ("missing", None), (None, None)]
)
def test_periods_without_points(missing: str | None, state: str | None) -> None:
    alarm = {**template_alarm("ErrorsAlarm"), "TreatMissingData": missing}
    assert state_of(alarm, [{"Timestamp": 1.0, "Value": 9.0}], total, 1000.0) == state


def total(points: Sequence[Point]) -> float | None:
    return sum(one["Value"] for one in points) if points else None
