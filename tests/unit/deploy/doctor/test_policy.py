"""What the deploying role must be allowed: by the types' own schemas, in a policy that IAM takes."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Any

import pytest

from gymops.config import Environment, Settings
from gymops.deploy.doctor import needed, own
from gymops.deploy.doctor.inventory import inventory
from gymops.deploy.doctor.policy import LARGEST, of_roles, policy
from gymops.deploy.doctor.rights import rights
from gymops.deploy.environment import Deployment, resolve

ROLES = ["arn:aws:iam::*:role/prod-gym-app-*"]


def prod() -> Deployment:
    return resolve(Settings(architecture="titan-trakr"), "prod")


def allowed(document: Any) -> list[str]:
    return [action for statement in document["Statement"] for action in statement["Action"]]


def test_a_type_needs_what_makes_changes_and_deletes_it() -> None:
    found = rights(["AWS::Lambda::Function", "AWS::CloudWatch::Alarm", "AWS::EC2::VPC"])
    assert found.core >= {
        "lambda:CreateFunction", "lambda:DeleteFunction", "iam:PassRole", "cloudwatch:PutMetricAlarm",
        "ec2:CreateVpc", "ec2:DeleteVpc",
    }  # fmt: skip
    assert "lambda:GetFunction" in found.other
    assert not any(one.startswith("lambda:Get") for one in found.core)
    assert found.unknown == ()


def test_every_type_of_the_templates_has_something_without_which_it_cannot_be_made() -> None:
    for kind in {one.kind for one in inventory(prod(), {})}:
        assert rights([kind]).core, kind


def test_an_api_that_logs_needs_more_than_its_schema_says() -> None:
    phased = resolve(Settings(architecture="lifestyle-phased"), "prod")
    types = {one.kind for one in inventory(phased, {})}
    assert all(rights([kind]).core for kind in types)
    assert {"logs:CreateLogDelivery", "logs:ListLogDeliveries"} <= rights(types).other
    found = needed(phased)
    assert found.size <= LARGEST
    patterns = allowed(found.document)
    for action in ("logs:UpdateLogDelivery", "cognito-idp:CreateUserPool", "dynamodb:CreateTable"):
        assert any(fnmatch.fnmatchcase(action, one) for one in patterns), action


def test_a_type_that_nobody_knows_is_named() -> None:
    assert rights(["Custom::Thing", "My::Own::Type"]).unknown == ("Custom::Thing", "My::Own::Type")


def test_only_what_iam_can_read_gets_into_a_policy() -> None:
    found = rights({one.kind for one in inventory(prod(), {})})
    assert not [one for one in found.core | found.other if not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", one)]


def test_the_policy_of_the_tracker_fits_and_allows_all_that_is_needed() -> None:
    found = needed(prod())
    assert found.size <= LARGEST
    assert found.wider
    kinds = frozenset(one.kind for one in inventory(prod(), {}))
    patterns = allowed(found.document)
    for action in rights(kinds).core | rights(kinds).other | own.actions(kinds) | own.DOCTOR:
        assert any(fnmatch.fnmatchcase(action, pattern) for pattern in patterns), action


def test_rights_are_given_to_the_templates_own_roles_only() -> None:
    document = needed(prod()).document
    for statement in document["Statement"]:
        if statement["Resource"] == "*":
            assert not of_roles(statement["Action"])
            assert not {"*", "iam:*", "iam:Create*", "iam:Put*", "kms:*"} & set(statement["Action"])
    (mine,) = [one for one in document["Statement"] if "iam:CreateRole" in one["Action"]]
    assert mine["Resource"] == "arn:aws:iam::*:role/prod-gym-app-*"
    assert {"iam:PassRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"} <= set(mine["Action"])


def test_the_account_s_number_and_the_names_of_roles_are_in_it(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    role = "{Type: AWS::IAM::Role, Properties: {RoleName: worker}}"
    template.write_text(f"Resources: {{R: {role}, F: {{Type: AWS::Lambda::Function}}}}\n")
    own_settings = {"qa": Environment(account="111111111111", region="eu-central-1")}
    found = needed(resolve(Settings(architecture=str(template), environments=own_settings), "qa"))
    assert "arn:aws:iam::111111111111:role/worker" in found.text


def test_few_actions_are_named_one_by_one() -> None:
    found = policy(["lambda:GetFunction", "lambda:GetAlias", "iam:PassRole"], ROLES)
    assert (found.wider, found.fits) == ("", True)
    assert allowed(found.document) == ["lambda:GetAlias", "lambda:GetFunction", "iam:PassRole"]


def test_what_cannot_fit_is_said() -> None:
    assert not policy([f"kms:Thing{number}" for number in range(900)], ROLES).fits


@pytest.mark.parametrize("action", ["secretsmanager:GetSecretValue", "s3:GetObject", "kms:Decrypt"])
def test_what_reads_data_is_never_put_together(action: str) -> None:
    assert action in allowed(needed(prod()).document)
