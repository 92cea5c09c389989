"""Logs as one JSON object per line on stdout, and one line per request.

Written for those who search them: a request's lines share its id. Nothing of what a user sent is in
them, neither bodies nor paths nor query strings nor headers, for any of these may hold a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import sys
import traceback
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gymops.app.activity import Activity, current, doing
from gymops.app.metrics import Metrics
from gymops.clock import Clock
from gymops.errors import GymopsError

_log = logging.getLogger("gymops.app")

_GIVEN_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:=-]{0,127}")
_TRACE_ROOT = re.compile(rb"Root=([0-9a-f-]{1,64})")


class JsonFormatter(logging.Formatter):
    """A record as one line; fields of its own come as ``extra={"fields": {...}}``.

    The names ``timestamp`` and ``level`` are those Lambda's own log filter reads.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if activity := current():
            line |= {"request_id": activity.request_id, "correlation_id": activity.correlation_id}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = list(_chain(record.exc_info[1]))
        line |= getattr(record, "fields", {})
        return json.dumps(line, default=str)


def _chain(error: BaseException | None) -> Iterator[dict[str, Any]]:
    """What was raised, and where, without what foreign errors say: they quote statements, rows and bodies."""
    while error is not None:
        told: dict[str, Any] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
        if isinstance(error, GymopsError):
            told["message"] = error.message
        elif state := getattr(error, "sqlstate", None):
            told["sqlstate"] = state
        yield told | {"at": _frames(error.__traceback__)}
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(where: TracebackType | None) -> list[str]:
    """The innermost frames, which are those that tell."""
    frames = traceback.extract_tb(where)[-12:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def configure(stream: TextIO | None = None) -> None:
    """Make every logger of the process write such lines, and nothing else.

    Lambda's runtime and uvicorn bring handlers in formats of their own. uvicorn's lines per request and
    Mangum's hold the path, and what failed is told by ``RequestLog``.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("gymops").setLevel(logging.INFO)
    uvicorn = logging.getLogger("uvicorn")
    uvicorn.handlers.clear()
    uvicorn.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("mangum.http").disabled = True


class RequestLog:
    """ASGI middleware around the whole app: one line per request, and its metrics.

    It is the outermost, so that a request the app fails on has its line too.
    """

    def __init__(
        self, app: ASGIApp, *, clock: Clock, metrics: Metrics | None = None, user_key: bytes | None = None
    ) -> None:
        self._app = app
        self._clock = clock
        self._metrics = metrics
        self._user_key = user_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        activity = _activity(scope)
        answer = _Answer(send, activity.request_id)
        started = self._clock.monotonic()
        with doing(activity):
            try:
                await self._app(scope, receive, answer)
            except Exception:
                _log.exception("the app failed")
                if not answer.whole:
                    raise  # the server answers or breaks the connection; else it would tell a second time
            finally:
                status = answer.status if answer.whole else 500
                self._tell(scope, activity, status, self._clock.monotonic() - started)

    def _tell(self, scope: Scope, activity: Activity, status: int, seconds: float) -> None:
        fields: dict[str, Any] = {
            "method": scope["method"],
            "route": _route(scope),
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
        }
        if activity.events:
            fields["event_ids"] = [event_id for event_id, _ in activity.events]
        if activity.voice:
            fields["voice"] = activity.voice
        if activity.user is not None and self._user_key:
            fields["user"] = hmac.new(self._user_key, activity.user.encode(), hashlib.sha256).hexdigest()[:16]
        _log.log(logging.ERROR if status >= 500 else logging.INFO, "request", extra={"fields": fields})
        if self._metrics:
            self._metrics.request(activity, seconds)


class _Answer:
    """Passes an answer on, with the request's id among its headers, and keeps its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._header = (b"x-request-id", request_id.encode())
        self.status = 0
        self.whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), self._header]}
        await self._send(message)
        self.whole = message["type"] == "http.response.body" and not message.get("more_body", False)


def _activity(scope: Scope) -> Activity:
    """The request's id is Lambda's, else the one given to us, else new; what joins it to others is given."""
    headers = {bytes(name): bytes(value) for name, value in scope["headers"]}
    invocation = getattr(scope.get("aws.context"), "aws_request_id", None)
    given = _valid(headers.get(b"x-request-id", b""))
    request_id = invocation or given or str(uuid.uuid4())
    trace = _TRACE_ROOT.search(headers.get(b"x-amzn-trace-id", b""))
    correlation_id = (
        _valid(headers.get(b"x-correlation-id", b""))
        or given
        or (trace.group(1).decode() if trace else request_id)
    )
    return Activity(request_id, correlation_id)


def _valid(given: bytes) -> str | None:
    return given.decode() if _GIVEN_ID.fullmatch(given) else None


def _route(scope: Scope) -> str:
    """The template of the route, as in ``/api/history/{id}``; what matched none is told as such."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "(none)"
