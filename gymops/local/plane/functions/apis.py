"""Calls of a function that come through an HTTP API: counted as any other, and a failure told as AWS does.

The emulator leaves them out of the function's metrics, and shows the caller what the function raised.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.functions import metrics

_FUNCTION = re.compile(r":function:([^:/]+)(?::([^:/]+))?")
_RESULT: ContextVar[dict[str, Any] | None] = ContextVar("gymops_result", default=None)
_JSON = {"Content-Type": "application/json"}


def install() -> None:
    """Count them, by the alias that the API calls."""
    ministack.wrap(ministack.service("apigateway"), "_invoke_lambda_proxy", _counting)
    ministack.wrap(
        ministack.service("lambda_svc"), "lambda_execute_result_to_api_proxy_response", _remembering
    )


def _remembering(original: Callable[..., Any]) -> Callable[..., Any]:
    """How the call ended is known here only: a function may answer 500 without failing."""

    def shaped(exec_result: dict[str, Any]) -> Any:
        if (result := _RESULT.get()) is not None:
            result.update(exec_result)
        return original(exec_result)

    return shaped


def _counting(original: Callable[..., Any]) -> Callable[..., Any]:
    async def invoke(integration: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        called = _FUNCTION.search(str(integration.get("integrationUri", "")))
        if called is None:
            return await original(integration, *arguments, **named)
        name, qualifier = called.groups()
        result: dict[str, Any] = {}
        token, began = _RESULT.set(result), time.monotonic()
        try:
            answer = await original(integration, *arguments, **named)
        finally:
            _RESULT.reset(token)
        if not result:
            return answer  # there is no such function
        failed, throttled = bool(result.get("error")), bool(result.get("throttle"))
        with metrics.called(name, qualifier):
            ministack.service("lambda_svc")._emit_lambda_metrics(
                name, (time.monotonic() - began) * 1000, failed and not throttled, throttled
            )
        return (500, _JSON, json.dumps({"message": "Internal Server Error"}).encode()) if failed else answer

    return invoke
