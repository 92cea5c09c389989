"""The emulator's state on disk, kept up with every change: a killed process loses nothing it answered.

The emulator itself saves when it is asked to end, and only then. Here each service is saved before a request
that may have changed something is answered, and what goes on in the background is caught up with soon after.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.store import Store

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_GROWING = frozenset({"cloudwatch", "cloudwatch_logs"})
"""Services whose state grows with every call of a function: not saved more often than every so many times as
long as the last time took."""
_REST = 10.0
_READING = (b"Describe", b"List", b"Get", b"BatchGet", b"Head", b"Validate", b"Estimate", b"Detect")
_SETTLES_SECONDS = 30.0


async def whole_body(receive: Receive) -> bytes:
    """All of a request's body."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


class Saver:
    """Writes what changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._changed = 0.0
        self._seen: dict[str, str] = {}
        """Of each service, what was written last."""
        self._again: dict[str, float] = {}
        """When a growing one is looked at again."""

    def save(self) -> None:
        """Write every service."""
        app = ministack.module("ministack.app")
        with self._lock:
            for service, state in app._build_persistence_save_dict().items():
                began = time.monotonic()
                if began < self._again.get(service, 0.0):
                    continue
                self._keep(service, state)
                if service in _GROWING:
                    now = time.monotonic()
                    self._again[service] = now + _REST * (now - began)
            self._store.save()

    def _keep(self, service: str, state: Callable[[], Any]) -> None:
        if (found := _state(state)) is None:
            return
        seen = _seen(found)
        if (seen is None or seen != self._seen.get(service)) and _written(service, found) and seen:
            self._seen[service] = seen

    def around(self, app: App) -> App:
        """The same application, which saves before it answers."""

        async def saving(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            request = _Request(scope, receive)
            lost = False

            async def answer(message: dict[str, Any]) -> None:
                nonlocal lost
                if message["type"] == "http.response.start" and request.changes():
                    self._changed = time.monotonic()
                    await asyncio.sleep(0)  # a deletion says that it is in progress once its task has begun
                    await asyncio.to_thread(self.save)
                    if lost := self._store.full():
                        await refuse(send, request.json())
                if not lost:
                    await send(message)

            await app(scope, request.receive, answer)

        return saving

    def watch(self) -> None:
        """Catch up with stacks and schedules, which change things after their request was answered."""

        def run() -> None:
            while True:
                time.sleep(0.5)
                if time.monotonic() - self._changed < _SETTLES_SECONDS:
                    self.save()

        threading.Thread(target=run, daemon=True, name="gymops-saver").start()


_LOST = "No space is left on this disk: what was asked for is not kept. Make room, and ask again."


async def refuse(send: Send, as_json: bool) -> None:
    """Answer, in the protocol of the request, that nothing was saved. The emulator only logs that."""
    code = "InternalFailure"
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{_LOST}</Message></Error></ErrorResponse>"
    if as_json:
        body = json.dumps({"__type": code, "message": _LOST})
    head = [(b"content-type", b"application/x-amz-json-1.1" if as_json else b"text/xml")]
    head += [(b"x-amzn-errortype", code.encode())] if as_json else []
    await send({"type": "http.response.start", "status": 500, "headers": head})
    await send({"type": "http.response.body", "body": body.encode()})


class _Request:
    """A request on its way through: enough of it to tell whether it only reads."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._headers = dict(scope.get("headers", ()))
        self._method = scope["method"]
        self._receive = receive
        self._start = b""

    async def receive(self) -> dict[str, Any]:
        message = await self._receive()
        if not self._start:
            self._start = bytes(message.get("body", b"")[:4000])
        return message

    def changes(self) -> bool:
        if self._method in {"GET", "HEAD", "OPTIONS"}:
            return False
        target = self._headers.get(b"x-amz-target", b"").rpartition(b".")[2]
        if target:
            return not target.startswith(_READING)
        _, action, name = self._start.partition(b"Action=")
        return not (action and name.startswith(_READING))

    def json(self) -> bool:
        """Whether it speaks JSON: by its target, or in its body."""
        return b"x-amz-target" in self._headers or self._start.lstrip().startswith(b"{")


def _state(get: Callable[[], Any]) -> Any:
    """A service's state; it may change under the copying, which then begins again."""
    for _ in range(20):
        try:
            return get()
        except RuntimeError:
            time.sleep(0.005)
    return None


def _seen(state: Any) -> str | None:
    """A state, told from others without encoding the code of functions, tens of MB each time."""
    other = ministack.module("ministack.core.persistence")._json_default

    def encode(value: Any) -> Any:
        # An object of bytes keeps its hash, once it was asked for it.
        return [hash(value), len(value)] if isinstance(value, bytes) else other(value)

    try:
        return json.dumps(state, default=encode)
    except (TypeError, ValueError):
        return None  # the emulator logs that it cannot be saved


def _written(service: str, state: Any) -> bool:
    """Write a state; False where it was not: the emulator only logs that."""
    persistence = ministack.module("ministack.core.persistence")
    file = Path(persistence.STATE_DIR) / f"{service}.json"
    before = file.stat().st_ino if file.exists() else None
    persistence.save_state(service, state)
    return file.exists() and file.stat().st_ino != before
