"""What is read: pages of the history, records, templates and exercises, put together from stored rows.

A list's cursor is the place behind its last item; clients hand it back as it is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gymops.app.fold import PAGE, page_key
from gymops.app.library import Exercise, library
from gymops.app.store import Row, Store

PERIODS = ("week", "month", "year", "all")
_NO_RECORDS: dict[str, Any] = {
    "max_weight": None,
    "max_volume": None,
    "estimated_1rm": None,
    "by_rep_count": {},
    "longest": None,
}


class BadCursor(ValueError):
    """A cursor that this list never gave."""


@dataclass(frozen=True)
class Page:
    """Some items of a list, and the cursor of those behind them."""

    items: list[Any]
    next: str | None


@dataclass(frozen=True)
class Projection:
    """A projection as it is shown; ``updated_at`` is None where nothing was written yet."""

    key: str
    data: Any
    updated_at: str | None


def history(store: Store, user: str, limit: int, cursor: str | None) -> Page:
    """Finished workouts, newest first.

    They are listed in rows of ``PAGE`` ids, the oldest in the first; so a page is three reads, however
    long the history is, and a cursor counts the workouts that are older.
    """
    end = _count(store, user)
    if cursor is not None:
        older = _decoded("history", cursor)
        if not isinstance(older, int) or not 0 < older <= end:
            raise BadCursor
        end = older
    start = max(0, end - limit)
    pages = [page_key(page) for page in range(start // PAGE, (end + PAGE - 1) // PAGE)]
    rows = store.rows(user, pages)
    listed = [one for key in pages if key in rows for one in rows[key].data]
    first = start // PAGE * PAGE
    ids = listed[start - first : end - first]
    workouts = store.rows(user, [f"workout:{one}" for one in ids])
    found = [workouts[f"workout:{one}"].data for one in reversed(ids) if f"workout:{one}" in workouts]
    return Page(found, _encoded("history", start) if start else None)


def workout(store: Store, user: str, workout_id: str) -> Any | None:
    """A finished workout."""
    key = f"workout:{workout_id}"
    row = store.rows(user, [key]).get(key)
    return row.data if row else None


def projection(store: Store, user: str, key: str) -> Projection | None:
    """A projection by its key: a stored row, or one that is put together from several."""
    if key == "workout_history":
        head = store.rows(user, [key]).get(key)
        return _shown(key, head, history(store, user, PAGE, None).items)
    family, _, name = key.partition(":")
    if family == "aggregates":
        return _aggregates(store, user, key, name) if name in PERIODS else None
    if family == "exercise_history":
        return _sessions(store, user, key, name)
    row = store.rows(user, [key]).get(key)
    if family == "personal_records":
        return _shown(key, row, _records(row.data)) if row else None
    if row is None and key not in _EMPTY:
        return None
    return _shown(key, row, row.data if row else _EMPTY[key])


def records(store: Store, user: str, limit: int, cursor: str | None) -> Page:
    """Personal records, one item for each exercise that has any."""
    prefix = "personal_records:"
    after = _text(_decoded("records", cursor)) if cursor is not None else ""
    rows = store.listed(user, prefix, after=after and prefix + after, limit=limit + 1)
    items = [_records(row.data) for _, row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, _encoded("records", rows[limit - 1][0].removeprefix(prefix)) if more else None)


def templates(store: Store, user: str, limit: int, cursor: str | None) -> Page:
    """Workout templates, in the order they were made."""
    row = store.rows(user, ["workout_templates"]).get("workout_templates")
    return _paged(
        "templates", row.data if row else [], lambda one: [one["created_at"], one["id"]], limit, cursor
    )


def exercises(store: Store, user: str, search: str, limit: int, cursor: str | None) -> Page:
    """The built-in exercises and the user's own, by name; a search looks at names and aliases."""
    own = _own(store, user)
    wanted = " ".join(search.casefold().split())
    found = [
        _exercise(one, own.get(one.id))
        for one in _known(own)
        if any(wanted in text.casefold() for text in (one.name, one.id, *one.aliases))
    ]
    return _paged("exercises", found, lambda one: [one["name"].casefold(), one["id"]], limit, cursor)


def known_exercises(store: Store, user: str) -> list[Exercise]:
    """The same, as the voice looks at them."""
    return _known(_own(store, user))


class LazyRecords(Mapping[str, Mapping[str, Any]]):
    """Records by exercise, read when they are asked for: hardly a sentence does."""

    def __init__(self, store: Store, user: str) -> None:
        self._store = store
        self._user = user

    def __getitem__(self, exercise_id: str) -> Mapping[str, Any]:
        key = f"personal_records:{exercise_id}"
        row = self._store.rows(self._user, [key]).get(key)
        if row is None:
            raise KeyError(exercise_id)
        return _records(row.data)

    def __iter__(self) -> Iterator[str]:
        after = ""
        while rows := self._store.listed(self._user, "personal_records:", after=after, limit=100):
            after = rows[-1][0]
            yield from (key.removeprefix("personal_records:") for key, _ in rows)

    def __len__(self) -> int:
        return sum(1 for _ in self)


_EMPTY: dict[str, Any] = {"current_workout": None, "workout_templates": []}


def _count(store: Store, user: str) -> int:
    head = store.rows(user, ["workout_history"]).get("workout_history")
    return int(head.data["count"]) if head else 0


def _shown(key: str, row: Row | None, data: Any) -> Projection:
    return Projection(key, data, row.updated_at if row else None)


def _records(row: dict[str, Any]) -> dict[str, Any]:
    """Every kind of record has its field, broken or not."""
    return {"exercise_id": row["exercise_id"], **_NO_RECORDS, **row}


def _aggregates(store: Store, user: str, key: str, period_type: str) -> Projection:
    rows = store.aggregates(user, period_type, limit=PAGE)
    newest = max((row.updated_at for _, row in rows), default=None)
    return Projection(key, [{"period": name, **row.data} for name, row in rows], newest)


def _sessions(store: Store, user: str, key: str, exercise_id: str) -> Projection | None:
    """An exercise's last sessions, newest first; older ones are in the history."""
    rows = store.latest(user, f"{key}:", limit=PAGE)
    if not rows:
        return None
    newest = max(row.updated_at for _, row in rows)
    return Projection(key, {"exercise_id": exercise_id, "sessions": [row.data for _, row in rows]}, newest)


def _own(store: Store, user: str) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in store.exercises(user)}


def _known(own: Mapping[str, dict[str, Any]]) -> list[Exercise]:
    """All exercises; a built-in one may go by another name here, and is still loaded and counted as ever."""
    built_in = {one.id: one for one in library()}
    renamed = [
        replace(
            built_in.get(row["id"], Exercise(row["id"], row["name"], "other")),
            name=row["name"],
            category=row["category"] or "other",
        )
        for row in own.values()
    ]
    return [*(one for one in library() if one.id not in own), *renamed]


def _exercise(one: Exercise, own: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "category": own["category"] if own else one.category,
        "description": own["description"] if own else None,
        "is_custom": bool(own and own["is_custom"]),
        "aliases": list(one.aliases),
        "timed": one.timed,
        "bodyweight": one.bodyweight,
    }


def _paged(
    kind: str, items: list[Any], place: Callable[[Any], list[str]], limit: int, cursor: str | None
) -> Page:
    """A page of a list that is in memory, in order of ``place``; what was deleted meanwhile skips nothing."""
    items = sorted(items, key=place)
    if cursor is not None:
        after = _decoded(kind, cursor)
        if not isinstance(after, list) or len(after) != 2:
            raise BadCursor
        texts = [_text(one) for one in after]
        items = [one for one in items if place(one) > texts]
    return Page(items[:limit], _encoded(kind, place(items[limit - 1])) if len(items) > limit else None)


def _encoded(kind: str, place: Any) -> str:
    text = json.dumps([kind, place], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _decoded(kind: str, cursor: str) -> Any:
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise BadCursor from None
    if not isinstance(found, list) or len(found) != 2 or found[0] != kind:
        raise BadCursor
    return found[1]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise BadCursor
    return value
