"""A package index of this machine's disk, so that pip asks no other."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_index(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What ``making.shop`` puts its wheels into; tests marked ``real_index`` keep the user's."""
    index = tmp_path / "index"
    index.mkdir()
    if "real_index" not in request.fixturenames:
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


@pytest.fixture
def real_index() -> None:
    """Ask the index that pip is set up for."""
