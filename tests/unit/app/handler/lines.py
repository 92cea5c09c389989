"""Log lines, read back; a clock of the tests' own; requests without a server."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime
from typing import Any

import httpx


class Clock:
    """Half a second passes each time somebody looks at it."""

    def __init__(self, now: datetime = datetime(2026, 1, 2, tzinfo=UTC)) -> None:
        self._now = now
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        self._seconds += 0.5
        return self._seconds

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def written(out: io.StringIO) -> list[dict[str, Any]]:
    """Each line, which must be a whole JSON object."""
    text = out.getvalue()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


class Client:
    """Sends requests to an ASGI app, one after the other."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self._send("GET", path, **request)

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self._send("POST", path, **request)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def sending() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, **request)

        return asyncio.run(sending())
