"""The payload as a Lambda function, behind a function URL or an API Gateway.

Lambda imports this module while it starts an environment, with a full processor whatever the function's
memory, and gives each request a share of one. So there the app is built on import; elsewhere when it is
first used.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

from mangum import Mangum

from gymops.app import container, logs
from gymops.app.container import Container
from gymops.errors import GymopsError

Event = Mapping[str, Any]

LARGEST = 6_291_556
"""Bytes a function may answer with, as JSON."""

_TEXT = [
    "text/",
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
    "application/javascript",
    "application/manifest+json",
    "image/svg+xml",
]
"""What goes out as it is. The rest goes as base64, which a REST API decodes only where it is told to."""

_SPARE = 3.0
"""Seconds left to answer in when folding has to stop."""

_log = logging.getLogger("gymops.app")


def handler(event: Event, context: Any) -> dict[str, Any]:
    """Answer a request; anything else that cannot be lost is taken for a wake-up."""
    if "requestContext" in event:
        return _function().answer(event, context)
    return _function().wake(event, context)


@cache
def _function() -> Function:
    logs.configure()
    return Function(container.build(os.environ), os.environ.get("GYMOPS_APP_BASE_PATH", ""))


class Function:
    """The app, as Lambda's events see it."""

    def __init__(self, container: Container, base_path: str = "") -> None:
        self._container = container
        self._base_path = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
        self._mangum = Mangum(container.app, lifespan="off", text_mime_types=_TEXT)

    def answer(self, event: Event, context: Any) -> dict[str, Any]:
        """Answer an HTTP request, whichever gateway wrote it down."""
        try:
            answer = self._mangum(_read(event, self._base_path), context)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError):
            # The app's own failures do not come this far.
            _log.exception("the event is no request of a function URL or an API Gateway")
            return _problem(400, "bad_event", "this is no request of a function URL or an API Gateway")
        if len(answer["body"]) > LARGEST // 4 and len(json.dumps(answer)) > LARGEST:
            _log.error("an answer is larger than Lambda takes")
            return _problem(500, "answer_too_large", "the answer is larger than 6 MB; ask for less at a time")
        return answer

    def wake(self, event: Event, context: Any) -> dict[str, Any]:
        """Answer a schedule, or whoever keeps the function warm: connect, and fold what is missing.

        A new release may fold anew, and no request has the time for it.

        Raises:
            ValueError: the event carries messages; an answer would count them as done.
        """
        if "Records" in event:
            raise ValueError("this function answers HTTP requests and wake-ups; it takes no records")
        if self._container.metrics:
            self._container.metrics.woken()
        try:
            found = self._container.store.readiness()
            if found.lag and not found.problem:
                _log.info("projections are behind", extra={"fields": {"lag": found.lag}})
                self._build(context)
                found = self._container.store.readiness()
        except GymopsError as error:
            _log.warning("woken, and the database is not there: %s", error.message)
            return {"awake": True, "ready": False, "lag": None, "problem": error.code}
        return {"awake": True, "ready": found.ready, "lag": found.lag, "problem": found.problem}

    def _build(self, context: Any) -> None:
        """Fold until it is done or time is nearly up; the next wake-up goes on."""
        from gymops.app.build import build_all

        stop = threading.Event()
        left = context.get_remaining_time_in_millis() / 1000 - _SPARE
        timer = threading.Timer(left, stop.set)
        timer.start()
        try:
            build_all(self._container.store, tell=_untold, stop=stop)
        finally:
            timer.cancel()


def _untold(progress: str) -> None:
    """It names users."""


def _read(event: Event, base_path: str) -> dict[str, Any]:
    """The event as Mangum takes it: the path without what a gateway puts before it, cookies in one line."""
    context = event["requestContext"]
    prefixes = [base_path]
    if "version" in event and ".execute-api." in context.get("domainName", ""):
        prefixes.append(f"/{context.get('stage', '')}")  # HTTP APIs; a REST API leaves it out by itself
    if "http" in context:
        http = {**context["http"], "path": _without(context["http"]["path"], prefixes)}
        return {**event, "requestContext": {**context, "http": http}}
    changed = {**event, "path": _without(event["path"], prefixes)}
    if several := event.get("multiValueHeaders"):
        # A browser may send one header per cookie (RFC 9113, 8.2.3). With commas, all but the first are lost.
        changed["multiValueHeaders"] = {
            name: ["; ".join(values)] if name.lower() == "cookie" else values
            for name, values in several.items()
        }
    return changed


def _without(path: str, prefixes: list[str]) -> str:
    for prefix in prefixes:
        if len(prefix) > 1 and (path == prefix or path.startswith(f"{prefix}/")):
            path = path[len(prefix) :] or "/"
    return path


def _problem(status: int, code: str, detail: str) -> dict[str, Any]:
    body = {"type": "about:blank", "title": detail, "status": status, "detail": detail, "code": code}
    return {
        "statusCode": status,
        "headers": {"content-type": "application/problem+json"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    _function()
