"""Invocations: the emulator's accounting around our processes, and traffic split by an alias's weights."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.context import Context
from gymops.local.plane.faults import Fault
from gymops.local.plane.functions import metrics
from gymops.local.plane.functions.artefact import Artefacts
from gymops.local.plane.functions.runtime import NOT_FOR_FUNCTIONS, OWN

_Dispatch = Callable[..., dict[str, Any]]


class Execution:
    """How a function is run, and which version of it."""

    def __init__(self, context: Context, choose: Callable[[], float] = random.random) -> None:
        self._artefacts = Artefacts(context)
        self._choose = choose

    def install(self) -> None:
        """Take over what runs Python functions and images, and what an alias resolves to."""
        functions = ministack.service("lambda_svc")
        ministack.wrap(functions, "_execute_function_dispatch", self._dispatching)
        ministack.wrap(functions, "_effective_func_record_for_qualifier", self._weighing)
        ministack.wrap(functions, "_invoke", self._invoking)
        handlers = ministack.handlers()["AWS::Lambda::Function"]
        handlers["delete"] = _ending(handlers["delete"])

    def _dispatching(self, original: _Dispatch) -> _Dispatch:
        """As a ``provided`` runtime: the emulator runs it by the Runtime API in a process it keeps."""

        def dispatch(
            func: dict[str, Any], config: dict[str, Any], event: Any, request_id: str, started: float
        ) -> dict[str, Any]:
            python = str(config.get("Runtime") or "").startswith("python")
            if not python and config.get("PackageType") != "Image":
                return original(func, config, event, request_id, started)
            try:
                launcher = self._artefacts.launcher(func, config)
            except Fault as fault:
                body = {"errorMessage": fault.message, "errorType": fault.code}
                return {"body": body, "error": True, "log": fault.message}
            shown = {
                **config, "Runtime": "provided.al2023", "PackageType": "Zip", "Layers": [],
                "Handler": config.get("Handler") or "bootstrap", "Environment": _own(config),
            }  # fmt: skip
            disguised = {**func, "code_zip": launcher, "config": shown}
            return _told(original(disguised, shown, event, request_id, started))

        return dispatch

    def _weighing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def resolve(func: dict[str, Any] | None, qualifier: str | None) -> Any:
            return original(func, self._version(func, qualifier))

        return resolve

    def _invoking(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def invoke(
            name: str, event: Any, headers: dict[str, str], path_qualifier: str | None = None,
            query_params: dict[str, Any] | None = None,
        ) -> Any:  # fmt: skip
            functions = ministack.service("lambda_svc")
            asked = path_qualifier or functions._qp_first(query_params or {}, "Qualifier") or None
            version = self._version(functions._functions.get(name), asked)
            chosen = version if version != asked else path_qualifier
            with metrics.called(name, asked):
                return await original(name, event, headers, chosen, query_params)

        return invoke

    def _version(self, func: dict[str, Any] | None, qualifier: str | None) -> str | None:
        """The version that a request to an alias goes to this time; anything else is as it is."""
        alias = (func or {}).get("aliases", {}).get(qualifier)
        weights = ((alias or {}).get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        point = self._choose() if weights else 0.0
        for version, weight in weights.items():
            point -= float(weight)
            if point < 0:
                return str(version)
        return qualifier


def _own(config: dict[str, Any]) -> dict[str, Any]:
    """A function's variables; one that is called like a setting of the emulator's is told apart from it."""
    variables = (config.get("Environment") or {}).get("Variables") or {}
    return {
        "Variables": {OWN + key if key in NOT_FOR_FUNCTIONS else key: variables[key] for key in variables}
    }


def _told(result: dict[str, Any]) -> dict[str, Any]:
    """A function that could not start says why as AWS does: the emulator puts its report into a sentence."""
    said = (result.get("body") or {}).get("errorMessage", "") if result.get("error") else ""
    _, begun, report = said.partition("init error: ")
    with suppress(ValueError, SyntaxError):
        if begun and isinstance(found := ast.literal_eval(report), dict):
            return {**result, "body": found}
    return result


def _ending(original: Callable[..., Any]) -> Callable[..., Any]:
    """A function deleted with its stack: its processes go too."""

    def delete(physical_id: str, props: dict[str, Any]) -> Any:
        found = original(physical_id, props)
        ministack.service("lambda_svc").invalidate_worker(
            physical_id, account=ministack.account(), region=ministack.region()
        )
        return found

    return delete
