"""The embedded PostgreSQL's life on real servers: crashes, races, odd places."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from gymops.errors import ServerError
from gymops.pg import binaries, embedded, process
from gymops.pg.embedded import Server, open_server
from tests.integration.embedded.servers import (
    CLOCK,
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


@pytest.mark.parametrize("kind", ["embedded", "system"])
def test_a_server_is_made_started_stopped_and_started_again(place: Path, kind: str) -> None:
    folder = binaries.find_system() if kind == "system" else None
    if kind == "system" and folder is None:
        pytest.skip("no PostgreSQL is installed on the system")
    server = open_server(place / "home", folder)
    assert start(server)
    assert not start(server)
    found = embedded.status(server)
    assert (found.running, found.ready) == (True, True)
    assert found.version is not None
    assert found.version.split(".")[0] == str(binaries.major(server.binaries))
    assert found.started_at is not None
    assert abs((CLOCK.now() - found.started_at).total_seconds()) < 30
    assert sql(server, "show data_checksums") == ["on"]
    sql(server, "create table kept as select 42 as answer")
    assert stop(server)
    assert not stop(server)
    assert not embedded.status(server).running
    assert start(server)
    assert intact(server)


def test_the_server_is_set_up_as_promised(server: Server) -> None:
    start(server)
    names = ["server_encoding", "data_checksums", "wal_level", "listen_addresses", "TimeZone", "lc_messages"]
    assert [sql(server, f"show {name}")[0] for name in names] == ["UTF8", "on", "replica", "", "UTC", "C"]
    assert sql(server, "select datcollate from pg_database where datname = 'gymops'") == ["C"]
    assert sql(server, "show client_connection_check_interval") == ["1s"]
    # Those this test gave on the command line are shown as not applied.
    wrong = "select name from pg_file_settings where error is not null and name <> 'shared_buffers'"
    assert sql(server, wrong) == []


def test_the_restricted_role_can_do_nothing_yet(server: Server) -> None:
    start(server)
    assert sql(server, "select current_user", user="gymops_app") == ["gymops_app"]
    for statement in (
        "create table x()", "create temp table x()", "create schema x", "select answer from kept",
        "create role x", "copy (select 1) to program 'true'",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql(server, statement, user="gymops_app")


def test_what_a_killed_start_left_out_is_made_by_the_next(server: Server) -> None:
    start(server)
    sql(server, "revoke all on database gymops from gymops_app")
    sql(server, "drop role gymops_app")
    assert not start(server)
    assert sql(server, "select 1", user="gymops_app") == [1]
    sql(server, "drop database gymops with (force)", database="postgres")
    assert not start(server)
    assert sql(server, "select 1") == [1]


def test_the_owner_s_settings_go_before_ours(server: Server) -> None:
    start(server)
    sql(server, "alter system set max_connections = 23")
    stop(server)
    start(server)
    assert sql(server, "show max_connections") == ["23"]


def test_after_a_kill_9_the_server_starts_with_its_data(server: Server) -> None:
    start(server)
    with psycopg.connect(server.url(), autocommit=True) as busy:
        busy.execute("update kept set answer = answer")
        busy.pgconn.send_query(b"select pg_sleep(60)")
        pid = pid_of(server)
        os.kill(pid, signal.SIGKILL)
        until(lambda: gone(pid))
        assert not embedded.status(server).running
        assert not stop(server)
        assert start(server)
        busy.close()
    assert pid_of(server) != pid
    assert intact(server)


def test_without_proc_ps_tells_which_processes_live(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.setattr(process, "_PROC", Path("/nowhere"))
    assert start(server)
    assert not start(server)
    assert embedded.status(server).running
    assert stop(server)
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n", encoding="ascii")
    assert not embedded.status(server).running
    assert start(server)
    assert stop(server)


@pytest.mark.parametrize("whose", ["ours", "of init", "nobody's", "of another server"])
def test_a_stale_pid_file_is_not_believed(server: Server, whose: str, postgres_server: Server) -> None:
    start(server)
    lines = (server.data / "postmaster.pid").read_text(encoding="ascii").splitlines()
    pid = pid_of(server)
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    other = {
        "ours": os.getpid(),
        "of init": 1,
        "nobody's": 4194301,
        "of another server": pid_of(postgres_server),
    }
    text = "\n".join([str(other[whose]), *lines[1:]]) + "\n"
    (server.data / "postmaster.pid").write_text(text, encoding="ascii")
    (server.socket_dir / ".s.PGSQL.5432.lock").write_text(text, encoding="ascii")
    assert not embedded.status(server).running
    assert not stop(server)
    assert start(server)
    assert intact(server)
    assert embedded.status(postgres_server).running


def test_two_starts_at_once_give_one_server(place: Path) -> None:
    command = [sys.executable, "-c", START, str(place / "home")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(one.communicate(timeout=60)[0] for one in both) == ["False\n", "True\n"]
    server = open_server(place / "home")
    assert sql(server, "select 1") == [1]
    parents = set(of_each(server, lambda place: (place / "stat").read_text().rpartition(")")[2].split()[1]))
    assert len(parents - {str(pid_of(server))}) == 1


def test_a_start_killed_during_initdb_is_made_good_by_the_next(place: Path) -> None:
    server = open_server(place / "home")
    command = [sys.executable, "-c", START, str(place / "home")]
    killed = subprocess.Popen(command)
    until(lambda: list(server.folder.glob("initdb-*/base")))
    # Whoever starts next waits until all that is at work here has ended.
    children = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text(encoding="ascii").split()
    assert [
        pid
        for pid in children
        for file in Path(f"/proc/{pid}/fd").iterdir()
        if file.readlink().name == "alive"
    ]
    killed.kill()
    killed.wait()
    assert not server.data.exists()
    assert start(server)
    assert sql(server, "select 1") == [1]
    assert not list(server.folder.glob("initdb-*"))


@pytest.mark.parametrize("name", ["d" * 60 + "/" + "e" * 60, "it's a place", 'a,b "c"', "größe %41"])
def test_a_home_may_lie_anywhere(place: Path, made: Path, name: str) -> None:
    shutil.copytree(made, place / name / "home")
    server = open_server(place / name / "home")
    assert start(server)
    assert intact(server)
    assert stop(server)
    assert not server.socket_dir.exists() or server.socket_dir.is_relative_to(server.home)


def test_a_first_start_works_where_the_path_is_odd(place: Path) -> None:
    server = open_server(place / 'it\'s a "place"' / ".gymops")
    assert start(server)
    assert sql(server, "select 1") == [1]


def test_nobody_else_can_look_in(place: Path) -> None:
    server = open_server(place / "home")
    start(server)
    for path, mode in {
        server.home: 0o700, server.folder: 0o700, server.data: 0o700, server.socket_dir: 0o700,
        server.log: 0o600, server.data / "postgresql.conf": 0o600, server.data / "pg_hba.conf": 0o600,
    }.items():  # fmt: skip
        assert path.stat().st_mode & 0o777 == mode, path
    assert (server.home / ".gitignore").read_text(encoding="ascii") == "*\n"


def test_neither_the_log_nor_the_process_holds_a_secret(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    start(server)
    with pytest.raises(psycopg.errors.SyntaxError):
        sql(server, "alter role gymops password 'hush-hush' oops")
    sql(server, "create table secret(it text unique)")
    sql(server, "insert into secret values ('hush-hush')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        sql(server, "insert into secret values ('hush-hush')")
    log = server.log.read_text(encoding="utf-8")
    assert "duplicate key" in log
    assert "hush" not in log
    assert b"hush" not in Path(f"/proc/{pid_of(server)}/environ").read_bytes()


def test_a_long_log_is_put_aside(server: Server) -> None:
    server.log.write_text("x" * 11_000_000, encoding="ascii")
    start(server)
    assert server.log.stat().st_size < 10_000
    assert (server.folder / "log.1").stat().st_size == 11_000_000


def test_data_of_another_version_is_refused(server: Server) -> None:
    (server.data / "PG_VERSION").write_text("9.6\n", encoding="ascii")
    with pytest.raises(ServerError, match=r"made by PostgreSQL 9\.6, and this is PostgreSQL 18") as caught:
        start(server)
    assert "postgres_bin" in (caught.value.hint or "")
    assert not embedded.status(server).running
