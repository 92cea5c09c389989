"""SQLite files of any kind for the tests, written by processes of their own as an app's would be."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from gymops.clock import SystemClock
from gymops.config import EventMapping
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate import run
from gymops.migrate.phase import Observer
from gymops.migrate.report import Report

TITAN = """CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE NOT NULL, timestamp TEXT NOT NULL,
    event_type TEXT NOT NULL, payload TEXT NOT NULL, schema_version INTEGER DEFAULT 1)"""
LOOSE = (
    "CREATE TABLE events (id INTEGER PRIMARY KEY, event_id, timestamp, event_type, payload, schema_version)"
)
"""Takes everything: no types, no constraints."""

COLUMNS = ("event_id", "timestamp", "event_type", "payload", "schema_version")
Event = tuple[Any, ...]


def event_id(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


def event(number: int, **changes: Any) -> Event:
    """A good event, but for the columns named."""
    fields = {
        "event_id": event_id(number),
        "timestamp": f"2024-03-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000000Z",
        "event_type": "SetLogged",
        "payload": f'{{"workout_id": "w{number // 10}", "reps": {number % 20}, "weight": 62.50}}',
        "schema_version": 1,
    }
    return tuple((fields | changes)[name] for name in COLUMNS)


def write(path: Path, events: Iterable[Event], *ddl: str, pragmas: Sequence[str] = ()) -> Path:
    """A database with a table of events (``ddl``, by default of the app's shape) and these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        for statement in ddl or (TITAN,):
            connection.execute(statement)
        connection.executemany(f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?)", events)
    return path


def change(path: Path, *statements: str) -> None:
    """Run statements on a database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


class App:
    """A process of its own that has a database open; ``path`` is ``sys.argv[1]`` of its code."""

    def __init__(self, path: Path, code: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PRELUDE + code + _WAIT, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        """End it as by kill -9."""
        self._process.kill()
        self._process.communicate()

    def close(self) -> None:
        """Let it close its connection and end."""
        self._process.communicate(b"\n", timeout=60)
        assert self._process.returncode == 0


_PRELUDE = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
"""
_WAIT = """
print("ready", flush=True)
sys.stdin.readline()
c.close()
"""


def hashes(folder: Path) -> dict[str, str]:
    """What every file under a folder holds, without the -shm files."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.endswith("-shm")
    }


class Quiet:
    """Progress that nobody looks at."""

    def phase(self, name: str, total: int | None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


def migrate(
    source: Path,
    url: str,
    *,
    user: str = "alice",
    mapping: EventMapping | None = None,
    quarantine: bool = False,
    observer: Observer | None = None,
    index_from: int = 50_000,
) -> Report:
    """``gymops migrate`` without the command line."""
    with closing(SqliteLog(source, user, mapping)) as log:
        return run.run(
            log,
            url,
            options=run.Options(quarantine=quarantine, index_from=index_from),
            confirm=lambda _: True,
            clock=SystemClock(),
            observer=observer or Quiet(),
        )


def query(url: str, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
    """The rows of a query on the target."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode(), arguments or None).fetchall()


def tables(url: str) -> list[str]:
    """The tables of the target."""
    rows = query(
        url, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return sorted(name for (name,) in rows)
