"""The API on real stores: the same request many times at once, and a training from start to export."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from gymops.app.main import create_app
from gymops.app.store import Store
from gymops.app.store.opening import open_store
from gymops.clock import SystemClock
from tests.integration.app.api.conftest import HOST, SETTINGS

NewClient = Callable[[], TestClient]

BENCH = {"exercise_id": "bench-press", "weight": 80, "reps": 10, "unit": "kg"}


def _at_once(new_client: NewClient, path: str, bodies: list[dict[str, Any]]) -> list[httpx2.Response]:
    """Send them all in the same moment, each from a thread of its own."""
    barrier = Barrier(len(bodies))

    def send(body: dict[str, Any]) -> httpx2.Response:
        client = new_client()
        barrier.wait()
        return client.post(path, json=body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(send, bodies))


def _started(workout_id: str | None = None) -> dict[str, Any]:
    return {"event_type": "WorkoutStarted", "payload": {"workout_id": workout_id or str(uuid.uuid4())}}


def _events(client: TestClient) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.get("/api/export").text.splitlines()]


def _log(client: TestClient, event_type: str, **payload: Any) -> dict[str, Any]:
    answer = client.post("/api/events", json={"event_type": event_type, "payload": payload})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_the_same_event_ten_times_at_once_is_logged_once_and_answered_the_same(
    new_client: NewClient, client: TestClient
) -> None:
    body = {**_started(), "event_id": str(uuid.uuid4())}
    answers = _at_once(new_client, "/api/events", [body] * 10)
    assert sorted(one.status_code for one in answers) == [200] * 9 + [201]
    assert len({one.text for one in answers}) == 1
    assert _events(client) == [answers[0].json()]
    other = client.post("/api/events", json={**body, **_started()})
    assert (other.status_code, other.json()["code"]) == (422, "event_id_reused")
    assert len(_events(client)) == 1


def test_of_twenty_workouts_started_at_once_one_is(new_client: NewClient, client: TestClient) -> None:
    answers = _at_once(new_client, "/api/events", [_started() for _ in range(20)])
    assert sorted(one.status_code for one in answers) == [201] + [409] * 19
    assert {one.json()["code"] for one in answers if one.status_code == 409} == {"workout_in_progress"}
    (event,) = _events(client)
    current = client.get("/api/projections/current_workout").json()["data"]
    assert current["id"] == event["payload"]["workout_id"]


def test_a_sentence_sent_ten_times_at_once_is_logged_once(new_client: NewClient, client: TestClient) -> None:
    client.post("/api/events", json=_started())
    body = {"transcript": "bench press 80 kg for 10", "event_id": str(uuid.uuid4())}
    answers = _at_once(new_client, "/api/voice/process", [body] * 10)
    assert {(one.status_code, one.json()["outcome"]) for one in answers} == {(200, "logged")}
    assert len({json.dumps(one.json()["events"]) for one in answers}) == 1
    logged = [one for one in _events(client) if one["event_type"] == "SetLogged"]
    assert [one["payload"]["weight"] for one in logged] == [80]


def test_a_training_from_the_first_word_to_the_export(client: TestClient) -> None:
    def say(transcript: str) -> dict[str, Any]:
        answer = client.post("/api/voice/process", json={"transcript": transcript})
        assert answer.status_code == 200
        document: dict[str, Any] = answer.json()
        return document

    assert say("start push day")["outcome"] == "logged"
    assert say("bench press 80 kg for 10")["outcome"] == "logged"
    better = say("bench press 85 kg for 10")
    assert {one["kind"] for one in better["records"]} >= {"max_weight", "estimated_1rm"}
    current = client.get("/api/projections/current_workout").json()["data"]
    assert [one["weight"] for one in current["exercises"][0]["sets"]] == [80, 85]
    assert say("undo")["outcome"] == "logged"
    record = client.get("/api/projections/personal_records:bench-press").json()["data"]
    assert record["max_weight"]["weight"] == 80
    assert say("finish workout")["outcome"] == "logged"

    (finished,) = client.get("/api/history").json()["items"]
    assert finished["name"].lower().startswith("push")
    assert finished["stats"]["total_sets"] == 1
    assert client.get(f"/api/history/{finished['id']}").json() == finished
    assert client.get("/api/projections/workout_history").json()["data"] == [finished]
    sessions = client.get("/api/projections/exercise_history%3Abench-press").json()["data"]["sessions"]
    assert [one["workout_id"] for one in sessions] == [finished["id"]]
    (week,) = client.get("/api/projections/aggregates:week").json()["data"]
    assert (week["workouts"], week["total_reps"]) == (1, 10)
    events = _events(client)
    assert [one["position"] for one in events] == list(range(1, len(events) + 1))
    assert [events[0]["event_type"], events[-1]["event_type"]] == ["WorkoutStarted", "WorkoutCompleted"]


@pytest.mark.parametrize("limit", [1, 30, 100])
def test_a_long_history_page_by_page(client: TestClient, limit: int) -> None:
    finished = []
    for number in range(103):
        workout_id = str(uuid.UUID(int=number + 1))
        _log(client, "WorkoutStarted", workout_id=workout_id)
        _log(client, "WorkoutCompleted", workout_id=workout_id)
        finished.append(workout_id)
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/api/history", params={"limit": limit, **cursor}).json()
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == finished[::-1]


def test_records_and_templates_as_lists(client: TestClient) -> None:
    workout = str(uuid.uuid4())
    _log(client, "WorkoutStarted", workout_id=workout)
    _log(client, "SetLogged", workout_id=workout, **BENCH)
    _log(client, "SetLogged", workout_id=workout, exercise_id="plank", duration_seconds=60)
    for name in ("A", "B", "C"):
        _log(client, "TemplateCreated", template_id=str(uuid.uuid4()), name=name, exercise_ids=["plank"])
    first = client.get("/api/records?limit=1").json()
    second = client.get("/api/records", params={"limit": 1, "cursor": first["next"]}).json()
    assert [one["exercise_id"] for one in (*first["items"], *second["items"])] == ["bench-press", "plank"]
    assert second["next"] is None
    assert second["items"][0]["max_weight"] is None
    assert second["items"][0]["longest"]["duration_seconds"] == 60
    page = client.get("/api/templates?limit=2").json()
    rest = client.get("/api/templates", params={"cursor": page["next"]}).json()
    assert [one["name"] for one in (*page["items"], *rest["items"])] == ["A", "B", "C"]


@pytest.mark.parametrize(
    "path", ["/api/history", "/api/export", "/api/exercises", "/api/projections/current_workout"]
)
def test_one_file_is_one_user_s_and_closed_to_others(tmp_path: Path, path: str) -> None:
    store = open_store(str(tmp_path / "gym.db"), user="anna", clock=SystemClock())
    status = {}
    for user in ("anna", "ben"):
        settings = dataclasses.replace(SETTINGS, user=user)
        status[user] = TestClient(create_app(store, settings, clock=SystemClock()), base_url=HOST).get(path)
    assert {user: answer.status_code for user, answer in status.items()} == {"anna": 200, "ben": 403}
    assert status["ben"].json()["code"] == "user_refused"


@pytest.mark.parametrize("weight", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_none_in_an_old_file_is_passed_over(tmp_path: Path, weight: str) -> None:
    file = tmp_path / "gym.db"
    store = open_store(str(file), user="default", clock=SystemClock())
    client = TestClient(create_app(store, SETTINGS, clock=SystemClock()), base_url=HOST)
    workout = str(uuid.uuid4())
    _log(client, "WorkoutStarted", workout_id=workout)
    with closing(sqlite3.connect(file)) as connection, connection:
        payload = json.dumps({"workout_id": workout, **BENCH}).replace("80", weight)
        values = (str(uuid.uuid4()), "2026-01-01T00:00:00Z", "SetLogged", payload)
        connection.execute(
            "INSERT INTO events (event_id, timestamp, event_type, payload) VALUES (?, ?, ?, ?)", values
        )
    assert store.build("default") == 1
    assert client.get("/api/projections/current_workout").json()["data"]["exercises"] == []
    assert [one["payload"] is None for one in _events(client)] == [False, True]


def test_what_is_behind_is_not_ready_until_it_is_built(store: Store, client: TestClient) -> None:
    assert client.get("/api/ready").json()["ready"] is True
    client.post("/api/events", json=_started())
    answer = client.get("/api/ready")
    assert (answer.status_code, answer.json()["projections"]) == (200, {"lag": 0})
    assert store.build("default") == 0
