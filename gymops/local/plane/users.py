"""Cognito's calls that nobody signs, such as signing up: brought to the account that has the client.

On AWS a client's id, or a token, says whose users are meant; the emulator goes by who signed, and finds none.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.saver import App, Receive, Scope, Send, whole_body

_TARGET = b"AWSCognitoIdentityProviderService."
_DAY = "20260101"


def around(app: App) -> App:
    """The same application, in which such a call is as good as signed."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        ours = scope["type"] == "http" and headers.get(b"x-amz-target", b"").startswith(_TARGET)
        if not ours or headers.get(b"authorization"):
            await app(scope, receive, send)
            return
        body = await whole_body(receive)

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        if whose := _owner(body):
            account, region = whose
            signed = f"AWS4-HMAC-SHA256 Credential={account}/{_DAY}/{region}/cognito-idp/aws4_request"
            scope = {**scope, "headers": [*scope["headers"], (b"authorization", signed.encode())]}
        await app(scope, again, send)

    return served


def _owner(body: bytes) -> tuple[str, str] | None:
    """Account and region of the client that the call names, or that its token was made for."""
    with suppress(ValueError, AttributeError, TypeError, LookupError):
        asked = json.loads(body)
        client = asked.get("ClientId") or _claims(asked["AccessToken"]).get("client_id")
        for (account, region, _), pool in list(ministack.service("cognito")._user_pools.all_items()):
            if client in pool["_clients"]:
                return account, region
    return None


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
