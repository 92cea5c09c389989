"""What the emulator's own resource types pass over, and ours do for them: when it is mended, ours can go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gymops.local.plane.types.all import INSTEAD
from tests.integration.local.test_ministack_contract import _run, python

__all__ = ["python"]

pytestmark = pytest.mark.long

_UPDATE = ["physical_id", "old_props", "new_props", "stack_name", "logical_id"]
_HANDLERS = "handlers = ministack.handlers()\n"


def test_what_takes_its_place_is_there(python: Path) -> None:
    there = _run(python, "print(json.dumps(sorted(ministack.handlers())))")
    assert {kind.name for kind in INSTEAD} <= set(there)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        pytest.param(
            """
vault = handlers["AWS::Backup::BackupVault"]
props = {"BackupVaultName": "v", "LockConfiguration": {"MinRetentionDays": 7}}
vault["create"]("V", props, "s")
print(json.dumps("MinRetentionDays" in ministack.service("backup")._vaults["v"]))
""", False, id="a vault's lock",
        ),
        pytest.param(
            """
bucket, versions = handlers["AWS::S3::Bucket"], ministack.service("s3")._bucket_versioning
on, off = {"Status": "Enabled"}, {"Status": "Suspended"}
props = [{"BucketName": "bbb", "VersioningConfiguration": one} for one in (on, off)]
bucket["create"]("B", props[0], "s")
bucket["update"]("bbb", *props, "s")
print(json.dumps(versions["bbb"]))
""", "Enabled", id="versioning that is suspended",
        ),
        pytest.param(
            """
props = {"Name": "n", "GroupName": "none", "ScheduleExpression": "rate(1 hour)"}
made = handlers["AWS::Scheduler::Schedule"]["create"]("S", props, "s")
print(json.dumps([made[0], len(ministack.service("scheduler")._schedules)]))
""", ["n", 0], id="a schedule that its service refuses",
        ),
        pytest.param(
            """
first = ministack.service("apigateway_v1")
api, made = handlers["AWS::ApiGateway::RestApi"]["create"]("A", {"Name": "a"}, "s")
props = {"RestApiId": api, "ResourceId": made["RootResourceId"], "HttpMethod": "GET", "Integration": {
    "Type": "HTTP_PROXY", "Uri": "http://in.example/", "ConnectionType": "VPC_LINK", "ConnectionId": "link"}}
handlers["AWS::ApiGateway::Method"]["create"]("M", props, "s")
method = first._resources[api][made["RootResourceId"]]["resourceMethods"]["GET"]
with ministack.scope("999999999999", "us-east-1"):
    print(json.dumps(["connectionId" in method["methodIntegration"], first.find_api_scope(api)]))
""", [False, None], id="a method's VPC link, and an API that nobody signs for",
        ),
        pytest.param(
            """
vpc = handlers["AWS::EC2::VPC"]["create"]("V", {"CidrBlock": "10.0.0.0/16"}, "s")[0]
made = handlers["AWS::EC2::Subnet"]["create"]("N", {"VpcId": vpc, "CidrBlock": "10.0.1.0/24"}, "s")
print(json.dumps("CidrBlock" in made[1]))
""", False, id="a subnet's block",
        ),
        pytest.param(
            """
key, spec = [{"AttributeName": "id", "KeyType": "HASH"}], {"SSEEnabled": True, "SSEType": "KMS"}
props = {"TableName": "t", "KeySchema": key, "SSESpecification": spec}
handlers["AWS::DynamoDB::Table"]["create"]("T", props, "s")
print(json.dumps(ministack.service("dynamodb")._tables["t"]["SSEDescription"]))
""", None, id="a table's encryption",
        ),
        pytest.param(
            """
props = {"Name": "a", "ProtocolType": "HTTP", "CorsConfiguration": {"AllowOrigins": ["*"]}}
made = handlers["AWS::ApiGatewayV2::Api"]["create"]("A", props, "s")[0]
api = ministack.service("apigateway")._apis[made]
print(json.dumps(ministack.service("apigateway")._cors_response_headers(api["corsConfiguration"], "https://a")))
""", {}, id="the origins of an API, in the spelling of a template",
        ),
    ],
)  # fmt: skip
def test_it_still_passes_over(python: Path, code: str, found: Any) -> None:
    assert _run(python, _HANDLERS + code) == found


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("AWS::Backup::BackupVault", _UPDATE),
        ("AWS::DynamoDB::Table", _UPDATE),
        ("AWS::EC2::Subnet", _UPDATE),
        ("AWS::S3::Bucket", _UPDATE[:-1]),
        (
            "AWS::SecretsManager::Secret",
            ["physical_id", "old_props", "new_props", "stack_name", "logical_id"],
        ),
    ],
)
def test_the_updates_that_we_take_over_are_called_as_they_were(
    python: Path, kind: str, parameters: list[str]
) -> None:
    code = f"import inspect\nprint(json.dumps([*inspect.signature(handlers[{kind!r}]['update']).parameters]))"
    assert _run(python, _HANDLERS + code) == parameters
