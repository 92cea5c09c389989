"""A store that remembers what it was given, a clock that stands still, and a client of the app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.testclient import TestClient

from gymops.app.main import create_app
from gymops.app.settings import AppSettings
from gymops.app.store import Appended, IdReused, LogEvent, NewEvent, Readiness, Row, Store
from gymops.app.store.base import Progress, Rebuilt, silent

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
AT = "2026-11-21T09:00:00.000000Z"
LOCAL = AppSettings(environment="local", bind="127.0.0.1")
HOST = "http://localhost:8000"


class Clock:
    """Moves when it is slept on."""

    def __init__(self) -> None:
        self.gone = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.gone)

    def monotonic(self) -> float:
        return 1000.0 + self.gone

    def sleep(self, seconds: float) -> None:
        self.gone += seconds


class MemoryStore:
    """Keeps events as they come and folds nothing: its rows are what a test puts there."""

    def __init__(self) -> None:
        self.log: dict[str, list[LogEvent]] = {}
        self.shown: dict[str, dict[str, Row]] = {}
        self.own_exercises: list[dict[str, Any]] = []
        self.fails: Exception | None = None
        self.found = Readiness("0004", "0004", 0)
        self.built: list[str] = []

    def append(self, user_id: str, events: Sequence[NewEvent]) -> list[Appended]:
        self._fail()
        log = self.log.setdefault(user_id, [])
        done = []
        for event in events:
            earlier = next((one for one in log if one.event_id == event.event_id), None)
            if earlier is None:
                added = LogEvent(len(log) + 1, event.event_id, AT, event.event_type, event.payload, 1)
                log.append(added)
                done.append(Appended(added, repeated=False))
            elif (earlier.event_type, earlier.payload) == (event.event_type, event.payload):
                done.append(Appended(earlier, repeated=True))
            else:
                raise IdReused
        return done

    def put(self, key: str, data: Any, user: str = "default") -> None:
        self.shown.setdefault(user, {})[key] = Row(data, AT)

    def rows(self, user_id: str, keys: Sequence[str]) -> dict[str, Row]:
        self._fail()
        shown = self.shown.get(user_id, {})
        return {key: shown[key] for key in keys if key in shown}

    def listed(self, user_id: str, prefix: str, *, after: str, limit: int) -> list[tuple[str, Row]]:
        shown = sorted(self.shown.get(user_id, {}).items())
        return [(key, row) for key, row in shown if key.startswith(prefix) and key > after][:limit]

    def latest(self, user_id: str, prefix: str, *, limit: int) -> list[tuple[str, Row]]:
        return self.listed(user_id, prefix, after="", limit=1_000_000)[::-1][:limit]

    def aggregates(self, user_id: str, period_type: str, *, limit: int) -> list[tuple[str, Row]]:
        found = self.listed(user_id, f"{period_type}/", after="", limit=1000)
        return [(key.partition("/")[2], row) for key, row in reversed(found)][:limit]

    def exercises(self, user_id: str) -> list[dict[str, Any]]:
        return self.own_exercises

    def events(self, user_id: str, *, after: int, limit: int) -> list[LogEvent]:
        self._fail()
        return self.log.get(user_id, [])[after : after + limit]

    def find(self, user_id: str, event_ids: Sequence[str]) -> list[LogEvent]:
        return [one for one in self.log.get(user_id, []) if one.event_id in event_ids]

    def users(self) -> Iterator[str]:
        self._fail()
        return iter(sorted(self.log))

    def readiness(self) -> Readiness:
        self._fail()
        return self.found

    def build(self, user_id: str, progress: Progress = silent) -> int:
        self.built.append(user_id)
        return len(self.log[user_id])

    def rebuild(self, user_id: str, progress: Progress = silent) -> Rebuilt:
        return Rebuilt(0, {})

    def close(self) -> None:
        pass

    def _fail(self) -> None:
        if self.fails:
            raise self.fails


def client(store: Store | None = None, settings: AppSettings = LOCAL, **parts: Any) -> TestClient:
    """The app as a client sees it; by default on a loopback address."""
    parts.setdefault("clock", Clock())
    app = create_app(store or MemoryStore(), settings, **parts)
    base = HOST if settings.bind else "https://gym.example"
    return TestClient(app, base_url=base, raise_server_exceptions=True)
