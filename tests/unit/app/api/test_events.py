"""POST /api/events: what is answered, and what is refused before a store sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gymops.app.domain import Conflict
from gymops.app.store import NotReady, StoreUnavailable
from tests.unit.app.api.doubles import MemoryStore, client

EVENT_ID = "3f0e8f3a-5f0b-4f43-9a5a-0d8f6f0f1a11"
WORKOUT = "6f1c1f0e-8a68-4f0e-9f6a-1b7c5d0e2f33"


def _set(**changes: Any) -> dict[str, Any]:
    payload = {"workout_id": WORKOUT, "exercise_id": "bench-press", "weight": 80, "reps": 10, "unit": "kg"}
    return {"event_id": EVENT_ID, "event_type": "SetLogged", "payload": {**payload, **changes}}


def test_an_event_is_answered_as_it_was_logged() -> None:
    store = MemoryStore()
    answer = client(store).post("/api/events", json=_set(weight=62.5))
    assert answer.status_code == 201
    assert answer.json() == {
        "event_id": EVENT_ID,
        "event_type": "SetLogged",
        "payload": {
            "workout_id": WORKOUT, "exercise_id": "bench-press", "weight": 62.5, "reps": 10, "unit": "kg",
            "duration_seconds": None,
        },
        "schema_version": 1,
        "timestamp": "2026-11-21T09:00:00.000000Z",
        "position": 1,
    }  # fmt: skip
    assert [one.event_id for one in store.log["default"]] == [EVENT_ID]


def test_sent_again_it_is_answered_the_same_and_logged_once() -> None:
    store = MemoryStore()
    app = client(store)
    first, again = (app.post("/api/events", json=_set()) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(store.log["default"]) == 1


def test_an_id_in_capitals_is_the_same_id() -> None:
    app = client()
    app.post("/api/events", json=_set())
    again = app.post("/api/events", json={**_set(), "event_id": EVENT_ID.upper()})
    assert (again.status_code, again.json()["event_id"]) == (200, EVENT_ID)


def test_another_body_under_the_same_id_is_refused() -> None:
    app = client()
    app.post("/api/events", json=_set())
    answer = app.post("/api/events", json=_set(reps=9))
    assert (answer.status_code, answer.json()["code"]) == (422, "event_id_reused")


def test_an_event_without_an_id_is_given_one() -> None:
    app = client(new_id=lambda: EVENT_ID)
    body = _set()
    del body["event_id"]
    answer = app.post("/api/events", json=body)
    assert (answer.status_code, answer.json()["event_id"]) == (201, EVENT_ID)


@pytest.mark.parametrize(
    "change",
    [
        {"weight": -1},
        {"weight": 1501},
        {"weight": "80"},
        {"weight": True},
        {"weight": 10**400},
        {"reps": 0},
        {"reps": 1001},
        {"reps": 1.5},
        {"reps": None},
        {"reps": 1, "duration_seconds": 60},
        {"unit": "stone"},
        {"workout_id": "yesterday"},
        {"exercise_id": "../etc"},
        {"mood": "good"},
    ],
)
def test_what_no_set_can_be_is_refused(change: dict[str, Any]) -> None:
    store = MemoryStore()
    answer = client(store).post("/api/events", json=_set(**change))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["errors"][0]["loc"].startswith("body.SetLogged.payload")
    assert not store.log


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"NaN",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"1" * 5000,
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"event_type": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"event_type": "a\\u0000b"}',
        json.dumps(_set(weight=float("nan"))).encode(),
        json.dumps(_set(weight=float("inf"))).encode(),
        json.dumps(_set(weight=float("-inf"))).encode(),
        json.dumps(_set()).replace("80", "8e999").encode(),
        b'{"event_type": "WorkoutForgotten", "payload": {}}',
        b'{"event_type": ["SetLogged"], "payload": {}}',
        b'{"event_type": "SetLogged"}',
        json.dumps({**_set(), "event_id": "1"}).encode(),
        json.dumps({**_set(), "extra": 1}).encode(),
    ],
)
def test_what_is_no_event_is_refused_and_never_breaks_anything(body: bytes) -> None:
    answer = client().post("/api/events", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["type"]) == (422, "invalid", "about:blank")
    assert problem["errors"][0].keys() == {"loc", "msg"}


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_only_python_takes_for_a_number_is_no_json(name: str) -> None:
    body = json.dumps(_set()).replace("80", name).encode()
    answer = client().post("/api/events", content=body, headers={"content-type": "application/json"})
    assert answer.json()["errors"] == [{"loc": "body", "msg": f"holds {name}, which is no number in JSON"}]


def test_the_last_of_two_equal_keys_counts() -> None:
    body = json.dumps(_set()).replace('"reps": 10', '"reps": 10, "reps": 12').encode()
    answer = client().post("/api/events", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["payload"]["reps"]) == (201, 12)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "nonsense"])
def test_only_json_is_taken(kind: str) -> None:
    answer = client().post("/api/events", content=json.dumps(_set()), headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "not_json")


def test_a_broken_precondition_is_a_conflict() -> None:
    store = MemoryStore()
    store.fails = Conflict("no_workout", "no workout is in progress: start one first")
    answer = client(store).post("/api/events", json=_set())
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "no workout is in progress: start one first",
        "code": "no_workout",
    }


@pytest.mark.parametrize("error", [NotReady("x"), StoreUnavailable("postgresql://gym:hidden@db says no")])
def test_a_store_that_cannot_is_tried_again_later_and_tells_nothing(error: Exception) -> None:
    store = MemoryStore()
    store.fails = error
    answer = client(store).post("/api/events", json=_set())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "hidden" not in answer.text


def test_what_nobody_expected_is_a_500_without_internals(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    store.fails = RuntimeError("the inside of things")
    answer = client(store).post("/api/events", json=_set())
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "inside" not in answer.text
    assert "content-security-policy" in answer.headers
    assert "the inside of things" in caplog.text
