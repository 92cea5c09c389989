"""REST APIs behind which a VPC link leads to a load balancer: its targets answer who asks the API."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.test_types import Stack
from tests.local_aws import Aws, unique, until

_NAMED = "/api/users/{id}"


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        names = ("x-origin", "x-own", "host")
        found = [self.command, self.path, body, [self.headers.get(name) for name in names]]
        text = json.dumps(found).encode()
        self.send_response(418 if self.path.startswith("/api/users/teapot") else 200)
        self.send_header("X-Answer", "echo")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: Any) -> None:
        """Says nothing else."""

    do_GET = do_PUT = do_POST = _any  # noqa: N815


@pytest.fixture
def target() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_request_goes_through_a_vpc_link_and_comes_back_whole(aws: Aws, target: int) -> None:
    stack = Stack(aws)
    resources = _api()
    stage = {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}"}
    url = stack.create(resources, Url=stage)["Url"]
    aws.client("elbv2").register_targets(
        TargetGroupArn=stack.physical("Targets"), Targets=[{"Id": "127.0.0.1", "Port": target}]
    )
    asked = {"X-Own": "mine", "X-Origin": "forged"}
    until(lambda: _ask(f"{url}/health")[0] == 200)
    status, answered, found = _ask(f"{url}/api/users/a%20b?q=1&q=%C3%BC&", "PUT", b"sent", asked)
    method, path, body, heads = found
    assert (status, answered, method, body) == (200, "echo", "PUT", "sent")
    assert path == "/api/users/a%20b?q=1&q=%C3%BC"
    assert heads == ["from the gateway", "mine", "in.example"]
    assert _ask(f"{url}/api/users/teapot")[0] == 418
    assert _ask(f"{url}/api/users")[:1] == (403,)  # the API has no such path
    assert _ask(f"{url}/health")[2][1] == "/health"
    rest, api = aws.client("apigateway"), stack.physical("Api")
    found = rest.get_stage(restApiId=api, stageName="live")
    assert (found["cacheClusterEnabled"], found["cacheClusterSize"]) == (True, "0.5")
    assert found["methodSettings"]["*/*"]["throttlingRateLimit"] == 10000.0
    assert found["accessLogSettings"]["format"] == "$context.requestId"

    links, link = aws.client("apigatewayv2"), stack.physical("Link")
    assert links.get_vpc_link(VpcLinkId=link)["VpcLinkStatus"] == "AVAILABLE"
    resources["Link"]["Properties"]["Name"] = "another"
    resources["Users"]["Properties"]["Integration"]["Uri"] = "http://in.example/v2/{id}"
    resources["Stage"]["Properties"]["CacheClusterEnabled"] = "false"
    stack.update(resources, Url=stage)
    assert _ask(f"{url}/api/users/me")[2][1] == "/v2/me"
    assert links.get_vpc_link(VpcLinkId=link)["Name"] == "another"
    assert not rest.get_stage(restApiId=api, stageName="live")["cacheClusterEnabled"]
    links.delete_vpc_link(VpcLinkId=link)
    assert _ask(f"{url}/api/users/me")[0] == 500
    stack.delete()
    with pytest.raises(ClientError, match="NotFoundException"):
        links.get_vpc_link(VpcLinkId=link)


def _ask(url: str, method: str = "GET", body: bytes | None = None, headers: Any = None) -> Any:
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return answer.status, answer.headers["X-Answer"], json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["X-Answer"], error.read()


def _api() -> dict[str, Any]:
    api, name = {"Ref": "Api"}, unique("rest")[:20]
    root, listened = {"Fn::GetAtt": ["Api", "RootResourceId"]}, {"Ref": "Balancer"}

    def integration(path: str, **mapped: str) -> dict[str, Any]:
        return {
            "Type": "HTTP_PROXY", "IntegrationHttpMethod": "ANY", "ConnectionType": "VPC_LINK",
            "ConnectionId": {"Ref": "Link"}, "IntegrationTarget": listened, "Uri": f"http://in.example{path}",
            "RequestParameters": {
                "integration.request.header.X-Origin": "'from the gateway'",
                **{f"integration.request.path.{one}": source for one, source in mapped.items()},
            },
        }  # fmt: skip

    properties: dict[str, dict[str, Any]] = {
        "ElasticLoadBalancingV2::LoadBalancer Balancer": {"Name": name},
        "ElasticLoadBalancingV2::TargetGroup Targets": {
            "Name": name, "Port": 80, "Protocol": "HTTP", "TargetType": "ip",
            "HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 5,
        },
        "ElasticLoadBalancingV2::Listener Listener": {
            "LoadBalancerArn": listened, "Port": 80, "Protocol": "HTTP",
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}],
        },
        "ApiGatewayV2::VpcLink Link": {"Name": name, "SubnetIds": ["subnet-1"]},
        "ApiGateway::RestApi Api": {"Name": name},
        "ApiGateway::Resource First": {"RestApiId": api, "ParentId": root, "PathPart": "api"},
        "ApiGateway::Resource Second": {"RestApiId": api, "ParentId": {"Ref": "First"}, "PathPart": "users"},
        "ApiGateway::Resource Third": {"RestApiId": api, "ParentId": {"Ref": "Second"}, "PathPart": "{id}"},
        "ApiGateway::Resource Health": {"RestApiId": api, "ParentId": root, "PathPart": "health"},
        "ApiGateway::Method Users": {
            "RestApiId": api, "ResourceId": {"Ref": "Third"}, "HttpMethod": "ANY",
            "AuthorizationType": "NONE", "RequestParameters": {"method.request.path.id": "true"},
            "Integration": integration(_NAMED, id="method.request.path.id"),
        },
        "ApiGateway::Method Healthy": {
            "RestApiId": api, "ResourceId": {"Ref": "Health"}, "HttpMethod": "GET",
            "AuthorizationType": "NONE", "Integration": integration("/health"),
        },
        "ApiGateway::Deployment Deployment": {"RestApiId": api},
        "ApiGateway::Stage Stage": {
            "RestApiId": api, "DeploymentId": {"Ref": "Deployment"}, "StageName": "live",
            "CacheClusterEnabled": "true", "CacheClusterSize": "0.5",
            "AccessLogSetting": {"DestinationArn": "arn:logs", "Format": "$context.requestId"},
            "MethodSettings": [
                {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": "10000",
                 "ThrottlingBurstLimit": "5000", "CachingEnabled": "true", "CacheTtlInSeconds": "300"}
            ],
        },
    }  # fmt: skip
    found: dict[str, Any] = {}
    for key, given in properties.items():
        kind, _, logical = key.partition(" ")
        found[logical] = {"Type": f"AWS::{kind}", "Properties": given}
    found["Deployment"]["DependsOn"] = ["Users", "Healthy"]
    return found
