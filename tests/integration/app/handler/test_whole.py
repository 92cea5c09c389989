"""The whole app behind its gateways, on a real PostgreSQL."""

from __future__ import annotations

import io
import json
import uuid

from gymops.app.handler import Function
from tests.integration.app.handler.conftest import PASSCODE, SETTINGS, Caller, FakeSecrets
from tests.unit.app.handler.events import rest_api, schedule


def test_a_workout_from_sign_in_to_history(caller: Caller, logged: io.StringIO) -> None:
    workout, set_id = str(uuid.uuid4()), str(uuid.uuid4())
    for event_id, event_type, payload in (
        (str(uuid.uuid4()), "WorkoutStarted", {}),
        (set_id, "SetLogged", {"exercise_id": "bench-press", "weight": 80, "reps": 10}),
        (str(uuid.uuid4()), "WorkoutCompleted", {}),
    ):
        body = {"event_id": event_id, "event_type": event_type, "payload": {"workout_id": workout, **payload}}
        answer = caller.call("POST", "/api/events", body)
        assert answer["statusCode"] == 201, answer
    answer = caller.call("GET", f"/api/history/{workout}")
    assert json.loads(answer["body"])["exercises"][0]["sets"][0]["event_id"] == set_id
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    (line,) = [line for line in lines if line.get("event_ids") == [set_id]]
    assert (line["route"], line["status"], len(line["user"])) == ("/api/events", 201, 16)
    assert lines[-1]["route"].startswith("/api/history/{")
    for hidden in (PASSCODE, "0123456789abcdef", "default", "bench-press"):
        assert hidden not in logged.getvalue()


def test_what_is_said_is_told_by_its_outcome(caller: Caller, logged: io.StringIO) -> None:
    answer = caller.call("POST", "/api/voice/process", {"transcript": "flurble the wibble"})
    assert answer["statusCode"] == 200, answer
    assert json.loads(logged.getvalue().splitlines()[-1])["voice"] == json.loads(answer["body"])["outcome"]
    assert "flurble" not in logged.getvalue()


def test_a_stranger_behind_any_gateway_gets_a_problem(function: Function) -> None:
    answer = function.answer(rest_api(path="/api/history"), None)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (401, "not_signed_in")
    assert answer["isBase64Encoded"] is False


def test_a_schedule_connects_ahead_of_the_first_request(function: Function, secrets: FakeSecrets) -> None:
    database = SETTINGS["GYMOPS_APP_DATABASE_SECRET_ARN"]
    assert database not in secrets.reads
    assert function.wake(schedule(), None)["ready"] is True
    assert secrets.reads.count(database) == 1
