"""Which of an environment's tables and buckets hold its data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from gymops.cli.items import found
from gymops.deploy.verbs.site import Site

STACKS = {
    "base": [("AWS::S3::Bucket", "images")],
    "app": [
        ("AWS::S3::Bucket", "photos"),
        ("AWS::DynamoDB::Table", "users"),
        ("AWS::S3::Bucket", "releases"),
    ],
    "pipeline": [("AWS::S3::Bucket", "sources")],
}


def test_what_a_release_or_a_repository_brings_again_is_no_data() -> None:
    def resources(name: str) -> list[Any]:
        return [SimpleNamespace(kind=kind, physical=named, live=True) for kind, named in STACKS[name]]

    stacks = [
        SimpleNamespace(name=name, scope="account" if name == "base" else "environment") for name in STACKS
    ]
    deployment = SimpleNamespace(
        stacks=lambda: stacks, region_of=lambda _: "us-east-1", stack_name=lambda stack: stack.name
    )
    reader = SimpleNamespace(stack=lambda name: name, resources=resources)
    site = SimpleNamespace(
        deployment=deployment, reader=lambda _: reader, outputs=lambda _: {"ReleaseBucketName": "releases"}
    )
    assert [(one.kind, one.name) for one in found(cast(Site, site))] == [
        ("table", "users"), ("bucket", "photos"),
    ]  # fmt: skip
