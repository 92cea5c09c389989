"""What an environment comes to: the architecture's values, and those of gymops.toml over them."""

from __future__ import annotations

import pytest

from gymops.config import Environment, Settings
from gymops.deploy.environment import resolve
from gymops.deploy.template import compose
from gymops.errors import ConfigError


def settings(**environments: Environment) -> Settings:
    return Settings(architecture="titan-trakr", environments=environments)


def test_prod_comes_after_staging_and_both_have_their_parameters() -> None:
    prod, staging = resolve(settings(), "prod"), resolve(settings(), "staging")
    assert (prod.after, staging.after) == ("staging", None)
    assert (prod.parameters["DatabaseAuth"], staging.parameters["DatabaseAuth"]) == ("iam", "secret")
    assert (prod.region, prod.app, prod.prefix, prod.local) == ("us-west-1", "gym-app", "prod-gym-app", True)
    assert prod.smoke == ("/api/health", "/api/ready")
    assert prod.traffic.name == "AllAtOnce"


def test_what_gymops_toml_says_wins() -> None:
    own = Environment(
        parameters={"AppName": "gym", "Domain": ""}, region="eu-central-1", after="local", within_days=3,
        smoke=("/",), traffic="Canary10Percent5Minutes", profile="p", account="123456789012",
    )  # fmt: skip
    prod = resolve(settings(prod=own), "prod")
    assert (prod.app, prod.region, prod.after, prod.within_days, prod.smoke) == (
        "gym", "eu-central-1", "local", 3, ("/",),
    )  # fmt: skip
    assert prod.parameters["Domain"] == ""
    assert prod.parameters["Protection"] == "true"
    assert not prod.local
    assert prod.traffic.steps[0].percent == 10


def test_an_environment_of_one_s_own() -> None:
    found = resolve(settings(pr7=Environment(parameters={"Domain": ""})), "pr7")
    assert found.parameters["Environment"] == "pr7"
    assert found.after is None


@pytest.mark.parametrize(
    ("name", "environments", "told"),
    [
        ("stagin", {}, "no environment 'stagin'; did you mean staging?"),
        ("prod", {"prod": Environment(after="prod")}, "prod comes after itself"),
        ("prod", {"prod": Environment(traffic="fast")}, "'fast' is no way to move it"),
    ],
)
def test_what_is_refused(name: str, environments: dict[str, Environment], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        resolve(settings(**environments), name)


def test_without_an_architecture_the_next_command_is_named() -> None:
    with pytest.raises(ConfigError) as refused:
        resolve(Settings(), "prod")
    assert refused.value.hint
    assert "gymops init --architecture" in refused.value.hint


def test_stacks_are_named_for_the_environment_or_for_the_account() -> None:
    prod, staging = resolve(settings(), "prod"), resolve(settings(), "staging")
    assert {stack.name: prod.stack_name(stack) for stack in prod.stacks()} == {
        "base": "gym-app-base",
        "certificate": "prod-gym-app-certificate",
        "copies": "prod-gym-app-copies",
        "app": "prod-gym-app",
        "edge": "prod-gym-app-edge",
    }
    assert [stack.name for stack in staging.stacks()] == ["base", "certificate", "app", "edge"]
    assert "zones" in [stack.name for stack in staging.stacks("zones")]
    with pytest.raises(ConfigError, match="no stack 'zone'"):
        staging.stacks("zone")


def test_a_stack_stays_in_us_east_1_wherever_the_environment_is() -> None:
    staging = resolve(settings(staging=Environment(region="eu-central-1")), "staging")
    assert [staging.region_of(stack) for stack in staging.stacks()] == [
        "eu-central-1", "us-east-1", "eu-central-1", "us-east-1",
    ]  # fmt: skip


def test_outputs_of_earlier_stacks_are_parameters_of_later_ones() -> None:
    staging = resolve(settings(), "staging")
    edge = compose(staging.architecture.stack("edge").template)
    given = staging.given(edge, {"DistributionId": "E1234567890", "Unrelated": "x"})
    assert given["DistributionId"] == "E1234567890"
    assert "Unrelated" not in given
    with pytest.raises(ConfigError, match="DistributionId is missing"):
        staging.given(edge, {})
