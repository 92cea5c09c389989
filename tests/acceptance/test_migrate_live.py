"""The app goes on writing while its log is migrated: it is never kept waiting, and its WAL does not grow."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gymops.clock import SystemClock
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate import run
from tests.soak.commands import finish, gymops, start
from tests.soak.crashes import Quiet, large
from tests.soak.reads import measured

PATIENCE = 2.5
"""Seconds that a write of the app may take on a busy machine; a view kept all along would take several."""

# The app: one event per transaction, as it comes, and no patience for a lock beyond what it measures.
_APP = """
import json, os, sqlite3, sys, time, uuid
path, pause = sys.argv[1], float(sys.argv[2])
connection = sqlite3.connect(path, timeout=5, isolation_level=None)
connection.execute("PRAGMA synchronous = NORMAL")
wal, took = path + "-wal", []
largest = 0
print("ready", flush=True)
while not os.path.exists(path + ".stop"):
    begun = time.monotonic()
    connection.execute("BEGIN")
    connection.execute(
        "INSERT INTO events (event_id, timestamp, event_type, payload) VALUES (?, ?, 'SetLogged', '{}')",
        (str(uuid.uuid4()), "2026-01-01T00:00:00Z"),
    )
    connection.execute("COMMIT")
    took.append(time.monotonic() - begun)
    if os.path.exists(wal):
        largest = max(largest, os.path.getsize(wal))
    time.sleep(pause)
connection.close()
print(json.dumps({"took": took, "wal": largest}))
"""


@dataclass
class Written:
    """What the app measured."""

    took: list[float]
    """Seconds of each write."""
    wal: int
    """The largest size of the -wal, bytes."""

    def __str__(self) -> str:
        ordered = sorted(self.took)
        return (
            f"{len(ordered)} writes, median {ordered[len(ordered) // 2] * 1e3:.1f} ms,"
            f" 99% {ordered[len(ordered) * 99 // 100] * 1e3:.1f} ms, max {ordered[-1] * 1e3:.1f} ms,"
            f" -wal {self.wal / 1e6:.1f} MB"
        )


@contextmanager
def app(path: Path, pause: float) -> Iterator[list[Written]]:
    """The app, writing meanwhile; what it measured is in the list afterwards."""
    measured: list[Written] = []
    stop = path.with_name(path.name + ".stop")
    process = subprocess.Popen(
        [sys.executable, "-c", _APP, str(path), str(pause)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield measured
        stop.touch()
        out, _ = process.communicate(timeout=60)
        measured.append(Written(**json.loads(out)))
    finally:
        process.kill()
        process.wait()
        stop.unlink(missing_ok=True)


def _migrate_live(path: Path, url: str, *, pause: float) -> tuple[Written, Written]:
    """Measure the app alone, then while a migration runs; check that it lost nothing."""
    with app(path, pause) as alone:
        time.sleep(1.0)
    with app(path, pause) as beside:
        code, out, err = finish(start(path, url, "--yes", "--json"), timeout=240)
    print(f"\nalone:  {alone[0]}\nbeside: {beside[0]}")

    assert (code, "error" in err) == (0, False), out + err
    first = json.loads(out)
    assert first["verified"] is True
    code, out, err = gymops(path, url, "--json")
    assert code == 0, out + err
    second = json.loads(out)
    with closing(sqlite3.connect(path)) as connection:
        count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    assert second["verified"] is True
    assert second["events"]["already_there"] == first["events"]["source"]
    assert second["events"]["source"] == count
    assert second["events"]["written"] == count - first["events"]["source"] > 0
    return alone[0], beside[0]


@pytest.mark.long
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_app_is_not_kept_waiting(journal: str, gymops_database: str, tmp_path: Path) -> None:
    path = tmp_path / "gym.db"
    large(path, 250_000, journal=journal)

    alone, beside = _migrate_live(path, gymops_database, pause=0.005)

    assert max(beside.took) < PATIENCE, f"alone: {alone}; beside: {beside}"


@pytest.mark.long
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_an_app_that_writes_without_a_pause(journal: str, gymops_database: str, tmp_path: Path) -> None:
    path = tmp_path / "gym.db"
    large(path, 100_000, journal=journal)

    alone, beside = _migrate_live(path, gymops_database, pause=0.0)

    assert max(beside.took) < PATIENCE, f"alone: {alone}; beside: {beside}"
    # SQLite starts its WAL anew after 1,000 pages (4 MB) when no reader is in the way.
    assert beside.wal <= max(2 * alone.wal, 12e6), f"alone: {alone}; beside: {beside}"


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_no_view_of_the_source_is_kept_long(journal: str, gymops_database: str, tmp_path: Path) -> None:
    path = tmp_path / "gym.db"
    large(path, 40_000, journal=journal)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE events SET payload = json_object('text', hex(randomblob(1000))) WHERE id > 30000"
        )
        connection.execute(
            "CREATE TABLE projections (key TEXT PRIMARY KEY, data TEXT NOT NULL, updated_at TEXT)"
        )
        connection.execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)"
            " INSERT INTO projections SELECT 'exercise_history:' || n,"
            " json_object('text', hex(randomblob(2000))), '2026-01-01T00:00:00Z' FROM n"
        )

    began = time.monotonic()
    with measured() as seconds, closing(SqliteLog(path)) as log:
        report = run.run(
            log,
            gymops_database,
            options=run.Options(),
            confirm=lambda _: True,
            clock=SystemClock(),
            observer=Quiet(),
        )

    took = time.monotonic() - began

    assert report.proof.equal
    assert len(seconds) > 10
    assert max(seconds) < took / 10, sorted(seconds)[-5:]
    longest = max(seconds) * 1e3
    print(f"\n{len(seconds)} read transactions in {took:.1f} s, the longest {longest:.1f} ms")
