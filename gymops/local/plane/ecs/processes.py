"""A container as a process of this machine: started, watched, read, ended."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("container.py")
_KEPT = 10_000
"""Lines of output that wait for a reader."""


class Process:
    """One container: what the emulator asks of Docker's, of a process."""

    def __init__(
        self, python: str, launch: dict[str, Any], folder: Path, forget: Callable[[str], None]
    ) -> None:
        self._forget = forget
        self.id = secrets.token_hex(32)
        self.address = str(launch["address"])
        self._lines: deque[bytes] = deque(maxlen=_KEPT)
        self._new = threading.Condition()
        self._closed = False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(launch, file)
        # -S and -s: it finds what the image brings, nothing of this machine.
        self._popen = subprocess.Popen(
            [python, "-S", "-s", "-B", "-u", str(_SCRIPT), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, env={"PATH": os.defpath},
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True, name="gymops-container").start()

    @property
    def attrs(self) -> dict[str, Any]:
        """Where it is."""
        return {"NetworkSettings": {"Networks": {"gymops": {"IPAddress": self.address}}}}

    @property
    def status(self) -> str:
        """As Docker says it."""
        return "running" if self._popen.poll() is None else "exited"

    def reload(self) -> None:
        """Its status is never old."""

    def wait(self) -> dict[str, int]:
        """How it ended; a signal's number as a shell tells it."""
        code = self._popen.wait()
        return {"StatusCode": 128 - code if code < 0 else code}

    def stop(self, timeout: float = 5) -> None:
        """End it: asked first, then by force, with whatever it started."""
        if self._popen.poll() is None:
            with suppress(ProcessLookupError):
                self._popen.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def remove(self, **_: Any) -> None:
        """Nothing is left of it."""
        if self._popen.stdin:
            with suppress(OSError):
                self._popen.stdin.close()
        self._forget(self.id)

    def logs(self, *, stream: bool = False, tail: int = 0, **_: Any) -> Any:
        """What it wrote: the last lines, or all of them as they come, until it has ended."""
        if stream:
            return self._follow()
        with self._new:
            return b"".join(list(self._lines)[-tail:])

    def _follow(self) -> Iterator[bytes]:
        while True:
            with self._new:
                self._new.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                chunk = b"".join(self._lines)
                self._lines.clear()
            yield chunk

    def _read(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101 - it was asked for above
        for line in self._popen.stdout:
            with self._new:
                self._lines.append(line)
                self._new.notify_all()
        with self._new:
            self._closed = True
            self._new.notify_all()
