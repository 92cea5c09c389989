"""What the log has folded to: projections, the history, templates, exercises, records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path, Query

from gymops.app import queries
from gymops.app.problems import Problem, invalid
from gymops.app.queries import BadCursor, Page
from gymops.app.routes import documents, services
from gymops.app.routes.answers import Json
from gymops.app.routes.services import User, Uses

router = services.router()

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(min_length=1, max_length=1000, description="`next` of the page before.")]
Key = Annotated[str, Path(pattern=r"^[a-z_]{1,32}(:[A-Za-z0-9][A-Za-z0-9 ._|-]{0,127})?$")]
WorkoutId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._|-]{0,127}$")]
Search = Annotated[str, Query(max_length=100)]

_PAGE: dict[int | str, dict[str, Any]] = {200: {"model": documents.Page}}


@router.get("/projections/{key}", responses={200: {"model": documents.Projection}})
def projection(key: Key, user: User, uses: Uses) -> Json:
    """One projection: current_workout, workout_history (the newest 50 workouts), workout_templates,
    exercise_history:ID, personal_records:ID, aggregates:week, month, year or all."""
    found = queries.projection(uses.store, user, key)
    if found is None:
        raise _missing("projection")
    return Json(asdict(found))


@router.get("/history", responses=_PAGE)
def history(user: User, uses: Uses, limit: Limit = 20, cursor: Cursor = None) -> Json:
    """Finished workouts, newest first."""
    return _answer(lambda: queries.history(uses.store, user, limit, cursor))


@router.get("/history/{workout_id}")
def workout(workout_id: WorkoutId, user: User, uses: Uses) -> Json:
    """A finished workout."""
    found = queries.workout(uses.store, user, workout_id)
    if found is None:
        raise _missing("finished workout")
    return Json(found)


@router.get("/templates", responses=_PAGE)
def templates(user: User, uses: Uses, limit: Limit = 100, cursor: Cursor = None) -> Json:
    """Workout templates, in the order they were made."""
    return _answer(lambda: queries.templates(uses.store, user, limit, cursor))


@router.get("/exercises", responses=_PAGE)
def exercises(user: User, uses: Uses, q: Search = "", limit: Limit = 100, cursor: Cursor = None) -> Json:
    """Exercises by name, the built-in ones and the user's own; q searches names and aliases."""
    return _answer(lambda: queries.exercises(uses.store, user, q, limit, cursor))


@router.get("/records", responses=_PAGE)
def records(user: User, uses: Uses, limit: Limit = 100, cursor: Cursor = None) -> Json:
    """Personal records, by exercise."""
    return _answer(lambda: queries.records(uses.store, user, limit, cursor))


def _answer(read: Callable[[], Page]) -> Json:
    try:
        return Json(asdict(read()))
    except BadCursor:
        raise invalid([{"loc": "query.cursor", "msg": "is none of this list's"}]) from None


def _missing(what: str) -> Problem:
    return Problem(404, "not_found", f"there is no such {what}")
