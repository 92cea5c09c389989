"""The benchmark of deploys counts calls by name, and takes CloudFormation's own time out."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.benchmarks import deploy
from tests.benchmarks.counting import called
from tests.benchmarks.deploy import CODE, NOTHING, Cli, Gymops, Run

STACK = "arn:aws:cloudformation:eu-central-1:222222222222:stack/staging-shop/1"


def _signed(service: str) -> dict[str, str]:
    scope = f"2/20261121/eu-central-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}


@pytest.mark.parametrize(
    ("service", "method", "path", "name"),
    [
        ("s3", "GET", "/bucket/a/b.json", "GetObject"),
        ("s3", "HEAD", "/bucket/a", "HeadObject"),
        ("s3", "PUT", "/bucket/a?x-id=PutObject", "PutObject"),
        ("s3", "DELETE", "/bucket/a", "DeleteObject"),
        ("s3", "GET", "/bucket?list-type=2&prefix=a/", "ListObjectsV2"),
        ("lambda", "GET", "/2015-03-31/functions/shop/aliases/live", "GetAlias"),
        ("lambda", "POST", "/2015-03-31/functions/shop/invocations?Qualifier=3", "Invoke"),
        ("lambda", "GET", "/no/such/address", "GET /no/such/address"),
        ("nowhere", "GET", "/", "GET /"),
    ],
)
def test_a_call_is_known_by_its_address(service: str, method: str, path: str, name: str) -> None:
    assert called(method, path, _signed(service), b"") == f"{service} {name}"


def test_a_call_is_known_by_what_its_protocol_says() -> None:
    asked = b"Action=DescribeStacks&Version=2010-05-15&StackName=shop"
    assert called("POST", "/", _signed("cloudformation"), asked) == "cloudformation DescribeStacks"
    target = {**_signed("secretsmanager"), "X-Amz-Target": "secretsmanager.GetSecretValue"}
    assert called("POST", "/", target, b"{}") == "secretsmanager GetSecretValue"
    smithy = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"
    assert called("POST", smithy, _signed("monitoring"), b"") == "monitoring DescribeAlarms"
    assert called("GET", "/", {}, b"") == "? GET /"


def _event(second: float, status: str, physical: str = STACK) -> dict[str, Any]:
    at = datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=second)
    return {"StackId": STACK, "PhysicalResourceId": physical, "ResourceStatus": status, "Timestamp": at}


def test_what_passes_between_two_operations_is_not_cloudformations_own_time() -> None:
    events = [
        _event(1, "UPDATE_IN_PROGRESS"),
        _event(2, "UPDATE_COMPLETE", "shop"),
        _event(3, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        _event(4, "UPDATE_COMPLETE"),
        _event(10, "UPDATE_IN_PROGRESS"),
        _event(12, "UPDATE_COMPLETE"),
    ]
    assert deploy.moving(events) == 5
    assert deploy.moving([]) == 0


def test_the_report_gives_calls_and_the_seconds_beyond() -> None:
    ours, theirs = Counter({"s3 PutObject": 2, "s3 GetObject": 1}), Counter({"s3 PutObject": 1})
    told = deploy.report(
        {
            (NOTHING, Gymops.name): [Run(3.0, 0.0, ours), Run(4.0, 0.0, ours), Run(5.0, 0.0, ours)],
            (NOTHING, Cli.name): [Run(2.0, 0.0, theirs)],
            (CODE, Gymops.name): [Run(6.0, 1.0, ours)],
        },
        load=0.0,
    )
    assert "| nothing changed | gymops deploy | 3 | 4.00 | 0.00 | 4.00 (3.00-5.00) | 2.00 |" in told
    assert (
        "| nothing changed | aws cloudformation deploy | 1 | 2.00 | 0.00 | 2.00 (2.00-2.00) | 1.00 |" in told
    )
    assert "| other code | gymops deploy | 3 | 6.00 | 1.00 | 5.00 (5.00-5.00) | - |" in told
    assert "gymops deploy, nothing changed: s3 PutObject 2, s3 GetObject 1." in told


@pytest.mark.long
def test_a_run_from_end_to_end(emulator_installed: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["--runs", "1"]) == 0
    told = capsys.readouterr().out
    assert "| nothing changed | gymops deploy |" in told
    nothing, _, code = told.partition("gymops deploy, nothing changed: ")[2].partition(
        "gymops deploy, other code: "
    )
    assert "cloudformation CreateChangeSet 1," in nothing
    assert "PublishVersion" not in nothing
    assert "cloudformation ExecuteChangeSet 2," in code
