"""Stacks that are really stuck, and the runbook that gets them out: each of its commands, in its order."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from click.testing import CliRunner

from gymops import runbook
from gymops.cli import root
from tests.acceptance.test_any_app import STAGING, Shop
from tests.local_aws import until

STACK = "staging-shop"
HELPER = """
  Helper:
    Type: AWS::Lambda::Function
    Properties:
      Code: {S3Bucket: !Ref CodeBucket, S3Key: !Ref CodeKey}
      Runtime: !Ref Runtime
      Handler: !Ref Handler
      Role: !GetAtt Role.Arn
  Address:
    Type: AWS::Lambda::Url
    Properties: {AuthType: AWS_IAM, TargetFunctionArn: !GetAtt Helper.Arn, InvokeMode: MODE}
"""
BAD = """
  Between:
    Type: AWS::SNS::Topic
    DependsOn: Address
  Bad:
    Type: AWS::SNS::Topic
    DependsOn: Between
    Properties: {DisplayName: "{{resolve:secretsmanager:no-such-secret}}"}
"""


class Night(Shop):
    """The shop, with something in its template that breaks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.file = folder / "infra" / "template.yaml"
        self.plain = self.file.read_text(encoding="utf-8")

    def template(self, more: str) -> None:
        self.file.write_text(self.plain.replace("\nOutputs:", f"{more}\nOutputs:"), encoding="utf-8")

    @property
    def cloudformation(self) -> Any:
        return self.client("cloudformation", STAGING)

    def status(self) -> str:
        return str(self.cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])

    def seen(self, name: str) -> bool:
        events = self.cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        return any(one["LogicalResourceId"] == name for one in events)


@pytest.fixture
def night(emulator_installed: None) -> Iterator[Night]:
    with tempfile.TemporaryDirectory(prefix="gymops-night-") as folder:
        found = Night(Path(folder))
        try:
            found.run("local up --port 0 --delay 0.5")
            yield found
        finally:
            found.run("local down")


def stick(night: Night) -> None:
    """An update is killed in the middle, and what it would be rolled back to is deleted by hand meanwhile."""
    night.template(HELPER.replace("MODE", "BUFFERED"))
    night.run("deploy staging --yes")
    night.template(HELPER.replace("MODE", "RESPONSE_STREAM") + BAD)
    process = night.start("deploy staging --yes")
    try:
        until(lambda: night.seen("Between"), seconds=120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    resources = night.cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    (helper,) = (one["PhysicalResourceId"] for one in resources if one["LogicalResourceId"] == "Helper")
    night.client("lambda", STAGING).delete_function(FunctionName=helper)
    until(lambda: not night.status().endswith("IN_PROGRESS"), seconds=120)
    assert night.status() == "UPDATE_ROLLBACK_FAILED"


@pytest.mark.long
def test_the_runbook_gets_a_stack_out_whose_rollback_failed(night: Night) -> None:
    stick(night)
    said = dict[str, str]()
    for command in runbook.read("stuck-stack").commands:
        words = command.words({"OPERATION": unfinished(night)})
        line = " ".join(words[1:])
        assert words[0] == "gymops"
        if words[1] == "attach" and "--abandon" in words:
            until(lambda line=line: night.ended(line) == 0, seconds=120)  # type: ignore[misc]
        else:
            said.setdefault(words[1], "".join(night.run(line, code=command.expected)))
        if "--abandon" in words:
            night.template(HELPER.replace("MODE", "BUFFERED"))  # as it was
    assert "UPDATE_ROLLBACK_FAILED" in said["status"]
    assert "goes on with the rollback first, and names" in " ".join(said["doctor"].split())
    assert "is unfinished at the step stack, and nobody works on it" in said["attach"]
    assert "not rolled back: Address (AWS::Lambda::Url)" in said["deploy"]
    assert "Helper (AWS::Lambda::Function): deleted" in said["drift"]
    assert {"status", "doctor", "attach", "deploy", "drift", "destroy"} == set(said)
    assert "does not exist" in night.run("status staging")[0]


def unfinished(night: Night) -> str:
    found = json.loads(night.run("status staging --json")[0])["unfinished"]
    return str(found["id"]) if found else "none"


@pytest.mark.long
def test_what_was_never_made_is_made_and_what_holds_data_is_not_deleted(night: Night) -> None:
    """``REVIEW_IN_PROGRESS`` and ``CREATE_FAILED``, as the runbook's table has them."""
    topic = json.dumps({"Resources": {"Bell": {"Type": "AWS::SNS::Topic"}}})
    night.cloudformation.create_change_set(
        StackName=STACK, ChangeSetName="left", ChangeSetType="CREATE", TemplateBody=topic
    )
    until(lambda: night.status() == "REVIEW_IN_PROGRESS")
    assert "REVIEW_IN_PROGRESS" in night.run("status staging")[0]
    night.run("doctor staging")
    night.run("deploy staging --yes")
    assert night.status().endswith("_COMPLETE")
    night.run("destroy staging --name staging --yes")

    store = {"Type": "AWS::S3::Bucket"}
    bad = {"Type": "AWS::SNS::Topic", "DependsOn": "Store", "Properties": {
        "DisplayName": "{{resolve:secretsmanager:no-such-secret}}"}}  # fmt: skip
    body = json.dumps({"Resources": {"Store": store, "Bad": bad}})
    night.cloudformation.create_stack(StackName=STACK, TemplateBody=body, OnFailure="DO_NOTHING")
    until(lambda: night.status() == "CREATE_FAILED")
    assert "holds data: Store" in " ".join(night.run("doctor staging", code=3)[0].split())
    assert "holds data: Store" in night.run("deploy staging --yes", code=4)[1]
    assert night.status() == "CREATE_FAILED"
    night.run("destroy staging", code=4)
    night.run("destroy staging --name staging --yes")
    assert "does not exist" in night.run("status staging")[0]


@pytest.mark.long
def test_the_doctor_only_reads_before_the_first_deploy_and_after_it(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    call = botocore.client.BaseClient._make_api_call

    def recorded(client: Any, operation: str, given: Any) -> Any:
        asked.append(operation)
        return call(client, operation, given)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)
    monkeypatch.chdir(night.folder)
    first = CliRunner().invoke(root, ["doctor", "staging", "--json"])
    night.run("deploy staging --yes")
    then = CliRunner().invoke(root, ["doctor", "staging", "--json"])
    for done in first, then:
        assert done.exit_code == 0, done.output
        assert json.loads(done.output)["could_not_tell"] == []
    assert "nothing was released yet" in first.output
    assert "release 1 runs" in then.output
    assert asked
    assert not [one for one in asked if not one.startswith(("Get", "List", "Describe", "Simulate"))]
