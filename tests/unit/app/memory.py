"""A user's rows in memory: a ``fold.View`` without a database."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from gymops.app import domain, events, fold
from gymops.app.fold import Key
from gymops.app.records import Logged, heavier, longer

BEGAN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def moment(position: int) -> str:
    """When the event of a position happened: a minute behind the one before."""
    return (BEGAN + timedelta(minutes=position - 1)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def event_id(position: int) -> str:
    """The id of the event of a position."""
    return f"e0000000-0000-4000-8000-{position:012d}"


class Memory:
    """Rows and sets in dictionaries; what was handed out is compared, so that nothing changes it in place."""

    def __init__(self) -> None:
        self.rows: dict[Key, Any] = {}
        self.sets: dict[str, Logged] = {}
        self.position = 0
        self._given: list[tuple[Any, Any]] = []

    def get(self, key: Key) -> Any:
        found = self.rows.get(key)
        self._given.append((found, copy.deepcopy(found)))
        return found

    def fetch(self, keys: Iterable[Key]) -> None:
        list(keys)

    def put(self, key: Key, data: Any) -> None:
        self.rows[key] = data
        if data is None:
            del self.rows[key]

    def logged(self, event_id: str) -> Logged | None:
        return self.sets.get(event_id)

    def heaviest(self, exercise_id: str, reps: int) -> Logged | None:
        best = None
        for one in self.sets.values():
            if (one.exercise_id, one.reps) == (exercise_id, reps):
                best = heavier(best, one)
        return best

    def longest(self, exercise_id: str) -> Logged | None:
        best = None
        for one in self.sets.values():
            if (one.exercise_id, one.reps) == (exercise_id, None):
                best = longer(best, one)
        return best

    def put_set(self, one: Logged) -> None:
        self.sets[one.event_id] = one

    def remove_set(self, event_id: str) -> None:
        self.sets.pop(event_id, None)

    def append(self, kind: str, **payload: Any) -> str:
        """Check and fold a new event; its id."""
        stored = events.new_payload(kind, payload)
        domain.check(self, kind, stored)
        return self.fold(kind, stored)

    def fold(self, kind: str, payload: dict[str, Any] | None, at: str | None = None) -> str:
        """Fold an event that is in the log, whatever the rules say; its id."""
        self.position += 1
        one = event_id(self.position)
        fold.fold(self, fold.Stored(self.position, one, at or moment(self.position), kind, payload))
        for given, before in self._given:
            assert given == before, "a row was changed in place"
        return one
