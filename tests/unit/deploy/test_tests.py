"""The app's own tests pass before anything of it is released."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gymops.config import App
from gymops.deploy.tests import FailingTests, passed
from gymops.errors import ConfigError


def app(folder: Path, *test: str) -> App:
    return App(("shop",), "shop.handler", source=folder, test=test)


def test_an_app_without_a_test_command_is_not_tested(tmp_path: Path) -> None:
    assert passed(app(tmp_path), print) is None


def test_what_passes_is_told_and_ran_in_the_app_s_folder(tmp_path: Path) -> None:
    told: list[str] = []
    found = passed(app(tmp_path, sys.executable, "-c", "open('ran', 'w')"), told.append)
    assert found
    assert "ran" in found["command"]
    assert (tmp_path / "ran").exists()
    assert told == [f"testing: {found['command']}"]


def test_what_fails_stops_the_release(tmp_path: Path) -> None:
    with pytest.raises(FailingTests, match="ended with 3") as refused:
        passed(app(tmp_path, sys.executable, "-c", "raise SystemExit(3)"), print)
    assert refused.value.exit_code == 1
    assert refused.value.hint


def test_what_cannot_be_started_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be started") as refused:
        passed(app(tmp_path, "no-such-program"), print)
    assert refused.value.hint == "change `test` of [app] in gymops.toml"
