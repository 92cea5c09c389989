"""An architecture's stacks in one environment, made by CloudFormation calls as a user would make them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymops.deploy.parameters import complete
from gymops.deploy.template import LARGEST_INLINE, Architecture, Stack, Template, architecture, compose
from tests.local_aws import Aws, until

DOMAIN_ZONES = {"DomainZoneId": "Zone1Id", "SecondDomainZoneId": "Zone2Id", "ThirdDomainZoneId": "Zone3Id"}
"""The zones' parameters, and the outputs of the zones' stack that an operator copies into them."""


@dataclass(frozen=True)
class Held:
    """A resource of a stack."""

    stack: str
    name: str
    kind: str
    physical: str
    region: str
    policy: str
    """Its DeletionPolicy."""
    properties: Mapping[str, Any]
    """As they stand in the template."""


class Environment:
    """One environment in an account."""

    def __init__(
        self,
        aws: Aws,
        name: str,
        account: str,
        artefact: Path | None,
        given: Mapping[str, str],
        of: str = "titan-trakr",
    ) -> None:
        self.aws = aws
        self.of = shipped(of)
        self.name = name
        self.account = account
        self.outputs: dict[str, dict[str, str]] = {}
        """By the name of the stack."""
        self._artefact = artefact
        self._given = dict(given)
        self._physical: dict[tuple[str, str], str] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        return self.aws.client(service, self.account, region or self.of.region)

    @property
    def stacks(self) -> list[Stack]:
        return [one for one in self.of.stacks if one.wanted(self._given)]

    def create(self, **more: str) -> None:
        """All stacks, in their order; the artefact goes where ``base`` says."""
        self._given |= more
        for stack in self.stacks:
            self.send(stack, "create", composed(self.of.name, stack.name))
            self.rest(stack, "CREATE_COMPLETE")
            if stack.name == "base" and self._artefact:
                self._given |= self._upload(self._artefact)
        self._physical = {(one.stack, one.name): one.physical for one in self.held()}

    def physical(self, stack: str, name: str) -> str:
        """A resource's physical id; also when it is gone."""
        return self._physical[stack, name]

    @property
    def given(self) -> dict[str, str]:
        """What is known for parameters: by the operator, and by the stacks so far."""
        outputs = {name: value for one in self.outputs.values() for name, value in one.items()}
        zones = {name: outputs[out] for name, out in DOMAIN_ZONES.items() if out in outputs}
        return {**outputs, **zones, **self._given}

    def send(self, stack: Stack, what: str, template: Template, **changed: str) -> None:
        """Create or update; a template too large for the call goes through the bucket."""
        call = getattr(self.client("cloudformation", stack.region), f"{what}_stack")
        call(
            StackName=self.stack_name(stack), Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=self.parameters(stack, template, changed), **self._body(stack, template),
        )  # fmt: skip

    def rest(self, stack: Stack, status: str) -> None:
        """Wait until it is at rest in this state; its outputs are known from then on."""
        client = self.client("cloudformation", stack.region)
        name = self.stack_name(stack)
        found = until(functools.partial(_resting, client, name), seconds=180)
        assert found["StackStatus"] == status, _reasons(client, found["StackId"])
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        self.outputs[stack.name] = outputs

    def delete(self) -> None:
        """All stacks, the last first."""
        for stack in reversed(self.stacks):
            client = self.client("cloudformation", stack.region)
            name = client.describe_stacks(StackName=self.stack_name(stack))["Stacks"][0]["StackId"]
            client.delete_stack(StackName=name)
            found = until(functools.partial(_resting, client, name), seconds=180)
            assert found["StackStatus"] == "DELETE_COMPLETE", _reasons(client, name)

    def held(self) -> list[Held]:
        """Every resource of every stack."""
        found = []
        for stack in self.stacks:
            client = self.client("cloudformation", stack.region)
            body = composed(self.of.name, stack.name).body["Resources"]
            pages = client.get_paginator("list_stack_resources").paginate(StackName=self.stack_name(stack))
            found += [
                Held(
                    stack.name, one["LogicalResourceId"], one["ResourceType"], one["PhysicalResourceId"],
                    stack.region, body[one["LogicalResourceId"]].get("DeletionPolicy", "Delete"),
                    body[one["LogicalResourceId"]].get("Properties", {}),
                )
                for page in pages
                for one in page["StackResourceSummaries"]
            ]  # fmt: skip
        return found

    def stack_name(self, stack: Stack) -> str:
        own = f"{self.of.name}-{stack.name}"
        return own if stack.scope == "account" else f"{self.name}-{own}"

    def parameters(
        self, stack: Stack, template: Template, changed: Mapping[str, str] | None = None
    ) -> list[dict[str, str]]:
        known = {**self.given, **(changed or {})}
        given = {name: value for name, value in known.items() if name in template.parameters}
        values = complete(template, given, whose=self.name)
        return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]

    def _body(self, stack: Stack, template: Template) -> dict[str, str]:
        if len(template.text.encode()) <= LARGEST_INLINE:
            return {"TemplateBody": template.text}
        bucket, key = self.outputs["base"]["ReleaseBucketName"], f"templates/{stack.name}.json"
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=template.text.encode())
        return {"TemplateURL": f"{self.aws.settings.url}/{bucket}/{key}"}

    def _upload(self, artefact: Path) -> dict[str, str]:
        """The artefact under keys that hold its digest."""
        built = json.loads((artefact / "artefact.json").read_text(encoding="utf-8"))
        bucket = self.outputs["base"]["ReleaseBucketName"]
        keys = {}
        for blob in built["blobs"]:
            keys[blob["name"]] = f"artefacts/{blob['digest'].removeprefix('sha256:')}/{blob['name']}"
            content = (artefact / blob["name"]).read_bytes()
            self.client("s3").put_object(Bucket=bucket, Key=keys[blob["name"]], Body=content)
        return {
            "CodeBucket": bucket, "CodeKey": keys["app.zip"], "LayerKey": keys["layer.zip"],
            "Architecture": built["arch"], "Runtime": f"python{built['python']}",
        }  # fmt: skip


@functools.cache
def shipped(name: str) -> Architecture:
    return architecture(name)


@functools.cache
def composed(architecture: str, stack: str) -> Template:
    return compose(shipped(architecture).stack(stack).template)


def _resting(client: Any, name: str) -> Any:
    found = client.describe_stacks(StackName=name)["Stacks"][0]
    return None if found["StackStatus"].endswith("IN_PROGRESS") else found


def _reasons(client: Any, stack: str) -> list[tuple[str, str]]:
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    return [
        (event["LogicalResourceId"], event["ResourceStatusReason"])
        for event in events
        if event.get("ResourceStatusReason") and "FAILED" in event["ResourceStatus"]
    ]
