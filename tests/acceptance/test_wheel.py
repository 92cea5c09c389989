"""The wheel carries everything: every command works in an empty directory outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gymops.eventlog.sample import write_log

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    return next(folder.glob("gymops-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it; what it depends on comes from the one of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--no-deps"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=300)
    packages = next((folder / "lib").glob("python3*")) / "site-packages"
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "dependencies.pth").write_text(here + "\n")
    return folder / "bin" / "gymops"


@pytest.fixture
def empty(tmp_path: Path, installed: Path) -> Iterator[Path]:
    folder = tmp_path / "an empty place"
    folder.mkdir()
    yield folder
    subprocess.run([installed, "db", "stop"], cwd=folder, check=True, capture_output=True, timeout=60)


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(installed), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_wheel_holds_migrations_templates_and_runbooks(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "gymops/migrations/env.py" in names
    assert "gymops/templates/gymops.toml" in names
    assert "gymops/runbooks/migrate.md" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_every_command_works_outside_the_checkout(installed: Path, empty: Path, tmp_path: Path) -> None:
    where = run(installed.with_name("python"), empty, "-c", "import gymops; print(gymops.__file__)")
    assert str(ROOT) not in where.stdout
    log = str(tmp_path / "gym.db")
    write_log(tmp_path / "gym.db", events=200, seed=3)
    for arguments, code in (
        (["--help"], 0),
        (["--version"], 0),
        (["init"], 0),
        (["db", "start"], 0),
        (["schema", "upgrade"], 0),
        (["schema", "check"], 0),
        (["migrate", log, "--plan"], 3),
        (["migrate", log, "--yes"], 0),
        (["verify", log, "env:local"], 0),
        (["demo"], 0),
        (["db", "status"], 0),
    ):
        done = run(installed, empty, *arguments)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
