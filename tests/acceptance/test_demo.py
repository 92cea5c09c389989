"""``gymops demo`` as a newcomer meets it: an empty folder, one command, and whatever it says to try next."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Gymops = Callable[..., "subprocess.CompletedProcess[str]"]

_HEAD = re.compile(r"^   (SQLite|PostgreSQL|copy) +([0-9a-f]{64})$", re.MULTILINE)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """An empty folder; a server left running in it is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="gymops-", dir="/tmp") as name:
        yield Path(name)
        _run(Path(name), sys.executable, "-m", "gymops", "db", "stop", "--timeout", "0.5")


@pytest.fixture(scope="module")
def gymops(folder: Path) -> Gymops:
    return lambda *arguments: _run(folder, sys.executable, "-m", "gymops", *arguments)


@pytest.fixture(scope="module")
def first(gymops: Gymops) -> subprocess.CompletedProcess[str]:
    """The demo, run once in the empty folder."""
    return gymops("demo")


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "PG"))}
    done = subprocess.run(
        command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def _next(output: str) -> list[str]:
    lines = output.partition("\nTry next\n")[2].splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.shows("titan-trakr", "data")
def test_it_moves_proves_and_shows_that_the_proof_can_fail(
    first: subprocess.CompletedProcess[str],
) -> None:
    assert first.returncode == 0, first.stderr
    assert "5 users, 25,000 events" in first.stdout
    assert "25,000 events and " in first.stdout
    assert "VERIFIED" in first.stdout
    heads = [head for _, head in _HEAD.findall(first.stdout)]
    assert heads[0] == heads[1] == heads[3]
    assert heads[2] != heads[0]
    before, after = re.search(r"^   ([0-9.]+) becomes ([0-9.]+) in ", first.stdout, re.MULTILINE).groups()  # type: ignore[union-attr]
    assert f'"weight": {before}' in first.stdout
    assert f'"weight": {after}' in first.stdout
    assert re.search(r"^   event +[0-9a-f-]{36}, position [0-9,]+$", first.stdout, re.MULTILINE)


def test_its_report_fits_a_terminal(first: subprocess.CompletedProcess[str]) -> None:
    report = first.stdout.partition("\nTry next\n")[0]
    assert max(len(line) for line in report.splitlines()) <= 90


def test_run_again_there_is_nothing_to_do_and_it_is_proved_again(
    first: subprocess.CompletedProcess[str], gymops: Gymops
) -> None:
    again = gymops("demo")
    assert again.returncode == 0, again.stderr
    assert "made by an earlier run" in again.stdout
    assert "nothing to do: 25,000 events" in again.stdout
    assert _HEAD.findall(again.stdout) == _HEAD.findall(first.stdout)


def test_as_json(first: subprocess.CompletedProcess[str], gymops: Gymops) -> None:
    done = gymops("demo", "--json")
    assert done.returncode == 0
    document: dict[str, Any] = json.loads(done.stdout)
    assert set(document) == {"workspace", "made", "postgres", "migration", "nudge", "nudged", "next"}
    assert document["made"] is False
    assert document["migration"]["verified"] is True
    assert document["migration"]["events"]["already_there"] == 25_000
    assert document["nudged"]["equal"] is False
    assert document["nudged"]["differences"] == {"missing": 0, "extra": 0, "changed": 1, "moved": 0}
    found, nudge = document["nudged"]["first_difference"], document["nudge"]
    assert (found["user"], found["event_id"]) == (nudge["user"], nudge["event_id"])
    assert (found["position"], found["column"]) == (nudge["position"], "payload")
    assert document["next"] == _next(first.stdout)


def test_every_command_it_says_to_try_next_works_as_printed(
    first: subprocess.CompletedProcess[str], folder: Path
) -> None:
    plan, verify, changed, shell, stop = [
        _run(folder, "sh", "-c", command) for command in _next(first.stdout)
    ]
    assert (plan.returncode, plan.stdout.splitlines()[-1]) == (0, "work     nothing to do")
    assert (verify.returncode, verify.stdout.splitlines()[-1]) == (0, "EQUAL: both hold the same events")
    assert changed.returncode == 3
    assert "1 changed" in changed.stdout
    assert shell.returncode == 0
    assert "sample|000001" in shell.stdout
    assert stop.stdout == "PostgreSQL stopped.\n"


def test_with_another_home_the_commands_name_it(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gymops-", dir="/tmp") as name:
        program = (sys.executable, "-m", "gymops", "--home", str(Path(name, "it's here")))
        try:
            done = _run(tmp_path, *program, "demo")
            assert done.returncode == 0, done.stderr
            assert list(tmp_path.iterdir()) == []
            shell, stop = _next(done.stdout)[-2:]
            assert "(5 rows)" in _run(tmp_path, "sh", "-c", shell).stdout
            assert _run(tmp_path, "sh", "-c", stop).stdout == "PostgreSQL stopped.\n"
        finally:
            _run(tmp_path, *program, "db", "stop", "--timeout", "0.5")


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", encoding="ascii")
    done = _run(tmp_path, sys.executable, "-m", "gymops", "--home", "home/sub", "demo", "--json")
    assert done.returncode == 1
    assert set(json.loads(done.stdout)["error"]) == {"code", "message", "hint"}


def test_it_explains_itself(gymops: Gymops) -> None:
    done = gymops("demo", "--help")
    assert done.returncode == 0
    assert "--json prints one document" in done.stdout
