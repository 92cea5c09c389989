"""``gymops`` as a process of its own, with pipes or on a terminal."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MIGRATE = ("-m", "gymops", "migrate")
_ON_A_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


def environment(url: str) -> dict[str, str]:
    """What a user's shell would have; the target is ``env:DB``."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "PG"))}
    return {**plain, "DB": url, "TERM": "xterm"}


def start(source: Path, url: str, *arguments: str) -> subprocess.Popen[str]:
    """``gymops migrate SOURCE --to env:DB ...`` without a terminal."""
    return subprocess.Popen(
        [sys.executable, *_MIGRATE, str(source), "--to", "env:DB", *arguments],
        env=environment(url),
        cwd=source.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 120) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, err = process.communicate(timeout=timeout)
    assert "Traceback" not in err
    return process.returncode, out, err


def gymops(source: Path, url: str, *arguments: str) -> tuple[int, str, str]:
    """The same, run to its end."""
    return finish(start(source, url, *arguments))


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read stderr up to a line that begins so."""
    assert process.stderr
    for line in process.stderr:
        if line.startswith(text):
            return
    raise AssertionError(f"{text!r} was never said; it ended with {process.wait(10)}")


class Terminal:
    """A command whose stdin and stderr are a terminal; stdout is a pipe."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.seen = ""
        self._master = master

    def expect(self, text: str, timeout: float = 60) -> None:
        """Read until the text appears."""
        deadline = time.monotonic() + timeout
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            self._read(0.1)

    def helped(self, timeout: float = 60) -> None:
        """Wait until it has a process of its own at work."""
        deadline = time.monotonic() + timeout
        while not subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, check=False
        ).stdout:
            assert time.monotonic() < deadline, self.seen
            self._read(0.02)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def ended(self, timeout: float = 120) -> tuple[int, str]:
        """Exit code and stdout."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen
            self._read(0.05)
        while self._read(0.05):
            pass
        assert self.process.stdout
        assert "Traceback" not in self.seen, self.seen
        return self.process.returncode, self.process.stdout.read().decode()

    def _read(self, timeout: float) -> bool:
        if not select.select([self._master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


@contextmanager
def terminal(source: Path, url: str, *arguments: str) -> Iterator[Terminal]:
    """``gymops migrate SOURCE --to env:DB ...`` on a terminal of its own, so that Ctrl-C is a key."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_A_TERMINAL, *_MIGRATE, str(source), "--to", "env:DB", *arguments],
        env=environment(url),
        cwd=source.parent,
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()
        os.close(master)
