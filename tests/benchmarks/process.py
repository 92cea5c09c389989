"""A child process, timed and with the peak memory of its whole tree, measured from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_INTERVAL = 0.02


class FailedError(Exception):
    """A candidate did not do its job."""


@dataclass(frozen=True)
class Finished:
    """How a process ended; ``peak`` is in bytes, 0 where the system does not tell."""

    seconds: float
    peak: int
    status: int
    stdout: str
    stderr: str


def run(command: list[str], *, folder: Path, environ: Mapping[str, str] | None = None) -> Finished:
    """Run a command and wait for it; it and its children are killed when we are interrupted."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "PG"))}
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env={**variables, **(environ or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    peak = _Peak(process.pid)
    try:
        with peak:
            stdout, stderr = process.communicate()
        seconds = time.monotonic() - started
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return Finished(seconds, peak.bytes, process.returncode, stdout, stderr)


class _Peak:
    """Watches a process and its descendants from a thread of its own.

    Per moment it adds up the high-water marks (VmHWM) of the processes alive. That is never less than what
    they held together between two looks, and may be more: a page they share counts for each of them.
    """

    def __init__(self, root: int) -> None:
        self.bytes = 0
        self._root = root
        self._known: set[int] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_INTERVAL):
            tree = set(_descendants(self._root))
            # Between fork and exec a process still has its parent's mark: it counts when seen again.
            self.bytes = max(self.bytes, sum(high_water(pid) for pid in tree & self._known))
            self._known = tree


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):  # it may end at any time
        for children in _PROC.glob(f"{pid}/task/*/children"):
            for child in children.read_text(encoding="ascii").split():
                yield from _descendants(int(child))


def high_water(pid: int) -> int:
    """Bytes that a process held at most, its own pages; 0 where the system does not tell."""
    try:
        lines = (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0  # it has just ended, or the system has no /proc
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
