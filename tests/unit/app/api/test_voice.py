"""POST /api/voice/process: what a sentence leads to, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gymops.app import main
from gymops.app.domain import Conflict
from gymops.app.store import Appended, NewEvent
from gymops.app.voice import Answer, Clarify, Context, Emit, Missed, Outcome
from tests.unit.app.api.doubles import LOCAL, Clock, MemoryStore, client

EVENT_ID = "3f0e8f3a-5f0b-4f43-9a5a-0d8f6f0f1a11"
WORKOUT = "6f1c1f0e-8a68-4f0e-9f6a-1b7c5d0e2f33"
ADDED = ("ExerciseAdded", {"workout_id": WORKOUT, "exercise_id": "bench-press"})
LOGGED = ("SetLogged", {"workout_id": WORKOUT, "exercise_id": "bench-press", "weight": 80.0, "reps": 10})

Understands = Callable[[Outcome], list[Context]]


@pytest.fixture
def understands(monkeypatch: pytest.MonkeyPatch) -> Understands:
    """Make every sentence come to this; the contexts it was asked in."""

    def set_up(outcome: Outcome) -> list[Context]:
        asked: list[Context] = []

        def process(transcript: str, context: Context, *, llm: object = None) -> Outcome:
            asked.append(context)
            return outcome

        monkeypatch.setattr(main, "process", process)
        return asked

    return set_up


def _say(store: MemoryStore, **body: Any) -> Any:
    return client(store).post("/api/voice/process", json={"transcript": "bench press 80 for 10", **body})


def test_what_was_said_is_logged(understands: Understands) -> None:
    understands(Emit((ADDED, LOGGED), "Bench press, 80 kilos for 10."))
    store = MemoryStore()
    answer = _say(store, event_id=EVENT_ID)
    assert answer.status_code == 200
    document = answer.json()
    assert document["outcome"] == "logged"
    assert document["say"] == "Bench press, 80 kilos for 10."
    assert [one["event_type"] for one in document["events"]] == ["ExerciseAdded", "SetLogged"]
    assert document["events"][0]["event_id"] == EVENT_ID
    assert document["events"][1]["payload"]["unit"] == "kg"
    assert (document["choices"], document["records"]) == ([], [])


def test_said_again_it_is_not_read_again_and_logged_once(understands: Understands) -> None:
    asked = understands(Emit((ADDED, LOGGED), "Bench press, 80 kilos for 10."))
    store = MemoryStore()
    first = _say(store, event_id=EVENT_ID).json()
    understands(Emit((LOGGED,), "another moment, another meaning"))
    again = _say(store, event_id=EVENT_ID).json()
    assert again["events"] == first["events"]
    assert again["outcome"] == "logged"
    assert (len(asked), len(store.log["default"])) == (1, 2)


def test_sent_twice_at_once_and_read_in_two_moments_it_is_logged_once(understands: Understands) -> None:
    class Racing(MemoryStore):
        """Finds nothing the first time: the other request has not committed yet."""

        looked = 0

        def find(self, user_id: str, event_ids: Sequence[str]) -> Any:
            self.looked += 1
            return [] if self.looked <= 2 else super().find(user_id, event_ids)

    store = Racing()
    understands(Emit((ADDED, LOGGED), "first"))
    first = _say(store, event_id=EVENT_ID).json()
    understands(Emit((LOGGED,), "second"))
    again = _say(store, event_id=EVENT_ID).json()
    assert again["events"] == first["events"]
    assert len(store.log["default"]) == 2


def test_without_an_id_each_sentence_counts(understands: Understands) -> None:
    understands(Emit((LOGGED,), "Logged."))
    store = MemoryStore()
    assert _say(store).json()["events"] != _say(store).json()["events"]
    assert len(store.log["default"]) == 2


def test_a_question_back(understands: Understands) -> None:
    understands(Clarify("Kilos or pounds?", ("80 kg for 10", "80 lb for 10")))
    store = MemoryStore()
    document = _say(store).json()
    assert (document["outcome"], document["say"]) == ("clarify", "Kilos or pounds?")
    assert document["choices"] == ["80 kg for 10", "80 lb for 10"]
    assert not store.log


def test_an_answer_and_nothing(understands: Understands) -> None:
    understands(Answer("Your best is 100 kilos."))
    assert _say(MemoryStore()).json()["outcome"] == "answer"
    understands(Missed())
    assert _say(MemoryStore()).json()["outcome"] == "nothing"


def test_a_race_that_was_lost_is_a_question_back(understands: Understands) -> None:
    understands(Emit((LOGGED,), "Logged."))

    class Losing(MemoryStore):
        def append(self, user_id: str, events: Sequence[NewEvent]) -> list[Appended]:
            raise Conflict("no_workout", "no workout is in progress: start one first")

    answer = _say(Losing())
    assert (answer.status_code, answer.json()["outcome"]) == (200, "clarify")
    assert answer.json()["say"] == "No workout is in progress: start one first."


def test_events_that_are_none_are_a_question_back(understands: Understands) -> None:
    understands(Emit((("SetLogged", {**LOGGED[1], "weight": -80.0}),), "Logged."))
    store = MemoryStore()
    assert _say(store).json()["outcome"] == "clarify"
    assert not store.log


def test_a_sentence_is_understood_where_it_is_said(understands: Understands) -> None:
    asked = understands(Answer("."))
    store = MemoryStore()
    store.put("current_workout", {"id": WORKOUT, "exercises": [], "focus_exercise": None})
    store.put("workout_templates", [{"id": "t"}])
    store.put("personal_records:bench-press", {"exercise_id": "bench-press"})
    store.own_exercises = [
        {"id": "zercher", "name": "Zercher Squat", "category": None},
        {"id": "bench-press", "name": "My Bench", "category": "chest"},
    ]
    _say(store)
    (context,) = asked
    assert context.workout_id == WORKOUT
    assert [one["id"] for one in context.templates] == ["t"]
    known = {one.id: one for one in context.exercises}
    assert len(known) == len(context.exercises)
    assert known["zercher"].name == "Zercher Squat"
    assert (known["bench-press"].name, known["bench-press"].barbell) == ("My Bench", True)
    assert context.records["bench-press"]["max_weight"] is None
    assert context.records.get("squat") is None
    assert list(context.records) == ["bench-press"]


@pytest.mark.parametrize(
    "body",
    [{}, {"transcript": ""}, {"transcript": "x" * 1001}, {"transcript": 7}, {"transcript": "a\0"},
     {"transcript": "ok", "event_id": "1"}, {"transcript": "ok", "more": 1}],
)  # fmt: skip
def test_what_is_no_sentence(body: dict[str, Any]) -> None:
    assert client().post("/api/voice/process", json=body).status_code == 422


def test_nobody_talks_without_end(understands: Understands) -> None:
    understands(Answer("."))
    clock = Clock()
    app = client(settings=replace(LOCAL, voice_per_minute=30), clock=clock)

    def status() -> int:
        return app.post("/api/voice/process", json={"transcript": "help"}).status_code

    assert [status() for _ in range(10)] == [200] * 10
    refused = app.post("/api/voice/process", json={"transcript": "help"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    clock.sleep(int(refused.headers["retry-after"]))
    assert status() == 200
    # What is not spoken is not counted.
    assert app.get("/api/history").status_code == 200


def test_a_model_is_asked_for_what_the_grammar_misses_and_only_then() -> None:
    asked: list[str] = []

    def llm(transcript: str, context: Context) -> Outcome:
        asked.append(transcript)
        return Clarify("Which one?", ())

    app = client(llm=llm)
    assert app.post("/api/voice/process", json={"transcript": "start push day"}).json()["outcome"] == "logged"
    assert asked == []
    app.post("/api/voice/process", json={"transcript": "zorp the quux with vigour"})
    assert asked == ["zorp the quux with vigour"]
