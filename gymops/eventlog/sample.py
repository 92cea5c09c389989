"""Sample logs of the voice workout tracker, in its own SQLite shape; the same log for the same seed."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gymops.errors import SourceError
from gymops.eventlog.tracker import CUSTOM, EXERCISES, Tracker, stamp

FILE = "gym.db"

_TABLES = (
    """CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT UNIQUE NOT NULL,
    timestamp TEXT NOT NULL,
    event_type TEXT NOT NULL,
    payload TEXT NOT NULL,
    schema_version INTEGER DEFAULT 1
)""",
    """CREATE TABLE projections (
    key TEXT PRIMARY KEY,
    data TEXT NOT NULL,
    updated_at TEXT NOT NULL
)""",
    """CREATE TABLE aggregates (
    period_type TEXT NOT NULL,
    period_key TEXT NOT NULL,
    data TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (period_type, period_key)
)""",
    """CREATE TABLE exercises (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    category TEXT,
    description TEXT,
    is_custom INTEGER DEFAULT 0,
    created_at TEXT
)""",
)
_INDEXES = (
    "CREATE INDEX idx_events_type ON events(event_type)",
    "CREATE INDEX idx_events_timestamp ON events(timestamp)",
)
_PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -65536")
_INSERT_EVENT = (
    "INSERT INTO events (event_id, timestamp, event_type, payload, schema_version) VALUES (?, ?, ?, ?, ?)"
)


# name, category, and what a beginner lifts, in kg
def write_workspace(folder: Path, *, users: int, events: int, seed: int) -> None:
    """Write a folder per user, ``events`` in all; the workspace appears when it is complete.

    Raises:
        SourceError: it cannot be written, or there is something of that name.
    """
    with _new(folder) as new:
        new.mkdir()
        shares = _shares(random.Random(seed), users, events)  # noqa: S311 - nothing secret
        for number, share in enumerate(shares, start=1):
            user = f"sample|{number:06d}"  # as the app names them: who vouches for the user, and the number
            place = new / user
            place.mkdir()
            _write(place / FILE, share, f"{seed}/{user}")


def write_log(file: Path, *, events: int, seed: int, user: str = "default") -> None:
    """Write one user's log; it appears when it is complete. Another user's differs, with the same seed.

    Raises:
        SourceError: it cannot be written, or there is something of that name.
    """
    with _new(file) as new:
        _write(new, events, f"{seed}/{user}")


@dataclass(frozen=True)
class Nudge:
    """A weight that was changed, as the payload writes it."""

    event_id: str
    position: int
    before: str
    after: str


def nudge_weight(file: Path) -> Nudge:
    """Change the weight of one set in the middle of a sample log by a millionth.

    Raises:
        SourceError: there is no such set, or the file cannot be changed.
    """
    with _translated(file), closing(sqlite3.connect(file, isolation_level=None)) as connection:
        found = connection.execute(
            "SELECT id, event_id, payload FROM events WHERE event_type = 'SetLogged'"
            " AND id >= (SELECT max(id) / 2 FROM events) ORDER BY id LIMIT 1"
        ).fetchone()
        if found is None:
            raise SourceError(f"{file}: no set in it", hint="remove the file, so that it is made anew")
        rowid, event_id, payload = found
        before = str(json.loads(payload)["weight"])
        after = f"{float(before):.5f}1"
        nudged = re.sub(r'("weight": )[0-9.]+', rf"\g<1>{after}", payload)
        connection.execute("UPDATE events SET payload = ? WHERE id = ?", (nudged, rowid))
        return Nudge(event_id, rowid, before, after)


def _shares(rng: random.Random, users: int, events: int) -> list[int]:
    """How many events each user has: no two alike, and their sum exact."""
    weights = [0.5 + rng.random() for _ in range(users)]
    shares = [int(events * weight / sum(weights)) for weight in weights]
    shares[0] += events - sum(shares)
    return shares


def _write(file: Path, events: int, seed: str) -> None:
    tracker = Tracker(random.Random(seed), events)  # noqa: S311 - nothing secret
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        for statement in _TABLES:
            connection.execute(statement)
        connection.executemany("INSERT INTO exercises VALUES (?, ?, ?, ?, ?, ?)", _exercises())
        connection.executemany(_INSERT_EVENT, islice(tracker.events(), events))
        connection.executemany("INSERT INTO projections VALUES (?, ?, ?)", tracker.models.rows())
        for statement in _INDEXES:
            connection.execute(statement)
        connection.execute("COMMIT")


def _exercises() -> Iterator[tuple[str, str, str, str | None, int, str | None]]:
    for exercise_id, (name, category, _) in EXERCISES.items():
        yield exercise_id, name, category, None, 0, None
    yield *CUSTOM, 1, stamp(0)


@contextmanager
def _new(place: Path) -> Iterator[Path]:
    """A name beside the place to write to, which becomes the place when all went well."""
    with _translated(place):
        if place.exists():
            raise SourceError(f"{place} exists already", hint="remove it, or name another place")
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            yield scratch / place.name
            (scratch / place.name).rename(place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(f"{place}: {error.strerror}", hint="name a place you can write to") from error
    except sqlite3.DatabaseError as error:
        raise SourceError(f"{place}: {error}", hint="check the disk and the file's permissions") from error
