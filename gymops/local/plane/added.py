"""AWS services which the emulator has not, answered in front of it: what is put there is kept and shown."""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from gymops.local.plane import ministack
from gymops.local.plane.faults import Fault
from gymops.local.plane.saver import App, Receive, Scope, Send, whole_body
from gymops.local.plane.store import Store

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/")
Document = dict[str, Any]


class Added(ABC):
    """One service; its documents are kept by the store."""

    media: ClassVar[str]
    """Its answers' media type."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.actions: Mapping[str, Callable[[Document], Document]] = {}

    @abstractmethod
    def action(self, path: str, target: str, service: str) -> str | None:
        """What a request asks for by its path, its target and the service it was signed for; None: not us."""

    def around(self, app: App) -> App:
        """The same application, with this service in it."""

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            headers = dict(scope.get("headers", ()))
            signed = _CREDENTIAL.search(headers.get(b"authorization", b"").decode("latin-1"))
            account, region, service = signed.groups() if signed else ("000000000000", "us-east-1", "")
            target = headers.get(b"x-amz-target", b"").decode("latin-1")
            action = self.action(scope["path"], target, service) if scope["type"] == "http" else None
            if action is None:
                await app(scope, receive, send)
                return
            body = await whole_body(receive)
            status, found = await asyncio.to_thread(self._answer, account, region, action, body)
            kind = found.get("__type", "").encode()
            head = [(b"content-type", self.media.encode())]
            head += [(b"x-amzn-errortype", kind)] if kind else []
            await send({"type": "http.response.start", "status": status, "headers": head})
            await send({"type": "http.response.body", "body": json.dumps(found).encode()})

        return served

    def _answer(self, account: str, region: str, action: str, body: bytes) -> tuple[int, Document]:
        with ministack.scope(account, region):
            try:
                if action not in self.actions:
                    raise Fault("UnknownOperationException", f"The local AWS has no {action}")
                return 200, self.actions[action](json.loads(body or b"{}"))
            except Fault as fault:
                return fault.status, {"__type": fault.code, "message": fault.message}
