"""Two environments in memory, of which one comes after the other."""

from __future__ import annotations

import pytest

from tests.unit.deploy.verbs.world import World


@pytest.fixture
def staging() -> World:
    return World("staging")


@pytest.fixture
def prod(staging: World) -> World:
    return World("prod", clock=staging.clock)
