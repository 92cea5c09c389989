"""Places for the store's tests, each kind with a fresh one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gymops.app.store import Store
from tests.conftest import Servers
from tests.contract.stores import KINDS, StorePlace, StorePlaces
from tests.fixtures_schema import Templates


@pytest.fixture
def store_places(tmp_path: Path, servers: Servers, schema_templates: Templates) -> StorePlaces:
    return StorePlaces(tmp_path, servers, schema_templates)


@pytest.fixture(params=KINDS)
def any_place(request: pytest.FixtureRequest, store_places: StorePlaces) -> Iterator[StorePlace]:
    """SQLite, the embedded server, the system's."""
    with store_places.new(request.param) as place:
        yield place


@pytest.fixture(params=KINDS[:2])
def place(request: pytest.FixtureRequest, store_places: StorePlaces) -> Iterator[StorePlace]:
    """SQLite, the embedded server."""
    with store_places.new(request.param) as place:
        yield place


@pytest.fixture(params=KINDS[1:])
def any_postgres(request: pytest.FixtureRequest, store_places: StorePlaces) -> Iterator[StorePlace]:
    with store_places.new(request.param) as place:
        yield place


@pytest.fixture
def postgres(store_places: StorePlaces) -> Iterator[StorePlace]:
    with store_places.new("embedded") as place:
        yield place


@pytest.fixture
def store(place: StorePlace) -> Store:
    return place.open()
