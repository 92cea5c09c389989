"""The bills of the architectures that come with gymops, beside their documents."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gymops.cost import document, inventory, usage
from gymops.cost.prices import bundled
from gymops.cost.pricing import PRICED, free
from gymops.deploy.template import architecture, compose, names
from tests.unit.cost.parts import amounts, shipped

DOCUMENTS = {
    "titan-trakr",
    "voice-tracker-neon",
    "productivity-fargate",
    "lifestyle-phased",
    "fitzen-coach",
}
EVERY = [(name, environment) for name in names() for environment in architecture(name).environments]
STEPS = [(name, profile) for name in names() for profile in usage.names(name)]


def test_titan_trakrs_prod_is_reckoned_whole() -> None:
    found = shipped("titan-trakr")
    expected = {
        "RDS Proxy": Decimal("21.90"),
        "VPC endpoints": Decimal("14.61"),
        "RDS": Decimal("13.98"),
        "AWS Backup": Decimal("5.04"),
        "KMS": Decimal("4.00"),
        "CloudFront": Decimal("2.40"),
        "Route 53": Decimal("1.54"),
        "Secrets Manager": Decimal("1.25"),
        "ECR": Decimal("0.10"),
        "S3": Decimal("0.07"),
        "EventBridge": Decimal(0),
        "Lambda": Decimal(0),
        "SNS": Decimal(0),
    }
    services = amounts(found)
    assert services.pop("CloudWatch") < 2  # by its alarms
    assert services == expected
    assert [one.service for one in found.unpriced] == ["Language model"]


def test_titan_trakrs_staging_stops_at_night_as_its_document_reckons() -> None:
    hours = shipped("titan-trakr", "staging").services()[0].lines[0]
    assert (hours.service, round(hours.quantity), hours.usd) == ("RDS", 326, Decimal("5.21"))


def test_what_an_account_has_once_is_in_the_bill_of_its_last_environment() -> None:
    prod, staging = amounts(shipped("titan-trakr")), amounts(shipped("titan-trakr", "staging"))
    assert set(prod) - set(staging) == {"Route 53", "ECR", "S3", "RDS Proxy"}


def test_each_environment_has_its_own_table_and_usage() -> None:
    found = shipped("titan-trakr", "staging")
    theirs = document.table(found)
    assert theirs is not None
    assert (theirs.total, found.profile.usage["requests"]) == (Decimal(6), Decimal(50_000))
    asked = shipped("titan-trakr", "staging", requests=7)
    assert asked.profile.usage["requests"] == 7


@pytest.mark.shows("each", "cost")
@pytest.mark.parametrize(("name", "environment"), EVERY)
def test_every_resource_is_priced_or_free_for_a_reason_or_listed(name: str, environment: str) -> None:
    found = shipped(name, environment)
    one = architecture(name)
    last = environment not in one.after.values()
    there = inventory.take(
        one, environment, {"Environment": environment, **one.environments[environment]}, one.region, last=last
    )
    said = {resource for line in found.lines for resource in line.resources}
    said |= {resource for line in found.unpriced for resource in line.resources}
    said |= {resource for line in found.free for resource in line.resources}
    assert {item.name for item in (*there.items, *there.doubtful)} == said
    assert all(line.reason for line in found.free)
    unknown = [line for line in found.unpriced if "nothing here knows" in line.reason]
    assert unknown == []


@pytest.mark.parametrize(("name", "environment"), EVERY)
def test_of_what_is_shipped_only_this_has_no_price(name: str, environment: str) -> None:
    assert {one.service for one in shipped(name, environment).unpriced} <= {
        "CloudWatch",  # Container Insights: by the metrics of what runs
        "Language model",  # the provider's and the model's
    }


@pytest.mark.parametrize("name", names())
def test_every_type_has_a_pricer_or_a_reason_whatever_the_parameters(name: str) -> None:
    kinds = {
        resource.kind
        for stack in architecture(name).stacks
        for resource in compose(stack.template).resources()
    }
    assert {kind for kind in kinds if kind not in PRICED and free.reason(kind) is None} == set()


@pytest.mark.parametrize(("name", "profile"), STEPS)
def test_the_steps_of_an_architecture_cost_more_and_more(name: str, profile: str) -> None:
    steps = usage.names(name)
    before = steps[: steps.index(profile)]
    found = shipped(name, profile=profile)
    assert found.total > 0
    assert all(shipped(name, profile=one).total < found.total for one in before)


@pytest.mark.parametrize(("name", "profile"), STEPS)
def test_a_step_sets_parameters_the_template_has(name: str, profile: str) -> None:
    declared = compose(architecture(name).stack("app").template).parameters
    for parameter, value in usage.profile(name, profile).parameters.items():
        assert parameter in declared
        assert value in [str(one) for one in declared[parameter].get("AllowedValues", [value])]


@pytest.mark.shows("titan-trakr", "cost")
@pytest.mark.shows("voice-tracker-neon", "cost")
@pytest.mark.shows("fitzen-coach", "cost")
@pytest.mark.parametrize(("name", "profile"), STEPS)
def test_every_difference_to_the_document_is_explained(name: str, profile: str) -> None:
    found = shipped(name, profile=profile)
    theirs = document.table(found)
    if theirs is None or not theirs.rows:
        return
    differences = document.differences(found, theirs)
    assert found.total - theirs.sum == sum(one.more for one in differences)
    assert all(one.why not in {document.NOT_HERE, document.NOT_THERE, ""} for one in differences), differences


def test_all_five_documents_are_here() -> None:
    assert set(document._document()) == DOCUMENTS | {document.ANY}
    assert set(names()) <= DOCUMENTS
    assert {name for name in DOCUMENTS if document.tables(name)} == DOCUMENTS - {
        "productivity-fargate",  # gives tiers, and no figures
        "lifestyle-phased",  # gives neither
    }


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_documents_lines_come_to_its_total_but_for_its_rounding(name: str) -> None:
    for table in document.tables(name):
        assert table.profile in usage.names(name)
        assert len({row.service for row in table.rows}) == len(table.rows)
        if table.rows:
            assert abs(table.sum - table.total) < Decimal("0.5")


def test_the_tables_are_the_documents() -> None:
    stated = {
        (table.architecture, table.profile, table.environment): (table.total, table.sum)
        for name in DOCUMENTS
        for table in document.tables(name)
        if table.rows
    }
    assert stated == {
        ("titan-trakr", "current", "prod"): (Decimal("31.50"), Decimal("31.50")),
        ("titan-trakr", "current", "staging"): (Decimal(6), Decimal(6)),
        ("voice-tracker-neon", "1000-users", None): (Decimal(25), Decimal("24.60")),
        ("fitzen-coach", "small", None): (Decimal(87), Decimal("87.15")),
        ("fitzen-coach", "medium", None): (Decimal(620), Decimal("619.70")),
        ("fitzen-coach", "large", None): (Decimal(5325), Decimal("5325.00")),
    }


def test_every_price_has_a_source_and_a_date() -> None:
    table = bundled()
    assert table.as_of.year >= 2026
    for price in table.prices.values():
        assert price.usd > 0, price.name
        assert price.source.url.startswith("https://"), price.name
        assert price.source.as_of, price.name


def test_what_a_step_has_beside_the_template_is_in_the_table() -> None:
    steps = [usage.profile(name, step) for name in DOCUMENTS for step in usage.names(name)]
    assert {other.price for step in steps for other in step.others} <= set(bundled().prices)
