"""CloudFormation: resource types of ours, off the event loop, and as slow as they were set to be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.context import Context
from gymops.local.plane.faults import Fault

_STEPS = ("create", "update", "delete")


class Stacks:
    """The resource types a stack can hold."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ours: set[str] = set()

    def register(self, kind: str, handlers: dict[str, Any]) -> None:
        """Make ``kind`` a type, or take it over."""
        ministack.handlers()[kind] = {
            name: _speaking(kind, handler) if callable(handler) else handler
            for name, handler in handlers.items()
        }
        self._ours.add(kind)

    def install(self) -> None:
        """Let our types block without blocking the emulator; let all of them take their time."""
        delay = self._context.settings.delay
        for handlers in ministack.handlers().values() if delay else ():
            for step in _STEPS:
                if step in handlers:
                    handlers[step] = _slow(handlers[step], delay)
        stacks = ministack.module("ministack.services.cloudformation.stacks")
        ministack.wrap(
            stacks,
            "_runs_on_worker_thread",
            lambda original: lambda kind: bool(delay) or kind in self._ours or original(kind),
        )

    def fail_interrupted(self) -> None:
        """What a killed emulator left in progress goes on nowhere: say so when it is loaded again."""
        service = ministack.service("cloudformation")

        def loading(original: Callable[[Any], None]) -> Callable[[Any], None]:
            def load(data: Any) -> None:
                original(data)
                for stack in service._stacks._data.values():
                    status = str(stack.get("StackStatus", ""))
                    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
                        stack["StackStatus"] = status.replace("_CLEANUP", "").replace(
                            "_IN_PROGRESS", "_FAILED"
                        )
                        stack["StackStatusReason"] = "The local AWS was ended during the operation"

            return load

        ministack.wrap(service, "load_persisted_state", loading)


def _slow(handler: Callable[..., Any], delay: float) -> Callable[..., Any]:
    def slowly(*arguments: Any) -> Any:
        time.sleep(delay)
        return handler(*arguments)

    return slowly


def _speaking(kind: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    """The emulator shows an error's text as the event's reason: with AWS's code in it."""

    def handle(*arguments: Any) -> Any:
        try:
            return handler(*arguments)
        except Fault as fault:
            raise ValueError(
                f'Resource handler returned message: "{fault.message} (Service: {kind.split("::")[1]},'
                f' Status Code: {fault.status})" ({fault.code})'
            ) from fault

    return handle
