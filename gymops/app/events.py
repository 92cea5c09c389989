"""The ten events of a workout log: what each may hold, and how older shapes become today's.

New events are checked strictly here. Events that are in a log already are facts: they are brought to
today's shape (``upcast``) and folded as they are, whoever wrote them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

MAX_WEIGHT = 1500.0
MAX_REPS = 1000
MAX_SECONDS = 86_400


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValueError("is no UUID") from None


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a surrogate pair") from None
    return text


Id = Annotated[
    str,
    StringConstraints(max_length=45),
    AfterValidator(_uuid),
    Field(json_schema_extra={"format": "uuid"}),
]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_text)]
Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_text)]
Weight = Annotated[float, Field(strict=True, ge=0, le=MAX_WEIGHT, allow_inf_nan=False)]
Reps = Annotated[int, Field(strict=True, ge=1, le=MAX_REPS)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=MAX_SECONDS)]
Unit = Literal["kg", "lb"]


class Payload(BaseModel):
    """What an event holds; a field that does not belong is an error and never lost in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Plan(Payload):
    """What a template asks of one exercise."""

    exercise_id: Slug
    target_sets: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    target_reps: Reps | None = None
    target_weight: Weight | None = None
    target_unit: Unit = "kg"
    set_type: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")] = "standard"
    rest_seconds: Annotated[int, Field(strict=True, ge=0, le=3600)] = 60
    notes: Text | None = None


Slugs = Annotated[list[Slug], Field(max_length=50)]
Plans = Annotated[list[Plan], Field(max_length=50)]


class WorkoutStarted(Payload):
    workout_id: Id
    name: Name | None = None
    from_template_id: Id | None = None
    exercise_ids: Slugs | None = None
    exercise_plans: Plans | None = None


class WorkoutCompleted(Payload):
    workout_id: Id
    notes: Text | None = None


class WorkoutDiscarded(Payload):
    workout_id: Id
    reason: Text | None = None


class ExerciseAdded(Payload):
    workout_id: Id
    exercise_id: Slug


class SetLogged(Payload):
    """A set: of repetitions, or of seconds. A weight of 0 is the body's own; the unit is as entered."""

    workout_id: Id
    exercise_id: Slug
    weight: Weight = 0.0
    reps: Reps | None = None
    unit: Unit = "kg"
    duration_seconds: Seconds | None = None

    @model_validator(mode="after")
    def _either(self) -> SetLogged:
        if (self.reps is None) == (self.duration_seconds is None):
            raise ValueError("a set has either reps or duration_seconds")
        return self


class SetModified(Payload):
    """What is given replaces what the set had; the rest stays."""

    workout_id: Id
    original_event_id: Id
    weight: Weight | None = None
    reps: Reps | None = None
    unit: Unit | None = None
    duration_seconds: Seconds | None = None

    @model_validator(mode="after")
    def _something(self) -> SetModified:
        if self.weight is None and self.reps is None and self.unit is None and self.duration_seconds is None:
            raise ValueError("nothing to change: give weight, reps, unit or duration_seconds")
        return self


class SetDeleted(Payload):
    workout_id: Id
    original_event_id: Id
    reason: Text | None = None


class TemplateCreated(Payload):
    template_id: Id
    name: Name
    exercise_ids: Slugs
    exercises: Plans | None = None
    source_workout_id: Id | None = None


class TemplateUpdated(Payload):
    template_id: Id
    name: Name | None = None
    exercise_ids: Slugs | None = None
    exercises: Plans | None = None


class TemplateDeleted(Payload):
    template_id: Id


TYPES: dict[str, type[Payload]] = {
    model.__name__: model
    for model in (
        WorkoutStarted,
        WorkoutCompleted,
        WorkoutDiscarded,
        ExerciseAdded,
        SetLogged,
        SetModified,
        SetDeleted,
        TemplateCreated,
        TemplateUpdated,
        TemplateDeleted,
    )
}

_VERSIONS = {"SetLogged": 2, "SetModified": 2}


class InvalidEvent(ValueError):
    """A new event that cannot be accepted; ``errors`` says where and why, in plain words."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{error['loc']}: {error['msg']}" for error in errors))
        self.errors = errors


def new_payload(event_type: str, payload: Any) -> dict[str, Any]:
    """A new event's payload as it is stored: checked, every field there, ids in lower case.

    Raises:
        InvalidEvent: the type is unknown or the payload is not one of its kind.
    """
    model = TYPES.get(event_type)
    if model is None:
        raise InvalidEvent([{"loc": "event_type", "msg": f"must be one of {', '.join(TYPES)}"}])
    try:
        return model.model_validate(payload).model_dump()
    except ValidationError as error:
        raise InvalidEvent(
            [
                {"loc": ".".join(["payload", *map(str, one["loc"])]), "msg": one["msg"]}
                for one in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        ) from None


def version(event_type: str) -> int:
    """The schema_version new events of this type are written with."""
    return _VERSIONS.get(event_type, 1)


def _timed(payload: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew no timed sets."""
    return {**payload, "duration_seconds": None}


_UPCASTS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("SetLogged", 1): _timed,
    ("SetModified", 1): _timed,
}

_Check = Callable[[Any], bool]

_LARGEST = 10**12
"""Of a foreign number: what is greater fits no column, and its sums fit none."""


def _is_text(value: Any) -> bool:
    try:
        return type(value) is str and _text(value) is value
    except ValueError:
        return False


def _is_count(value: Any) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= _LARGEST  # NaN is not


def _are_ids(value: Any) -> bool:
    return type(value) is list and all(map(_is_text, value))


def _are_plans(value: Any) -> bool:
    return type(value) is list and all(
        type(one) is dict and _is_text(one.get("exercise_id")) for one in value
    )


def _maybe(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


# What folding relies on. Everything else may be missing, or anything, in what other programs wrote.
_NEEDED: dict[str, dict[str, _Check]] = {
    "WorkoutStarted": {
        "workout_id": _is_text,
        "exercise_ids": _maybe(_are_ids),
        "exercise_plans": _maybe(_are_plans),
    },
    "WorkoutCompleted": {"workout_id": _is_text},
    "WorkoutDiscarded": {"workout_id": _is_text},
    "ExerciseAdded": {"workout_id": _is_text, "exercise_id": _is_text},
    "SetLogged": {
        "workout_id": _is_text,
        "exercise_id": _is_text,
        "weight": _is_number,
        "reps": _maybe(_is_count),
        "unit": _is_text,
        "duration_seconds": _maybe(_is_count),
    },
    "SetModified": {
        "workout_id": _is_text,
        "original_event_id": _is_text,
        "weight": _maybe(_is_number),
        "reps": _maybe(_is_count),
        "unit": _maybe(_is_text),
        "duration_seconds": _maybe(_is_count),
    },
    "SetDeleted": {"workout_id": _is_text, "original_event_id": _is_text},
    "TemplateCreated": {
        "template_id": _is_text,
        "name": _is_text,
        "exercise_ids": _are_ids,
        "exercises": _maybe(_are_plans),
    },
    "TemplateUpdated": {
        "template_id": _is_text,
        "exercise_ids": _maybe(_are_ids),
        "exercises": _maybe(_are_plans),
    },
    "TemplateDeleted": {"template_id": _is_text},
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "SetLogged": {"weight": 0.0, "reps": None, "unit": "kg", "duration_seconds": None},
    "SetModified": {"weight": None, "reps": None, "unit": None, "duration_seconds": None},
}


class FromTheFuture(ValueError):
    """An event whose shape is newer than this code: folding it would guess."""


def read(event_type: str, schema_version: int, payload: Any) -> dict[str, Any] | None:
    """A stored event's payload in today's shape, or None if it cannot be read as its type.

    Raises:
        FromTheFuture: it was written by newer code.
    """
    needed = _NEEDED.get(event_type)
    if needed is None or not isinstance(payload, dict):
        return None
    current = version(event_type)
    if schema_version > current:
        raise FromTheFuture(
            f"{event_type} of version {schema_version}; this release knows versions up to {current}"
        )
    shaped: dict[str, Any] = {**_DEFAULTS.get(event_type, {}), **payload}
    for old in range(max(schema_version, 1), current):
        shaped = _UPCASTS[event_type, old](shaped)
    if not all(check(shaped.get(name)) for name, check in needed.items()):
        return None
    if event_type == "SetLogged" and shaped["reps"] is None and shaped["duration_seconds"] is None:
        return None  # a set of nothing
    return shaped
