"""fitzen-coach's REST API: the document's endpoints and no others, and who is answered with what."""

from __future__ import annotations

import json
from collections.abc import Iterator

from gymops.deploy.artefact import sha256
from tests.unit.deploy.shipped import stack

COACH = "fitzen-coach"
ENDPOINTS = """
POST /api/auth/send-otp
POST /api/auth/verify-otp
POST /api/auth/google-signin
POST /api/auth/apple-signin
GET /api/users/{userId}
PUT /api/users/{userId}
POST /api/chat/message
GET /api/chat/history/{userId}
POST /api/workouts
GET /api/workouts/{userId}
POST /api/nutrition/meals
GET /api/nutrition/meals/{userId}
POST /api/goals
GET /api/goals/{userId}
POST /api/habits
GET /api/habits/{userId}
POST /api/measurements
GET /api/measurements/{userId}
POST /api/reminders
GET /api/reminders/{userId}
"""
ASKED_BEFORE = {f"OPTIONS {one.split()[1]}" for one in ENDPOINTS.strip().splitlines()}
BESIDE = {"GET /health", "OPTIONS /api/{proxy+}", *ASKED_BEFORE}
DEPLOYED = ("ApiDeployment2", "2efa94a23933")
"""The deployment, and the digest of the endpoints that it was made of."""


def paths() -> Iterator[tuple[str, str, str]]:
    """Method, path and resource of every endpoint."""
    body = stack("app", COACH).body["Resources"]

    def path(name: str) -> str:
        parent = body[name]["Properties"]["ParentId"]
        before = path(parent["Ref"]) if "Ref" in parent else ""
        return f"{before}/{body[name]['Properties']['PathPart']}"

    for one in stack("app", COACH).resources("AWS::ApiGateway::Method"):
        yield one.properties["HttpMethod"], path(one.properties["ResourceId"]["Ref"]), one.name


def test_it_has_the_documents_twenty_endpoints_and_each_goes_to_the_apps_path_of_its_name() -> None:
    found = {f"{method} {path}": name for method, path, name in paths()}
    assert set(found) == {*ENDPOINTS.strip().splitlines(), *BESIDE}
    for endpoint, name in found.items():
        method, path = endpoint.split()
        integration = stack("app", COACH).body["Resources"][name]["Properties"]["Integration"]
        assert integration["IntegrationHttpMethod"] == method
        at = "http://${LoadBalancer.DNSName}"
        wanted = "${HealthPath}" if path == "/health" else path.replace("{proxy+}", "{proxy}")
        assert integration["Uri"] == {"Fn::Sub": f"{at}{wanted}"}


def test_nobody_is_answered_from_the_cache_with_what_another_asked_for() -> None:
    caller, query = "method.request.header.Authorization", "method.request.header.x-asked"
    for method, path, name in paths():
        properties = stack("app", COACH).body["Resources"][name]["Properties"]
        assert properties["ApiKeyRequired"] is True
        if method != "GET" or path == "/health":
            continue
        assert (properties["RequestParameters"][caller], properties["RequestParameters"][query]) == (
            True,
            False,
        )
        key = properties["Integration"]["CacheKeyParameters"]
        assert key == ["method.request.path.userId", caller, query]
    function = stack("app", COACH).body["Resources"]["QueryFunction"]["Properties"]["FunctionCode"]
    assert "request.headers['x-asked'] = {value: '?' + (request.rawQueryString() || '')}" in function
    health = stack("app", COACH).body["Resources"]["ApiStage"]["Properties"]["MethodSettings"][1]
    assert (health["ResourcePath"], health["CachingEnabled"]) == ("/~1health", False)


def test_a_change_of_the_endpoints_comes_with_a_deployment_of_another_name() -> None:
    """API Gateway answers as things were when its deployment was made; of the same name it is made once."""
    kinds = ("AWS::ApiGateway::Method", "AWS::ApiGateway::Resource", "AWS::ApiGateway::Model")
    whole = json.dumps([one.body for one in stack("app", COACH).resources(*kinds)], sort_keys=True)
    deployments = [one.name for one in stack("app", COACH).resources("AWS::ApiGateway::Deployment")]
    assert (*deployments, sha256(whole.encode())[7:19]) == DEPLOYED, "rename it, and write both down here"
