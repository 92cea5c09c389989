"""Requests to a function URL as CloudFront or an operator sends them: signed, with the body's digest."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: Any


class Signed:
    """A caller with an access key, who keeps cookies."""

    def __init__(self, url: str, account: str, region: str) -> None:
        self._url = url.rstrip("/")
        self._credentials = Credentials(account, "local")
        self._region = region
        self._cookies: SimpleCookie = SimpleCookie()

    def get(self, path: str) -> Answer:
        return self._send("GET", path, None)

    def post(self, path: str, document: Any) -> Answer:
        return self._send("POST", path, json.dumps(document).encode())

    def _send(self, method: str, path: str, body: bytes | None) -> Answer:
        request = AWSRequest(method, self._url + path, data=body)
        request.headers["x-amz-content-sha256"] = hashlib.sha256(body or b"").hexdigest()
        if body is not None:
            request.headers["Content-Type"] = "application/json"
        if self._cookies:
            request.headers["Cookie"] = "; ".join(
                f"{name}={one.value}" for name, one in self._cookies.items()
            )
        SigV4Auth(self._credentials, "lambda", self._region).add_auth(request)
        headers = dict(request.headers)
        sent = urllib.request.Request(request.url, body, headers, method=method)  # noqa: S310 - http, ours
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(sent, timeout=60) as answer:
                return self._answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return self._answer(error.code, error.headers, error.read())

    def _answer(self, status: int, headers: Any, body: bytes) -> Answer:
        for cookie in headers.get_all("Set-Cookie") or []:
            self._cookies.load(cookie)
        kind = headers.get("Content-Type", "")
        return Answer(status, headers, json.loads(body) if "json" in kind and body else body)
