"""The parts of fitzen-coach that need no task and no load balancer, in a stack of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gymops import resources
from gymops.deploy.template import compose
from tests.integration.local.functions import RUNTIME
from tests.local_aws import Aws, unique

_FUNCTIONS = ("analytics", "cleanup", "digest", "reminders", "streaks")
_PARTS = (
    "shared/key.yaml", "shared/alerts.yaml", "fitzen-coach/data.yaml", "fitzen-coach/topics.yaml",
    "fitzen-coach/users.yaml", "fitzen-coach/photos.yaml", "fitzen-coach/jobs.yaml",
    *(f"fitzen-coach/functions/{name}.yaml" for name in _FUNCTIONS),
)  # fmt: skip
_REST = """
Parameters:
  AppName: {Type: String}
  Environment: {Type: String}
  LogDays: {Type: Number, Default: 30}
  FrontendUrl: {Type: String, Default: "https://coach.example"}
  Distribution: {Type: String, Default: E1}
  DataStore: {Type: String, Default: dynamodb}
Conditions:
  Protected: !Equals [!Ref Environment, nowhere]
  PostgresOn: !Equals [!Ref DataStore, postgres]
"""


class Coach:
    """Its stack, and what is asked of it."""

    def __init__(self, aws: Aws, folder: Path, **given: str) -> None:
        self.aws, self.app, self.folder = aws, unique("c")[:12], folder
        self.name = f"test-{self.app}"
        self._send("create", given)

    def update(self, **given: str) -> None:
        """The same templates with these parameters."""
        self._send("update", given)

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def physical(self, logical: str) -> str:
        found = self.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def resources(self) -> set[str]:
        """The logical names of what is there."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        found = [
            one for page in pages.paginate(StackName=self.name) for one in page["StackResourceSummaries"]
        ]
        return {one["LogicalResourceId"] for one in found if one["ResourceStatus"] != "DELETE_COMPLETE"}

    def _send(self, what: str, given: dict[str, str]) -> None:
        parts = "".join(f"\n  - {resources.path('cloudformation') / part}" for part in _PARTS)
        template = self.folder / "template.yaml"
        template.write_text(
            f'AWSTemplateFormatVersion: "2010-09-09"\nParts:{parts}\n{_REST}', encoding="utf-8"
        )
        wanted = {
            "AppName": self.app,
            "Environment": "test",
            "AlertTopicName": self.app,
            "JobsRuntime": RUNTIME,
            **given,
        }
        s3, bucket = self.client("s3"), f"templates-{self.app}"
        if what == "create":
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="t.json", Body=compose(template).text.encode())
        getattr(self.client("cloudformation"), f"{what}_stack")(
            StackName=self.name, TemplateURL=f"{self.aws.settings.url}/{bucket}/t.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in wanted.items()],
        )  # fmt: skip
        self.aws.stack(self.name, f"{what.upper()}_COMPLETE")


def messages(aws: Aws, topic: str) -> Any:
    """A queue that hears the topic; calling it gives what has come since, by person."""
    sqs, queue = aws.client("sqs"), unique("heard")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def heard() -> list[tuple[str, str, str]]:
        found = []
        while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for one in got:
                body = json.loads(one["Body"])
                attributes = {key: value["Value"] for key, value in body["MessageAttributes"].items()}
                found.append((attributes["user_id"], attributes["kind"], body["Message"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return sorted(found)

    return heard
