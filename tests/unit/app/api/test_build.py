"""Building what the projections lack."""

from __future__ import annotations

from threading import Event

import pytest

from gymops.app import build
from gymops.app.store import LogEvent, StoreUnavailable
from tests.unit.app.api.doubles import AT, MemoryStore


def _store(*users: str) -> MemoryStore:
    store = MemoryStore()
    store.log = {user: [LogEvent(1, "e", AT, "SetLogged", {}, 1)] for user in users}
    return store


def test_every_user_is_built_and_told() -> None:
    store, told = _store("ben", "anna"), list[str]()
    build.build_all(store, tell=told.append, stop=Event())
    assert store.built == ["anna", "ben"]
    assert told == ["folded 1 events of anna", "folded 1 events of ben"]


def test_a_database_that_failed_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PAUSE", 0.0)
    store, told = _store("anna"), list[str]()
    store.fails = StoreUnavailable("no route to host")

    def tell(line: str) -> None:
        told.append(line)
        store.fails = None

    build.build_all(store, tell=tell, stop=Event())
    assert "no route to host" in told[0]
    assert store.built == ["anna"]


def test_another_failure_is_told_and_ends_it() -> None:
    store, told = _store("anna"), list[str]()
    store.fails = ValueError("an event from the future")
    build.build_all(store, tell=told.append, stop=Event())
    assert len(told) == 1
    assert store.built == []


def test_told_to_stop_it_stops() -> None:
    store, stop = _store("anna", "ben"), Event()
    build.build_all(store, tell=lambda _: stop.set(), stop=stop)
    assert store.built == ["anna"]
