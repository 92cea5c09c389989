"""Two migrations into one database: the second is told who holds it; a dead holder is waited out."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import psycopg

from tests.soak.commands import finish, gymops, start
from tests.soak.crashes import Crash, Migration, assert_whole, migrate, workspace

_IN_THE_COPY = Crash(3, at="SET LOCAL synchronous_commit", signal=signal.SIGSTOP)


def test_the_second_is_told_who_holds_it(gymops_database: str, tmp_path: Path) -> None:
    source = tmp_path / "workspace"
    expected = workspace(source, users=2)
    first = Migration(source, gymops_database, _IN_THE_COPY).stopped()

    code, out, _ = gymops(source, gymops_database, "--json", "--on-bad-event", "quarantine")

    error = json.loads(out)["error"]
    assert (code, error["code"]) == (7, "locked")
    assert f"gymops migrate on {socket.gethostname()[:7]}" in error["message"]
    assert f"process {first.pid} " in error["message"]
    assert f" since {time.strftime('%Y-%m-%d', time.gmtime())}" in error["message"]
    assert first.go_on().ended().code == 0
    assert_whole(gymops_database, expected)


def test_a_killed_holder_is_waited_out(gymops_database: str, tmp_path: Path) -> None:
    source = tmp_path / "workspace"
    expected = workspace(source, users=2)
    killed = Migration(source, gymops_database, _IN_THE_COPY).stopped()
    with psycopg.connect(gymops_database, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    assert row
    os.kill(row[0], signal.SIGSTOP)  # a server that is slow to see that its client is gone
    try:
        killed.kill()
        assert killed.ended().code == -9
        process = start(source, gymops_database, "--yes", "--on-bad-event", "quarantine")
        time.sleep(2)
        assert process.poll() is None
    finally:
        os.kill(row[0], signal.SIGCONT)

    code, _, err = finish(process)

    assert (code, err.count("error")) == (0, 0)
    assert_whole(gymops_database, expected)


def test_both_started_at_once(gymops_database: str, tmp_path: Path) -> None:
    source = tmp_path / "workspace"
    expected = workspace(source, users=2)

    both = [Migration(source, gymops_database) for _ in range(2)]
    codes = sorted(migration.ended().code for migration in both)

    assert codes in ([0, 7], [0, 0])  # 0 and 0 when the first had ended before the second began
    assert migrate(source, gymops_database).code == 0
    assert_whole(gymops_database, expected)
