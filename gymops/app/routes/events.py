"""The log: events in, one by one; all of them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from fastapi.responses import StreamingResponse

from gymops.app import activity
from gymops.app.routes import documents, services
from gymops.app.routes.answers import Json, dumped
from gymops.app.routes.services import User, Uses
from gymops.app.store import LogEvent, NewEvent, Store

EXPORT_PAGE = 500
"""Events read at a time, however many there are."""

router = services.router()


@router.post(
    "/events",
    status_code=201,
    responses={
        200: {"model": documents.Event, "description": "It was logged before, with this very body."},
        201: {"model": documents.Event, "description": "Logged."},
    },
)
def log_event(body: documents.NewEvent, user: User, uses: Uses) -> Json:
    """Log an event. Sent again with the same event_id and body, it is answered as the first time."""
    event = NewEvent(body.event_id or uses.new_id(), body.event_type, body.payload.model_dump())
    (done,) = uses.store.append(user, [event])
    if not done.repeated:
        activity.appended([(event.event_id, event.event_type)])
    return Json(asdict(done.event), 200 if done.repeated else 201)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "One event per line."}},
)
def export(user: User, uses: Uses) -> StreamingResponse:
    """All events of the log, oldest first, one JSON document per line."""
    first = uses.store.events(user, after=0, limit=EXPORT_PAGE)  # here a failure is still an answer
    return StreamingResponse(
        _lines(uses.store, user, first),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="events.ndjson"'},
    )


def _lines(store: Store, user: str, page: list[LogEvent]) -> Iterator[bytes]:
    while page:
        yield b"".join(dumped(asdict(event)) + b"\n" for event in page)
        page = store.events(user, after=page[-1].position, limit=EXPORT_PAGE)
