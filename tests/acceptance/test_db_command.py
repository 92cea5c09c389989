"""``gymops db`` as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Gymops = Callable[..., "subprocess.CompletedProcess[str]"]

_KEYS = {
    "running", "ready", "pid", "version", "data_dir", "socket_dir", "port", "log", "started_at", "url",
}  # fmt: skip


@pytest.fixture
def gymops() -> Iterator[Gymops]:
    """``gymops("db", "start")`` in a folder of its own, whose server is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="gymops-", dir="/tmp") as folder:
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "PG"))
        }

        def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
            done = subprocess.run(
                [sys.executable, "-m", "gymops", *arguments], cwd=folder, env={**environ, **variables},
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert "Traceback" not in done.stderr
            return done

        yield run
        run("db", "stop", "--timeout", "0.5")


def _json(done: subprocess.CompletedProcess[str]) -> Any:
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_a_server_s_life_on_the_command_line(gymops: Gymops) -> None:
    assert gymops("db", "status").stdout.startswith("stopped\n")
    before = _json(gymops("db", "status", "--json"))
    assert set(before) == _KEYS
    assert (before["running"], before["pid"], before["url"]) == (False, None, None)

    started = gymops("db", "start")
    assert (started.returncode, started.stderr) == (0, "")
    first, url = started.stdout.splitlines()
    assert first.startswith("PostgreSQL 18.")
    assert "started (process " in first

    again = _json(gymops("db", "start", "--json"))
    assert set(again) == {"started", *_KEYS}
    assert again["started"] is False
    assert again["url"] == url

    status = _json(gymops("db", "status", "--json"))
    assert {"started": False, **status} == again
    assert (status["running"], status["ready"], status["port"]) == (True, True, 5432)
    assert gymops("db", "status").stdout.startswith(f"running\n  pid         {status['pid']}\n")

    assert gymops("db", "url").stdout == f"{url}\n"
    app = _json(gymops("db", "url", "--app", "--json"))
    assert app == {"url": url.replace("gymops@", "gymops_app@"), "user": "gymops_app"}

    one = gymops("db", "shell", "--", "-X", "-Atc", "select current_user, current_database()")
    assert (one.returncode, one.stdout) == (0, "gymops|gymops\n")
    assert gymops("db", "shell", "-U", "gymops_app", "-Atc", "select current_user").stdout == "gymops_app\n"
    misled = gymops("db", "shell", "-Atc", "select 1", PGHOST="nowhere", PGHOSTADDR="192.0.2.1", PGPORT="1")
    assert misled.stdout == "1\n"
    wrong = gymops("db", "shell", "--", "-v", "ON_ERROR_STOP=1", "-c", "selec")
    assert wrong.returncode == 1
    assert "syntax error" in wrong.stderr

    assert gymops("db", "stop").stdout == "PostgreSQL stopped.\n"
    assert gymops("db", "stop").stdout == "PostgreSQL did not run.\n"
    assert _json(gymops("db", "stop", "--json")) == {"stopped": False}
    assert _json(gymops("db", "status", "--json"))["version"] == "18"


@pytest.mark.parametrize(
    "arguments", [["url"], ["url", "--app"], ["shell"], ["shell", "--", "-c", "select 1"]]
)
def test_what_needs_a_running_server_names_the_next_command(gymops: Gymops, arguments: list[str]) -> None:
    done = gymops("db", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: PostgreSQL does not run\nhint:  gymops db start\n"


def test_a_failure_is_one_json_document(gymops: Gymops) -> None:
    done = gymops("db", "url", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {
        "error": {"code": "server", "message": "PostgreSQL does not run", "hint": "gymops db start"}
    }


def test_another_postgres_can_take_its_place(gymops: Gymops, tmp_path: Path) -> None:
    done = gymops("db", "start", GYMOPS_POSTGRES_BIN=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: postgres_bin: {tmp_path} holds no program postgres" in done.stderr
    assert "hint:  name the folder" in done.stderr


def test_home_may_lie_elsewhere(gymops: Gymops, tmp_path: Path) -> None:
    home = str(tmp_path / "it's here")
    try:
        assert gymops("--home", home, "db", "start").returncode == 0
        assert gymops("db", "url").returncode == 1
        assert gymops("--home", home, "db", "shell", "-Atc", "select 1").stdout == "1\n"
    finally:
        assert gymops("--home", home, "db", "stop").stdout == "PostgreSQL stopped.\n"
        shutil.rmtree(home)


@pytest.mark.parametrize("name", ["start", "stop", "status", "url", "shell"])
def test_every_command_explains_itself(gymops: Gymops, name: str) -> None:
    done = gymops("db", name, "--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert ("--json:" in done.stdout) == (name != "shell")
