"""Targets that cannot be used or fail in the middle: named, nothing half done, the same command goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from gymops.clock import SystemClock
from gymops.errors import GymopsError, TargetError
from gymops.migrate import copy
from gymops.pg import connection as sessions
from gymops.pg import embedded
from gymops.pg.failures import DatabaseError, Kind
from tests.conftest import fresh_databases
from tests.sources import Quiet, event, migrate, query, tables, write

_EVENTS = 200
PASSWORD = "s3cr3t"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "gym.db", map(event, range(_EVENTS)))


@pytest.fixture(scope="module")
def own_server() -> Iterator[embedded.Server]:
    """A server that may be broken."""
    with embedded.temporary(clock=SystemClock(), settings={"fsync": "off"}) as server:
        yield server


@pytest.fixture
def own_database(own_server: embedded.Server) -> Iterator[str]:
    with fresh_databases(own_server) as new:
        yield new()
        # A test that fails while the server is down must not take the others with it.
        embedded.start(own_server, clock=SystemClock(), tied_to_parent=True)


@contextmanager
def fails(kind: Kind, says: str, hint: str = "") -> Iterator[None]:
    with pytest.raises(TargetError) as refused:
        yield
    error = refused.value
    assert isinstance(error, DatabaseError)
    assert (error.kind, error.exit_code) == (kind, 1), error.message
    assert says in error.message
    assert error.hint
    assert hint in error.hint
    assert PASSWORD not in f"{error.message}{error.hint}"


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


# Refused before anything is written


def test_nothing_listens(source: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with fails(Kind.UNREACHABLE, f"127.0.0.1:{port}", "check the URL's host and port"):
        migrate(source, f"postgresql://gymops:{PASSWORD}@127.0.0.1:{port}/app")
    with fails(Kind.UNREACHABLE, "nothing listens there"):
        migrate(source, f"postgresql:///app?host={tmp_path}")


def test_an_unknown_host(source: Path) -> None:
    with fails(Kind.UNREACHABLE, "its host name is unknown"):
        migrate(source, f"postgresql://gymops:{PASSWORD}@nowhere.invalid/app")


def test_a_missing_database(source: Path, postgres_server: embedded.Server) -> None:
    with fails(Kind.NO_DATABASE, "the database does not exist", "createdb"):
        migrate(source, postgres_server.url("nowhere"))


def test_a_wrong_password(source: Path, own_server: embedded.Server, own_database: str) -> None:
    hba = Path(query(own_database, "SHOW hba_file")[0][0])
    before = hba.read_text(encoding="utf-8")
    execute(own_database, "CREATE ROLE locked LOGIN PASSWORD 'right'")
    hba.write_text("local all locked scram-sha-256\n" + before, encoding="utf-8")
    execute(own_database, "SELECT pg_reload_conf()")
    url = own_database.replace("gymops@", f"locked:{PASSWORD}@")
    with fails(Kind.REFUSED, "wrong user name or password", "env:NAME"):
        migrate(source, url)
    hba.write_text(before, encoding="utf-8")
    assert tables(own_database) == []


def test_an_old_server(source: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "OLDEST", 99)
    with fails(Kind.UNSUPPORTED, "99 is the oldest that is supported", "upgrade the server"):
        migrate(source, database)


@pytest.mark.parametrize("prepared", [False, True])
def test_a_read_only_database(source: Path, database: str, gymops_database: str, prepared: bool) -> None:
    url = gymops_database if prepared else database
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    execute(url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with fails(Kind.READ_ONLY, "the database is read-only", "primary's (writer) endpoint"):
        migrate(source, url)
    execute(url, "SET default_transaction_read_only = off", f'ALTER DATABASE "{name}" RESET ALL')
    assert migrate(source, url).proof.equal


def test_a_role_that_may_create_nothing(
    source: Path, postgres_server: embedded.Server, database: str
) -> None:
    role = f"plain_{os.getpid()}"
    execute(database, f"CREATE ROLE {role} LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        with fails(Kind.FORBIDDEN, "lacks a right", "connect as the owner"):
            migrate(source, database.replace("gymops@", f"{role}@"))
        assert tables(database) == []
    finally:
        execute(database, f"DROP ROLE {role}")


def test_a_role_that_may_only_read(
    source: Path, postgres_server: embedded.Server, gymops_database: str
) -> None:
    role = f"reader_{os.getpid()}"
    execute(gymops_database, f"CREATE ROLE {role} LOGIN", f"GRANT pg_read_all_data TO {role}")
    try:
        with fails(Kind.FORBIDDEN, "lacks a right", "connect as the owner"):
            migrate(source, gymops_database.replace("gymops@", f"{role}@"))
        assert query(gymops_database, "SELECT count(*) FROM events") == [(0,)]
    finally:
        execute(gymops_database, f"DROP ROLE {role}")


def test_another_program_s_events_table(source: Path, database: str) -> None:
    execute(database, "CREATE TABLE events (id int)", "INSERT INTO events VALUES (7)")
    with pytest.raises(GymopsError) as refused:
        migrate(source, database)
    assert refused.value.exit_code in (1, 4)
    assert "events" in refused.value.message
    assert refused.value.hint
    assert query(database, "SELECT * FROM events") == [(7,)]
    assert "runs" not in tables(database)


# Failing in the middle


class After(Quiet):
    """Does something once, when the first events were committed."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do: Callable[[], object] | None = do
        self._copying = False

    def phase(self, name: str, total: int | None) -> None:
        self._copying = name == "copying"

    def advance(self, done: int) -> None:
        do = self._do
        if self._copying and do:
            self._do = None
            do()


@pytest.fixture
def small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy, "BATCH_EVENTS", 20)
    monkeypatch.setattr("gymops.eventlog.sqlite.BATCH_ROWS", 10)


@pytest.mark.usefixtures("small_commits")
@pytest.mark.parametrize("index_from", [1, 1000])
def test_the_connection_is_lost_during_the_copy(source: Path, gymops_database: str, index_from: int) -> None:
    def cut() -> None:
        execute(
            gymops_database,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'gymops migrate%' AND datname = current_database()",
        )

    with fails(Kind.CONNECTION_LOST, "connection to the database was lost", "run the same command again"):
        migrate(source, gymops_database, observer=After(cut), index_from=index_from)
    before = query(gymops_database, "SELECT count(*) FROM events")[0][0]
    assert 0 < before < _EVENTS
    assert query(gymops_database, "SELECT count(*) FROM runs WHERE status = 'done'") == [(0,)]

    again = migrate(source, gymops_database, index_from=index_from)
    assert (again.written, again.plan.already_there, again.proof.equal) == (_EVENTS - before, before, True)


@pytest.mark.usefixtures("small_commits")
def test_the_server_is_killed_during_the_copy(
    source: Path, own_server: embedded.Server, own_database: str
) -> None:
    def kill() -> None:
        pid = embedded.status(own_server).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:  # its children notice and end
            try:
                execute(own_database, "SELECT 1")
            except psycopg.OperationalError:
                return

    with fails(Kind.CONNECTION_LOST, "connection to the database was lost", "gymops db status"):
        migrate(source, own_database, observer=After(kill), index_from=1)

    embedded.start(own_server, clock=SystemClock(), tied_to_parent=True)
    again = migrate(source, own_database, index_from=1)
    assert again.proof.equal
    assert again.written + again.plan.already_there == _EVENTS
    assert query(own_database, "SELECT count(*), max(position) FROM events") == [(_EVENTS, _EVENTS)]
    indexes = query(own_database, "SELECT count(*) FROM pg_indexes WHERE tablename = 'events'")
    assert indexes == [(5,)]


@pytest.fixture
def tiny_disk(tmp_path: Path, own_server: embedded.Server) -> Iterator[Path]:
    """A disk of 16 MB that the server may write to."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount program")
    if done.returncode:
        pytest.skip(f"mounting is not possible here: {done.stderr.strip()}")
    owner = own_server.data.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    folder.chmod(0o700)
    for parent in folder.parents:
        if owner.st_uid and not parent.stat().st_mode & 1:
            subprocess.run(["umount", str(folder)], check=True)
            pytest.skip(f"the server may not enter {parent}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_disk_is_full(tmp_path: Path, own_server: embedded.Server, tiny_disk: Path) -> None:
    rows = [event(n, payload='{"note": "' + os.urandom(20_000).hex() + '"}') for n in range(900)]
    source = write(tmp_path / "large.db", rows)
    admin = own_server.url("postgres")
    execute(admin, f"CREATE TABLESPACE tiny LOCATION '{tiny_disk}'", "CREATE DATABASE tiny TABLESPACE tiny")
    url = own_server.url("tiny")
    try:
        with fails(Kind.DISK_FULL, "disk is full", "free or add disk space on the server"):
            migrate(source, url)
        assert query(url, "SELECT status FROM runs") in ([("failed",)], [("running",)])
        subprocess.run(["mount", "-o", "remount,size=128m", str(tiny_disk)], check=True)
        again = migrate(source, url)
        assert again.proof.equal
        assert again.written + again.plan.already_there == 900
    finally:
        execute(admin, "DROP DATABASE tiny WITH (FORCE)", "DROP TABLESPACE tiny")
