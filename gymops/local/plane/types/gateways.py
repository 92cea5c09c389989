"""HTTP APIs and their stages: as their service makes them, so that they have an address and their settings.

The emulator's own types keep a template's spelling (``AllowOrigins``), which its service then does not read.
"""

from __future__ import annotations

from typing import Any

from gymops.local.plane.faults import Fault
from gymops.local.plane.types.kind import Kind, Made, Props, typed

_CORS = "CorsConfiguration"
_API = (
    "Name", "Description", "DisableExecuteApiEndpoint", "DisableSchemaValidation",
    "RouteSelectionExpression", "ApiKeySelectionExpression", "Version", _CORS,
)  # fmt: skip
_STAGE = (
    "AutoDeploy", "DefaultRouteSettings", "RouteSettings", "StageVariables", "AccessLogSettings",
    "Description", "DeploymentId", "ClientCertificateId",
)  # fmt: skip


class Api(Kind):
    """An API, at an address of its own."""

    name = "AWS::ApiGatewayV2::Api"
    gone = frozenset({"NotFoundException"})
    in_place = frozenset({*_API, "Tags"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        if props.get("Body") or props.get("BodyS3Location"):
            raise Fault("InvalidRequest", "The local AWS imports no OpenAPI: name routes and integrations")
        given = {"Name": f"{stack}-{logical_id}", **_given(props, _API)}
        found = self.calls.client("apigatewayv2").create_api(
            ProtocolType=props.get("ProtocolType", "HTTP"), Tags=props.get("Tags") or {}, **given
        )
        return found["ApiId"], _address(found)

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        gateway = self.calls.client("apigatewayv2")
        if old.get(_CORS) and not new.get(_CORS):
            gateway.delete_cors_configuration(ApiId=physical_id)
        return physical_id, _address(gateway.update_api(ApiId=physical_id, **_given(new, _API)))

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("apigatewayv2").delete_api(ApiId=physical_id)


class Stage(Kind):
    """A stage: its limits and where it logs are recorded, nothing is throttled or logged."""

    name = "AWS::ApiGatewayV2::Stage"
    gone = frozenset({"NotFoundException"})
    in_place = frozenset({*_STAGE, "Tags"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        self.calls.client("apigatewayv2").create_stage(
            ApiId=props["ApiId"], StageName=props["StageName"], Tags=props.get("Tags") or {},
            **_given(props, _STAGE),
        )  # fmt: skip
        return props["StageName"], {}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        self.calls.client("apigatewayv2").update_stage(
            ApiId=new["ApiId"], StageName=physical_id, **_given(new, _STAGE)
        )
        return physical_id, {}

    def remove(self, physical_id: str, props: Props) -> None:
        self.calls.client("apigatewayv2").delete_stage(ApiId=props["ApiId"], StageName=physical_id)


class RequestValidator(Kind):
    """What a REST API's methods ask of a request; the emulator's own type has a name and no rules."""

    name = "AWS::ApiGateway::RequestValidator"
    gone = frozenset({"NotFoundException"})
    in_place = frozenset({"ValidateRequestBody", "ValidateRequestParameters"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        found = self.calls.client("apigateway").create_request_validator(
            restApiId=props["RestApiId"], name=props.get("Name", f"{stack}-{logical_id}"),
            validateRequestBody=typed(props.get("ValidateRequestBody", False)),
            validateRequestParameters=typed(props.get("ValidateRequestParameters", False)),
        )  # fmt: skip
        return found["id"], {"RequestValidatorId": found["id"]}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        wanted = [
            {
                "op": "replace",
                "path": f"/{name[0].lower()}{name[1:]}",
                "value": str(new.get(name, False)).lower(),
            }
            for name in sorted(self.in_place)
        ]
        self.calls.client("apigateway").update_request_validator(
            restApiId=new["RestApiId"], requestValidatorId=physical_id, patchOperations=wanted
        )
        return physical_id, {"RequestValidatorId": physical_id}

    def remove(self, physical_id: str, props: Props) -> None:
        self.calls.client("apigateway").delete_request_validator(
            restApiId=props["RestApiId"], requestValidatorId=physical_id
        )


class VpcLink(Kind):
    """A way from an API to a load balancer in a VPC."""

    name = "AWS::ApiGatewayV2::VpcLink"
    gone = frozenset({"NotFoundException"})
    in_place = frozenset({"Name"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        found = self.calls.client("apigatewayv2").create_vpc_link(
            Name=props["Name"], SubnetIds=props["SubnetIds"],
            SecurityGroupIds=props.get("SecurityGroupIds") or [], Tags=props.get("Tags") or {},
        )  # fmt: skip
        return found["VpcLinkId"], {"VpcLinkId": found["VpcLinkId"]}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        self.calls.client("apigatewayv2").update_vpc_link(VpcLinkId=physical_id, Name=new["Name"])
        return physical_id, {"VpcLinkId": physical_id}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("apigatewayv2").delete_vpc_link(VpcLinkId=physical_id)


def _given(props: Props, names: tuple[str, ...]) -> dict[str, Any]:
    """Names stay text; whatever else looks like a number or a boolean is one."""
    texts = {"Name", "Description", "Version", "AccessLogSettings", "StageVariables"}
    return {key: props[key] if key in texts else typed(props[key]) for key in names if key in props}


def _address(found: dict[str, Any]) -> dict[str, Any]:
    return {"ApiId": found["ApiId"], "ApiEndpoint": found["ApiEndpoint"]}
