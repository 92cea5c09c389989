"""docs/architectures/titan-trakr.md and the templates say the same, and each says all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.deploy.shipped import stack, titan, value

PAGE = Path(__file__).parents[3] / "docs" / "architectures" / "titan-trakr.md"


def table(title: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def numbers() -> Iterator[tuple[str, str, str, str]]:
    for _, environment, name, path, wanted in table("Numbers"):
        for one in ["staging", "prod"] if environment == "both" else [environment]:
            yield one, name, path.strip("`"), wanted


def components() -> Iterator[tuple[str, str]]:
    for _, name, resources in table("Components"):
        for resource in re.findall("`(.+?)`", resources):
            yield name, resource


@pytest.mark.parametrize(("environment", "name", "path", "wanted"), list(numbers()))
def test_every_number_of_the_document_stands_in_the_template(
    environment: str, name: str, path: str, wanted: str
) -> None:
    found = value(stack(name), path, environment)
    assert (str(found).lower() if isinstance(found, bool) else str(found)) == wanted


def test_the_page_names_every_resource_and_no_other() -> None:
    exists = {(one.name, resource.name) for one in titan().stacks for resource in stack(one.name).resources()}
    named = list(components())
    assert len(named) == len(set(named))
    assert set(named) == exists


def test_every_metric_is_on_the_dashboard_or_has_an_alarm() -> None:
    dashboard = stack("app").body["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    alarms = {
        resource.name: resource
        for name in ("app", "edge")
        for resource in stack(name).resources("AWS::CloudWatch::Alarm", "AWS::Budgets::Budget")
    }
    rows = table("Metrics")
    for _, metric, alarm in rows:
        namespace, name = re.findall("`(.+?)`", metric)
        assert namespace in dashboard
        assert name in dashboard or alarm, metric
        if alarm:
            resource = alarms.pop(alarm.strip("`"))
            if resource.kind == "AWS::CloudWatch::Alarm":
                assert resource.properties["Namespace"] == namespace
    others = {"ThrottlesAlarm", "BackupCopyAlarm", "ScheduleAlarm"}  # what nobody asked for, and one wants
    assert set(alarms) == others


def test_the_page_lists_every_stack() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [one.name for one in titan().stacks] == re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def test_the_template_has_the_size_the_page_speaks_of() -> None:
    size = len(stack("app").text.encode())
    assert 51_200 < size < 75_000, "the page says 70 KB, and that it goes through a bucket"
