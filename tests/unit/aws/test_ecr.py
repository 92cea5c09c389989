"""ECR on moto: who we are, what a repository holds, and what it lets go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from gymops.aws.account import Account
from gymops.aws.ecr import EcrRepository, login
from gymops.aws.session import AwsError
from gymops.deploy.build.image import MANIFEST
from gymops.errors import ConfigError

URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/shop"
SELECTION = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 9}
POLICY = json.dumps({"rules": [{"rulePriority": 1, "selection": SELECTION, "action": {"type": "expire"}}]})


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        made = boto3.client(
            "ecr", region_name="eu-central-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
        )
        monkeypatch.setattr(Account, "client", lambda *_, **__: made)
        yield made


def test_a_token_is_user_and_password(ecr: Any) -> None:
    user, password = login(Account("eu-central-1"), "eu-central-1")
    assert user == "AWS"
    assert password
    assert EcrRepository.of(Account("us-east-1"), URI).login() == (user, password)


def test_a_policy_or_none(ecr: Any) -> None:
    found = EcrRepository.of(Account("us-east-1"), URI)
    assert (found.region, found.name) == ("eu-central-1", "team/shop")
    with pytest.raises(AwsError, match="the repository team/shop"):
        found.policy()
    ecr.create_repository(repositoryName="team/shop")
    assert found.policy() is None
    ecr.put_lifecycle_policy(repositoryName="team/shop", lifecyclePolicyText=POLICY)
    assert found.policy() == POLICY


def test_each_image_with_its_tags(ecr: Any) -> None:
    found = EcrRepository.of(Account("us-east-1"), URI)
    with pytest.raises(AwsError, match="the repository team/shop"):
        found.tags()
    ecr.create_repository(repositoryName="team/shop")
    assert found.tags() == {}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []})
    for tag in ("keep", "staging"):
        told = ecr.put_image(repositoryName="team/shop", imageManifest=manifest, imageTag=tag)
    digest = told["image"]["imageId"]["imageDigest"]
    assert found.tags() == {digest: {"keep", "staging"}}


@pytest.mark.parametrize("uri", ["registry.example.com/shop", "docker.io/library/python", "shop"])
def test_another_registry_is_none(uri: str) -> None:
    with pytest.raises(ConfigError, match="no repository of ECR"):
        EcrRepository.of(Account("us-east-1"), uri)
