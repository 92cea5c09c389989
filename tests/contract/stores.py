"""Every place the app's events can live, with a way round the store: to look at its tables, and to meddle."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.app import events
from gymops.app.store import NewEvent, Store
from gymops.app.store.base import isoformat
from gymops.app.store.opening import open_store
from gymops.app.store.sqlite import SqliteStore
from gymops.clock import Clock, SystemClock
from tests.conftest import Servers, fresh_databases
from tests.fixtures_schema import Templates

KINDS = ("sqlite", "embedded", pytest.param("system", marks=pytest.mark.long))
BEGAN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class StillClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.minutes = 0

    def now(self) -> datetime:
        return BEGAN + timedelta(minutes=self.minutes, microseconds=self.minutes * 7)

    def monotonic(self) -> float:
        return self.minutes * 60.0

    def sleep(self, seconds: float) -> None:
        self.minutes += 1


class StorePlace:
    """One place: ``database`` names it, as ``open_store`` takes it."""

    def __init__(self, kind: str, database: str) -> None:
        self.kind = kind
        self.database = database
        self._opened: list[Store] = []

    @property
    def postgres(self) -> bool:
        return self.kind != "sqlite"

    def open(self, clock: Clock | None = None) -> Store:
        """Another store on this place, as another process has."""
        store = open_store(self.database, user="", clock=clock or SystemClock())
        assert isinstance(store, SqliteStore) is not self.postgres
        self._opened.append(store)
        return store

    def close(self) -> None:
        for store in self._opened:
            store.close()

    def run(self, user: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """SQL beside the store, with ? for values. In Postgres the tables hold all users."""
        if self.postgres:
            with psycopg.connect(self.database, autocommit=True, prepare_threshold=None) as connection:
                connection.execute("SET timezone TO 'UTC'")
                cursor = connection.execute(query.replace("?", "%s").encode(), parameters or None)
                return cursor.fetchall() if cursor.description else []
        with closing(sqlite3.connect(Path(self.database) / user / "gym.db", timeout=30)) as file, file:
            return file.execute(query, parameters).fetchall()

    def of(self, user: str, columns: str, table: str) -> list[tuple[Any, ...]]:
        """One user's rows of a table."""
        if not self.postgres and not (Path(self.database) / user / "gym.db").exists():
            return []
        owned = f" WHERE user_id = '{user.replace(chr(39), chr(39) * 2)}'" if self.postgres else ""
        return self.run(user, f"SELECT {columns} FROM {table}{owned}")

    def dump(self, user: str) -> dict[str, Any]:
        """Everything of a user that a rebuild is about, in one shape for every place."""
        at = "updated_at" if not self.postgres else "updated_at AT TIME ZONE 'UTC'"
        rows = {
            key: (_data(data), _time(when))
            for key, data, when in self.of(user, f"key, data, {at}", "projections")
        }
        # Postgres tells in this row how far the log is folded, so it is there even without a workout.
        current = rows.pop("current_workout", (None, ""))[0]
        periods = self.of(user, f"period_type, period_key, data, {at}", "aggregates")
        columns = "event_id, position, workout_id, exercise_id, at, weight, unit, reps, seconds, weight_kg"
        return {
            "current_workout": current,
            "projections": rows,
            "aggregates": {(kind, key): (_data(data), _time(when)) for kind, key, data, when in periods},
            "sets": sorted(self.of(user, columns, "sets")),
        }

    def folded(self, user: str) -> int | None:
        """Up to where the rows hold the log."""
        if self.postgres:
            found = self.run(
                user, "SELECT position FROM projections WHERE user_id = ? AND key = 'current_workout'", user
            )
        else:
            found = self.of(user, "position", "folds")
        return found[0][0] if found else None

    def insert(
        self, user: str, kind: str, payload: Any, *, event_id: str | None = None, version: int | None = None
    ) -> str:
        """An event another program appends, unfolded; a payload that is a text is written as it is."""
        given = event_id or str(uuid.uuid4())
        text = payload if isinstance(payload, str) else json.dumps(payload)
        values = [given, isoformat(datetime.now(UTC)), kind, text, version or events.version(kind)]
        if self.postgres:
            place = "?, (SELECT coalesce(max(position), 0) + 1 FROM events WHERE user_id = ?)"
            self.run(
                user,
                "INSERT INTO events (user_id, position, event_id, timestamp, event_type, payload,"
                f" schema_version) VALUES ({place}, ?, ?, ?, ?, ?)",
                user, user, *values,
            )  # fmt: skip
        else:
            self.run(
                user,
                "INSERT INTO events (event_id, timestamp, event_type, payload, schema_version)"
                " VALUES (?, ?, ?, ?, ?)",
                *values,
            )
        return given

    def forget(self, user: str) -> None:
        """Take away all that was folded, as if no release of ours had been here."""
        for table in ("projections", "aggregates", "sets", "folds"):
            self.run(user, f"DELETE FROM {table}" + (" WHERE user_id = ?" if self.postgres else ""),
                     *([user] if self.postgres else []))  # fmt: skip


class StorePlaces:
    """Makes places of every kind; what it made goes away on ``close``."""

    def __init__(self, folder: Path, servers: Servers, templates: Templates) -> None:
        self._folder, self._servers, self._templates = folder, servers, templates

    @contextmanager
    def new(self, kind: str) -> Iterator[StorePlace]:
        if kind == "sqlite":
            place = StorePlace(kind, str(self._folder / f"workspace {uuid.uuid4().hex}"))
            Path(place.database).mkdir(parents=True)
            yield place
            return
        server = self._servers.get(kind)
        with fresh_databases(server) as new:
            place = StorePlace(kind, new(self._templates.on(server)))
            try:
                yield place
            finally:
                place.close()


def new(kind: str, *, event_id: str | None = None, **payload: Any) -> NewEvent:
    """A new event, checked as the app checks it."""
    return NewEvent(event_id or str(uuid.uuid4()), kind, events.new_payload(kind, payload))


class Trainee:
    """A user who trains: events that follow from each other."""

    def __init__(self, store: Store, user: str) -> None:
        self.store = store
        self.user = user
        self.workout = ""

    def append(self, kind: str, **payload: Any) -> str:
        """Append one event; its id."""
        return self.store.append(self.user, [new(kind, **payload)])[0].event.event_id

    def start(self, **payload: Any) -> str:
        self.workout = str(uuid.uuid4())
        return self.append("WorkoutStarted", workout_id=self.workout, **payload)

    def log(self, exercise: str = "row", weight: float = 60.0, reps: int | None = 10, **more: Any) -> str:
        return self.append(
            "SetLogged", workout_id=self.workout, exercise_id=exercise, weight=weight, reps=reps, **more
        )

    def hold(self, seconds: int, exercise: str = "plank") -> str:
        return self.log(exercise, 0.0, None, duration_seconds=seconds)

    def finish(self) -> str:
        return self.append("WorkoutCompleted", workout_id=self.workout)

    def train(self, sets: int = 3, exercise: str = "row") -> None:
        """A whole workout."""
        self.start()
        for n in range(sets):
            self.log(exercise, 50.0 + n * 2.5, 8 + n % 5)
        self.finish()


def long_log(place: StorePlace, user: str, events_wanted: int) -> None:
    """A log of finished workouts of ten sets each, put there by plain SQL, not folded."""
    log: list[NewEvent] = []
    workout = ""
    for n in range(events_wanted):
        step = n % 12
        if step == 0:
            workout = str(uuid.uuid4())
            log.append(new("WorkoutStarted", workout_id=workout))
        elif step == 11:
            log.append(new("WorkoutCompleted", workout_id=workout))
        else:
            lifted: dict[str, Any] = {"weight": 40.0 + n % 61, "reps": 5 + n % 8, "unit": ("kg", "lb")[n % 2]}
            log.append(new("SetLogged", workout_id=workout, exercise_id=f"exercise-{n % 7}", **lifted))
    append_many(place, user, log)


def append_many(place: StorePlace, user: str, log: Sequence[NewEvent]) -> None:
    """Events another program appends to an empty log, unfolded."""
    rows = [
        (
            one.event_id,
            isoformat(BEGAN - timedelta(hours=3 * (len(log) - n))),
            one.event_type,
            json.dumps(one.payload),
            events.version(one.event_type),
        )
        for n, one in enumerate(log)
    ]
    if place.postgres:
        with psycopg.connect(place.database) as connection, connection.cursor() as cursor:
            columns = "user_id, position, event_id, timestamp, event_type, payload, schema_version"
            with cursor.copy(f"COPY events ({columns}) FROM STDIN".encode()) as target:
                for position, row in enumerate(rows, 1):
                    target.write_row((user, position, *row))
        return
    place.open().append(user, [])  # makes the tables
    with closing(sqlite3.connect(Path(place.database) / user / "gym.db")) as file, file:
        file.executemany(
            "INSERT INTO events (event_id, timestamp, event_type, payload, schema_version)"
            " VALUES (?, ?, ?, ?, ?)",
            rows,
        )


def _data(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _time(value: Any) -> str:
    return value if isinstance(value, str) else isoformat(value.replace(tzinfo=UTC))
