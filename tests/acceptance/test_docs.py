"""Every command shown in the documentation is run, in the order it is shown, and exits as it says.

In a ``console`` block a line ``$ command`` is run; a trailing ``# exit N`` is its exit code, 0 without one.
``# until Ctrl-C`` is run until it answers at the address it prints, and is then interrupted.
Each document gets an empty directory with a workspace, a single log and a database of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gymops.clock import SystemClock, ticks
from gymops.eventlog.sample import write_log, write_workspace
from tests.integration.tables import coach
from tests.sources import change

ROOT = Path(__file__).parents[2]
RELEASE_RUNBOOKS = [ROOT / "runbooks" / name for name in ("deploy.md", "promote.md", "rollback.md")]
"""They need environments with releases: test_release_story.py runs them."""
SECRETS_RUNBOOK = ROOT / "runbooks/secret-rotation.md"
"""So does this: test_secrets.py runs it."""
STUCK_RUNBOOK = ROOT / "runbooks/stuck-stack.md"
"""This one needs a stack that is stuck: test_stuck_stack.py runs it."""
RESTORE_RUNBOOK = ROOT / "runbooks/restore.md"
"""This one needs a database that was damaged: test_restore_command.py runs it."""
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "runbooks").glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_LONG = {"README.md", "build.md", "local-aws.md"}
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_COMMAND = re.compile(r"\$ (?P<command>.+?)(?:\s+# (?:exit (?P<code>\d+)|(?P<until>until Ctrl-C)))?")
UNTIL = -1
"""In the place of an exit code: runs until it is interrupted."""
_FENCE = re.compile(r"```(\w*)")


def commands(document: Path) -> list[tuple[str, int]]:
    """The commands of a document and their exit codes."""
    found = []
    for block in _BLOCK.findall(document.read_text(encoding="utf-8")):
        for line in block.splitlines():
            match = _COMMAND.fullmatch(line)
            if match:
                found.append((match["command"], UNTIL if match["until"] else int(match["code"] or 0)))
    return found


def write_shop(path: Path) -> None:
    """A database that is no event log."""
    change(
        path,
        "CREATE TABLE customers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE"
        " UNIQUE)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, placed DATETIME,"
        " total DECIMAL(8,2) DEFAULT 0 CHECK (total >= 0))",
        "CREATE INDEX orders_customer ON orders (customer)",
        "CREATE VIEW best AS SELECT name, sum(total) AS total FROM orders JOIN customers"
        " ON customers.id = customer GROUP BY name",
        "INSERT INTO customers (name) VALUES ('Ada'), ('Bob')",
        "INSERT INTO orders VALUES (1, 1, '2024-02-29 12:30:00', 9.99), (2, 2, 1709209800, 20)",
    )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """An empty directory with what the documents speak of; its server is stopped at the end."""
    write_workspace(tmp_path / "workspace", users=3, events=900, seed=1)
    for folder in (tmp_path / "workspace").iterdir():  # not the users of the demo, which is shown too
        folder.rename(folder.with_name(folder.name.replace("sample|", "auth0|")))
    write_log(tmp_path / "gym.db", events=300, seed=2)
    write_shop(tmp_path / "shop.db")
    coach.write(tmp_path / "csv")
    yield tmp_path
    for end in ("db", "stop"), ("local", "down"):
        gymops = [sys.executable, "-m", "gymops", *end]
        subprocess.run(gymops, cwd=tmp_path, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(one, marks=pytest.mark.long if one.name in _LONG else (), id=one.name)
        for one in DOCUMENTS
        if one not in (*RELEASE_RUNBOOKS, SECRETS_RUNBOOK, STUCK_RUNBOOK, RESTORE_RUNBOOK)
    ],
)
def test_every_command_shown_runs(document: Path, place: Path, database: str) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": database,
    }
    shown = commands(document)
    assert shown or document.is_relative_to(ROOT / "docs"), f"{document.name} shows no command"
    for command, code in shown:
        words = shlex.split(command)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command
            continue
        if words[0] in {"git", "cd", "pip"}:
            continue  # how to get it: the install itself is tested with the wheel
        assert words[0] == "gymops", f"{document.name} shows {command!r}, which no test can run"
        assert shutil.which("gymops", path=environment["PATH"])
        if code == UNTIL:
            serves([*words, "--port", "0"], place, environment)
            continue
        done = subprocess.run(
            words, cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def serves(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a command that serves until it is ready, and interrupt it."""
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            address = re.search(r"http://\S+", process.stdout.readline())
            assert address, command
            for _ in ticks(SystemClock(), timeout=60, interval=0.1):
                if httpx.get(
                    f"{address[0]}/api/ready", timeout=60
                ).is_success:  # 503 while the projections are built
                    break
            else:
                pytest.fail(f"{command} did not get ready")
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
        finally:
            process.kill()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_command_hides_in_another_kind_of_block(document: Path) -> None:
    kinds = {kind for kind in _FENCE.findall(document.read_text(encoding="utf-8")) if kind}
    assert kinds <= {"console", "text", "toml", "json", "python", "sql"}


def test_every_verb_is_in_the_readme() -> None:
    from gymops.cli import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [verb for verb in COMMANDS if f"gymops {verb}" not in text]
