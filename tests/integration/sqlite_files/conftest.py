"""Logs of three events, and folders that cannot be written to."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.sqlite_files.files import WAL
from tests.sources import event, write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three events in rollback-journal mode."""
    return write(tmp_path / "gym.db", map(event, (1, 2, 3)))


@pytest.fixture
def wal_file(tmp_path: Path) -> Path:
    """Three events in WAL mode, cleanly closed."""
    return write(tmp_path / "gym.db", map(event, (1, 2, 3)), pragmas=WAL)


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Mounts a folder read-only on itself: even root cannot write there then."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        for options in (["--bind", folder], ["-o", "remount,ro,bind"]):
            done = subprocess.run(
                ["mount", *map(str, options), str(folder)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.skip(f"mounting is not possible here: {done.stderr.strip()}")
            mounted.append(folder)

    yield mount
    for folder in mounted[:1]:
        subprocess.run(["umount", str(folder)], check=True)
