"""REST APIs, what is in them and the links they reach a VPC by, asked of API Gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.stacks.environment import Held
from tests.integration.stacks.services.place import Looks, Place, by_name


def _of_api(call: str, argument: str) -> Callable[[Place, Held], Any]:
    """Of the REST API that the template names."""

    def look(at: Place, held: Held) -> Any:
        api = at.env.physical(held.stack, held.properties["RestApiId"]["Ref"])
        return getattr(at.apigateway, call)(restApiId=api, **{argument: held.physical})

    return look


def _method(at: Place, held: Held) -> Any:
    api = at.env.physical(held.stack, held.properties["RestApiId"]["Ref"])
    path = at.env.physical(held.stack, held.properties["ResourceId"]["Ref"])
    return at.apigateway.get_method(restApiId=api, resourceId=path, httpMethod=held.properties["HttpMethod"])


def _key(at: Place, held: Held) -> Any:
    return at.apigateway.get_api_key(apiKey=held.physical)


def _plan_key(at: Place, held: Held) -> Any:
    plan = at.env.physical(held.stack, held.properties["UsagePlanId"]["Ref"])
    key = at.env.physical(held.stack, held.properties["KeyId"]["Ref"])
    return at.apigateway.get_usage_plan_key(usagePlanId=plan, keyId=key)


def _account(at: Place, held: Held) -> Any:
    del held
    found = at.apigateway.get_account()
    return found if found.get("cloudwatchRoleArn") else None


LOOK: Looks = {
    "AWS::ApiGateway::Account": _account,
    "AWS::ApiGateway::ApiKey": _key,
    "AWS::ApiGateway::Deployment": _of_api("get_deployment", "deploymentId"),
    "AWS::ApiGateway::Method": _method,
    "AWS::ApiGateway::Model": _of_api("get_model", "modelName"),
    "AWS::ApiGateway::RequestValidator": _of_api("get_request_validator", "requestValidatorId"),
    "AWS::ApiGateway::Resource": _of_api("get_resource", "resourceId"),
    "AWS::ApiGateway::RestApi": by_name("apigateway", "get_rest_api", "restApiId", ""),
    "AWS::ApiGateway::Stage": _of_api("get_stage", "stageName"),
    "AWS::ApiGateway::UsagePlan": by_name("apigateway", "get_usage_plan", "usagePlanId", ""),
    "AWS::ApiGateway::UsagePlanKey": _plan_key,
    "AWS::ApiGatewayV2::VpcLink": by_name("apigatewayv2", "get_vpc_link", "VpcLinkId", ""),
}
