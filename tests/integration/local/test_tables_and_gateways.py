"""Tables, users and HTTP APIs that a stack makes: what their services then do, and not only remember."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.functions import deploy
from tests.integration.local.test_types import Stack
from tests.local_aws import Aws, unique

_TABLE: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": "true",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "SSESpecification": {"SSEEnabled": "true", "SSEType": "KMS", "KMSMasterKeyId": "alias/aws/dynamodb"},
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": "true"},
    "TimeToLiveSpecification": {"AttributeName": "ends", "Enabled": "true"},
}  # fmt: skip
SECRET = "Twelve-letters-1"


def test_a_table_is_encrypted_recoverable_and_kept_while_it_is_protected(aws: Aws) -> None:
    stack, tables = Stack(aws), aws.client("dynamodb")
    stack.create({"Table": {"Type": "AWS::DynamoDB::Table", "Properties": _TABLE}})
    name = stack.physical("Table")
    tables.put_item(TableName=name, Item={"id": {"S": "one"}, "n": {"N": "1.50"}})
    assert tables.describe_table(TableName=name)["Table"]["SSEDescription"]["Status"] == "ENABLED"
    assert (_recovery(tables, name), _expiry(tables, name)) == ("ENABLED", ("ENABLED", "ends"))
    stack.delete("DELETE_FAILED")
    assert "protected against deletion" in stack.reasons()
    free = {**_TABLE, "DeletionProtectionEnabled": "false"}
    for gone in ("PointInTimeRecoverySpecification", "TimeToLiveSpecification"):
        del free[gone]
    stack = Stack(aws)
    stack.create(
        {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": {**_TABLE, "TableName": stack.name}}}
    )
    tables.put_item(TableName=stack.name, Item={"id": {"S": "one"}})
    changed = {**free, "TableName": stack.name}
    stack.update({"Table": {"Type": "AWS::DynamoDB::Table", "Properties": changed}})
    assert (_recovery(tables, stack.name), _expiry(tables, stack.name)[0]) == ("DISABLED", "DISABLED")
    assert tables.scan(TableName=stack.name)["Count"] == 1
    assert tables.describe_table(TableName=stack.name)["Table"]["SSEDescription"]["Status"] == "ENABLED"
    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        tables.describe_table(TableName=stack.name)


def test_a_table_whose_name_is_taken_is_not_written_over(aws: Aws) -> None:
    stack, name, tables = Stack(aws), unique("taken"), aws.client("dynamodb")
    given = {key: _TABLE[key] for key in ("BillingMode", "AttributeDefinitions", "KeySchema")}
    tables.create_table(TableName=name, **given)
    tables.put_item(TableName=name, Item={"id": {"S": "one"}})
    wanted = {"Type": "AWS::DynamoDB::Table", "Properties": {**_TABLE, "TableName": name}}
    stack.create({"Table": wanted}, "ROLLBACK_COMPLETE")
    assert tables.scan(TableName=name)["Count"] == 1


def test_an_api_answers_at_its_address_by_its_origins_and_for_who_is_signed_in(aws: Aws) -> None:
    source = """
import json
def handler(event, context):
    if event["rawPath"] == "/broken":
        raise RuntimeError("a secret")
    if event["rawPath"] == "/busy":
        return {"statusCode": 500, "body": "[]"}
    who = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    return {"statusCode": 200, "body": json.dumps([event["rawPath"], who.get("email")])}
"""
    stack, function = Stack(aws), deploy(aws, source)
    lambdas = aws.client("lambda")
    version = lambdas.publish_version(FunctionName=function)["Version"]
    arn = lambdas.create_alias(FunctionName=function, Name="live", FunctionVersion=version)["AliasArn"]
    resources = _gateway(arn)
    made = stack.create(
        resources, Url=_get("Api", "ApiEndpoint"), Client={"Ref": "Client"}, Pool={"Ref": "Pool"}
    )
    assert _call(made["Url"] + "/open") == (200, ["/open", None])
    assert _call(made["Url"] + "/own/me")[0] == 401
    token = _signed_in(aws, made["Pool"], made["Client"])
    assert _call(made["Url"] + "/own/me", token) == (200, ["/own/me", "a@example.com"])
    assert _call(made["Url"] + "/own/me", token[:-8] + "AAAAAAAA")[0] == 401
    assert _allowed(made["Url"], "https://a.example") == (204, "https://a.example")
    assert _allowed(made["Url"], "https://b.example") == (403, None)
    assert _call(made["Url"] + "/broken") == (500, {"message": "Internal Server Error"})
    assert _call(made["Url"] + "/busy") == (500, [])
    assert [_counted(aws, function, one) for one in ("Invocations", "Errors", "Throttles")] == [4, 1, 0]
    gateway, api = aws.client("apigatewayv2"), stack.physical("Api")
    stage = gateway.get_stage(ApiId=api, StageName="$default")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 50.0
    resources["Api"]["Properties"]["CorsConfiguration"] = {"AllowOrigins": ["https://b.example"]}
    resources["Stage"]["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"] = "60"
    changed = stack.update(resources, Url=_get("Api", "ApiEndpoint"))
    assert changed["Url"] == made["Url"]
    assert _allowed(made["Url"], "https://b.example") == (204, "https://b.example")
    stage = gateway.get_stage(ApiId=api, StageName="$default")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 60.0
    stack.delete()
    with pytest.raises(ClientError, match="NotFound"):
        gateway.get_api(ApiId=api)


def _gateway(function: str) -> dict[str, Any]:
    api = {"Ref": "Api"}
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    issuer = {"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}"}
    target = {"Fn::Sub": "integrations/${Integration}"}
    properties = {
        "Cognito::UserPool Pool": {"PoolName": "ignored", "UsernameAttributes": ["email"]},
        "Cognito::UserPoolClient Client": {"UserPoolId": {"Ref": "Pool"}, "ExplicitAuthFlows": flows},
        "ApiGatewayV2::Api Api": {
            "Name": unique("api"), "ProtocolType": "HTTP",
            "CorsConfiguration": {"AllowOrigins": ["https://a.example"], "MaxAge": "600"},
        },
        "ApiGatewayV2::Stage Stage": {
            "ApiId": api, "StageName": "$default", "AutoDeploy": "true",
            "DefaultRouteSettings": {"ThrottlingRateLimit": "50", "ThrottlingBurstLimit": "100"},
        },
        "ApiGatewayV2::Integration Integration": {
            "ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": function,
            "PayloadFormatVersion": "2.0",
        },
        "ApiGatewayV2::Authorizer SignedIn": {
            "ApiId": api, "Name": "users", "AuthorizerType": "JWT",
            "IdentitySource": ["$request.header.Authorization"],
            "JwtConfiguration": {"Audience": [{"Ref": "Client"}], "Issuer": issuer},
        },
        "ApiGatewayV2::Route Everything": {"ApiId": api, "RouteKey": "$default", "Target": target},
        "ApiGatewayV2::Route Own": {
            "ApiId": api, "RouteKey": "ANY /own/{proxy+}", "Target": target, "AuthorizationType": "JWT",
            "AuthorizerId": {"Ref": "SignedIn"},
        },
    }  # fmt: skip
    return {
        name: {"Type": f"AWS::{kind}", "Properties": given}
        for (kind, _, name), given in ((key.partition(" "), given) for key, given in properties.items())
    }


def _signed_in(aws: Aws, pool: str, client: str) -> str:
    """An id token, as Cognito gives it to somebody who registered."""
    users = aws.client("cognito-idp")
    email = [{"Name": "email", "Value": "a@example.com"}]
    users.sign_up(ClientId=client, Username="a@example.com", Password=SECRET, UserAttributes=email)
    users.admin_confirm_sign_up(UserPoolId=pool, Username="a@example.com")
    given = {"USERNAME": "a@example.com", "PASSWORD": SECRET}
    wrong = {**given, "PASSWORD": "Another-word-1"}
    with pytest.raises(ClientError, match="NotAuthorized"):
        users.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=wrong)
    found = users.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
    return str(found["AuthenticationResult"]["IdToken"])


def _call(url: str, token: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _allowed(url: str, origin: str) -> tuple[int, str | None]:
    """What a page of this origin is told before it calls."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    request = urllib.request.Request(f"{url}/open", headers=asked, method="OPTIONS")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, answer.headers["Access-Control-Allow-Origin"]
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Access-Control-Allow-Origin"]


def _counted(aws: Aws, function: str, metric: str) -> float:
    """Calls of the alias, as the template's alarms look at them."""
    now = datetime.now(UTC)
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName=metric, Statistics=["Sum"], Period=3600,
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1),
        Dimensions=[{"Name": "FunctionName", "Value": function},
                    {"Name": "Resource", "Value": f"{function}:live"}],
    )  # fmt: skip
    return float(sum(one["Sum"] for one in found["Datapoints"]))


def _recovery(tables: Any, name: str) -> str:
    found = tables.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return str(found["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"])


def _expiry(tables: Any, name: str) -> tuple[str, str]:
    found = tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return str(found["TimeToLiveStatus"]), str(found.get("AttributeName"))


def _get(name: str, attribute: str) -> Any:
    return {"Fn::GetAtt": [name, attribute]}
