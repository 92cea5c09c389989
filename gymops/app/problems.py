"""Errors as RFC 9457 problem documents: for a program, for a person, and with nothing of the inside."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gymops.app.domain import Conflict
from gymops.app.events import InvalidEvent
from gymops.app.store import IdReused, NotReady, StoreUnavailable
from gymops.errors import ConfigError

MEDIA_TYPE = "application/problem+json"

_OURS = (Conflict, InvalidEvent, IdReused, NotReady, StoreUnavailable, ConfigError)

_log = logging.getLogger("gymops.app")


class Problem(HTTPException):
    """A refusal: a status, a code that stays the same, and a sentence; ``more`` are members of its own."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.code = code
        self.errors = list(errors)
        self.more = more or {}

    def response(self) -> Response:
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": self.detail,
            "code": self.code,
            **self.more,
        }
        if self.errors:
            document["errors"] = self.errors
        # In ASCII: what a client sent may come back here, half a surrogate pair too.
        return Response(json.dumps(document), self.status_code, self.headers, MEDIA_TYPE)


def unavailable(code: str, detail: str, *, seconds: int = 2) -> Problem:
    """What may work when tried again."""
    return Problem(503, code, detail, headers={"Retry-After": str(seconds)})


def too_many(seconds: float, detail: str) -> Problem:
    return Problem(
        429, "too_many_requests", detail, headers={"Retry-After": str(max(1, round(seconds + 0.5)))}
    )


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    for kind in (HTTPException, RequestValidationError, *_OURS):
        app.add_exception_handler(kind, _answer)


class NothingEscapes:
    """Answers what nobody expected with a bare 500; the log has the rest.

    Starlette's own last resort lies outside all middleware: its answer would lack the security headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            if scope["type"] != "http":
                raise
            _log.exception("a request failed")
            if started:  # half an answer: the connection has to break, or it would pass for a whole one
                raise
            problem = Problem(500, "internal", "something went wrong here; it is in the log")
            await problem.response()(scope, receive, send)


async def _answer(request: Request, error: Exception) -> Response:
    match error:
        case Problem():
            return error.response()
        case HTTPException():
            return _plain(request, error).response()
        case RequestValidationError():
            errors = error.errors()
            return invalid(
                [{"loc": ".".join(map(str, one["loc"])), "msg": str(one["msg"])} for one in errors]
            ).response()
        case InvalidEvent():
            return invalid(error.errors).response()
        case Conflict():
            return Problem(409, error.code, error.detail).response()
        case IdReused():
            return Problem(422, "event_id_reused", "this event_id belongs to another event").response()
        case NotReady():
            return unavailable(error.code, "your log is being read; try again in a moment").response()
        case ConfigError():  # one file is one user's, and not every id can be a folder's name
            _log.warning("the store: %s", error.message)
            return Problem(403, "user_refused", "this user can have no log here").response()
        case StoreUnavailable():
            _log.error("the store: %s", error.message)
            return unavailable(error.code, "the database does not answer; try again in a moment").response()
    raise error


def invalid(errors: Sequence[Mapping[str, str]]) -> Problem:
    """A request that does not say what it must; each error names the place and the reason."""
    first = errors[0] if errors else {"loc": "body", "msg": "is not valid"}
    return Problem(422, "invalid", f"{first['loc']}: {first['msg']}", errors=errors)


def _plain(request: Request, error: HTTPException) -> Problem:
    """What the framework refuses by itself."""
    phrase = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
    detail = _DETAILS.get(error.status_code, phrase)
    return Problem(error.status_code, phrase.lower().replace(" ", "_"), detail, headers=headers)


_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not take that method; see the Allow header",
}


def _allowed(request: Request) -> list[str]:
    """All methods of an address: Starlette names those of its first route only."""
    methods: set[str] = set()
    for candidate in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        scope = {**request.scope, "method": candidate}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            methods.add(candidate)
    if "GET" in methods or not request.url.path.startswith("/api/"):
        methods |= {"GET", "HEAD"}
    return sorted(methods)
