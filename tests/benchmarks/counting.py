"""A proxy that counts the calls to AWS that go through it, whoever makes them.

It is an ordinary proxy for plain HTTP: every AWS client takes it from ``HTTP_PROXY``.
"""

from __future__ import annotations

import http.client
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import botocore.session
from botocore.exceptions import UnknownServiceError

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_SMITHY = re.compile(r"/operation/(\w+)$")
_PLACE = re.compile(r"\\{(\w+)(\\\+)?\\}")
_HOPS = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"})


class Calls:
    """What was called, as ``s3 GetObject``."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()
        self._one = threading.Lock()

    def add(self, name: str) -> None:
        with self._one:
            self._counted[name] += 1

    def taken(self) -> Counter[str]:
        """What was counted since this was asked last."""
        with self._one:
            found, self._counted = self._counted, Counter()
        return found


@contextmanager
def proxy() -> Iterator[tuple[str, Calls]]:
    """The address of a running one, and what it counts."""
    calls = Calls()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"calls": calls}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="counting", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", calls
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def called(method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    """What a request calls, by its own words: whose signature it has, and what its protocol says."""
    signed = _SCOPE.search(headers.get("Authorization", ""))
    service = signed[1] if signed else "?"
    if target := headers.get("X-Amz-Target"):
        return f"{service} {target.rpartition('.')[2]}"
    if action := _ACTION.search(body):
        return f"{service} {action[1].decode()}"
    if told := _SMITHY.search(urlsplit(path).path):
        return f"{service} {told[1]}"
    return f"{service} {_by_model(service, method, path, headers)}"


@dataclass(frozen=True)
class _Address:
    """Where an operation of a REST service is called."""

    operation: str
    method: str
    path: re.Pattern[str]
    query: Mapping[str, str | None]
    """What must be asked; None: with any value."""
    headers: frozenset[str]

    def fits(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        return (
            method == self.method
            and self.path.fullmatch(path) is not None
            and all(name in query and value in (None, query[name]) for name, value in self.query.items())
            and all(name in headers for name in self.headers)
        )


def _by_model(service: str, method: str, path: str, headers: Mapping[str, str]) -> str:
    """The operation whose address this is, by botocore's model of the service."""
    asked = urlsplit(path)
    query = dict(parse_qsl(asked.query, keep_blank_values=True))
    fitting = (one.operation for one in _addresses(service) if one.fits(method, asked.path, query, headers))
    return next(fitting, f"{method} {asked.path}")


@cache
def _addresses(service: str) -> list[_Address]:
    """Those that ask for most first."""
    try:
        model = botocore.session.Session().get_service_model(service)
    except UnknownServiceError:
        return []
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        address = urlsplit(operation.http["requestUri"])
        path = _PLACE.sub(lambda place: ".+" if place[2] else "[^/]+", re.escape(address.path))
        query: dict[str, str | None] = dict(parse_qsl(address.query, keep_blank_values=True))
        needed: dict[str, set[str]] = {"querystring": set(), "header": set()}
        for member in operation.input_shape.required_members if operation.input_shape else ():
            told = operation.input_shape.members[member].serialization
            needed.get(told.get("location"), set()).add(told.get("name", member))
        query = {**dict.fromkeys(needed["querystring"]), **query}
        query.pop("x-id", None)  # only newer clients send it
        found.append(
            _Address(name, operation.http["method"], re.compile(path), query, frozenset(needed["header"]))
        )
    return sorted(found, key=lambda one: (-len(one.query) - len(one.headers), -len(one.path.pattern)))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    calls: Calls

    def _forward(self) -> None:
        asked = urlsplit(self.path)
        path = f"{asked.path}?{asked.query}" if asked.query else asked.path
        body = self._body()
        self.calls.add(called(self.command, path, dict(self.headers.items()), body))
        there = http.client.HTTPConnection(asked.hostname or "", asked.port or 80, timeout=120)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOPS}
            there.request(self.command, path, body, {**headers, "Connection": "close"})
            answer = there.getresponse()
            data = answer.read()
        finally:
            there.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOPS:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that was killed
            super().handle()

    def log_message(self, *given: object) -> None:
        """Nobody reads it."""

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _forward  # noqa: N815
