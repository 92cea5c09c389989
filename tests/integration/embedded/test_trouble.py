"""An embedded PostgreSQL in trouble: it dies, hangs, has no room; parents that end, other accounts."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import gymops
from gymops.errors import ServerError
from gymops.pg import embedded, process
from gymops.pg.embedded import Server, open_server
from tests.integration.embedded.servers import (
    CLOCK,
    FAST,
    ROOT,
    START,
    gone,
    intact,
    of_each,
    pid_of,
    sql,
    start,
    stop,
    until,
)


def test_files_that_are_no_database_are_left_alone(place: Path) -> None:
    server = open_server(place / "home")
    server.data.mkdir(parents=True)
    (server.data / "thesis.txt").touch()
    with pytest.raises(ServerError, match="holds files, but no database"):
        start(server)
    assert (server.data / "thesis.txt").exists()


def test_a_server_that_dies_is_quoted(server: Server) -> None:
    (server.data / "postgresql.auto.conf").write_text("shared_buffers = 'many'\n", encoding="ascii")
    with pytest.raises(
        ServerError, match=r"did not start: FATAL:  .*shared_buffers|did not start: .*contains errors"
    ) as caught:
        embedded.start(server, clock=CLOCK, tied_to_parent=True)
    assert str(server.log) in (caught.value.hint or "")
    assert not embedded.status(server).running


def test_a_recovery_that_fails_is_no_start(server: Server) -> None:
    (server.data / "recovery.signal").touch()
    with pytest.raises(ServerError, match='did not start: FATAL:  must specify "restore_command"'):
        start(server)


def test_a_server_that_only_answers_in_recovery_is_not_ready(server: Server) -> None:
    (server.data / "standby.signal").touch()
    with pytest.raises(ServerError, match="does not answer after 0 s"):
        start(server, timeout=0.4)
    until(lambda: process.postmaster(server.data))
    found = embedded.status(server)
    assert (found.running, found.ready, found.version) == (True, False, "18")


def test_the_timeout_ends_the_waiting_and_not_the_server(server: Server) -> None:
    with pytest.raises(ServerError, match="does not answer after 0 s"):
        start(server, timeout=0)
    until(lambda: process.postmaster(server.data))
    assert not start(server)
    assert intact(server)


def test_a_server_that_does_not_listen_is_stopped_by_force(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_IMMEDIATE", 0.3)
    start(server)
    os.kill(pid_of(server), signal.SIGSTOP)
    assert stop(server, timeout=0.1)
    assert not embedded.status(server).running
    assert start(server)
    assert intact(server)


def test_a_home_served_from_elsewhere_is_left_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server in another container is invisible here, but holds its lock."""
    monkeypatch.setattr(embedded, "_OTHERS", 0.1)
    with (server.folder / "alive").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(ServerError, match="another process still uses"):
            start(server)
    assert start(server)


def test_the_server_holds_its_lock_as_long_as_it_lives(server: Server) -> None:
    start(server)
    with (server.folder / "alive").open("w") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stop(server)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_tied_server_ends_with_a_killed_parent(server: Server) -> None:
    code = START.replace("{}", "{'tied_to_parent': True}") + "sys.stdout.flush(); sys.stdin.read()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(server.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"True\n"
        everyone = process.orphans(server.data)
        assert pid_of(server) in everyone
        parent.kill()
    until(lambda: all(gone(pid) for pid in everyone))


def test_an_untied_server_outlives_its_parent(server: Server) -> None:
    command = [sys.executable, "-c", START, str(server.home)]
    assert subprocess.check_output(command, text=True, timeout=60) == "True\n"
    assert intact(server)
    assert os.getsid(pid_of(server)) == pid_of(server)


def test_a_temporary_server_leaves_nothing() -> None:
    with embedded.temporary(clock=CLOCK, settings=FAST) as server:
        pid = pid_of(server)
        assert sql(server, "show fsync") == ["off"]
    assert gone(pid)
    assert not server.home.exists()
    assert not server.socket_dir.exists()


def test_a_full_disk_is_told(place: Path) -> None:
    if not ROOT:
        pytest.skip("only root can make a small disk")
    disk = place / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with pytest.raises(ServerError, match="No space left on device") as caught:
            start(open_server(disk / "home"))
        assert "make room" in (caught.value.hint or "")
        assert not list((disk / "home/postgres").glob("initdb-*"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_home_that_cannot_be_made_is_told(place: Path) -> None:
    with pytest.raises(ServerError, match=r"^/proc/gymops: "):
        start(open_server(Path("/proc/gymops")))


def _python_for_others() -> str:
    """An interpreter that any account can run, of this version (the packages are built for it)."""
    for name in (sys.executable, "/usr/bin/python3", f"/usr/bin/python3.{sys.version_info.minor}"):
        code = "import sys; print(*sys.version_info[:2])"
        try:
            done = subprocess.run(
                [name, "-c", code], user=65534, group=65534, capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        if done.stdout.split() == [str(number) for number in sys.version_info[:2]]:
            return name
    pytest.skip("no Python here that an ordinary user can run")


@pytest.mark.skipif(not ROOT, reason="only root can be someone else; without root all tests run as a user")
@pytest.mark.parametrize("uid", [65534, 54321])
def test_an_ordinary_user_needs_nothing_special(place: Path, uid: int) -> None:
    """Also one without an entry in the list of accounts, as in many containers."""
    os.chown(place, uid, uid)
    packages = [Path(gymops.__file__).parents[1], Path(psycopg.__file__).parents[1]]
    done = subprocess.run(
        [_python_for_others(), "-c", START, place / "home"],
        user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True, text=True, check=False,
        env={"PYTHONPATH": os.pathsep.join(map(str, packages)), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("True\n", "")
    server = open_server(place / "home")
    assert sql(server, "select 1") == [1]
    assert Path(f"/proc/{pid_of(server)}").stat().st_uid == uid


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As in a container that forbids user namespaces."""
    allowed = process.candidates()
    accounts = [one for one in allowed if one.spelled.startswith("user:")]
    refused = process.Identity("namespace:0:0:0", 0, 0)  # one number too many: launch.py cannot become that
    monkeypatch.setattr(process, "candidates", lambda: [refused, *accounts])
    return lambda: monkeypatch.setattr(process, "candidates", lambda: allowed)


@pytest.mark.skipif(not ROOT, reason="only root needs to become someone else")
def test_root_without_namespaces_uses_an_unprivileged_account(
    server: Server, no_namespaces: Callable[[], None]
) -> None:
    start(server)
    assert intact(server)
    owner = server.data.stat().st_uid
    assert owner != 0
    assert set(of_each(server, lambda place: place.stat().st_uid)) == {owner}
    assert {path.lstat().st_uid for path in server.data.rglob("*")} == {owner}
    assert server.home.stat().st_mode & 0o777 == 0o710
    no_namespaces()
    assert not start(server)
    stop(server)
    assert start(server)
    assert intact(server)
    assert {path.lstat().st_uid for path in server.data.rglob("*")} == {0}


@pytest.mark.skipif(not ROOT, reason="only root needs to become someone else")
def test_root_without_namespaces_makes_a_first_start(place: Path, no_namespaces: Callable[[], None]) -> None:
    server = open_server(place / "it's" / "home")
    assert start(server)
    assert sql(server, "select 1", user="gymops_app") == [1]


@pytest.mark.skipif(not ROOT, reason="only root needs to become someone else")
def test_root_without_namespaces_is_told_of_a_folder_that_nobody_else_can_enter(
    place: Path, no_namespaces: Callable[[], None]
) -> None:
    (place / "private").mkdir(mode=0o700)
    with pytest.raises(ServerError, match=r"does not run as root, .*Permission denied") as caught:
        start(open_server(place / "private" / "home"))
    assert "ordinary user" in (caught.value.hint or "")
