"""``gymops local`` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.local_aws import Aws


def _gymops(folder: Path, *arguments: str, code: int = 0, **environ: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "gymops", "local", *arguments, "--json"], cwd=folder, text=True,
        capture_output=True, check=False, env={**os.environ, **environ},
    )  # fmt: skip
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.fixture
def folder(place: Path, emulator_installed: None) -> Path:
    return place


def test_up_status_and_down(folder: Path) -> None:
    found = _gymops(folder, "up", "--port", "0", GYMOPS_HOME=str(folder))
    assert (found["started"], found["running"]) == (True, True)
    assert found["url"].startswith("http://127.0.0.1:")
    assert not _gymops(folder, "up", GYMOPS_HOME=str(folder))["started"]
    found = _gymops(folder, "status", GYMOPS_HOME=str(folder))
    assert {part["kind"] for part in found["parts"]} == {"real", "emulated", "absent"}
    assert found["databases"] == []
    found = _gymops(folder, "down", GYMOPS_HOME=str(folder))
    assert found == {"stopped": True, "databases": 0, "by_force": False}
    assert not _gymops(folder, "status", GYMOPS_HOME=str(folder))["running"]


@pytest.mark.long
def test_an_environment_that_cannot_be_made_is_told(place: Path) -> None:
    """No package index answers, as without a network."""
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(place)}
    found = _gymops(
        place, "up", code=1, GYMOPS_HOME=str(place), XDG_CACHE_HOME=str(place / "cache"), **nowhere
    )
    assert "environment cannot be made" in found["error"]["message"]
    assert "network" in found["error"]["hint"]
    assert not [path for path in (place / "cache" / "gymops").iterdir() if path.is_dir()]


def test_status_names_the_databases(aws: Aws) -> None:
    name = aws.create_instance(BackupRetentionPeriod=0)
    found = {one["identifier"]: one for one in aws.local.status().databases}[name]
    assert (found["account"], found["status"]) == ("111111111111", "available")
