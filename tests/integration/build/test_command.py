"""gymops build, as typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.build.making import shop, tree

TOML = """
    [app]
    name = "shop"
    package = "shop"
    handler = "shop.main.handler"
    files = ["migrations/**"]
    """


@pytest.fixture
def app(tmp_path: Path) -> Path:
    shop(tmp_path / "app")
    return tree(tmp_path / "app", {"gymops.toml": TOML})


def gymops(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "GYMOPS_CACHE": str(folder.parent / "cache")}
    command = [sys.executable, "-m", "gymops", *arguments]
    environ["PYTHONPATH"] = str(Path(__file__).parents[3])
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_an_app_of_ones_own_by_gymops_toml(app: Path) -> None:
    done = gymops(app, "build", "--arch", "x86_64", "--json", "--list")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["kind"], document["arch"], document["handler"]) == ("zip", "x86_64", "shop.main.handler")
    assert [file["path"] for file in document["files"]][:3] == [
        "helpers/__init__.py",
        "helpers/words.py",
        "migrations/0001.sql",
    ]
    assert (app / document["folder"] / "app.zip").is_file()
    assert document["folder"].startswith(".gymops/artefacts/")
    again = gymops(app, "build", "--arch", "x86_64")
    assert document["digest"] in again.stdout
    assert "MB" in again.stdout
    assert not again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--push", "host.example/app"], 2, "are for images"),
        (["--kind", "image"], 2, "an image stands on another"),
        (["--kind", "image", "--base", "A b"], 2, "names no image"),
        (["--kind", "image", "--base", "127.0.0.1:9/base"], 1, "cannot be reached"),
        (["--python", "3.9"], 2, "a Python of 3.11 or later"),
        (["--arch", "host", "--python", "3.99"], 2, "and --python says 3.99"),
        (["--arch", "mips"], 2, "Invalid value"),
        (["no-such-architecture"], 2, "no-such-architecture"),
        (["--out", "/proc/nowhere"], 1, "/proc/nowhere"),
    ],
)
def test_wrong_usage(app: Path, arguments: list[str], code: int, says: str) -> None:
    done = gymops(app, "build", "--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert says in error["message"]
    assert not done.stderr or "fetching" in done.stderr
    assert not (app / ".gymops").exists()


def test_a_secret_is_a_gate(app: Path) -> None:
    tree(app, {"shop/.env": "A=1"})
    done = gymops(app, "build")
    assert done.returncode == 4
    assert "shop/.env" in done.stderr


def test_no_disk_is_told_and_nothing_is_left(app: Path) -> None:
    """A limit on the size of files: what a full disk says at the same place."""
    first = gymops(app, "build", "--json")
    assert first.returncode == 0, first.stderr
    before = sorted((app / ".gymops/artefacts").rglob("*"))
    tree(app, {"shop/words.txt": "other\n"})
    limited = "import resource as r, runpy; r.setrlimit(r.RLIMIT_FSIZE, (600, 600));"
    limited += "runpy.run_module('gymops', run_name='__main__')"
    environ = {**os.environ, "GYMOPS_CACHE": str(app.parent / "cache")}
    environ["PYTHONPATH"] = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", limited, "build", "--json"],
        cwd=app, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert "no space is left on this disk" in error["message"]
    assert "--out" in error["hint"]
    assert sorted((app / ".gymops/artefacts").rglob("*")) == before
