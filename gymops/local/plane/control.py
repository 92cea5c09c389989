"""Our own requests to the emulator's process: what ``up``, ``status`` and the tests ask of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from gymops.local.plane.context import Context, iso
from gymops.local.plane.saver import App, Receive, Scope, Send, whole_body

PREFIX = "/_gymops/"


class Control:
    """``GET /_gymops/status`` and ``POST /_gymops/clock {"seconds": 3600}``, which moves schedules on."""

    def __init__(
        self, context: Context, status: Callable[[], dict[str, Any]], tick: Callable[[], None]
    ) -> None:
        self._context = context
        self._status = status
        self._tick = tick

    def around(self, app: App) -> App:
        """The same application, with our requests answered here."""

        async def controlled(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
                await app(scope, receive, send)
                return
            import asyncio

            body = await whole_body(receive)
            found = await asyncio.to_thread(self._answer, scope["path"].removeprefix(PREFIX), body)
            status = 200 if found is not None else 404
            head = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": status, "headers": head})
            await send({"type": "http.response.body", "body": json.dumps(found).encode()})

        return controlled

    def _answer(self, what: str, body: bytes) -> dict[str, Any] | None:
        if what == "status":
            return {"pid": os.getpid(), "now": iso(self._context.clock.now()), **self._status()}
        if what == "clock":
            self._context.clock.ahead += timedelta(seconds=float(json.loads(body)["seconds"]))
            self._tick()
            return {"now": iso(self._context.clock.now())}
        return None
