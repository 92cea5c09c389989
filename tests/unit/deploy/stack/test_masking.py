"""No secret is shown, wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gymops.deploy.stack.masking import MASK, Masker, masker
from gymops.deploy.stack.port import Change, Detail
from gymops.deploy.stack.preview import parameter_changes

SECRET = "hunter2-correct-horse"
DYNAMIC = "{{resolve:secretsmanager:prod/db:SecretString:password}}"
TEMPLATE: dict[str, Any] = {
    "Parameters": {"Word": {"Type": "String", "NoEcho": True}, "Stage": {"Type": "String"}},
    "Resources": {
        "Bell": {"Properties": {"DisplayName": {"Fn::Sub": "x-${Word}"}, "TopicName": {"Ref": "Stage"}}}
    },
}


@pytest.mark.parametrize(
    "name",
    ["MasterUserPassword", "SecretString", "ApiKey", "api_key", "GithubToken", "PrivateKey", "DB_PASSWORD",
     "AwsSecretAccessKey", "Credentials"],
)  # fmt: skip
def test_what_is_called_a_secret_is_masked(name: str) -> None:
    assert Masker().value(name, "anything at all") == MASK


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SecretArn", "arn:aws:secretsmanager:us-east-1:111111111111:secret:x"),
        ("MasterUserSecretKmsKeyId", "alias/x"),
        ("PasswordLength", "32"),
        ("ManageMasterUserPassword", "true"),
        ("SecretName", "prod/db"),
        ("MasterUserPassword", DYNAMIC),
        ("AccessTokenValidity", "60"),
        ("InstanceClass", "db.t4g.micro"),
        ("MasterUserPassword", ""),
    ],
)
def test_what_is_only_about_a_secret_is_shown(name: str, value: str) -> None:
    assert Masker().value(name, value) == value


@pytest.mark.parametrize(
    "value",
    ["postgresql://app:s3cure-enough@db.internal/app", "AKIAIOSFODNN7ABCDEFG",
     "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "ghp_" + "a1B2" * 10],
)  # fmt: skip
def test_what_looks_like_a_secret_is_masked_whatever_its_name(value: str) -> None:
    assert Masker().value("Setting", value) == MASK
    assert Masker().text(value) == MASK


def test_a_secret_parameter_s_value_is_masked_inside_other_texts_too() -> None:
    found = masker([TEMPLATE], {"Word": SECRET, "Stage": "prod"})
    assert found.parameters({"Word": SECRET, "Stage": "prod"}) == {"Word": MASK, "Stage": "prod"}
    assert found.text(f"Invalid value {SECRET} for DisplayName") == f"Invalid value {MASK} for DisplayName"
    assert found.value("Stage", SECRET) == MASK
    assert SECRET not in repr(found)


def test_a_short_secret_does_not_mask_every_text() -> None:
    found = masker([TEMPLATE], {"Word": "a"})
    assert found.text("a database") == "a database"
    assert found.text("a") == MASK


def test_what_a_secret_parameter_goes_into_is_masked_before_and_after() -> None:
    found = masker([TEMPLATE], {"Word": SECRET})
    change = Change(
        "Modify", "Bell", "AWS::SNS::Topic",
        details=(
            Detail("Properties", "DisplayName", "/Properties/DisplayName", before="x-the old one", after="n"),
            Detail("Properties", "TopicName", "/Properties/TopicName", before="a", after="b"),
        ),
        before=json.dumps({"Properties": {"DisplayName": "x-the old one", "TopicName": "a"}}),
    )  # fmt: skip
    shown = found.change(change)
    assert [(one.before, one.after) for one in shown.details] == [(MASK, MASK), ("a", "b")]
    assert json.loads(shown.before or "") == {"Properties": {"DisplayName": MASK, "TopicName": "a"}}


def test_properties_are_masked_at_any_depth() -> None:
    properties = {
        "Environment": {"Variables": {"DB_PASSWORD": "one", "STAGE": "prod", "URL": DYNAMIC}},
        "ContainerDefinitions": [{"Environment": [{"Name": "API_KEY", "Value": "two"}]}],
        "Policy": json.dumps({"Token": "three", "Effect": "Allow"}),
        "GenerateSecretString": {"PasswordLength": 32, "ExcludeCharacters": "/@"},
    }
    change = Change("Add", "F", "AWS::Lambda::Function", after=json.dumps({"Properties": properties}))
    shown = json.loads(Masker().change(change).after or "")["Properties"]
    assert shown["Environment"]["Variables"] == {"DB_PASSWORD": MASK, "STAGE": "prod", "URL": DYNAMIC}
    assert shown["ContainerDefinitions"] == [{"Environment": [{"Name": "API_KEY", "Value": MASK}]}]
    assert json.loads(shown["Policy"]) == {"Token": MASK, "Effect": "Allow"}
    assert shown["GenerateSecretString"] == {"PasswordLength": 32, "ExcludeCharacters": "/@"}


def test_one_changed_property_is_masked_by_its_path() -> None:
    def shown(path: str, before: str) -> str | None:
        detail = Detail("Properties", path.split("/")[2], path, before=before)
        change = Change("Modify", "F", "AWS::Lambda::Function", details=(detail,))
        return Masker().change(change).details[0].before

    assert shown("/Properties/Environment/Variables/DB_PASSWORD", "one") == MASK
    assert shown("/Properties/Environment/Variables/STAGE", "prod") == "prod"
    assert shown("/Properties/Environment", '{"Variables":{"DB_PASSWORD":"one"}}') == (
        '{"Variables":{"DB_PASSWORD":"****"}}'
    )
    assert shown("/Properties/Environment", '{"Variables":{"DB_PASS') == MASK  # AWS cuts off large values
    assert shown("/Properties/MasterUserPassword", DYNAMIC) == DYNAMIC


def test_a_context_that_cannot_be_read_is_not_shown() -> None:
    change = Change("Modify", "F", "AWS::Lambda::Function", before='{"Properties": {"A": "b')
    assert Masker().change(change).before == MASK


def test_parameters_are_compared_and_secret_ones_left_out() -> None:
    found = masker([TEMPLATE], {"Word": SECRET})
    changes = parameter_changes(
        {"Word": MASK, "Stage": "a", "Same": "1", "Old": "x"},
        {"Word": SECRET, "Stage": "b", "Same": "1", "New": "y"},
        found,
    )
    assert [(one.name, one.before, one.after) for one in changes] == [
        ("New", None, "y"), ("Old", "x", None), ("Stage", "a", "b"),
    ]  # fmt: skip
