"""The coach's pipeline, and sign-in by others: made, changed and deleted, seen by their own services."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gymops import resources
from gymops.deploy.template import compose
from tests.integration.local.test_types import Stack
from tests.local_aws import Aws, unique


def test_the_coach_s_pipeline_tests_releases_and_promotes(aws: Aws) -> None:
    name, app = unique("pipeline"), unique("p")[:10]
    template = compose(resources.path("cloudformation") / "fitzen-coach" / "pipeline.yaml").text
    given = {
        "AppName": app, "Environment": "staging", "SourceRepository": "fitzen/coach",
        "ReleasePolicies": "arn:aws:iam::111111111111:policy/staging", "GymopsPackage": "gymops==1.0.0",
        "PromotionPolicies": "arn:aws:iam::111111111111:policy/staging,arn:aws:iam::111111111111:policy/prod",
        "DataKeyArn": "arn:aws:kms:us-east-1:111111111111:key/k",
    }  # fmt: skip
    _send(aws, "create", name, template, given)
    codes, builds, links = (aws.client(one) for one in ("codepipeline", "codebuild", "codeconnections"))
    found = codes.get_pipeline(name=f"staging-{app}")["pipeline"]
    actions = [one for stage in found["stages"] for one in stage["actions"]]
    assert [one["name"] for one in actions] == ["GitHub", "Tests", "Release", "Approval", "Promotion"]
    assert actions[0]["configuration"]["FullRepositoryId"] == "fitzen/coach"
    link = actions[0]["configuration"]["ConnectionArn"]
    assert links.get_connection(ConnectionArn=link)["Connection"]["ConnectionStatus"] == "PENDING"
    told = json.loads(actions[-1]["configuration"]["EnvironmentVariables"])
    assert told == [{"name": "DIGEST", "value": "#{Released.DIGEST}"}]
    names = [one["configuration"]["ProjectName"] for one in actions if "ProjectName" in one["configuration"]]
    tests, release, promotion = builds.batch_get_projects(names=names)["projects"]
    assert "pytest tests/" in tests["source"]["buildspec"]
    assert "gymops deploy staging --yes --json" in release["source"]["buildspec"]
    assert 'gymops promote staging prod --digest "$DIGEST"' in promotion["source"]["buildspec"]
    assert len({one["serviceRole"] for one in (tests, release, promotion)}) == 3

    _send(aws, "update", name, template, {**given, "SourceBranch": "next", "Approval": "false"})
    found = codes.get_pipeline(name=f"staging-{app}")["pipeline"]
    assert (found["version"], found["stages"][0]["actions"][0]["configuration"]["BranchName"]) == (2, "next")
    assert [one["name"] for one in found["stages"][-1]["actions"]] == ["Promotion"]
    stacks = aws.client("cloudformation")
    identifier = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName=name)
    aws.stack(identifier, "DELETE_COMPLETE")
    with pytest.raises(ClientError, match="PipelineNotFoundException"):
        codes.get_pipeline(name=f"staging-{app}")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        links.get_connection(ConnectionArn=link)


def test_somebody_else_may_say_who_signs_in(aws: Aws) -> None:
    stack, users = Stack(aws), aws.client("cognito-idp")
    resources_: dict[str, Any] = {
        "Pool": {"Type": "AWS::Cognito::UserPool", "Properties": {}},
        "Google": {
            "Type": "AWS::Cognito::UserPoolIdentityProvider",
            "Properties": {
                "UserPoolId": {"Ref": "Pool"}, "ProviderName": "Google", "ProviderType": "Google",
                "ProviderDetails": {"client_id": "one", "client_secret": "s", "authorize_scopes": "email"},
            },
        },
        "Client": {
            "Type": "AWS::Cognito::UserPoolClient",
            "Properties": {
                "UserPoolId": {"Ref": "Pool"}, "SupportedIdentityProviders": ["COGNITO", {"Ref": "Google"}],
            },
        },
    }  # fmt: skip
    made = stack.create(resources_, Pool={"Ref": "Pool"}, Client={"Ref": "Client"})
    pool = made["Pool"]
    client = users.describe_user_pool_client(UserPoolId=pool, ClientId=made["Client"])["UserPoolClient"]
    assert client["SupportedIdentityProviders"] == ["COGNITO", "Google"]
    resources_["Google"]["Properties"]["ProviderDetails"]["client_id"] = "another"
    stack.update(resources_)
    found = users.describe_identity_provider(UserPoolId=pool, ProviderName="Google")["IdentityProvider"]
    assert found["ProviderDetails"]["client_id"] == "another"
    del resources_["Google"]
    resources_["Client"]["Properties"]["SupportedIdentityProviders"] = ["COGNITO"]
    stack.update(resources_)
    assert users.list_identity_providers(UserPoolId=pool)["Providers"] == []
    stack.delete()


def _send(aws: Aws, what: str, name: str, template: str, given: dict[str, str]) -> None:
    getattr(aws.client("cloudformation"), f"{what}_stack")(
        StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )  # fmt: skip
    aws.stack(name, f"{what.upper()}_COMPLETE")
