"""What runs a container: a script for its own Python, ``container.py LAUNCH``.

Standard library only, and nothing of gymops. What it adds to an image's command is what a task has on
Fargate: an address of its own, and an end with the machine it runs on.
"""

import json
import os
import runpy
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any


def main(launch: Path) -> None:
    """Prepare the surroundings, then be the image's command."""
    document = json.loads(launch.read_text(encoding="utf-8"))
    launch.unlink()  # it holds the task's secrets
    _end_with(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _own(document["address"])
    os.environ.clear()
    os.environ.update(document["environment"])
    os.chdir(document["folder"])
    sys.path[:0] = document["paths"]
    kind, what = document["kind"], document["what"]
    sys.argv = [what, *document["arguments"]]
    if kind == "module":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif kind == "code":
        sys.argv[0] = "-c"
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what was asked for
    else:
        sys.path.insert(0, str(Path(what).parent))
        runpy.run_path(what, run_name="__main__")


def _own(address: str) -> None:
    """What listens everywhere listens at the task's address: other tasks have the same port at theirs."""
    bind = socket.socket.bind

    def bound(self: socket.socket, where: Any) -> None:
        if self.family == socket.AF_INET and where[0] in ("", "0.0.0.0"):  # noqa: S104 - it is what is replaced
            where = (address, *where[1:])
        bind(self, where)

    socket.socket.bind = bound  # type: ignore[method-assign, assignment]


def _end_with(pipe: int) -> None:
    """The other end of the pipe is the local AWS's: when it is gone, so are we and what we started."""

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="gymops-end").start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
