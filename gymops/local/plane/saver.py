"""The emulator's state on disk, kept up with every change: a killed process loses nothing it answered.

The emulator itself saves when it is asked to end, and only then. Here each service is saved before a request
that may have changed something is answered, and what goes on in the background is caught up with soon after.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.encoded import Encoded
from gymops.local.plane.store import Store

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_GROWING = {"monitoring": "cloudwatch", "logs": "cloudwatch_logs"}
"""Services, by what a request for them is signed for, whose state grows with every call of a function: unless
called themselves, they are not saved more often than every so many times as long as the last time took."""
_REST = 10.0
_TRIES = 20
_SIGNED_FOR = re.compile(rb"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/")
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
        self._rounds = 0
        self._room = True
        self._changed = 0.0
        self._encoded = Encoded()
        self._encoded.install()
        self._seen: dict[str, list[str]] = {}
        """Of each service, what was written last."""
        self._again: dict[str, float] = {}
        """When a growing one is looked at again."""
        self._unsaved: set[str] = set()
        """Services whose state is not on the disk as it is: nothing is answered until it is."""

    def save(self, called: str = "") -> None:
        """Write every service; ``called``: a growing one that is not to wait."""
        rounds = self._rounds
        with self._lock:
            if self._rounds > rounds and not called:
                return  # what there was is written: by somebody who began after this was asked
            self._rounds += 1
            for service, get in ministack.module("ministack.app")._build_persistence_save_dict().items():
                began = time.monotonic()
                waits = service != called and service not in self._unsaved
                if waits and began < self._again.get(service, 0.0):
                    continue
                if self._keep(service, get):
                    self._unsaved.discard(service)
                else:
                    self._unsaved.add(service)
                if service in _GROWING.values():
                    now = time.monotonic()
                    self._again[service] = now + _REST * (now - began)
            self._room = self._store.save()

    def _keep(self, service: str, get: Callable[[], Any]) -> bool:
        """Whether it is on the disk as it is."""
        try:
            parts = self._parts(service, get)
        except (TypeError, ValueError):
            ministack.module("ministack.core.persistence").save_state(service, get())  # which says why not
            return True
        except RuntimeError:
            return False
        if parts is not None and parts != self._seen.get(service):
            if not _written(service, parts):
                return False
            self._seen[service] = parts
        return True

    def _parts(self, service: str, get: Callable[[], Any]) -> list[str] | None:
        """A service's state; it may change under the copying, which then begins again.

        Raises:
            RuntimeError: it changes all the time.
        """
        for attempt in range(_TRIES):
            try:
                return self._encoded.state(service, get)
            except RuntimeError:
                if attempt == _TRIES - 1:
                    raise
                time.sleep(0.005 * (attempt + 1))
        raise AssertionError  # the last attempt returned or raised

    def _lost(self) -> str | None:
        """Why what is there is not kept; None: it is."""
        if self._store.full() or not self._room:
            return "No space is left on this disk"
        return f"{', '.join(sorted(self._unsaved))} cannot be saved" if self._unsaved else None

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
                    await asyncio.to_thread(self.save, request.growing())
                    if why := self._lost():
                        lost = True
                        await refuse(send, request.json(), why)
                if not lost:
                    await send(message)

            await app(scope, request.receive, answer)

        return saving

    def watch(self) -> None:
        """Catch up with stacks and schedules, which change things after their request was answered."""

        def run() -> None:
            took = 0.0
            while True:
                time.sleep(max(0.5, _REST * took))
                began = time.monotonic()
                if self._unsaved or began - self._changed < _SETTLES_SECONDS:
                    try:
                        self.save()
                    except Exception:
                        logging.getLogger(__name__).exception("what goes on is not saved; it is tried again")
                took = time.monotonic() - began

        threading.Thread(target=run, daemon=True, name="gymops-saver").start()


async def refuse(send: Send, as_json: bool, why: str) -> None:
    """Answer, in the protocol of the request, that nothing was saved. The emulator only logs that."""
    code, lost = "InternalFailure", f"{why}: what was asked for is not kept. Make room, and ask again."
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{lost}</Message></Error></ErrorResponse>"
    if as_json:
        body = json.dumps({"__type": code, "message": lost})
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

    def growing(self) -> str:
        """The growing service it is for, if any."""
        signed = _SIGNED_FOR.search(self._headers.get(b"authorization", b""))
        return _GROWING.get(signed[1].decode(), "") if signed else ""

    def json(self) -> bool:
        """Whether it speaks JSON: by its target, or in its body."""
        return b"x-amz-target" in self._headers or self._start.lstrip().startswith(b"{")


def _written(service: str, parts: list[str]) -> bool:
    """Write a state as the emulator does; False where it cannot."""
    file = Path(ministack.module("ministack.core.persistence").STATE_DIR) / f"{service}.json"
    new = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with new.open("w", encoding="utf-8") as out:
            out.writelines(parts)
        new.replace(file)
    except OSError:
        with suppress(OSError):
            new.unlink()
        return False
    return True
