"""Which processes of a local AWS are alive."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def held(file: Path) -> bool:
    """Whether a live process holds the lock of this file: pids are used again, locks are not."""
    try:
        opened = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


def naming(text: str) -> list[int]:
    """The processes, but for our own, with this text in their command line."""
    return [pid for pid, command in _commands() if text in command and pid != os.getpid()]


def kill(pids: list[int], what: signal.Signals) -> None:
    """Signal them; one that is gone is no failure."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, what)


def _commands() -> list[tuple[int, str]]:
    if not _PROC.joinpath("self").exists():
        shown = subprocess.run(
            ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=False
        )
        split = (line.strip().partition(" ") for line in shown.stdout.splitlines() if line.strip())
        return [(int(pid), command) for pid, _, command in split]
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                if _state(entry) != "Z":
                    found.append((int(entry.name), command.decode(errors="replace")))
    return found


def _state(entry: Path) -> str:
    return (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
