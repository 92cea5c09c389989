"""docs/architectures/NAME.md and the templates of NAME say the same, and each says all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gymops.deploy.template import names
from tests.unit.deploy.shipped import environments, shipped, stack, value

PAGES = Path(__file__).parents[3] / "docs" / "architectures"

ALARMS = ("AWS::CloudWatch::Alarm", "AWS::Budgets::Budget")


PAGED = sorted(file.stem for file in PAGES.glob("*.md"))


def test_every_architecture_has_its_page() -> None:
    assert names() == PAGED


def page(of: str) -> str:
    return (PAGES / f"{of}.md").read_text(encoding="utf-8")


def table(of: str, title: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head."""
    section = page(of).split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def numbers() -> Iterator[tuple[str, str, str, str, str]]:
    for of in PAGED:
        for _, environment, name, path, wanted in table(of, "Numbers"):
            for one in environments(of) if environment == "both" else [environment]:
                yield of, one, name, path.strip("`"), wanted


def components(of: str) -> Iterator[tuple[str, str]]:
    for _, name, resources in table(of, "Components"):
        for resource in re.findall("`(.+?)`", resources):
            yield name, resource


@pytest.mark.parametrize(("of", "environment", "name", "path", "wanted"), list(numbers()))
def test_every_number_of_the_document_stands_in_the_template(
    of: str, environment: str, name: str, path: str, wanted: str
) -> None:
    found = value(stack(name, of), path, environment, of)
    assert (str(found).lower() if isinstance(found, bool) else str(found)) == wanted


@pytest.mark.parametrize("of", PAGED)
def test_the_page_names_every_resource_and_no_other(of: str) -> None:
    exists = {
        (one.name, resource.name)
        for one in shipped(of).stacks
        for resource in stack(one.name, of).resources()
    }
    named = list(components(of))
    assert len(named) == len(set(named))
    assert set(named) == exists


@pytest.mark.parametrize("of", PAGED)
def test_every_metric_is_on_the_dashboard_or_has_an_alarm(of: str) -> None:
    every = [stack(one.name, of) for one in shipped(of).stacks]
    dashboard = json.dumps(
        [one.properties for it in every for one in it.resources("AWS::CloudWatch::Dashboard")]
    )
    alarms = {one.name: one for it in every for one in it.resources(*ALARMS)}
    for _, metric, alarm in table(of, "Metrics"):
        namespace, name = re.findall("`(.+?)`", metric)
        if alarm:
            resource = alarms.pop(alarm.strip("`"))
            if resource.kind == "AWS::CloudWatch::Alarm":
                assert namespace in json.dumps(resource.properties)
        else:
            assert namespace in dashboard
            assert name in dashboard, metric
    assert not alarms, "no row of the page's metrics has them"


@pytest.mark.parametrize("of", PAGED)
def test_the_page_lists_every_stack_and_is_linked(of: str) -> None:
    found = re.findall(r"^\| `(\w+)` \|", page(of), re.MULTILINE)
    assert [one.name for one in shipped(of).stacks] == found
    readme = (PAGES.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"docs/architectures/{of}.md" in readme


def test_the_template_of_titan_trakr_has_the_size_the_page_speaks_of() -> None:
    size = len(stack("app").text.encode())
    assert 51_200 < size < 80_000, "the page says 78 KB, and that it goes through a bucket"
