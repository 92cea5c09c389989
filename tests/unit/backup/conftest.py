"""Keys and stores of the tests of backups."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.backup.keys import Keys, open_keys
from tests.contract.objects import MemoryObjects
from tests.unit.clocks import FakeClock


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return open_keys(tmp_path_factory.mktemp("keys"), {})


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Of somebody else."""
    return open_keys(tmp_path_factory.mktemp("others"), {})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def objects(clock: FakeClock) -> MemoryObjects:
    return MemoryObjects(clock)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"
