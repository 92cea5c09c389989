"""The app on real stores: SQLite files, and a Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gymops.app.main import create_app
from gymops.app.settings import AppSettings
from gymops.app.store import Store
from gymops.app.store.opening import open_store
from gymops.clock import SystemClock

SETTINGS = AppSettings(environment="local", bind="127.0.0.1", voice_per_minute=6000)
HOST = "http://localhost:8000"


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store without events, of each kind."""
    place = str(tmp_path / "workspace")
    if request.param == "postgres":
        place = request.getfixturevalue("gymops_database")
    opened = open_store(place, user="default", clock=SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def app(store: Store) -> FastAPI:
    """The app on it, for one user on loopback."""
    return create_app(store, SETTINGS, clock=SystemClock())


@pytest.fixture
def new_client(app: FastAPI) -> Callable[[], TestClient]:
    """As many clients as a test wants; each thread needs its own."""
    return lambda: TestClient(app, base_url=HOST)


@pytest.fixture
def client(new_client: Callable[[], TestClient]) -> TestClient:
    return new_client()
