"""One environment for the tests that leave it as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.backup.managed.world import World
from tests.local_aws import Aws


@pytest.fixture(scope="module")
def world(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(aws, tmp_path_factory.mktemp("world"))


@pytest.fixture
def own(aws: Aws, tmp_path: Path) -> World:
    """An environment of a test's own."""
    return World(aws, tmp_path)
