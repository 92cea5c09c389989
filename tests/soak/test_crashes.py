"""Hundreds of seeded crashes: of the migration, several in a row, and of the PostgreSQL server under it."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.clock import SystemClock
from gymops.pg import embedded
from tests.soak.commands import finish, start, wait_for
from tests.soak.crashes import (
    Crash,
    Expected,
    Migration,
    append,
    assert_fitting,
    assert_whole,
    large,
    migrate,
    workspace,
)

pytestmark = pytest.mark.soak

SEEDS = int(os.environ.get("SOAK", "300"))
_SERVER = {"fsync": "off", "wal_writer_delay": "10s", "shared_buffers": "32MB", "max_wal_size": "1GB"}


def _grow(chance: random.Random, source: Path, expected: dict[str, Expected]) -> None:
    user = chance.choice(list(expected))
    first = 1000 + len(expected[user].events) * 7
    with closing(sqlite3.connect(source / user / "gym.db")) as connection:
        append(connection, user, expected[user], range(first, first + chance.randrange(80)))


def _vacuum(chance: random.Random, source: Path, expected: dict[str, Expected]) -> None:
    user = chance.choice(list(expected))
    with closing(sqlite3.connect(source / user / "gym.db")) as connection:
        connection.execute("VACUUM")


def _crash(chance: random.Random, source: Path, database: str) -> None:
    """One run that is killed at a step, after a while, or interrupted."""
    options: dict[str, Any] = {
        "batch": chance.choice([1, 17, 40, 1000]),
        "index_from": chance.choice([1, 1, 10_000]),
    }
    how = chance.random()
    if how < 0.6:
        step = Crash(chance.randrange(1, 500), during=chance.random() < 0.5)
        assert migrate(source, database, step, **options).code in (-9, 0)
    elif how < 0.9:
        running = Migration(source, database, **options)
        time.sleep(chance.random() * 0.8)
        running.kill()
        assert running.ended().code in (-9, 0)
    else:
        running = Migration(source, database, **options)
        time.sleep(0.1 + chance.random() * 0.5)
        running.interrupt()
        outcome = running.ended()
        assert outcome.code in (-2, 130, 0), outcome.error


@pytest.mark.parametrize("seed", range(SEEDS))
def test_crashes_in_a_row(seed: int, database: str, tmp_path: Path) -> None:
    chance = random.Random(seed)
    source = tmp_path / "workspace"
    expected = workspace(source, users=chance.randrange(1, 5), events=chance.randrange(80, 200))

    for _ in range(chance.randrange(1, 5)):
        _crash(chance, source, database)
        assert_fitting(database)
        meanwhile = chance.choice([None, None, _grow, _vacuum])
        if meanwhile:
            meanwhile(chance, source, expected)
    again = migrate(source, database)

    assert (again.code, again.error) == (0, "")
    assert_whole(database, expected)
    assert migrate(source, database).report["events"]["written"] == 0


@pytest.fixture(scope="module")
def crashing_server() -> Iterator[embedded.Server]:
    """A server of our own that loses what it has not written for up to ten seconds."""
    with embedded.temporary(clock=SystemClock(), settings=_SERVER) as server:
        yield server


@pytest.mark.parametrize("seed", range(max(SEEDS // 10, 1)))
def test_the_server_is_killed(seed: int, crashing_server: embedded.Server, tmp_path: Path) -> None:
    chance = random.Random(seed)
    source = tmp_path / "workspace"
    expected = workspace(source, users=2, events=200)
    name = f"crash_{seed}_{time.monotonic_ns()}"
    with psycopg.connect(crashing_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    database = crashing_server.url(name)

    for _ in range(chance.randrange(1, 3)):
        step = Crash(chance.randrange(120, 330), signal=signal.SIGSTOP)
        try:
            running = Migration(source, database, step, batch=20).stopped()
        except AssertionError:
            continue  # it had fewer steps
        kill_server(crashing_server)
        outcome = running.go_on().ended()
        assert outcome.code in (0, 1), outcome.error
        embedded.start(crashing_server, clock=SystemClock(), tied_to_parent=True, settings=_SERVER)
        assert_fitting(database)
    again = migrate(source, database)

    assert (again.code, again.error) == (0, "")
    assert_whole(database, expected)


def kill_server(server: embedded.Server) -> None:
    """kill -9 of the postmaster; its backends see that it is gone, or are killed too."""
    pid = embedded.status(server).pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while embedded.status(server).running:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("seed", range(max(SEEDS // 10, 1)))
def test_ctrl_c_is_always_recorded(seed: int, gymops_database: str, tmp_path: Path) -> None:
    chance = random.Random(seed)
    source = tmp_path / "gym.db"
    large(source, 60_000)
    process = start(source, gymops_database, "--yes")
    wait_for(process, chance.choice(["copying", "copying", "building indexes", "proving"]))
    time.sleep(chance.random() * 0.15)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)

    assert code in (130, 0, -signal.SIGINT), err  # the last one where Python itself is ending already
    with psycopg.connect(gymops_database) as connection:
        runs = connection.execute("SELECT status FROM runs").fetchall()
    assert runs in ([("failed",)], [("done",)])  # done: the proof was recorded before the key was pressed
    assert code == 130 or runs == [("done",)]
    assert migrate(source, gymops_database).code == 0
