"""Embedded servers for tests: started fast, asked, looked at from outside."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psycopg

from gymops.clock import SystemClock
from gymops.pg import embedded, process
from gymops.pg.embedded import Server

T = TypeVar("T")
CLOCK = SystemClock()
FAST = {"fsync": "off", "shared_buffers": "16MB", "max_wal_size": "1GB"}
ROOT = os.geteuid() == 0
START = (
    "import sys; from pathlib import Path\n"
    "from gymops.clock import SystemClock; from gymops.pg import embedded\n"
    "server = embedded.open_server(Path(sys.argv[1]))\n"
    "print(embedded.start(server, clock=SystemClock(), settings={'shared_buffers': '16MB'}, **{}))\n"
)


def start(server: Server, timeout: float = 60.0) -> bool:
    return embedded.start(server, clock=CLOCK, timeout=timeout, tied_to_parent=True, settings=FAST)


def stop(server: Server, timeout: float = 30.0) -> bool:
    return embedded.stop(server, clock=CLOCK, timeout=timeout)


def pid_of(server: Server) -> int:
    pid = embedded.status(server).pid
    assert pid is not None
    return pid


def of_each(server: Server, look: Callable[[Path], T]) -> Iterator[T]:
    """What is seen of each of its processes in /proc; some of them end at any time."""
    for pid in process.orphans(server.data):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield look(Path(f"/proc/{pid}"))


def sql(server: Server, statement: str, user: str = "gymops", database: str = "gymops") -> list[object]:
    with psycopg.connect(server.url(database, user), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return [row[0] for row in cursor] if cursor.description else []


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _short() -> str:
    """Memory where there is plenty: copying a data directory takes a second on some disks."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp() makes a folder of our own in it
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2_000_000_000
    return str(memory if roomy else "/tmp")  # noqa: S108 - as above


SHORT = _short()


def intact(server: Server) -> bool:
    return sql(server, "select answer from kept") == [42]
