"""What was said becomes events, a question back, or an answer."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gymops.app import activity, queries
from gymops.app.domain import Conflict
from gymops.app.events import InvalidEvent, new_payload
from gymops.app.problems import too_many
from gymops.app.routes import documents, services
from gymops.app.routes.answers import Json
from gymops.app.routes.services import Services, User, Uses
from gymops.app.store import Appended, IdReused, NewEvent
from gymops.app.voice import Answer, Clarify, Context, Emit, Missed

MOST_EVENTS = 32
"""Events one sentence may lead to."""

router = services.router()


@router.post("/voice/process", responses={200: {"model": documents.Understood}})
def process(body: documents.Sentence, user: User, uses: Uses) -> Json:
    """Understand a sentence and log what it says; a question back is a 200 as well.

    Sent again with the same event_id, it is not read again: the answer is what was logged.
    """
    wait = uses.voice_limit.take(user)
    if wait:
        raise too_many(wait, "that was a lot of talking; wait a moment")
    first = body.event_id or uses.new_id()
    answer = _logged_before(uses, user, first) if body.event_id else None
    answer = answer or _process(uses, user, body.transcript, first)
    activity.spoken(answer["outcome"])
    return Json(answer)


def _process(uses: Services, user: str, transcript: str, first: str) -> dict[str, Any]:
    outcome = uses.understand(transcript, _context(uses, user))
    match outcome:
        case Emit():
            return _emit(uses, user, outcome, first)
        case Clarify(question, choices):
            return _answer("clarify", question, choices=choices)
        case Answer(say):
            return _answer("answer", say)
        case Missed():
            return _answer("nothing", "I did not get that.")


def _emit(uses: Services, user: str, outcome: Emit, first: str) -> dict[str, Any]:
    ids = _ids(first)[: len(outcome.events)]
    try:
        events = [
            NewEvent(event_id, event_type, new_payload(event_type, payload))
            for event_id, (event_type, payload) in zip(ids, outcome.events, strict=True)
        ]
        done = uses.store.append(user, events)
    except Conflict as error:  # another device was faster
        return _answer("clarify", f"{error.detail[:1].upper()}{error.detail[1:]}.")
    except InvalidEvent as error:
        return _answer("clarify", f"I cannot log that: {error.errors[0]['msg']}.")
    except IdReused:  # this very sentence, sent twice at once, and read in two different moments
        earlier = _logged_before(uses, user, first)
        if earlier is None:
            raise
        return earlier
    activity.appended((one.event.event_id, one.event.event_type) for one in done if not one.repeated)
    return _answer("logged", outcome.say, appended=done)


def _logged_before(uses: Services, user: str, first: str) -> dict[str, Any] | None:
    events = uses.store.find(user, _ids(first))
    if not events or events[0].event_id != first:
        return None
    return _answer("logged", "Already logged.", appended=[Appended(event, repeated=True) for event in events])


def _ids(first: str) -> list[str]:
    """The ids of a sentence's events: all follow from the first, so that a retry finds them."""
    base = uuid.UUID(first)
    return [first, *(str(uuid.uuid5(base, str(number))) for number in range(1, MOST_EVENTS))]


def _context(uses: Services, user: str) -> Context:
    rows = uses.store.rows(user, ["current_workout", "workout_templates"])
    workout, templates = (
        rows[key].data if key in rows else None for key in ("current_workout", "workout_templates")
    )
    return Context(
        workout=workout,
        exercises=queries.known_exercises(uses.store, user),
        templates=templates or (),
        default_unit=uses.settings.unit,
        records=queries.LazyRecords(uses.store, user),
        new_id=uses.new_id,
    )


def _answer(
    outcome: str, say: str, *, choices: Sequence[str] = (), appended: Sequence[Appended] = ()
) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "say": say,
        "events": [asdict(one.event) for one in appended],
        "choices": list(choices),
        "records": [record for one in appended for record in one.records],
    }
