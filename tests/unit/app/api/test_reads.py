"""What is read: projections, pages and their cursors, the export, health."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from gymops.app.fold import PAGE, page_key
from gymops.app.store import LogEvent, Readiness, StoreUnavailable
from tests.unit.app.api.doubles import MemoryStore, client


def _pages(app: TestClient, path: str, **query: Any) -> list[Any]:
    """All items of a list, page after page."""
    items, cursor = [], None
    for _ in range(200):
        answer = app.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200
        page = answer.json()
        assert len(page["items"]) <= query["limit"]
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items
    raise AssertionError("the pages do not end")


def _with_history(count: int) -> MemoryStore:
    store = MemoryStore()
    ids = [f"w{number}" for number in range(count)]
    store.put("workout_history", {"count": count})
    for start in range(0, count, PAGE):
        store.put(page_key(start // PAGE), ids[start : start + PAGE])
    for one in ids:
        store.put(f"workout:{one}", {"id": one})
    return store


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 173])
@pytest.mark.parametrize("limit", [1, 7, 50, 100])
def test_the_history_is_read_page_by_page_from_the_newest(count: int, limit: int) -> None:
    found = _pages(client(_with_history(count)), "/api/history", limit=limit)
    assert [one["id"] for one in found] == [f"w{number}" for number in reversed(range(count))]


def test_a_workout_finished_between_two_pages_neither_hides_nor_repeats_another() -> None:
    store = _with_history(60)
    app = client(store)
    first = app.get("/api/history", params={"limit": 20}).json()
    store.put("workout_history", {"count": 61})
    store.put(page_key(1), [*store.shown["default"][page_key(1)].data, "new"])
    store.put("workout:new", {"id": "new"})
    second = app.get("/api/history", params={"limit": 20, "cursor": first["next"]}).json()
    assert [one["id"] for one in second["items"]] == [f"w{number}" for number in range(39, 19, -1)]


def test_one_workout() -> None:
    app = client(_with_history(1))
    assert app.get("/api/history/w0").json() == {"id": "w0"}
    assert app.get("/api/history/w1").status_code == 404


def test_the_composed_history_holds_the_newest_workouts_in_full() -> None:
    answer = client(_with_history(60)).get("/api/projections/workout_history").json()
    assert [one["id"] for one in answer["data"]] == [f"w{number}" for number in range(59, 9, -1)]
    assert client().get("/api/projections/workout_history").json()["data"] == []


def test_no_workout_is_an_answer_too() -> None:
    answer = client().get("/api/projections/current_workout")
    assert answer.status_code == 200
    assert answer.json() == {"key": "current_workout", "data": None, "updated_at": None}


@pytest.mark.parametrize("colon", [":", "%3A"])
def test_an_exercise_s_sessions_newest_first_also_percent_encoded(colon: str) -> None:
    store = MemoryStore()
    store.put("exercise_history:bench-press:2026-01-01", {"workout_id": "a"})
    store.put("exercise_history:bench-press:2026-02-01", {"workout_id": "b"})
    store.put("exercise_history:bench-press-close:2026-03-01", {"workout_id": "c"})
    answer = client(store).get(f"/api/projections/exercise_history{colon}bench-press")
    assert answer.status_code == 200
    assert answer.json() == {
        "key": "exercise_history:bench-press",
        "data": {"exercise_id": "bench-press", "sessions": [{"workout_id": "b"}, {"workout_id": "a"}]},
        "updated_at": "2026-11-21T09:00:00.000000Z",
    }


def test_records_have_every_kind_also_those_not_set() -> None:
    store = MemoryStore()
    store.put("personal_records:plank", {"exercise_id": "plank", "by_rep_count": {}, "longest": {"n": 1}})
    shown = client(store).get("/api/projections/personal_records:plank").json()["data"]
    assert shown == {
        "exercise_id": "plank",
        "max_weight": None,
        "max_volume": None,
        "estimated_1rm": None,
        "by_rep_count": {},
        "longest": {"n": 1},
    }
    assert client(store).get("/api/records").json()["items"] == [shown]


def test_sums_of_periods() -> None:
    store = MemoryStore()
    store.put("week/2026-W46", {"workouts": 1})
    store.put("week/2026-W47", {"workouts": 2})
    answer = client(store).get("/api/projections/aggregates:week").json()
    assert answer["data"] == [{"period": "2026-W47", "workouts": 2}, {"period": "2026-W46", "workouts": 1}]
    assert client(store).get("/api/projections/aggregates:day").status_code == 404


@pytest.mark.parametrize("key", ["nope", "workout:x", "personal_records:x", "exercise_history:x"])
def test_an_unknown_projection_is_not_found(key: str) -> None:
    assert client().get(f"/api/projections/{key}").status_code == 404


@pytest.mark.parametrize("key", ["A", "a%00", "a:", "a:%ED%A0%80", "a" * 33, "a:" + "b" * 129, "a:b%0A", "-"])
def test_what_is_no_key_is_refused(key: str) -> None:
    assert client().get(f"/api/projections/{key}").status_code == 422


@pytest.mark.parametrize("path", ["/api/history", "/api/templates", "/api/exercises", "/api/records"])
@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1e1", "cursor=", "cursor=x", "cursor=%00",
     "cursor=WyJ4Il0", "cursor=W1tbW1tbW1tb", "cursor=WyJoaXN0b3J5IiwtMV0", "cursor=WyJoaXN0b3J5IiwxZTk5OV0",
     "cursor=WyJyZWNvcmRzIixudWxsXQ", "cursor=WyJ0ZW1wbGF0ZXMiLFsxLDJdXQ", "cursor=" + "A" * 1001],
)  # fmt: skip
def test_a_wrong_limit_or_cursor_is_refused(path: str, query: str) -> None:
    answer = client(_with_history(3)).get(f"{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_cursor_belongs_to_its_list() -> None:
    app = client(_with_history(3))
    cursor = app.get("/api/history?limit=1").json()["next"]
    assert app.get("/api/records", params={"cursor": cursor}).status_code == 422
    cursor = app.get("/api/exercises?limit=1").json()["next"]
    assert app.get("/api/exercises", params={"cursor": cursor}).status_code == 200
    assert app.get("/api/templates", params={"cursor": cursor}).status_code == 422


def test_records_page_by_page() -> None:
    store = MemoryStore()
    names = sorted(f"exercise-{number}" for number in range(23))
    for name in names:
        store.put(f"personal_records:{name}", {"exercise_id": name})
    assert [one["exercise_id"] for one in _pages(client(store), "/api/records", limit=5)] == names


def test_templates_page_by_page_and_one_deleted_meanwhile_skips_none() -> None:
    store = MemoryStore()
    rows = [{"id": f"t{n}", "created_at": f"2026-01-{n + 1:02d}"} for n in range(9)]
    store.put("workout_templates", rows)
    app = client(store)
    assert _pages(app, "/api/templates", limit=4) == rows
    first = app.get("/api/templates?limit=4").json()
    store.put("workout_templates", rows[2:])
    after = app.get("/api/templates", params={"limit": 4, "cursor": first["next"]}).json()
    assert after["items"] == rows[4:8]


def test_exercises_are_the_built_in_ones_and_one_s_own() -> None:
    store = MemoryStore()
    store.own_exercises = [
        {"id": "bench-press", "name": "My Bench", "category": None, "description": "d", "is_custom": True},
        {
            "id": "zercher",
            "name": "Zercher Squat",
            "category": "legs",
            "description": None,
            "is_custom": True,
        },
    ]
    app = client(store)
    found = _pages(app, "/api/exercises", limit=10)
    assert len({one["id"] for one in found}) == len(found) > 50
    assert found == sorted(found, key=lambda one: (one["name"].casefold(), one["id"]))
    bench, zercher = (one for one in found if one["id"] in ("bench-press", "zercher"))
    assert zercher == {**store.own_exercises[1], "aliases": [], "timed": False, "bodyweight": False}
    # The user's name for it, and still what the library knows of how it is said.
    assert bench.items() >= store.own_exercises[0].items()
    assert "flat bench" in bench["aliases"]
    assert all(one.keys() == zercher.keys() for one in found)
    for search in ("  ZERCHER  squat ", "flat bench"):
        (only,) = app.get("/api/exercises", params={"q": search}).json()["items"]
        assert only in (bench, zercher)


def test_the_export_is_every_event_as_one_line() -> None:
    store = MemoryStore()
    store.log["default"] = [
        LogEvent(n, f"e{n}", "2026-11-21T09:00:00.000000Z", "SetLogged", {"text": "Größe\n"}, 2)
        for n in range(1, 1202)
    ]
    store.log["someone else"] = [LogEvent(1, "x", "2026-11-21T09:00:00.000000Z", "SetLogged", {}, 2)]
    answer = client(store).get("/api/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.split("\n")[:-1]]
    assert [one["position"] for one in lines] == list(range(1, 1202))
    assert lines[0] == {
        "position": 1,
        "event_id": "e1",
        "timestamp": "2026-11-21T09:00:00.000000Z",
        "event_type": "SetLogged",
        "payload": {"text": "Größe\n"},
        "schema_version": 2,
    }
    assert client().get("/api/export").text == ""


def test_an_export_that_cannot_begin_is_a_problem_and_one_that_breaks_off_breaks() -> None:
    store = MemoryStore()
    store.fails = StoreUnavailable("gone")
    assert client(store).get("/api/export").status_code == 503

    class Breaking(MemoryStore):
        def events(self, user_id: str, *, after: int, limit: int) -> list[LogEvent]:
            if after:
                raise StoreUnavailable("gone")
            return [LogEvent(1, "e", "t", "SetLogged", {}, 2)]

    with pytest.raises(RuntimeError, match="response already started"):
        client(Breaking()).get("/api/export")


def test_health_asks_no_database() -> None:
    store = MemoryStore()
    store.fails = StoreUnavailable("gone")
    answer = client(store).get("/api/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert client(store).get("/api/ready").status_code == 503


def test_ready_says_what_is_missing() -> None:
    store = MemoryStore()
    assert client(store).get("/api/ready").json() == {
        "ready": True,
        "schema": {"revision": "0004", "expected": "0004"},
        "projections": {"lag": 0},
    }
    store.found = Readiness("0003", "0004", 0, "gymops schema upgrade brings it up to date")
    answer = client(store).get("/api/ready")
    assert answer.status_code == 503
    assert answer.json()["schema"] == {"revision": "0003", "expected": "0004"}
    assert answer.json()["ready"] is False
    store.found = Readiness("0004", "0004", 17)
    answer = client(store).get("/api/ready")
    assert (answer.status_code, answer.json()["projections"]) == (503, {"lag": 17})


def test_head_is_get_without_the_body() -> None:
    app = client(_with_history(2))
    head, get = app.head("/api/history"), app.get("/api/history")
    assert head.status_code == 200
    assert head.headers["content-length"] == get.headers["content-length"]

    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    # As a server asks it: the test's client would drop a body by itself.
    scope = {
        "type": "http", "method": "HEAD", "path": "/api/health", "raw_path": b"/api/health",
        "query_string": b"", "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    asyncio.run(app.app(scope, receive, send))  # type: ignore[arg-type]
    assert [message.get("body") for message in sent] == [None, b""]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/events", "POST"),
        ("OPTIONS", "/api/history", "GET, HEAD"),
        ("PUT", "/api/session", "DELETE, GET, HEAD, POST"),
        ("HEAD", "/api/voice/process", "POST"),
        ("POST", "/", "GET, HEAD"),
    ],
)
def test_a_wrong_method_names_the_right_ones(method: str, path: str, allowed: str) -> None:
    answer = client().request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing", "/api/events/", "/api/admin", "/docs", "/redoc"]
)
def test_what_is_not_there_is_a_problem_too(path: str) -> None:
    answer = client().get(path, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert client().put("/api/nothing").status_code == 404
