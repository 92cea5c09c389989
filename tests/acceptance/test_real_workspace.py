"""The files the real app wrote, where they lie beside the checkout: moved, proved, and moved again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real app's files are not beside this checkout")


def gymops(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gymops", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.shows("titan-trakr", "data")
def test_six_users_twice_in_a_row(tmp_path: Path, database: str) -> None:
    workspace = str(DATA / "titan-workspace")
    for written in (3524, 0):
        done = gymops(tmp_path, "migrate", workspace, "--to", database, "--yes", "--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["users"], report["verified"]) == (6, True)
        assert report["events"] == {
            "source": 3524,
            "written": written,
            "already_there": 3524 - written,
            "rejected": 0,
        }
        assert report["digest"]["source"] == report["digest"]["target"]
        assert all(table["verified"] for table in report["tables"].values())
    done = gymops(tmp_path, "verify", workspace, database, "--json")
    assert (done.returncode, json.loads(done.stdout)["equal"]) == (0, True)
