"""The function, as gateways and schedules call it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from gymops.app.container import Container
from gymops.app.handler import LARGEST, Function
from gymops.app.logs import RequestLog
from gymops.app.metrics import Metrics
from gymops.app.store import Readiness, Store, StoreUnavailable
from tests.unit.app.handler import events
from tests.unit.app.handler.events import function_url, rest_api
from tests.unit.app.handler.lines import Clock, written


@dataclass
class Context:
    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    milliseconds: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


class FakeStore:
    """Says whether it is ready; building folds 10 events at a time."""

    def __init__(self, answer: Readiness | StoreUnavailable) -> None:
        self.answer = answer

    def users(self) -> Iterator[str]:
        while isinstance(self.answer, Readiness) and self.answer.lag:
            yield "auth0|000001"

    def build(self, user_id: str) -> int:
        assert isinstance(self.answer, Readiness)
        self.answer = replace(self.answer, lag=max(0, self.answer.lag - 10))
        return 10

    def readiness(self) -> Readiness:
        if isinstance(self.answer, StoreUnavailable):
            raise self.answer
        return self.answer


def echo() -> FastAPI:
    """An app that tells what it was asked."""
    app = FastAPI()

    @app.api_route("/echo/{rest:path}", methods=["GET", "POST"])
    async def tell(request: Request, rest: str) -> dict[str, Any]:
        return {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "scheme": request.url.scheme,
            "client": request.client.host if request.client else None,
            "cookies": request.cookies,
            "body": base64.b64encode(await request.body()).decode(),
        }

    @app.get("/binary")
    async def binary() -> Response:
        return Response(b"\x89PNG\xff", media_type="image/png")

    @app.get("/problem")
    async def problem() -> Response:
        return Response('{"status": 404}', 404, media_type="application/problem+json")

    @app.get("/cookies")
    async def cookies() -> Response:
        response = Response(status_code=204)
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    @app.get("/large/{size}")
    async def large(size: int) -> Response:
        return Response(b'"' * size, media_type="application/x-ndjson")

    @app.get("/broken")
    async def broken() -> StreamingResponse:
        async def half() -> AsyncIterator[bytes]:
            yield b'{"half":'
            raise ValueError("hunter2")

        return StreamingResponse(half(), media_type="application/json")

    return app


READY = Readiness("0004", "0004", 0)


def function(base_path: str = "", store: FakeStore | None = None, metrics: Metrics | None = None) -> Function:
    app = RequestLog(echo(), clock=Clock(), metrics=metrics)
    return Function(Container(app, cast("Store", store or FakeStore(READY)), metrics), base_path)


@pytest.fixture(autouse=True)
def _as_in_production(logged: io.StringIO, event_loop: None) -> None:
    """Logs are configured, and caught; there is a loop."""


def told(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["statusCode"] == 200, answer
    assert answer["isBase64Encoded"] is False
    found: dict[str, Any] = json.loads(answer["body"])
    return found


BOTH = [function_url, rest_api]


@pytest.mark.parametrize("event", BOTH)
def test_a_request_arrives_as_it_was_sent(event: Any) -> None:
    found = told(function().answer(event("POST", "/echo/x", '{"a": "é"}'), Context()))
    assert base64.b64decode(found["body"]).decode() == '{"a": "é"}'
    assert (found["method"], found["path"], found["scheme"]) == ("POST", "/echo/x", "https")
    assert found["client"] == "203.0.113.9"


@pytest.mark.parametrize("event", BOTH)
def test_a_binary_body_arrives_decoded(event: Any) -> None:
    found = told(function().answer(event("POST", "/echo/x", b"\0\xff"), Context()))
    assert base64.b64decode(found["body"]) == b"\0\xff"


def test_a_query_arrives_with_repeated_names() -> None:
    sent = function_url(path="/echo/x", query="a=1&a=2&b=%20")
    assert told(function().answer(sent, Context()))["query"] == "a=1&a=2&b=%20"
    sent = rest_api(path="/echo/x", query={"a": ["1", "2"]})
    assert told(function().answer(sent, Context()))["query"] == "a=1&a=2"


def test_cookies_arrive_however_they_were_sent() -> None:
    both = {"a": "1", "b": "2"}
    assert (
        told(function().answer(function_url(path="/echo/", cookies=["a=1", "b=2"]), Context()))["cookies"]
        == both
    )
    for sent in (["a=1; b=2"], ["a=1", "b=2"]):
        event = rest_api(path="/echo/", headers={"Cookie": sent})
        assert told(function().answer(event, Context()))["cookies"] == both


def test_cookies_are_set_one_by_one() -> None:
    expected = ["a=1; Path=/; SameSite=lax", "b=2; Path=/; SameSite=lax"]
    assert function().answer(function_url(path="/cookies"), Context())["cookies"] == expected
    assert (
        function().answer(rest_api(path="/cookies"), Context())["multiValueHeaders"]["set-cookie"] == expected
    )


@pytest.mark.parametrize("event", BOTH)
def test_text_goes_out_as_text_and_the_rest_as_base64(event: Any) -> None:
    answer = function().answer(event(path="/binary"), Context())
    assert answer["isBase64Encoded"]
    assert base64.b64decode(answer["body"]) == b"\x89PNG\xff"
    answer = function().answer(event(path="/problem"), Context())
    assert (answer["statusCode"], answer["isBase64Encoded"], answer["body"]) == (
        404,
        False,
        '{"status": 404}',
    )


HTTP_API = {"stage": "prod", "domain": "abcdefghij.execute-api.us-west-1.amazonaws.com"}


def test_the_stage_of_an_http_api_is_no_part_of_the_path() -> None:
    found = told(function().answer(function_url(path="/prod/echo/x", **HTTP_API), Context()))  # type: ignore[arg-type]
    assert found["path"] == "/echo/x"


@pytest.mark.parametrize("stage", ["echo", "ec"])
def test_a_stage_named_like_a_route_takes_nothing_away(stage: str) -> None:
    domain = "gym.example.com"  # a custom domain's paths have no stage
    found = told(function().answer(function_url(path="/echo/x", stage=stage, domain=domain), Context()))
    assert found["path"] == "/echo/x"
    event = rest_api(path="/echo/x")
    event["requestContext"]["stage"] = stage
    assert told(function().answer(event, Context()))["path"] == "/echo/x"


@pytest.mark.parametrize("base_path", ["gym", "/gym/", "/gym"])
def test_a_domains_mapping_is_no_part_of_the_path(base_path: str) -> None:
    found = function(base_path)
    assert told(found.answer(function_url(path="/gym/echo/x"), Context()))["path"] == "/echo/x"
    assert told(found.answer(rest_api(path="/gym/echo/x"), Context()))["path"] == "/echo/x"
    assert told(found.answer(rest_api(path="/echo/gym/x"), Context()))["path"] == "/echo/gym/x"
    assert told(function("ec").answer(rest_api(path="/echo/x"), Context()))["path"] == "/echo/x"
    assert found.answer(rest_api(path="/gym"), Context())["statusCode"] == 404


def test_the_path_is_unquoted_once() -> None:
    assert told(function().answer(function_url(path="/echo/auth0%7C1"), Context()))["path"] == "/echo/auth0|1"


def test_lambdas_request_id_is_the_requests(logged: io.StringIO) -> None:
    answer = function().answer(function_url(path="/echo/", headers={"x-request-id": "mine"}), Context())
    line = written(logged)[-1]
    assert line["request_id"] == answer["headers"]["x-request-id"] == Context().aws_request_id
    assert line["correlation_id"] == "mine"


def test_an_answer_lambda_would_refuse_is_a_problem_instead(logged: io.StringIO) -> None:
    fits = function().answer(function_url(path=f"/large/{LARGEST // 2 - 1000}"), Context())
    assert fits["statusCode"] == 200
    answer = function().answer(function_url(path=f"/large/{LARGEST // 2}"), Context())
    assert len(json.dumps(answer)) < 1000
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (500, "answer_too_large")


@pytest.mark.parametrize(
    "event",
    [
        {"requestContext": {}},
        {"requestContext": {"http": {}}, "version": "2.0"},
        {**function_url("POST", "/echo/x"), "body": "abcde", "isBase64Encoded": True},
        {**rest_api(), "httpMethod": None, "path": 5},
        {"requestContext": None},
    ],
)
def test_a_broken_request_is_answered(event: Any) -> None:
    answer = function().answer(event, Context())
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (400, "bad_event")
    assert answer["headers"]["content-type"] == "application/problem+json"


def test_half_an_answer_does_not_pass_for_a_whole_one(logged: io.StringIO) -> None:
    answer = function().answer(function_url(path="/broken"), Context())
    assert (answer["statusCode"], answer["body"]) == (500, "Internal Server Error")
    failed, line = written(logged)
    assert failed["exception"][0]["type"] == "builtins.ValueError"
    assert (line["message"], line["status"]) == ("request", 500)
    assert "hunter2" not in logged.getvalue()


AWAKE = {"awake": True, "ready": True, "lag": 0, "problem": None}


def test_a_schedule_wakes_the_function(logged: io.StringIO) -> None:
    metrics = Metrics(clock=Clock(), namespace="n", service="s", cold=True)
    found = function(metrics=metrics)
    assert found.wake(events.schedule(), Context()) == AWAKE
    assert found.wake({}, Context()) == AWAKE
    found.answer(function_url(path="/echo/"), Context())
    assert [line["ColdStart"] for line in written(logged) if "ColdStart" in line] == [1, 0, 0]


def test_a_wake_up_folds_what_is_missing_and_names_nobody(logged: io.StringIO) -> None:
    found = function(store=FakeStore(replace(READY, lag=95)))
    assert found.wake({}, Context()) == AWAKE
    assert [line["lag"] for line in written(logged)] == [95]
    assert "auth0" not in logged.getvalue()


def test_a_wake_up_stops_folding_when_time_is_nearly_up() -> None:
    found = function(store=FakeStore(replace(READY, lag=10**9)))
    answer = found.wake({}, Context(milliseconds=3200))
    assert answer["ready"] is False
    assert 0 < answer["lag"] < 10**9


def test_a_wake_up_without_a_database_says_so(logged: io.StringIO) -> None:
    found = function(
        store=FakeStore(StoreUnavailable("cannot connect to postgresql://db: nothing listens there"))
    )
    answer = found.wake({}, Context())
    assert answer == {"awake": True, "ready": False, "lag": None, "problem": "store_unavailable"}
    assert "nothing listens there" in logged.getvalue()
    found = function(store=FakeStore(Readiness("0001", "0004", 7, "gymops schema upgrade")))
    answer = found.wake({}, Context())
    assert answer == {"awake": True, "ready": False, "lag": 7, "problem": "gymops schema upgrade"}


def test_messages_are_not_counted_as_done() -> None:
    with pytest.raises(ValueError, match="takes no records"):
        function().wake({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, Context())
