"""The shapes of requests and answers, for the OpenAPI document; answers are not checked against them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from gymops.app import events
from gymops.app.events import Id, Payload


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, str]] = []


class Event(BaseModel):
    event_id: str
    event_type: str
    payload: dict[str, Any]
    schema_version: int
    timestamp: str
    position: int


class NewEventBase(BaseModel):
    """An event to log. ``event_id`` makes it safe to send again; without one, one is chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event_id: Id | None = None
    event_type: str
    payload: Payload


def _new_event(name: str, payload: type[Payload]) -> Any:
    fields: dict[str, Any] = {"event_type": (Literal[name], ...), "payload": (payload, ...)}
    return create_model(f"New{name}", __base__=NewEventBase, __doc__=NewEventBase.__doc__, **fields)


_KINDS = tuple(_new_event(name, payload) for name, payload in events.TYPES.items())

_union: Any = _KINDS[0]
for _kind in _KINDS[1:]:
    _union = _union | _kind

NewEvent = Annotated[_union, Field(discriminator="event_type")]
"""Any of the ten, told apart by their type."""


class Sentence(BaseModel):
    """What was said or typed. ``event_id`` makes it safe to send again."""

    model_config = ConfigDict(extra="forbid")

    transcript: Annotated[str, Field(min_length=1, max_length=1000)]
    event_id: Id | None = None


class Record(BaseModel):
    exercise_id: str
    kind: Literal["max_weight", "estimated_1rm", "max_volume", "reps", "longest"]
    value: float
    unit: str


class Understood(BaseModel):
    outcome: Literal["logged", "clarify", "nothing", "answer"]
    say: str
    events: list[Event]
    choices: list[str]
    records: list[Record]


class Projection(BaseModel):
    key: str
    data: Any
    updated_at: str | None


class Page(BaseModel):
    items: list[dict[str, Any]]
    next: str | None


class Passcode(BaseModel):
    model_config = ConfigDict(extra="forbid")

    passcode: Annotated[str, Field(min_length=1, max_length=1024)]


class Session(BaseModel):
    user: str
    auth: Literal["none", "passcode", "jwt"]


class Alive(BaseModel):
    status: Literal["ok"]


class Schema(BaseModel):
    revision: str | None
    expected: str


class Lag(BaseModel):
    lag: int


class Ready(BaseModel):
    ready: Literal[True]
    # Named as the document names it, which is a method of Pydantic's models too.
    schema_: Annotated[Schema, Field(alias="schema")]
    projections: Lag
