"""How much, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gymops.app.limits import MAX_BODY, BodyLimit, RateLimit
from tests.unit.app.api.doubles import Clock, client

JSON = {"content-type": "application/json"}


def test_a_body_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    app = client()
    assert app.post("/api/events", content=b" " * MAX_BODY, headers=JSON).status_code == 422
    answer = app.post("/api/events", content=b" " * (MAX_BODY + 1), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_body_without_a_length_is_bounded_too() -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    assert client().post("/api/events", content=pieces(), headers=JSON).status_code == 413


def test_reading_stops_at_the_limit() -> None:
    pieces = 0
    sent: list[Any] = []

    async def app(*_: Any) -> None:
        raise AssertionError("it was parsed")

    async def receive() -> dict[str, Any]:
        nonlocal pieces
        pieces += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"content-length", b"nonsense")], "method": "POST"}
    asyncio.run(BodyLimit(app, limit=1000)(scope, receive, send))
    assert (pieces, sent[0]["status"]) == (11, 413)


def test_a_client_that_goes_away_ends_it() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def nothing(*_: Any) -> None:
        raise AssertionError("nothing is left to do")

    scope = {"type": "http", "headers": [], "method": "POST"}
    asyncio.run(BodyLimit(nothing)(scope, receive, nothing))


def test_a_bucket_is_emptied_and_fills_again() -> None:
    clock = Clock()
    limit = RateLimit(clock, per_minute=60, burst=3)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0]
    assert limit.take("a") == pytest.approx(1.0)
    assert limit.take("b") == 0
    clock.sleep(0.5)
    assert limit.take("a") == pytest.approx(0.5)
    clock.sleep(0.5)
    assert limit.take("a") == 0
    clock.sleep(3600)
    assert [bool(limit.take("a")) for _ in range(4)] == [False, False, False, True]


def test_buckets_are_forgotten_and_not_piled_up() -> None:
    limit = RateLimit(Clock(), per_minute=1, burst=1, most=100)
    for number in range(1000):
        limit.take(str(number))
    assert len(limit._buckets) == 100
    assert limit.take("999") > 0
