"""What CloudFormation refuses, the local AWS refuses too: before anything is made, and with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_aws import Aws, unique

TOPIC = {"Type": "AWS::SNS::Topic"}
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"RoleName": "named", "AssumeRolePolicyDocument": {"Statement": []}},
}


def template(resources: Any = None, **parameter: Any) -> str:
    """One topic, or these resources; with a parameter P where anything is said about it."""
    declared = {"Parameters": {"P": {"Type": "String", **parameter}}} if parameter else {}
    return json.dumps({**declared, "Resources": resources or {"T": TOPIC}})


def named(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


@pytest.mark.parametrize(
    ("body", "given", "why"),
    [
        ("{a: [", {}, "Template format error"),
        ("hello", {}, "Template format error"),
        ("{}", {}, "At least one Resources member must be defined"),
        (template() + " " * 51_200, {}, "51200"),
        (template({"T": {"Type": "AWS::No::Thing"}}), {}, r"Unrecognized resource types: \[AWS::No::Thing\]"),
        (
            template({"T": {"Type": "AWS::DMS::Endpoint"}}), {},
            r"Unrecognized resource types: \[AWS::DMS::Endpoint\]",
        ),
        (template(Description="needed"), {}, "'P' has no Default and was not provided"),
        (template(), {"Q": "1"}, r"Parameters: \[Q\] do not exist in the template"),
        (template(AllowedValues=["a"]), {"P": "b"}, "'P' value 'b' is not in AllowedValues"),
        (template(AllowedPattern="a+"), {"P": "b"}, r"'P' must match pattern a\+"),
        (template(MaxLength=2), {"P": "bbb"}, "'P' must contain at most 2 characters"),
        (template(Type="Number", MaxValue=5), {"P": "6"}, "'P' must be a number not greater than 5"),
        (template(Type="Number"), {"P": "six"}, "'P' value 'six' is not a valid Number"),
        (
            template({"T": {**TOPIC, "Properties": {"TopicName": {"Ref": "None"}}}}), {},
            r"Unresolved resource dependencies \[None\] in the Resources block",
        ),
        (template({"T": {**TOPIC, "DependsOn": "None"}}), {}, r"Unresolved resource dependencies \[None\]"),
        (
            template({"T": {**TOPIC, "DependsOn": "U"}, "U": {**TOPIC, "DependsOn": "T"}}), {},
            "Circular dependency",
        ),
        (template({"R": ROLE}), {}, r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]"),
    ],
)  # fmt: skip
def test_a_stack_is_refused_and_a_change_set_too(
    aws: Aws, body: str, given: dict[str, str], why: str
) -> None:
    client, name = aws.client("cloudformation"), unique("bad")
    with pytest.raises(ClientError, match=why):
        client.create_stack(StackName=name, TemplateBody=body, Parameters=named(**given))
    with pytest.raises(ClientError, match="does not exist"):
        client.describe_stacks(StackName=name)
    with pytest.raises(ClientError, match=why):
        client.create_change_set(
            StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=body,
            Parameters=named(**given),
        )  # fmt: skip


def test_a_template_in_a_bucket_that_is_too_large_or_not_there_is_refused(aws: Aws) -> None:
    client, s3, bucket = aws.client("cloudformation"), aws.client("s3"), unique("templates")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="large.json", Body=(template() + " " * 1_000_000).encode())
    for key, why in (("large.json", "may not exceed 1000000 bytes"), ("none.json", "Template not found")):
        with pytest.raises(ClientError, match=why):
            client.create_stack(StackName=unique("bad"), TemplateURL=f"{aws.settings.url}/{bucket}/{key}")


def test_an_update_is_refused_and_leaves_the_stack_as_it_was(aws: Aws) -> None:
    client, name = aws.client("cloudformation"), unique("kept")
    client.create_stack(StackName=name, TemplateBody=template())
    aws.stack(name, "CREATE_COMPLETE")
    for body, given in ((template({"T": {"Type": "AWS::No::Thing"}}), {}), (template(), {"Q": "1"})):
        with pytest.raises(ClientError, match="ValidationError"):
            client.update_stack(StackName=name, TemplateBody=body, Parameters=named(**given))
    aws.stack(name, "CREATE_COMPLETE")
