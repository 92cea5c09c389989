"""Stacks on the local AWS, one process's for all of these tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gymops.aws.cloudformation import CloudFormationClient
from gymops.clock import SystemClock
from gymops.deploy.stack.port import CloudFormation, Stack, StackTarget
from gymops.deploy.stack.preview import Preview
from gymops.deploy.stack.stacks import Deployed, Recovery, Stacks
from gymops.deploy.stack.waiting import Means, Pace, Progress, drain
from gymops.deploy.syntax import parse
from gymops.deploy.template import Template
from tests.local_aws import Aws, unique

PACE = Pace(first=0.02, most=0.2, timeout=120.0, quiet=30.0)
MISSING = "{{resolve:secretsmanager:no-such-secret}}"
NAMED = ["CAPABILITY_NAMED_IAM"]


class Desk:
    """One stack of a test's own, and whoever deploys it."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.name = unique("stack")
        self.boto = aws.client("cloudformation")
        self.client: CloudFormation = CloudFormationClient(self.boto)
        self.told: list[Progress] = []
        self.previews: list[Preview] = []
        self.recoveries: list[Recovery] = []
        self.answer = True
        self.agrees = True

    @property
    def stacks(self) -> Stacks:
        return Stacks(self.client, Means(SystemClock(), PACE, attach="gymops attach staging"))

    def target(self, resources: dict[str, Any], **given: Any) -> StackTarget:
        body = {"Resources": resources, **given.pop("sections", {})}
        template = Template("test.yaml", parse(json.dumps(body), "test.yaml"))
        return StackTarget(self.name, "us-east-1", template, **given)

    def deploy(self, target: StackTarget, *, token: str = "", allowed: tuple[str, ...] = ()) -> Deployed:
        return drain(
            self.stacks.deploy(
                target,
                token=token or unique("op"),
                confirm=self.confirm,
                agree=self.agree,
                allowed=allowed,
            ),
            self.told.append,
        )

    def delete(self) -> None:
        drain(self.stacks.delete(self.name, token=unique("op")), self.told.append)

    def confirm(self, preview: Preview) -> bool:
        self.previews.append(preview)
        return self.answer

    def agree(self, recovery: Recovery) -> bool:
        self.recoveries.append(recovery)
        return self.agrees

    def now(self) -> Stack | None:
        return self.client.stack(self.name)

    def status(self) -> str:
        found = self.now()
        return found.status if found else "does not exist"

    def change_sets(self) -> list[str]:
        """Those that wait for an answer."""
        found = self.boto.list_change_sets(StackName=self.name)["Summaries"]
        return [one["ChangeSetName"] for one in found if one["ExecutionStatus"] != "EXECUTE_COMPLETE"]


@pytest.fixture
def desk(aws: Aws) -> Iterator[Desk]:
    found = Desk(aws)
    yield found
    found.boto.delete_stack(StackName=found.name)


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", **({"Properties": properties} if properties else {})}


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def topic(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SNS::Topic", "Properties": properties}
