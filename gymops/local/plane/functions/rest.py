"""REST APIs that reach load balancers: VPC links, and what a request through one becomes.

The emulator has no VPC links, and asks for an integration's address by its name. Here the integration's
target says which load balancer is meant, as on AWS, and what that answers is the API's answer.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from gymops.local.plane import ministack
from gymops.local.plane.ecs import balancers
from gymops.local.plane.store import Store, Table

_Answer = tuple[int, dict[str, str], bytes]
_PATH = "/v2/vpclinks"
_KEPT = ("connectionId", "integrationTarget")
"""What the emulator forgets of an integration."""
_FROM = re.compile(r"method\.request\.(path|querystring|header)\.(.+)")
_TO = re.compile(r"integration\.request\.(path|querystring|header)\.(.+)")
_STAGE = re.compile(r"https://([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?=/|$)")


class Links:
    """VPC links, by the API of version 2; they reach their load balancer at once."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._url = url

    def install(self) -> None:
        """Put them into the emulator, before it serves."""
        first = ministack.service("apigateway_v1")
        ministack.wrap(ministack.service("apigateway"), "handle_request", self._serving)
        ministack.wrap(first, "find_api_scope", lambda _: _owner)
        ministack.wrap(first, "_put_integration", _remembering)
        ministack.wrap(first, "_invoke_http_proxy_v1", self._through)
        ministack.wrap(
            ministack.module("ministack.services.cloudformation.stacks"),
            "_resolve_stack_outputs", self._reachable,
        )  # fmt: skip

    def _serving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(
            method: str, path: str, headers: Any, body: bytes, query_params: dict[str, Any]
        ) -> Any:
            if path.rstrip("/") != _PATH and not path.startswith(f"{_PATH}/"):
                return await original(method, path, headers, body, query_params)
            asked = json.loads(body) if body else {}
            return self._answer(method, path.removeprefix(_PATH).strip("/"), asked)

        return handle

    def _answer(self, method: str, identifier: str, asked: dict[str, Any]) -> _Answer:
        if not identifier and method == "POST":
            identifier = uuid.uuid4().hex[:10]
            made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self._links[identifier] = {
                "securityGroupIds": [], "tags": {}, **asked, "vpcLinkId": identifier, "createdDate": made,
                "vpcLinkStatus": "AVAILABLE", "vpcLinkVersion": "V2",
            }  # fmt: skip
            return _shown(self._links[identifier], 201)
        if not identifier:
            return _shown({"items": list(self._links.values())})
        link = self._links.get(identifier)
        if link is None:
            message = f"Invalid VpcLink identifier specified {identifier}"
            return _shown({"message": message}, 404, "NotFoundException")
        if method == "DELETE":
            self._links.pop(identifier)
            return _shown({}, 202)
        if method == "PATCH":
            link.update(asked)
        return _shown(link)

    @property
    def _links(self) -> Table:
        return self._store.table("vpc-links")

    def _through(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """An integration by a VPC link goes to its load balancer; any other to its address."""

        async def invoke(
            integration: dict[str, Any], path: str, method: str, headers: dict[str, str], body: bytes,
            query_params: dict[str, list[str]], path_params: dict[str, str] | None = None,
        ) -> Any:  # fmt: skip
            if integration.get("connectionType") != "VPC_LINK":
                return await original(integration, path, method, headers, body, query_params, path_params)
            balancer = ministack.service("alb")._lbs.get(integration.get("integrationTarget"))
            if balancer is None or integration.get("connectionId") not in self._links:
                return _shown({"message": "Internal server error"}, 500)
            whole, query, sent = _request(integration, headers, query_params, path_params or {})
            verb = method if integration.get("httpMethod") == "ANY" else integration["httpMethod"]
            serve = balancers.serving(ministack.account(), ministack.region(), balancer)
            return await serve(verb, whole, query, sent, body, urlencode(query, doseq=True))

        return invoke

    def _reachable(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A stack's output that is the address of one of its REST APIs: here it is this process."""

        def resolve(*arguments: Any, **named: Any) -> Any:
            outputs, exports = original(*arguments, **named)
            for one in outputs:
                one["OutputValue"] = _STAGE.sub(self._here, one["OutputValue"])
            for one in exports.values():
                one["Value"] = _STAGE.sub(self._here, one["Value"])
            return outputs, exports

        return resolve

    def _here(self, found: re.Match[str]) -> str:
        known = found[1] in ministack.service("apigateway_v1")._rest_apis
        return f"{self._url}/_aws/execute-api/{found[1]}" if known else found[0]


def method_handlers() -> tuple[str, dict[str, Any]]:
    """The emulator's type of a method, whose integration may name a VPC link and its target."""
    kind = "AWS::ApiGateway::Method"
    there = ministack.handlers()[kind]

    def create(logical_id: str, props: dict[str, Any], stack: str) -> Any:
        made = there["create"](logical_id, props, stack)
        _complete(props)
        return made

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Any:
        made = there["update"](physical_id, old, new, stack)
        _complete(new)
        return made

    return kind, {**there, "create": create, "update": update}


def stage_handlers() -> tuple[str, dict[str, Any]]:
    """The emulator's type of a stage, which records its cache and where it logs, too."""
    kind = "AWS::ApiGateway::Stage"
    there = ministack.handlers()[kind]

    def record(props: dict[str, Any]) -> None:
        stage = ministack.service("apigateway_v1")._stages_v1[props["RestApiId"]][props["StageName"]]
        stage["cacheClusterEnabled"] = str(props.get("CacheClusterEnabled", False)).lower() == "true"
        stage["cacheClusterSize"] = str(props["CacheClusterSize"]) if "CacheClusterSize" in props else None
        logged = props.get("AccessLogSetting") or {}
        stage["accessLogSettings"] = {key[0].lower() + key[1:]: value for key, value in logged.items()}

    def create(logical_id: str, props: dict[str, Any], stack: str) -> Any:
        made = there["create"](logical_id, props, stack)
        record(props)
        return made

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Any:
        made = there["update"](physical_id, old, new, stack)
        record(new)
        return made

    return kind, {**there, "create": create, "update": update}


def _owner(api_id: str) -> tuple[str, str] | None:
    """Account and region of an API: who asks it has signed nothing, so the emulator knows neither."""
    there = ministack.service("apigateway_v1")._rest_apis.all_items()
    return next(((account, region) for (account, region, name), _ in list(there) if name == api_id), None)


def _complete(props: dict[str, Any]) -> None:
    """What the emulator's type does not tell its own service."""
    resource = ministack.service("apigateway_v1")._resources[props["RestApiId"]][props["ResourceId"]]
    method = resource["resourceMethods"][props.get("HttpMethod", "ANY")]
    method["requestValidatorId"] = props.get("RequestValidatorId")
    integration = method.get("methodIntegration")
    for name in _KEPT:
        if value := (props.get("Integration") or {}).get(name[0].upper() + name[1:]):
            integration[name] = value


def _remembering(original: Callable[..., Any]) -> Callable[..., Any]:
    def put(api_id: str, resource_id: str, http_method: str, data: dict[str, Any]) -> Any:
        status, headers, body = original(api_id, resource_id, http_method, data)
        if status >= 400 or not (kept := {name: data[name] for name in _KEPT if name in data}):
            return status, headers, body
        resource = ministack.service("apigateway_v1")._resources[api_id][resource_id]
        integration = resource["resourceMethods"][http_method]["methodIntegration"]
        integration.update(kept)
        return status, headers, json.dumps(integration).encode()

    return put


def _request(
    integration: dict[str, Any], headers: dict[str, str], query: dict[str, list[str]], path: dict[str, str]
) -> tuple[str, dict[str, list[str]], dict[str, str]]:
    """Path, query and headers for the load balancer: the caller's, and what the integration maps."""
    split = urlsplit(integration["uri"])
    found, asked, sent = split.path or "/", dict(query or {}), {**headers, "host": split.netloc}
    for wanted, source in (integration.get("requestParameters") or {}).items():
        target = _TO.fullmatch(wanted)
        value = _value(source, headers, query, path)
        if target is None or value is None:
            continue
        where, name = target.groups()
        if where == "path":
            found = found.replace("{" + name + "}", quote(value, safe="/"))
        elif where == "querystring":
            asked[name] = [value]
        else:
            sent[name.lower()] = value
    return found, asked, sent


def _value(
    source: str, headers: dict[str, str], query: dict[str, list[str]], path: dict[str, str]
) -> str | None:
    if source.startswith("'"):
        return source.strip("'")
    if (asked := _FROM.fullmatch(source)) is None:
        return None
    where, name = asked.groups()
    if where == "path":
        return path.get(name)
    if where == "header":
        return headers.get(name.lower())
    given = (query or {}).get(name)
    return given[0] if given else None


def _shown(document: dict[str, Any], status: int = 200, kind: str = "") -> _Answer:
    headers = {"Content-Type": "application/json", **({"x-amzn-errortype": kind} if kind else {})}
    return status, headers, json.dumps(document).encode()
