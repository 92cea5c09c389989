"""A proxy in front of the local AWS that does what a bad day does: refuse, lose, cut, delay, throttle.

Which request meets which fault follows from a seed, from what the request is and from how many of its kind
came before, so that a run can be made again although threads race.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import parse_qs, urlsplit

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"})


class Fault(StrEnum):
    """What becomes of a request."""

    ERROR = "500 before"
    BUSY = "503 before"
    THROTTLE = "throttled"
    RESET = "reset before"
    LOST = "carried out, then reset"
    FAILED = "carried out, then 500"
    CUT = "carried out, half an answer"
    LATE = "carried out, no answer in time"
    SLOW = "slow"


@dataclass(frozen=True)
class Day:
    """How bad the day is. Laws: the same seed has the same faults; outages are counted in requests."""

    seed: int
    rate: float = 0.0
    """The share of requests that meet a fault."""
    outages: tuple[range, ...] = ()
    """Requests, by their number, that all meet one."""
    faults: tuple[Fault, ...] = tuple(Fault)

    def fault(self, what: str, nth: int, number: int) -> Fault | None:
        """Of the nth request of a kind, which is this one of all."""
        chance = random.Random(f"{self.seed} {what} {nth}")
        out = any(number in outage for outage in self.outages)
        return chance.choice(self.faults) if out or chance.random() < self.rate else None


CALM = Day(0, faults=())


@dataclass
class FaultProxy:
    """As a context it listens at ``url``."""

    upstream: int
    """The port of the local AWS."""
    late: float = 1.0
    """Seconds: longer than the client waits for an answer."""
    slow: float = 0.1
    told: list[str] = field(default_factory=list)
    """Every fault, in the order they were met."""
    _day: Day = CALM
    _seen: Counter[str] = field(default_factory=Counter)
    _one: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def begin(self, day: Day) -> None:
        """From now on it is such a day."""
        with self._one:
            self._day = day
            self._seen.clear()
            self.told.clear()

    @property
    def requests(self) -> int:
        """How many came since the day began."""
        return self._seen.total()

    def meets(self, what: str) -> Fault | None:
        """The fault the next request of this kind meets."""
        with self._one:
            self._seen[what] += 1
            nth, number = self._seen[what], self._seen.total()
            found = self._day.fault(what, nth, number)
            if found:
                self.told.append(f"{number:4} {what} #{nth}: {found}")
        return found


class _Handler(BaseHTTPRequestHandler):
    proxy: ClassVar[FaultProxy]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True  # the client did not wait

    def do_GET(self) -> None:
        self._pass()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_GET  # noqa: N815

    def _pass(self) -> None:
        body = self._body()
        call = _Call.of(self.command, self.path, self.headers, body)
        fault = self.proxy.meets(str(call))
        match fault:
            case Fault.RESET:
                self._reset()
            case Fault.THROTTLE:
                self._answer(*call.throttled())
            case Fault.ERROR:
                self._answer(*call.failed(500, "InternalFailure"))
            case Fault.BUSY:
                self._answer(503, {"Content-Type": "text/html"}, b"<html>Service Unavailable</html>")
            case _:
                self._forward(call, body, fault)

    def _forward(self, call: _Call, body: bytes, fault: Fault | None) -> None:
        if fault is Fault.SLOW:
            self.proxy.ended.wait(self.proxy.slow)
        answer = self._ask(body)
        if fault is Fault.LATE:
            self.proxy.ended.wait(self.proxy.late)
        if fault in {Fault.LOST, Fault.LATE}:
            self._reset()
        elif fault is Fault.FAILED:
            self._answer(*call.failed(500, "InternalFailure"))
        else:
            self._answer(*answer, cut=fault is Fault.CUT)

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=120)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            if body or self.command in {"PUT", "POST"}:
                headers["Content-Length"] = str(len(body))
            connection.request(self.command, self.path, body or None, headers)
            told = connection.getresponse()
            return told.status, dict(told.getheaders()), told.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes, cut: bool = False) -> None:
        self.send_response_only(status)
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        for name, value in headers.items():
            if name.lower() not in _HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._reset()

    def _body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _reset(self) -> None:
        """The client sees a connection that breaks, and no orderly end."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *given: object) -> None:
        pass


@dataclass(frozen=True)
class _Call:
    """What a request asks of which service, and how that service refuses."""

    service: str
    operation: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.service} {self.operation}"

    @classmethod
    def of(cls, method: str, path: str, headers: Message, body: bytes) -> Self:
        found = _SCOPE.search(headers.get("Authorization", ""))
        service = found[1] if found else ""
        if target := headers.get("X-Amz-Target"):
            return cls(service, target.rpartition(".")[2], "json")
        # Without names of buckets and functions, which differ from run to run.
        parts = urlsplit(path).path.split("/")
        if service == "s3" or not found:
            return cls("s3", f"{method} {'/'.join(parts[2:3]) or 'bucket'}", "s3")
        if action := parse_qs(body.decode(errors="replace")).get("Action"):
            return cls(service, action[0], "query")
        return cls(service, f"{method} {'/'.join(parts[4:5]) or parts[2]}", "rest-json")

    def throttled(self) -> tuple[int, dict[str, str], bytes]:
        """In the words of the service."""
        match self.protocol:
            case "s3":
                return self._refused(503, "SlowDown", "Please reduce your request rate.")
            case "query":
                return self._refused(400, "Throttling", "Rate exceeded")
            case "rest-json":
                return self._refused(429, "TooManyRequestsException", "Rate Exceeded.")
        return self._refused(400, "ThrottlingException", "Rate exceeded")

    def failed(self, status: int, code: str) -> tuple[int, dict[str, str], bytes]:
        """The server's own fault."""
        return self._refused(status, "InternalError" if self.protocol == "s3" else code, "We are sorry.")

    def _refused(self, status: int, code: str, message: str) -> tuple[int, dict[str, str], bytes]:
        error = f"<Code>{code}</Code><Message>{message}</Message>"
        if self.protocol == "s3":
            return status, {"Content-Type": "application/xml"}, f"<Error>{error}</Error>".encode()
        if self.protocol == "query":
            xml = f"<ErrorResponse><Error>{error}</Error><RequestId>0</RequestId></ErrorResponse>"
            return status, {"Content-Type": "text/xml"}, xml.encode()
        told = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
        return status, told, json.dumps({"__type": code, "message": message}).encode()
