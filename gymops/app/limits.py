"""How much one request may send, and how often one user may ask."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gymops.app.problems import Problem
from gymops.clock import Clock

MAX_BODY = 64 * 1024
"""Bytes of a request's body."""


class BodyLimit:
    """Reads the body before anything parses it, and stops at the limit whatever Content-Length says."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = bytearray()
        more = self._announced(dict(scope["headers"])) <= self.limit
        if not more:
            await self._refuse(scope, receive, send)
            return
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.limit:
                await self._refuse(scope, receive, send)
                return
        await self.app(scope, _replayed(bytes(body), receive), send)

    def _announced(self, headers: Mapping[bytes, bytes]) -> int:
        length = headers.get(b"content-length", b"0")
        return int(length) if length.isdigit() and len(length) < 20 else 0

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem(413, "too_large", f"a request may hold {self.limit // 1024} KB")
        await problem.response()(scope, receive, send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return first.pop() if first else await receive()

    return next_message


class RateLimit:
    """A token bucket for each key: ``burst`` at once, ``per_minute`` in the long run.

    It counts in this process: on Lambda each instance has its own.
    """

    def __init__(self, clock: Clock, *, per_minute: float, burst: int, most: int = 10_000) -> None:
        self._clock = clock
        self._rate = per_minute / 60
        self._burst = burst
        self._most = most
        self._lock = Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """Take one token: 0.0 if there was one, otherwise the seconds until there is."""
        with self._lock:
            now = self._clock.monotonic()
            tokens, at = self._buckets.pop(key, (float(self._burst), now))
            tokens = min(self._burst, tokens + (now - at) * self._rate)
            wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
            self._buckets[key] = (tokens - 1 if not wait else tokens, now)
            # The key asked for longest ago comes first: its bucket is the fullest to forget.
            while len(self._buckets) > self._most:
                del self._buckets[next(iter(self._buckets))]
            return wait
