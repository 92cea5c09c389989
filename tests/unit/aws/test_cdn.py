"""CloudFront's invalidations, on moto's, and its answers that moto does not give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from gymops.aws.account import Account
from gymops.aws.cdn import Cdn
from gymops.aws.session import AwsError


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = boto3.client(
        "cloudfront", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
    )
    monkeypatch.setattr(Account, "client", lambda *_: found)
    return found


@pytest.fixture
def distribution(made: Any) -> Iterator[str]:
    with mock_aws():
        config = {
            "CallerReference": "one",
            "Origins": {"Quantity": 1, "Items": [{"Id": "s", "DomainName": "s.s3.amazonaws.com"}]},
            "DefaultCacheBehavior": {"TargetOriginId": "s", "ViewerProtocolPolicy": "https-only"},
            "Comment": "",
            "Enabled": True,
        }
        yield made.create_distribution(DistributionConfig=config)["Distribution"]["Id"]


def test_paths_are_forgotten_and_it_is_seen(distribution: str, made: Any) -> None:
    cdn = Cdn(Account("eu-central-1"))
    found = cdn.forget(distribution, ["/", "/index.html"], "op-1-pages")
    assert found
    cdn.forgotten(distribution, found)  # moto's never end
    batch = made.get_invalidation(DistributionId=distribution, Id=found)["Invalidation"]["InvalidationBatch"]
    assert (batch["Paths"]["Items"], batch["CallerReference"]) == (["/", "/index.html"], "op-1-pages")


def test_a_distribution_that_is_not_there_is_said(distribution: str) -> None:
    with pytest.raises(AwsError, match="clearing the cache of EABSENT"):
        Cdn(Account("eu-central-1")).forget("EABSENT", ["/"], "r")


def test_too_many_at_a_time_are_asked_for_again_and_one_that_runs_is_waited_for(made: Any) -> None:
    batch = {"CallerReference": "r", "Paths": {"Quantity": 1, "Items": ["/"]}}
    running = {
        "Id": "I1", "Status": "InProgress", "CreateTime": "2026-01-01T00:00:00Z", "InvalidationBatch": batch,
    }  # fmt: skip
    with Stubber(made) as stub:
        stub.add_client_error("create_invalidation", "TooManyInvalidationsInProgress")
        assert Cdn(Account("eu-central-1")).forget("E1", ["/"], "r") is None
        stub.add_response("get_invalidation", {"Invalidation": running}, {"DistributionId": "E1", "Id": "I1"})
        assert not Cdn(Account("eu-central-1")).forgotten("E1", "I1")
        done = {"Invalidation": running | {"Status": "Completed"}}
        stub.add_response("get_invalidation", done, {"DistributionId": "E1", "Id": "I1"})
        assert Cdn(Account("eu-central-1")).forgotten("E1", "I1")
        stub.add_client_error("create_invalidation", "AccessDenied")
        with pytest.raises(AwsError) as refused:
            Cdn(Account("eu-central-1")).forget("E1", ["/"], "r")
        assert refused.value.reason == "AccessDenied"
