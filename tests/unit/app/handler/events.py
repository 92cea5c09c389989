"""What the gateways hand to a function, as their documentation shows it, cut to what is read."""

from __future__ import annotations

import base64
from typing import Any

Event = dict[str, Any]


def function_url(
    method: str = "GET",
    path: str = "/",
    body: str | bytes | None = None,
    *,
    query: str = "",
    cookies: list[str] | None = None,
    headers: dict[str, str] | None = None,
    stage: str = "$default",
    domain: str = "abcdefghij.lambda-url.us-west-1.on.aws",
) -> Event:
    """Payload 2.0, of a function URL; with another stage and domain, of an HTTP API."""
    binary = isinstance(body, bytes)
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "host": domain,
            "x-forwarded-proto": "https",
            "x-forwarded-port": "443",
            "x-forwarded-for": "203.0.113.9",
            "content-type": "application/json",
            **(headers or {}),
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abcdefghij",
            "domainName": domain,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"},
            "requestId": "6f2a8f0e",
            "stage": stage,
            "timeEpoch": 1767323045678,
        },
        "isBase64Encoded": binary,
    }
    if cookies:
        event["cookies"] = cookies
    if body is not None:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return event


def rest_api(
    method: str = "GET",
    path: str = "/",
    body: str | bytes | None = None,
    *,
    query: dict[str, list[str]] | None = None,
    headers: dict[str, list[str]] | None = None,
) -> Event:
    """Payload 1.0, of a REST API's stage ``prod``."""
    several = {
        "Host": ["abcdefghij.execute-api.us-west-1.amazonaws.com"],
        "X-Forwarded-Proto": ["https"],
        "X-Forwarded-Port": ["443"],
        "Content-Type": ["application/json"],
        **(headers or {}),
    }
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} if query else None,
        "multiValueQueryStringParameters": query,
        "pathParameters": {"proxy": path.strip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.us-west-1.amazonaws.com",
            "httpMethod": method,
            "identity": {"sourceIp": "203.0.113.9"},
            "path": f"/prod{path}",
            "requestId": "c6af9ac6",
            "resourcePath": "/{proxy+}",
            "stage": "prod",
        },
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


def schedule() -> Event:
    """What EventBridge sends each few minutes."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-west-1",
        "resources": ["arn:aws:events:us-west-1:123456789012:rule/keep-warm"],
        "detail": {},
    }
