"""What an environment comes to: the architecture's values, and those of gymops.toml over them."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize("name", ["../x", "a b", "ümlaut", ".hidden"])
def test_what_can_be_no_part_of_a_key_is_no_environment(name: str) -> None:
    """Its lock and its ledger have the name in their keys; that is known before a bucket is made for them."""
    with pytest.raises(ConfigError, match="is no name of an environment"):
        resolve(settings(**{name: Environment()}), name)


def test_an_environment_says_what_releases_to_it() -> None:
    assert resolve(settings(), "staging").released_by == "gymops deploy staging"
    assert resolve(settings(), "prod").released_by == "gymops promote staging prod"


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


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("DatabasePassword", "hunter2"),
        ("LlmApiKey", "plain"),
        ("AlertEmail", "AKIA" + "Z7Q4W2E9R1T5Y8U3"),
        ("Note", "sk-ant-api03-" + "9fKq2LmX7vBn4RtY8wZc1DpH6sJ3gA5e"),
    ],
)
def test_a_secret_is_not_written_into_gymops_toml(parameter: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"staging: the parameter {parameter}") as told:
        resolve(settings(staging=Environment(parameters={parameter: value})), "staging")
    assert value not in f"{told.value.message}{told.value.hint}"
    assert "arn" in (told.value.hint or "").lower()


def test_where_a_secret_is_may_be_written() -> None:
    given = {
        "LlmKeySecretArn": "arn:aws:secretsmanager:us-west-1:123456789012:secret:llm-AbCdEf",
        "Password": "{{resolve:secretsmanager:prod/db:SecretString:password}}",
        "ApiToken": "env:API_TOKEN",
    }
    found = resolve(settings(staging=Environment(parameters=given)), "staging").parameters
    assert {name: found[name] for name in given} == given


def test_what_a_template_hides_comes_from_the_environment_and_not_from_the_file(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        "Parameters:\n  Pin: {Type: String, NoEcho: true, Default: none}\n  Size: {Type: String}\n"
        "Resources: {}\n"
    )

    def given(**parameters: str) -> dict[str, str]:
        own = Environment(parameters=parameters, region="eu-central-1")
        known = Settings(architecture=str(template), environments={"dev": own}, environ={"PIN": "4711"})
        return resolve(known, "dev").given(compose(template), {})

    assert given(Pin="env:PIN", Size="1") == {"Pin": "4711", "Size": "1"}
    assert given(Pin="{{resolve:ssm-secure:pin}}", Size="1")["Pin"].startswith("{{")
    for parameters, message in (
        ({"Pin": "4711", "Size": "1"}, "holds what looks like a secret, or is declared as one"),
        ({"Pin": "env:NONE", "Size": "1"}, "NONE is not set"),
        ({"Size": "env:PIN"}, "not hidden in the stack"),
    ):
        with pytest.raises(ConfigError, match=message) as told:
            given(**parameters)
        assert "4711" not in f"{told.value.message}{told.value.hint}"
