"""The whole API as its own document describes it, fed by a fuzzer: its promises hold, and never a 5xx."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from gymops.app.routes import ROUTERS

_OPERATIONS = sorted(
    (route.path, method)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)


def _fuzz(app: FastAPI, path: str, method: str, examples: int) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "localhost"})
    operation = schema[path][method.lower()]
    takes_something = operation.body or operation.query or operation.path_parameters
    for mode in (GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if takes_something else [])):

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            # The document cannot say all: cursors are ours, and a set has reps or a duration.
            answer = case.call(headers={"Host": "localhost"})
            excluded = [positive_data_acceptance]
            if answer.status_code == 413:  # refused for its size, before anyone looks at what it holds
                excluded.append(negative_data_rejection)
            case.validate_response(answer, excluded_checks=excluded, headers={"Host": "localhost"})

        check()


@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_every_operation_keeps_its_promises(app: FastAPI, path: str, method: str) -> None:
    _fuzz(app, path, method, examples=10)


@pytest.mark.long
@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
def test_every_operation_keeps_its_promises_at_length(app: FastAPI, path: str, method: str) -> None:
    _fuzz(app, path, method, examples=200)
