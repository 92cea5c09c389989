"""Log lines: what each holds, and what none may hold."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI, HTTPException, Request

from gymops.app import activity
from gymops.app.logs import JsonFormatter, RequestLog
from gymops.app.metrics import Metrics
from gymops.errors import TargetError
from tests.unit.app.handler.lines import Client, Clock, written

SECRET = "hunter2"
ID = "6f2a8f0e-6e5a-4a55-8d4c-0f6d2a1c9b11"


def app() -> FastAPI:
    made = FastAPI()

    @made.post("/api/history/{item}")
    def logs_a_set(item: str, request: Request) -> dict[str, str]:
        activity.acts_for("auth0|000001")
        activity.appended([(ID, "SetLogged")])
        activity.spoken("logged")
        logging.getLogger("gymops.app.store").warning("slow")
        return {"item": item}

    @made.get("/refused")
    def refused() -> None:
        raise HTTPException(404, SECRET)

    @made.get("/broken")
    def broken() -> None:
        try:
            raise psycopg.errors.UniqueViolation(f"Key (passcode)=({SECRET})")
        except psycopg.Error as error:
            raise ValueError(f"cannot store {SECRET}") from error

    return made


def client(**arguments: Any) -> Client:
    return Client(RequestLog(app(), clock=Clock(), **arguments))


def test_a_request_is_one_line_with_its_ids_route_and_duration(logged: io.StringIO) -> None:
    answer = client(user_key=b"key").post("/api/history/7", json={})
    slow, line = written(logged)
    assert slow["message"] == "slow"
    assert {
        name: line[name] for name in line if name not in ("timestamp", "request_id", "correlation_id")
    } == {
        "level": "INFO",
        "logger": "gymops.app",
        "message": "request",
        "method": "POST",
        "route": "/api/history/{item}",
        "status": 200,
        "duration_ms": 500.0,
        "event_ids": [ID],
        "voice": "logged",
        "user": "05c7115d35cb30d6",
    }
    assert line["timestamp"].endswith("+00:00")
    assert (
        slow["request_id"] == line["request_id"] == line["correlation_id"] == answer.headers["x-request-id"]
    )


def test_without_a_key_the_user_is_absent(logged: io.StringIO) -> None:
    client().post("/api/history/7", json={})
    assert "user" not in written(logged)[-1]


def test_nothing_a_user_sent_is_in_a_line(logged: io.StringIO) -> None:
    sent = client(user_key=b"key")
    headers = {"Authorization": SECRET, "Cookie": f"session={SECRET}", "User-Agent": SECRET, "X-Api": SECRET}
    sent.post(f"/api/history/{SECRET}?token={SECRET}", json={"passcode": SECRET}, headers=headers)
    sent.get(f"/{SECRET}?x={SECRET}")
    sent.get("/refused")
    sent.get("/broken")
    lines = written(logged)
    assert [line["route"] for line in lines if "route" in line] == [
        "/api/history/{item}", "(none)", "/refused", "/broken",
    ]  # fmt: skip
    assert SECRET not in logged.getvalue()
    assert "auth0" not in logged.getvalue()


def test_a_failure_is_told_by_type_and_place_and_its_request_has_a_line(logged: io.StringIO) -> None:
    answer = client().get("/broken")
    failed, line = written(logged)
    assert answer.status_code == line["status"] == 500
    assert failed["level"] == line["level"] == "ERROR"
    assert failed["request_id"] == line["request_id"]
    outer, cause = failed["exception"]
    assert outer["type"] == "builtins.ValueError"
    assert outer["at"][-1].endswith(" broken")
    assert (cause["type"], cause["sqlstate"]) == ("psycopg.errors.UniqueViolation", "23505")


def test_our_own_errors_hold_no_secret_and_say_what_is_wrong() -> None:
    def line() -> str:
        try:
            raise TargetError("the disk is full")
        except TargetError:
            record = logging.LogRecord("gymops", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
            return JsonFormatter().format(record)

    assert '"message": "the disk is full"' in line()


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "two\nlines\u2028three", None, None)
    record.fields = {"odd": object(), "é": "\udc00"}
    line = JsonFormatter().format(record)
    assert line.splitlines() == [line]
    assert line.isascii()


@pytest.mark.parametrize(
    ("headers", "request_id", "correlation_id"),
    [
        ({"X-Request-Id": "abc-1.2:3"}, "abc-1.2:3", "abc-1.2:3"),
        ({"X-Request-Id": "abc", "X-Correlation-Id": "whole-visit"}, "abc", "whole-visit"),
        ({"X-Amzn-Trace-Id": "Self=1-2;Root=1-67891233-abcdef012345678912345678"}, None,
         "1-67891233-abcdef012345678912345678"),
        ({"X-Request-Id": "a b"}, None, None),
        ({"X-Request-Id": "x" * 129}, None, None),
        ({"X-Request-Id": '"}{"level":"ERROR'}, None, None),
        ({"X-Correlation-Id": "-"}, None, None),
    ],
)  # fmt: skip
def test_ids_given_to_us_are_taken_when_they_are_ids(
    logged: io.StringIO, headers: dict[str, str], request_id: str | None, correlation_id: str | None
) -> None:
    answer = client().get("/refused", headers=headers)
    (line,) = written(logged)
    assert answer.headers["x-request-id"] == line["request_id"]
    assert line["request_id"] == (request_id or line["request_id"])
    assert line["correlation_id"] == (correlation_id or line["request_id"])
    if request_id is None:
        assert len(line["request_id"]) == 36


def test_requests_at_the_same_time_keep_their_lines_apart(logged: io.StringIO) -> None:
    both = threading.Barrier(2)
    made = FastAPI()

    @made.get("/{name}")
    def waits(name: str) -> None:
        activity.appended([(name, "SetLogged")])
        both.wait(60)

    sent = Client(RequestLog(made, clock=Clock()))
    threads = [
        threading.Thread(target=sent.get, args=(f"/{name}",), kwargs={"headers": {"X-Request-Id": name}})
        for name in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((line["request_id"], line["event_ids"]) for line in written(logged)) == [
        ("a", ["a"]),
        ("b", ["b"]),
    ]


def test_outside_a_request_nothing_is_gathered() -> None:
    with activity.doing(activity.Activity("r", "c")):
        activity.spoken("logged")
        assert activity.current() == activity.Activity("r", "c", voice="logged")
    activity.spoken("logged")
    assert activity.current() is None


def test_what_is_no_request_passes_through() -> None:
    seen: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    asyncio.run(RequestLog(inner, clock=Clock())({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]


def test_an_app_that_fails_before_it_answers_leaves_the_answer_to_the_server(logged: io.StringIO) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError(SECRET)

    with pytest.raises(ValueError, match=SECRET):
        Client(RequestLog(inner, clock=Clock())).get("/")
    assert [line["message"] for line in written(logged)] == ["the app failed", "request"]


def test_the_servers_own_lines_have_the_same_shape_and_its_access_lines_are_gone(logged: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info('"GET /?token=hunter2"')
    logging.getLogger("mangum.http").info("GET /hunter2 200")
    logging.getLogger("uvicorn.error").error("failed")
    assert [line["logger"] for line in written(logged)] == ["uvicorn.error"]


def test_a_requests_metrics_are_written_with_its_line(logged: io.StringIO) -> None:
    metrics = Metrics.from_environment({"GYMOPS_APP_METRICS": "on"}, clock=Clock())
    client(metrics=metrics).post("/api/history/7", json={})
    lines = written(logged)
    assert [next((name for name in ("Duration", "EventsAppended", "VoiceRequests") if name in line), None)
            for line in lines] == [None, None, "Duration", "EventsAppended", "VoiceRequests"]  # fmt: skip
    assert len({line["request_id"] for line in lines}) == 1
