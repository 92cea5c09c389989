"""What lies behind a function goes away between two requests; the next one works, or says so."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.integration.app.handler.conftest import SETTINGS, Caller, FakeSecrets, Place

DATABASE = SETTINGS["GYMOPS_APP_DATABASE_SECRET_ARN"]


@pytest.fixture
def workout(caller: Caller, place: Place) -> Iterator[str]:
    """The id of a workout in progress."""
    found = str(uuid.uuid4())
    event = {"event_type": "WorkoutStarted", "payload": {"workout_id": found}}
    answer = caller.call("POST", "/api/events", event)
    assert answer["statusCode"] == 201, answer
    yield found
    event = {"event_type": "WorkoutDiscarded", "payload": {"workout_id": found}}
    assert caller.call("POST", "/api/events", event)["statusCode"] == 201


def a_set(workout: str, event_id: str | None = None) -> dict[str, Any]:
    payload = {"workout_id": workout, "exercise_id": "bench-press", "weight": 80, "reps": 10}
    return {"event_id": event_id or str(uuid.uuid4()), "event_type": "SetLogged", "payload": payload}


def is_problem(answer: dict[str, Any], status: int, code: str) -> bool:
    document = json.loads(answer["body"])
    assert answer["headers"]["content-type"] == "application/problem+json"
    return (answer["statusCode"], document["status"], document["code"]) == (status, status, code)


def logged_sets(place: Place, workout: str) -> int:
    with psycopg.connect(place.admin_url) as admin:
        row = admin.execute(
            "SELECT count(*) FROM events WHERE event_type = 'SetLogged' AND payload->>'workout_id' = %s",
            (workout,),
        ).fetchone()
    assert row
    return int(row[0])


def test_a_session_killed_between_two_requests_is_not_noticed(
    caller: Caller, place: Place, workout: str
) -> None:
    assert caller.call("POST", "/api/events", a_set(workout))["statusCode"] == 201
    assert place.kill_sessions() == 1
    assert caller.call("POST", "/api/events", a_set(workout))["statusCode"] == 201
    assert place.kill_sessions() == 1
    assert caller.call("GET", "/api/projections/current_workout")["statusCode"] == 200
    assert logged_sets(place, workout) == 2


def test_a_request_sent_again_after_the_session_died_is_answered_as_before(
    caller: Caller, place: Place, workout: str
) -> None:
    sent = a_set(workout)
    first = caller.call("POST", "/api/events", sent)
    place.kill_sessions()
    again = caller.call("POST", "/api/events", sent)
    assert (first["statusCode"], again["statusCode"]) == (201, 200)
    assert json.loads(first["body"]) == json.loads(again["body"])
    assert logged_sets(place, workout) == 1


def test_a_server_that_restarted_is_not_noticed(caller: Caller, place: Place, workout: str) -> None:
    place.stop()
    place.start()
    assert caller.call("POST", "/api/events", a_set(workout))["statusCode"] == 201


def test_while_the_server_is_down_that_is_what_is_said_and_then_it_goes_on(
    caller: Caller, place: Place, workout: str, logged: io.StringIO
) -> None:
    sent = a_set(workout)
    place.stop()
    try:
        answer = caller.call("POST", "/api/events", sent)
        assert is_problem(answer, 503, "store_unavailable")
        assert answer["headers"]["retry-after"]
        assert is_problem(caller.call("GET", "/api/projections/current_workout"), 503, "store_unavailable")
        assert caller.call("GET", "/api/health")["statusCode"] == 200
    finally:
        place.start()
    assert caller.call("POST", "/api/events", sent)["statusCode"] == 201
    assert logged_sets(place, workout) == 1
    for text in (answer["body"], logged.getvalue()):
        assert "first" not in text


def test_a_rotated_password_is_read_again(
    caller: Caller, place: Place, workout: str, secrets: FakeSecrets
) -> None:
    place.set_password("second")
    secrets.texts[DATABASE] = place.secret("second")
    assert caller.call("POST", "/api/events", a_set(workout))["statusCode"] == 201
    assert secrets.reads.count(DATABASE) == 1  # a session that is open stays so
    place.kill_sessions()
    assert caller.call("POST", "/api/events", a_set(workout))["statusCode"] == 201
    assert secrets.reads.count(DATABASE) == 2


def test_a_password_rotated_before_its_secret_is_waited_for(
    caller: Caller, place: Place, workout: str, secrets: FakeSecrets, logged: io.StringIO
) -> None:
    place.set_password("second")
    place.kill_sessions()
    answer = caller.call("POST", "/api/events", a_set(workout))
    assert is_problem(answer, 503, "store_unavailable")
    secrets.texts[DATABASE] = place.secret("second")
    assert caller.call("POST", "/api/events", a_set(workout))["statusCode"] == 201
    for text in (answer["body"], logged.getvalue()):
        assert "first" not in text
        assert "second" not in text
