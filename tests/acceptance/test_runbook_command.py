"""``gymops runbook`` as the person paged at night meets it: at a terminal, and without one."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

BOOK = """# Runbook: mend it

Look first.

```console
$ gymops rehearse
$ python -c "import sys; sys.exit(3)" # exit 3
$ python -c "print('told', 'ENV')" ENV
```

Then wait.

```console
$ python -c "WAIT"
```
"""
WAIT = (
    "import signal, time; signal.signal(2, lambda *_: exit(8)); print('waiting', flush=True); time.sleep(60)"
)
START = "import sys, pathlib, gymops.resources as r; r.path = lambda name: pathlib.Path({folder!r}); "
START += "from gymops.cli import main; main(sys.argv[1:])"


@pytest.fixture
def books(tmp_path: Path) -> Path:
    text = BOOK.replace("gymops rehearse", "gymops --version").replace("WAIT", WAIT)
    text = text.replace("$ python", f"$ {sys.executable}")
    (tmp_path / "mend.md").write_text(text, encoding="utf-8")
    return tmp_path


def command(books: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-c", START.format(folder=str(books)), "runbook", *arguments]


def run(books: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(books, *arguments), cwd=books, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


class Terminal:
    """A command at a terminal of its own, and somebody who types."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.seen = ""
        self._read = 0
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            words, cwd=folder, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)

    def until(self, words: str) -> None:
        deadline = time.monotonic() + 60
        while (found := self.seen.find(words, self._read)) < 0:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._master], [], [], 1)[0]:
                try:
                    self.seen += os.read(self._master, 65536).decode()
                except OSError:
                    pytest.fail(f"it ended: {self.seen}")
        self._read = found + len(words)

    def answer(self, asked: str, answer: str) -> None:
        self.until(asked)
        os.write(self._master, f"{answer}\n".encode())

    def interrupt(self) -> None:
        """Ctrl-C: the terminal tells everybody."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        return self.process.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(books: Path) -> Iterator[Terminal]:
    started = Terminal(command(books, "run", "mend", "--set", "ENV=prod"), books)
    yield started
    started.close()


def test_list_and_show(books: Path) -> None:
    assert json.loads(run(books, "list", "--json").stdout) == [
        {"name": "mend", "title": "mend it", "commands": 4}
    ]
    assert run(books, "show", "mend").stdout == (books / "mend.md").read_text(encoding="utf-8")
    wrong = run(books, "show", "ment")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean mend?" in wrong.stderr


def test_a_person_skips_runs_and_is_asked_before_each(terminal: Terminal) -> None:
    terminal.answer("[1 of 4] $ gymops --version\r\nRun it?", "s")
    terminal.until("[2 of 4]")
    terminal.answer("Run it?", "r")
    terminal.until("exit 3\r\n[3 of 4]")
    terminal.answer("Run it?", "r")
    terminal.until("told ENV")  # a word of its own is filled in; what is quoted with others stays
    terminal.until("Then wait.")
    terminal.answer("Run it?", "r")
    terminal.until("\nwaiting")
    terminal.interrupt()
    terminal.until("exit 8, and 0 was expected")
    assert terminal.end() == 130


def test_a_failed_command_is_repeated_or_left(books: Path) -> None:
    (books / "mend.md").write_text(f'```console\n$ {sys.executable} -c "exit(1)"\n```\n', encoding="utf-8")
    terminal = Terminal(command(books, "run", "mend"), books)
    try:
        terminal.answer("Run it?", "r")
        terminal.answer("exit 1, and 0 was expected", "r")
        terminal.answer("exit 1, and 0 was expected", "g")
        assert terminal.end() == 0
    finally:
        terminal.close()


def test_yes_runs_all_and_stops_at_what_fails(books: Path) -> None:
    text = (books / "mend.md").read_text(encoding="utf-8").partition("Then wait.")[0]
    (books / "mend.md").write_text(text, encoding="utf-8")
    asked = run(books, "run", "mend", "--yes")
    assert (asked.returncode, "--set ENV=" in asked.stderr) == (2, True)
    good = run(books, "run", "mend", "--yes", "--set", "ENV=prod")
    assert good.returncode == 0, good.stderr
    assert "told ENV\n" in good.stdout
    (books / "mend.md").write_text(text.replace("# exit 3", ""), encoding="utf-8")
    bad = run(books, "run", "mend", "--yes", "--set", "ENV=prod")
    assert bad.returncode == 1
    assert "[3 of 3]" not in bad.stderr
    assert "gymops runbook run mend --from 2 goes on there" in bad.stderr


def test_without_a_terminal_nobody_is_asked(books: Path) -> None:
    done = run(books, "run", "mend")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
