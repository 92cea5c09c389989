"""The embedded PostgreSQL's life on real servers: crashes, races, odd places, other accounts."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

import gymops
from gymops.clock import SystemClock
from gymops.errors import ServerError
from gymops.pg import binaries, embedded, process
from gymops.pg.embedded import Server, open_server

_CLOCK = SystemClock()
_FAST = {"fsync": "off", "shared_buffers": "16MB", "max_wal_size": "1GB"}
_ROOT = os.geteuid() == 0
_START = (
    "import sys; from pathlib import Path\n"
    "from gymops.clock import SystemClock; from gymops.pg import embedded\n"
    "server = embedded.open_server(Path(sys.argv[1]))\n"
    "print(embedded.start(server, clock=SystemClock(), settings={'shared_buffers': '16MB'}, **{}))\n"
)


def _start(server: Server, timeout: float = 60.0) -> bool:
    return embedded.start(server, clock=_CLOCK, timeout=timeout, tied_to_parent=True, settings=_FAST)


def _stop(server: Server, timeout: float = 30.0) -> bool:
    return embedded.stop(server, clock=_CLOCK, timeout=timeout)


def _pid(server: Server) -> int:
    pid = embedded.status(server).pid
    assert pid is not None
    return pid


def _sql(server: Server, statement: str, user: str = "gymops", database: str = "gymops") -> list[object]:
    with psycopg.connect(server.url(database, user), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return [row[0] for row in cursor] if cursor.description else []


def _until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _short() -> str:
    """Memory where there is plenty: copying a data directory takes a second on some disks."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp() makes a folder of our own in it
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2_000_000_000
    return str(memory if roomy else "/tmp")  # noqa: S108 - as above


_SHORT = _short()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path that every account may enter; no server is left in it."""
    folder = Path(tempfile.mkdtemp(prefix="gymops-", dir=_SHORT))
    folder.chmod(0o755)
    yield folder
    for data in folder.rglob("postgres/data"):
        _stop(open_server(data.parents[1]))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A home whose server was started once, to copy."""
    with tempfile.TemporaryDirectory(prefix="gymops-", dir=_SHORT) as folder:
        server = open_server(Path(folder) / "home")
        _start(server)
        _sql(server, "create table kept as select 42 as answer")
        _stop(server)
        yield server.home


@pytest.fixture
def server(place: Path, made: Path) -> Server:
    """A stopped server that has a table ``kept``."""
    shutil.copytree(made, place / "home", ignore=shutil.ignore_patterns("socket"))
    (place / "home").chmod(0o700)
    return open_server(place / "home")


def _intact(server: Server) -> bool:
    return _sql(server, "select answer from kept") == [42]


@pytest.mark.parametrize("kind", ["embedded", "system"])
def test_a_server_is_made_started_stopped_and_started_again(place: Path, kind: str) -> None:
    folder = binaries.find_system() if kind == "system" else None
    if kind == "system" and folder is None:
        pytest.skip("no PostgreSQL is installed on the system")
    server = open_server(place / "home", folder)
    assert _start(server)
    assert not _start(server)
    found = embedded.status(server)
    assert (found.running, found.ready) == (True, True)
    assert found.version is not None
    assert found.version.split(".")[0] == str(binaries.major(server.binaries))
    assert found.started_at is not None
    assert abs((_CLOCK.now() - found.started_at).total_seconds()) < 30
    assert _sql(server, "show data_checksums") == ["on"]
    _sql(server, "create table kept as select 42 as answer")
    assert _stop(server)
    assert not _stop(server)
    assert not embedded.status(server).running
    assert _start(server)
    assert _intact(server)


def test_the_server_is_set_up_as_promised(server: Server) -> None:
    _start(server)
    names = ["server_encoding", "data_checksums", "wal_level", "listen_addresses", "TimeZone", "lc_messages"]
    assert [_sql(server, f"show {name}")[0] for name in names] == ["UTF8", "on", "replica", "", "UTC", "C"]
    assert _sql(server, "select datcollate from pg_database where datname = 'gymops'") == ["C"]
    assert _sql(server, "show client_connection_check_interval") == ["1s"]
    # Those this test gave on the command line are shown as not applied.
    wrong = "select name from pg_file_settings where error is not null and name <> 'shared_buffers'"
    assert _sql(server, wrong) == []


def test_the_restricted_role_can_do_nothing_yet(server: Server) -> None:
    _start(server)
    assert _sql(server, "select current_user", user="gymops_app") == ["gymops_app"]
    for statement in (
        "create table x()", "create temp table x()", "create schema x", "select answer from kept",
        "create role x", "copy (select 1) to program 'true'",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _sql(server, statement, user="gymops_app")


def test_what_a_killed_start_left_out_is_made_by_the_next(server: Server) -> None:
    _start(server)
    _sql(server, "revoke all on database gymops from gymops_app")
    _sql(server, "drop role gymops_app")
    assert not _start(server)
    assert _sql(server, "select 1", user="gymops_app") == [1]
    _sql(server, "drop database gymops with (force)", database="postgres")
    assert not _start(server)
    assert _sql(server, "select 1") == [1]


def test_the_owner_s_settings_go_before_ours(server: Server) -> None:
    _start(server)
    _sql(server, "alter system set max_connections = 23")
    _stop(server)
    _start(server)
    assert _sql(server, "show max_connections") == ["23"]


def test_after_a_kill_9_the_server_starts_with_its_data(server: Server) -> None:
    _start(server)
    with psycopg.connect(server.url(), autocommit=True) as busy:
        busy.execute("update kept set answer = answer")
        busy.pgconn.send_query(b"select pg_sleep(60)")
        pid = _pid(server)
        os.kill(pid, signal.SIGKILL)
        _until(lambda: _gone(pid))
        assert not embedded.status(server).running
        assert not _stop(server)
        assert _start(server)
        busy.close()
    assert _pid(server) != pid
    assert _intact(server)


def test_without_proc_ps_tells_which_processes_live(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.setattr(process, "_PROC", Path("/nowhere"))
    assert _start(server)
    assert not _start(server)
    assert embedded.status(server).running
    assert _stop(server)
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n", encoding="ascii")
    assert not embedded.status(server).running
    assert _start(server)
    assert _stop(server)


@pytest.mark.parametrize("whose", ["ours", "of init", "nobody's", "of another server"])
def test_a_stale_pid_file_is_not_believed(server: Server, whose: str, postgres_server: Server) -> None:
    _start(server)
    lines = (server.data / "postmaster.pid").read_text(encoding="ascii").splitlines()
    pid = _pid(server)
    os.kill(pid, signal.SIGKILL)
    _until(lambda: _gone(pid))
    other = {
        "ours": os.getpid(),
        "of init": 1,
        "nobody's": 4194301,
        "of another server": _pid(postgres_server),
    }
    text = "\n".join([str(other[whose]), *lines[1:]]) + "\n"
    (server.data / "postmaster.pid").write_text(text, encoding="ascii")
    (server.socket_dir / ".s.PGSQL.5432.lock").write_text(text, encoding="ascii")
    assert not embedded.status(server).running
    assert not _stop(server)
    assert _start(server)
    assert _intact(server)
    assert embedded.status(postgres_server).running


def test_two_starts_at_once_give_one_server(place: Path) -> None:
    command = [sys.executable, "-c", _START, str(place / "home")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(one.communicate(timeout=60)[0] for one in both) == ["False\n", "True\n"]
    server = open_server(place / "home")
    assert _sql(server, "select 1") == [1]
    parents = {
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        for pid in process.orphans(server.data)
    }
    assert len(parents - {str(_pid(server))}) == 1


def test_a_start_killed_during_initdb_is_made_good_by_the_next(place: Path) -> None:
    server = open_server(place / "home")
    command = [sys.executable, "-c", _START, str(place / "home")]
    killed = subprocess.Popen(command)
    _until(lambda: list(server.folder.glob("initdb-*/base")))
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
    assert _start(server)
    assert _sql(server, "select 1") == [1]
    assert not list(server.folder.glob("initdb-*"))


@pytest.mark.parametrize("name", ["d" * 60 + "/" + "e" * 60, "it's a place", 'a,b "c"', "größe %41"])
def test_a_home_may_lie_anywhere(place: Path, made: Path, name: str) -> None:
    shutil.copytree(made, place / name / "home")
    server = open_server(place / name / "home")
    assert _start(server)
    assert _intact(server)
    assert _stop(server)
    assert not server.socket_dir.exists() or server.socket_dir.is_relative_to(server.home)


def test_a_first_start_works_where_the_path_is_odd(place: Path) -> None:
    server = open_server(place / 'it\'s a "place"' / ".gymops")
    assert _start(server)
    assert _sql(server, "select 1") == [1]


def test_nobody_else_can_look_in(place: Path) -> None:
    server = open_server(place / "home")
    _start(server)
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
    _start(server)
    with pytest.raises(psycopg.errors.SyntaxError):
        _sql(server, "alter role gymops password 'hush-hush' oops")
    _sql(server, "create table secret(it text unique)")
    _sql(server, "insert into secret values ('hush-hush')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        _sql(server, "insert into secret values ('hush-hush')")
    log = server.log.read_text(encoding="utf-8")
    assert "duplicate key" in log
    assert "hush" not in log
    assert b"hush" not in Path(f"/proc/{_pid(server)}/environ").read_bytes()


def test_a_long_log_is_put_aside(server: Server) -> None:
    server.log.write_text("x" * 11_000_000, encoding="ascii")
    _start(server)
    assert server.log.stat().st_size < 10_000
    assert (server.folder / "log.1").stat().st_size == 11_000_000


def test_data_of_another_version_is_refused(server: Server) -> None:
    (server.data / "PG_VERSION").write_text("9.6\n", encoding="ascii")
    with pytest.raises(ServerError, match=r"made by PostgreSQL 9\.6, and this is PostgreSQL 18") as caught:
        _start(server)
    assert "postgres_bin" in (caught.value.hint or "")
    assert not embedded.status(server).running


def test_files_that_are_no_database_are_left_alone(place: Path) -> None:
    server = open_server(place / "home")
    server.data.mkdir(parents=True)
    (server.data / "thesis.txt").touch()
    with pytest.raises(ServerError, match="holds files, but no database"):
        _start(server)
    assert (server.data / "thesis.txt").exists()


def test_a_server_that_dies_is_quoted(server: Server) -> None:
    (server.data / "postgresql.auto.conf").write_text("shared_buffers = 'many'\n", encoding="ascii")
    with pytest.raises(
        ServerError, match=r"did not start: FATAL:  .*shared_buffers|did not start: .*contains errors"
    ) as caught:
        embedded.start(server, clock=_CLOCK, tied_to_parent=True)
    assert str(server.log) in (caught.value.hint or "")
    assert not embedded.status(server).running


def test_a_recovery_that_fails_is_no_start(server: Server) -> None:
    (server.data / "recovery.signal").touch()
    with pytest.raises(ServerError, match='did not start: FATAL:  must specify "restore_command"'):
        _start(server)


def test_a_server_that_only_answers_in_recovery_is_not_ready(server: Server) -> None:
    (server.data / "standby.signal").touch()
    with pytest.raises(ServerError, match="does not answer after 0 s"):
        _start(server, timeout=0.4)
    _until(lambda: process.postmaster(server.data))
    found = embedded.status(server)
    assert (found.running, found.ready, found.version) == (True, False, "18")


def test_the_timeout_ends_the_waiting_and_not_the_server(server: Server) -> None:
    with pytest.raises(ServerError, match="does not answer after 0 s"):
        _start(server, timeout=0)
    _until(lambda: process.postmaster(server.data))
    assert not _start(server)
    assert _intact(server)


def test_a_server_that_does_not_listen_is_stopped_by_force(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_IMMEDIATE", 0.3)
    _start(server)
    os.kill(_pid(server), signal.SIGSTOP)
    assert _stop(server, timeout=0.1)
    assert not embedded.status(server).running
    assert _start(server)
    assert _intact(server)


def test_a_home_served_from_elsewhere_is_left_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server in another container is invisible here, but holds its lock."""
    monkeypatch.setattr(embedded, "_OTHERS", 0.1)
    with (server.folder / "alive").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(ServerError, match="another process still uses"):
            _start(server)
    assert _start(server)


def test_the_server_holds_its_lock_as_long_as_it_lives(server: Server) -> None:
    _start(server)
    with (server.folder / "alive").open("w") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _stop(server)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_tied_server_ends_with_a_killed_parent(server: Server) -> None:
    code = _START.replace("{}", "{'tied_to_parent': True}") + "sys.stdout.flush(); sys.stdin.read()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(server.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"True\n"
        everyone = process.orphans(server.data)
        assert _pid(server) in everyone
        parent.kill()
    _until(lambda: all(_gone(pid) for pid in everyone))


def test_an_untied_server_outlives_its_parent(server: Server) -> None:
    command = [sys.executable, "-c", _START, str(server.home)]
    assert subprocess.check_output(command, text=True, timeout=60) == "True\n"
    assert _intact(server)
    assert os.getsid(_pid(server)) == _pid(server)


def test_a_temporary_server_leaves_nothing() -> None:
    with embedded.temporary(clock=_CLOCK, settings=_FAST) as server:
        pid = _pid(server)
        assert _sql(server, "show fsync") == ["off"]
    assert _gone(pid)
    assert not server.home.exists()
    assert not server.socket_dir.exists()


def test_a_full_disk_is_told(place: Path) -> None:
    if not _ROOT:
        pytest.skip("only root can make a small disk")
    disk = place / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with pytest.raises(ServerError, match="No space left on device") as caught:
            _start(open_server(disk / "home"))
        assert "make room" in (caught.value.hint or "")
        assert not list((disk / "home/postgres").glob("initdb-*"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_home_that_cannot_be_made_is_told(place: Path) -> None:
    with pytest.raises(ServerError, match=r"^/proc/gymops: "):
        _start(open_server(Path("/proc/gymops")))


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


@pytest.mark.skipif(not _ROOT, reason="only root can be someone else; without root all tests run as a user")
@pytest.mark.parametrize("uid", [65534, 54321])
def test_an_ordinary_user_needs_nothing_special(place: Path, uid: int) -> None:
    """Also one without an entry in the list of accounts, as in many containers."""
    os.chown(place, uid, uid)
    packages = [Path(gymops.__file__).parents[1], Path(psycopg.__file__).parents[1]]
    done = subprocess.run(
        [_python_for_others(), "-c", _START, place / "home"],
        user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True, text=True, check=False,
        env={"PYTHONPATH": os.pathsep.join(map(str, packages)), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("True\n", "")
    server = open_server(place / "home")
    assert _sql(server, "select 1") == [1]
    assert Path(f"/proc/{_pid(server)}").stat().st_uid == uid


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As in a container that forbids user namespaces."""
    allowed = process.candidates()
    accounts = [one for one in allowed if one.spelled.startswith("user:")]
    refused = process.Identity("namespace:0:0:0", 0, 0)  # one number too many: launch.py cannot become that
    monkeypatch.setattr(process, "candidates", lambda: [refused, *accounts])
    return lambda: monkeypatch.setattr(process, "candidates", lambda: allowed)


@pytest.mark.skipif(not _ROOT, reason="only root needs to become someone else")
def test_root_without_namespaces_uses_an_unprivileged_account(
    server: Server, no_namespaces: Callable[[], None]
) -> None:
    _start(server)
    assert _intact(server)
    owner = server.data.stat().st_uid
    assert owner != 0
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in process.orphans(server.data)} == {owner}
    assert {path.lstat().st_uid for path in server.data.rglob("*")} == {owner}
    assert server.home.stat().st_mode & 0o777 == 0o710
    no_namespaces()
    assert not _start(server)
    _stop(server)
    assert _start(server)
    assert _intact(server)
    assert {path.lstat().st_uid for path in server.data.rglob("*")} == {0}


@pytest.mark.skipif(not _ROOT, reason="only root needs to become someone else")
def test_root_without_namespaces_makes_a_first_start(place: Path, no_namespaces: Callable[[], None]) -> None:
    server = open_server(place / "it's" / "home")
    assert _start(server)
    assert _sql(server, "select 1", user="gymops_app") == [1]


@pytest.mark.skipif(not _ROOT, reason="only root needs to become someone else")
def test_root_without_namespaces_is_told_of_a_folder_that_nobody_else_can_enter(
    place: Path, no_namespaces: Callable[[], None]
) -> None:
    (place / "private").mkdir(mode=0o700)
    with pytest.raises(ServerError, match=r"does not run as root, .*Permission denied") as caught:
        _start(open_server(place / "private" / "home"))
    assert "ordinary user" in (caught.value.hint or "")
