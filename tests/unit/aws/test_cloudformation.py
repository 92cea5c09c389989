"""CloudFormation's adapter against botocore's own model of the service."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from gymops.aws.account import Account
from gymops.aws.cloudformation import CloudFormationClient
from gymops.aws.session import AwsError
from gymops.aws.stack import Request

ID = "arn:aws:cloudformation:us-east-1:111111111111:stack/app/1"
SET = "arn:aws:cloudformation:us-east-1:111111111111:changeSet/gymops-op-1/1"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def boto() -> Any:
    return boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
    )


@pytest.fixture
def aws(boto: Any) -> Iterator[Stubber]:
    with Stubber(boto) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def client(boto: Any, aws: Stubber) -> CloudFormationClient:
    return CloudFormationClient(boto)


def test_a_stack_is_read_and_a_missing_one_is_none(client: CloudFormationClient, aws: Stubber) -> None:
    told = {
        "StackId": ID, "StackName": "app", "CreationTime": NOW, "StackStatus": "CREATE_COMPLETE",
        "EnableTerminationProtection": True,
        "Parameters": [{"ParameterKey": "Word", "ParameterValue": "****"}],
        "Outputs": [{"OutputKey": "Url", "OutputValue": "https://x"}],
        "Tags": [{"Key": "app", "Value": "titan"}],
    }  # fmt: skip
    aws.add_response("describe_stacks", {"Stacks": [told]}, {"StackName": "app"})
    found = client.stack("app")
    assert found
    assert (found.id, found.status, found.protected, found.updated) == (ID, "CREATE_COMPLETE", True, None)
    assert (found.parameters, found.outputs, found.tags) == (
        {"Word": "****"}, {"Url": "https://x"}, {"app": "titan"},
    )  # fmt: skip
    aws.add_client_error("describe_stacks", "ValidationError", "Stack with id app does not exist")
    assert client.stack("app") is None
    aws.add_client_error("describe_stacks", "ValidationError", "1 validation error detected")
    with pytest.raises(AwsError):
        client.stack("app")
    aws.add_client_error("describe_stacks", "Throttling", "Rate exceeded")
    with pytest.raises(AwsError) as throttled:
        client.stack("app")
    assert throttled.value.reason == "Throttling"


def test_events_are_read_page_by_page_and_only_as_far_as_wanted(
    client: CloudFormationClient, aws: Stubber
) -> None:
    def page(number: int) -> dict[str, Any]:
        told = {"StackId": ID, "EventId": f"e{number}", "StackName": "app", "Timestamp": NOW,
                "LogicalResourceId": "app", "PhysicalResourceId": ID, "ResourceStatus": "UPDATE_COMPLETE",
                "ClientRequestToken": "op"}  # fmt: skip
        return {"StackEvents": [told], "NextToken": f"t{number}"}

    aws.add_response("describe_stack_events", page(1), {"StackName": ID})
    aws.add_response("describe_stack_events", page(2), {"StackName": ID, "NextToken": "t1"})
    events = client.events(ID)
    first, second = next(events), next(events)
    assert (first.id, first.token, first.of_stack, first.at) == ("e1", "op", True, NOW)
    assert second.id == "e2"


def test_all_pages_of_a_change_set_are_one(client: CloudFormationClient, aws: Stubber) -> None:
    def page(name: str, token: str | None) -> dict[str, Any]:
        change = {
            "Action": "Modify", "LogicalResourceId": name, "ResourceType": "AWS::S3::Bucket",
            "Replacement": "True", "PolicyAction": "ReplaceAndRetain", "BeforeContext": "{}",
            "Details": [{"Target": {"Attribute": "Properties", "Name": "BucketName",
                                    "RequiresRecreation": "Always", "Path": "/Properties/BucketName",
                                    "BeforeValue": "a", "AfterValue": "b"},
                         "Evaluation": "Static", "ChangeSource": "DirectModification"}],
        }  # fmt: skip
        return {
            "ChangeSetId": SET, "ChangeSetName": "gymops-op-1", "StackId": ID, "Status": "CREATE_COMPLETE",
            "Changes": [{"Type": "Resource", "ResourceChange": change}],
            **({"NextToken": token} if token else {}),
        }  # fmt: skip

    asked = {"ChangeSetName": SET, "IncludePropertyValues": True}
    aws.add_response("describe_change_set", page("A", "next"), asked)
    aws.add_response("describe_change_set", page("B", None), asked | {"NextToken": "next"})
    found = client.change_set(SET)
    assert found
    assert [change.name for change in found.changes] == ["A", "B"]
    change = found.changes[0]
    assert (change.replacement, change.policy, change.before) == ("True", "ReplaceAndRetain", "{}")
    detail = change.details[0]
    assert (detail.name, detail.recreation, detail.before, detail.after) == ("BucketName", "Always", "a", "b")
    aws.add_client_error("describe_change_set", "ChangeSetNotFound", "ChangeSet [x] does not exist")
    assert client.change_set("x", "app") is None


REQUEST = Request("app", "gymops-op-1", True, "{}", None, {"Word": "x"}, {"a": "b"}, ("CAPABILITY_IAM",), "t")


def test_a_change_set_is_asked_for_with_nested_stacks(client: CloudFormationClient, aws: Stubber) -> None:
    aws.add_response(
        "create_change_set",
        {"Id": SET, "StackId": ID},
        {
            "StackName": "app", "ChangeSetName": "gymops-op-1", "ChangeSetType": "CREATE",
            "TemplateBody": "{}",
            "Parameters": [{"ParameterKey": "Word", "ParameterValue": "x"}],
            "Tags": [{"Key": "a", "Value": "b"}], "Capabilities": ["CAPABILITY_IAM"], "ClientToken": "t",
            "IncludeNestedStacks": True,
        },
    )  # fmt: skip
    assert client.create_change_set(REQUEST) == SET
    assert "Word" not in repr(REQUEST)


def test_an_older_boto3_is_asked_for_less(boto: Any) -> None:
    class Older:
        """A client whose service model lacks what came later."""

        def __init__(self) -> None:
            self.asked: list[tuple[str, dict[str, Any]]] = []
            self.meta = self
            self.service_model = self
            self.operation_names = ["CreateChangeSet", "DescribeChangeSet"]
            self.input_shape = self
            self.members: dict[str, Any] = {}

        def operation_model(self, _: str) -> Older:
            return self

        def __getattr__(self, name: str) -> Any:
            def call(**given: Any) -> dict[str, Any]:
                self.asked.append((name, given))
                return {
                    "Id": SET,
                    "ChangeSetId": SET,
                    "ChangeSetName": "x",
                    "StackId": ID,
                    "Status": "FAILED",
                }

            return call

    older = Older()
    client = CloudFormationClient(older)
    assert client.failures(stack=ID) == ()
    client.create_change_set(REQUEST)
    client.change_set(SET)
    assert "IncludeNestedStacks" not in older.asked[0][1]
    assert older.asked[1] == ("describe_change_set", {"ChangeSetName": SET})
    assert CloudFormationClient(boto)._offers("DescribeEvents", "Filters")


def test_failed_validations_and_hooks_are_told_as_events(client: CloudFormationClient, aws: Stubber) -> None:
    told = [
        {"EventId": "1", "StackId": ID, "EventType": "VALIDATION_ERROR", "Timestamp": NOW,
         "LogicalResourceId": "Store", "ResourceType": "AWS::S3::Bucket", "ValidationName": "NAME_CONFLICT",
         "ValidationPath": "/Resources/Store", "ValidationStatusReason": "taken"},
        {"EventId": "2", "StackId": ID, "EventType": "HOOK_INVOCATION_ERROR", "Timestamp": NOW,
         "LogicalResourceId": "Store", "HookType": "Acme::Hook", "HookStatusReason": "no",
         "HookStatus": "HOOK_FAILED"},
        {"EventId": "3", "StackId": ID, "EventType": "PROVISIONING_ERROR", "Timestamp": NOW},
    ]  # fmt: skip
    asked = {"StackName": ID, "Filters": {"FailedEvents": True}}
    aws.add_response("describe_events", {"OperationEvents": told}, asked)
    assert [(one.name, one.reason) for one in client.failures(stack=ID)] == [
        ("Store", "taken (NAME_CONFLICT at /Resources/Store)"), ("Store", "Hook Acme::Hook: no"),
    ]  # fmt: skip


def test_writing_carries_the_token_and_only_names_what_is_skipped(
    client: CloudFormationClient, aws: Stubber
) -> None:
    aws.add_response("execute_change_set", {}, {"ChangeSetName": SET, "ClientRequestToken": "op"})
    client.execute(SET, "op")
    aws.add_response("rollback_stack", {}, {"StackName": ID, "ClientRequestToken": "op"})
    client.roll_back(ID, "op")
    aws.add_response("continue_update_rollback", {}, {"StackName": ID, "ClientRequestToken": "op"})
    client.roll_back(ID, "op", skip=())
    aws.add_response(
        "continue_update_rollback", {},
        {"StackName": ID, "ClientRequestToken": "op", "ResourcesToSkip": ["Queue"]},
    )  # fmt: skip
    client.roll_back(ID, "op", skip=["Queue"])
    aws.add_response("delete_stack", {}, {"StackName": ID})
    client.delete(ID, "")
    aws.add_response(
        "delete_stack", {}, {"StackName": ID, "ClientRequestToken": "op", "RetainResources": ["Store"]}
    )
    client.delete(ID, "op", retain=["Store"])
    aws.add_client_error("delete_change_set", "ChangeSetNotFound", "gone")
    client.delete_change_set(SET)
    aws.add_client_error("delete_change_set", "InvalidChangeSetStatus", "being executed")
    with pytest.raises(AwsError):
        client.delete_change_set(SET)


def test_a_template_is_its_text_however_botocore_gives_it(client: CloudFormationClient, aws: Stubber) -> None:
    asked = {"StackName": ID, "TemplateStage": "Original"}
    aws.add_response("get_template", {"TemplateBody": "Resources: {}"}, asked)
    assert client.template(ID) == "Resources: {}"


def test_resources_are_read(client: CloudFormationClient, aws: Stubber) -> None:
    told = {
        "LogicalResourceId": "Store", "ResourceType": "AWS::S3::Bucket", "ResourceStatus": "DELETE_FAILED",
        "LastUpdatedTimestamp": NOW, "ResourceStatusReason": "not empty",
    }  # fmt: skip
    aws.add_response("list_stack_resources", {"StackResourceSummaries": [told]}, {"StackName": ID})
    (found,) = client.resources(ID)
    assert (found.name, found.physical, found.reason) == ("Store", "", "not empty")


def test_a_service_that_is_not_there_is_an_error_of_ours() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        account = Account("us-east-1", endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}", number="1" * 12)
        boto = account.client("cloudformation", timeout=1.0, attempts=1)
        with pytest.raises(AwsError) as unreachable:
            CloudFormationClient(boto).stack("app")
    assert unreachable.value.reason == "Unreachable"
