"""``gymops worker``: what is received waits for nothing, and all of it ends at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gymops.pg.binaries import find_binaries
from tests.acceptance.test_restore_command import Place, empty

__all__ = ["empty"]
pytestmark = pytest.mark.long

_CONFIG = """
postgres_bin = "bin"
[environments.local.backup.tiers.continuous]
keep = "1 day"
rpo = "1 minute"
rto = "15 minutes"
"""
_WAITS = "#!/bin/sh\ntouch {folder}/waits\nexec sleep 600\n"


def test_what_is_received_waits_for_no_restore_test_and_sigterm_ends_all(empty: Place) -> None:
    folder = empty.folder
    (folder / "bin").mkdir()
    for program in find_binaries().iterdir():
        (folder / "bin" / program.name).symlink_to(program)
    empty.good("schema", "upgrade")
    empty.good("backup", "local")
    (folder / "gymops.toml").write_text(_CONFIG)
    control = folder / "bin" / "pg_controldata"
    control.unlink()
    control.write_text(_WAITS.format(folder=folder))
    control.chmod(0o755)
    worker = subprocess.Popen(
        [sys.executable, "-m", "gymops", "worker", "local", "--json"], cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        eventually((folder / "waits").exists)  # the restore-test, that was due at once, is at it now
        for number in range(2):
            empty.sql(f"SELECT pg_logical_emit_message(true, 'test', '{number}')")
            at = now(empty)
            eventually(lambda at=at: until(empty) > at, 120.0)  # type: ignore[misc]
        assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=60)
        assert worker.returncode == 130, said
        assert "restore-test local --all ..." in said
    finally:
        worker.kill()
        worker.wait()
    eventually(lambda: not at_work(folder))


def now(place: Place) -> str:
    return place.sql("""SELECT to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US')""")


def until(place: Place) -> str:
    """Up to when every time can be restored."""
    return max((one["latest"] for one in place.json("backups", "local")["windows"]), default="")


def at_work(folder: Path) -> list[str]:
    """What runs there, besides the server."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue
    return [one for one in found if one != "postgres"]


def eventually(well: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not well():
        assert time.monotonic() < deadline
        time.sleep(0.2)
