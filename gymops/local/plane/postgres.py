"""One PostgreSQL server behind one RDS instance: on a TCP port of its own, with passwords and WAL archive.

The lifecycle is that of ``gymops.pg``: who it runs as, stale pid files, locks, what holds a data directory.
The server outlives the emulator, as RDS outlives its API; ``gymops local up`` finds it again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from gymops.clock import Clock, ticks
from gymops.errors import ServerError
from gymops.pg import cluster, embedded, process
from gymops.pg.server import Server, ask, open_log, read_log

ADMIN = cluster.OWNER
"""The superuser, reachable by the private socket only; clients never get it, as on RDS."""
ARCHIVE = "archive"
_CONF = "gymops.conf"
_START_SECONDS = 120.0

_HBA = """\
local all         {admin} trust
local replication {admin} trust
local all         all     reject
host  all         {admin} all          reject
{iam}host  all         all     127.0.0.1/32 scram-sha-256
"""
# A token cannot be checked without AWS's keys: who holds the role may come in from this machine.
_IAM = "host  all         +rds_iam 127.0.0.1/32 trust\n"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "wal_level": "replica",
    "archive_mode": "on",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "1GB",
    "min_wal_size": "32MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# A server works in its data directory, so that no path of the user's gets near a shell.
_ARCHIVE_COMMAND = "gzip -1 < %p > ../archive/.%f.new && mv ../archive/.%f.new ../archive/%f.gz"
_FETCH = "gunzip -c ../source/%f.gz > %p"


@dataclass(frozen=True)
class Database(Server):
    """A server at a TCP port; its socket is named after the same port."""

    tcp_port: int

    @property
    def port(self) -> int:
        return self.tcp_port

    @property
    def archive(self) -> Path:
        """Where it puts its WAL: a link, since the archive outlives the instance."""
        return self.folder / ARCHIVE


@dataclass(frozen=True)
class Run:
    """How a server is to run this time."""

    archives: bool = True
    iam: bool = False
    durable: bool = True
    parameters: Mapping[str, str] | None = None
    recovery: Mapping[str, str] | None = None


def start(database: Database, run: Run, *, clock: Clock, timeout: float = _START_SECONDS) -> bool:
    """Start it and wait until it answers and is out of recovery; False if it ran already.

    Raises:
        ServerError: it cannot be started or recovered; the message quotes its log.
    """
    cluster.prepare_home(database.home, database.folder)
    with process.locked(database.folder / "lock", clock=clock, timeout=timeout):
        if process.postmaster(database.data):
            _await(database, None, clock, timeout, 0)
            return False
        with process.no_other(database.folder / "alive", database.data, clock=clock, timeout=20) as alive:
            identity = process.choose(database.home.parent, database.binaries / "postgres")
            if cluster.data_version(database.data) is None:
                cluster.hand_over(database.home, database.folder, identity)
                cluster.initialise(
                    database.data, database.binaries, identity,
                    keep=alive, durable=run.durable, timeout=timeout,
                )  # fmt: skip
            _configure(database, run, identity)
            cluster.hand_over(database.home, database.folder, identity)
            _launch(database, identity, alive, clock, timeout)
    return True


def stop(database: Database, *, clock: Clock) -> bool:
    """Stop it; False if it did not run."""
    return embedded.stop(database, clock=clock)


def runs(database: Database) -> bool:
    """Whether a live process serves its data directory."""
    return process.postmaster(database.data) is not None


@contextmanager
def connect(database: Database, name: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection, by the socket."""
    with psycopg.connect(database.url(name, ADMIN), autocommit=True, connect_timeout=10) as connection:
        yield connection


def reload(database: Database, run: Run) -> None:
    """Take new settings over, those that need no restart."""
    _configure(database, run, process.choose(database.home.parent, database.binaries / "postgres"))
    with connect(database) as connection:
        connection.execute("select pg_reload_conf()")


def make_master(database: Database, user: str, password: str, name: str | None) -> None:
    """The master user as on RDS: everything but superuser; and the first database, owned by it."""
    master = sql.Identifier(user)
    with connect(database) as connection:
        for role in ("rds_superuser", "rds_iam"):
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
        connection.execute("grant pg_monitor, pg_signal_backend, pg_checkpoint to rds_superuser")
        connection.execute(
            sql.SQL(
                "create role {} login createdb createrole inherit password {} in role rds_superuser"
            ).format(master, sql.Literal(password))
        )
        connection.execute(sql.SQL("grant rds_superuser, rds_iam to {} with admin option").format(master))
        for base in ("postgres", "template1"):
            connection.execute(sql.SQL("alter database {} owner to {}").format(sql.Identifier(base), master))
        if name and name != "postgres":
            connection.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(name), master))


def set_password(database: Database, user: str, password: str) -> None:
    """Change a role's password."""
    with connect(database) as connection:
        connection.execute(
            sql.SQL("alter role {} password {}").format(sql.Identifier(user), sql.Literal(password))
        )


def base_backup(database: Database, target: Path, *, durable: bool) -> None:
    """A copy of the running server's data, whole in itself.

    Raises:
        ServerError: pg_basebackup failed.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [
        str(database.binaries / "pg_basebackup"), "-D", str(target), "-h", str(database.socket_dir),
        "-p", str(database.port), "-U", ADMIN, "-X", "fetch", "-c", "fast",
        *([] if durable else ["--no-sync"]),
    ]  # fmt: skip
    done = subprocess.run(
        command, env=process.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    if done.returncode != 0:
        shutil.rmtree(target, ignore_errors=True)
        raise ServerError(f"the backup failed: {cluster.last_useful(done.stderr)}")


def copy_data(source: Path, target: Path) -> None:
    """Copy a data directory at rest; the target appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = target.with_name(f".{target.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(source, half, symlinks=True)
    half.rename(target)


def recover_from(database: Database, archive: Path) -> None:
    """Make the next start a recovery that fetches WAL from this archive."""
    source = database.folder / "source"
    source.unlink(missing_ok=True)
    source.symlink_to(archive)
    (database.data / "recovery.signal").touch()


def _configure(database: Database, run: Run, identity: process.Identity) -> None:
    settings = {
        **_SETTINGS,
        **(run.parameters or {}),
        "port": str(database.port),
        "archive_command": _ARCHIVE_COMMAND if run.archives else "/bin/true",
        "restore_command": _FETCH,
        **(run.recovery or {}),
    }
    if not run.durable:
        settings |= {"fsync": "off", "full_page_writes": "off"}
    lines = [f"{name} = '{_quoted(value)}'\n" for name, value in settings.items()]
    cluster.write(database.data / _CONF, "".join(lines), identity)
    hba = _HBA.format(admin=ADMIN, iam=_IAM if run.iam else "")
    cluster.write(database.data / "pg_hba.conf", hba, identity)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _launch(database: Database, identity: process.Identity, alive: int, clock: Clock, timeout: float) -> None:
    cluster.private_folder(database.socket_dir, identity)
    cluster.clear_stale(database.data, database.socket_dir, f".s.PGSQL.{database.port}")
    log = open_log(database)
    try:
        said = os.fstat(log).st_size
        lives = process.spawn(
            identity, database.folder, database.binaries / "postgres", "-D", str(database.data),
            "-c", f"unix_socket_directories={database.socket_dir}", log=log, keep=alive, tied=False,
        )  # fmt: skip
    finally:
        os.close(log)
    _await(database, lives, clock, timeout, said)


def _await(database: Database, lives: Any, clock: Clock, timeout: float, said: int) -> None:
    for _ in ticks(clock, timeout=timeout, interval=process.POLL):
        if _ready(database) and ask(database):
            return
        if lives is not None and not lives():
            raise ServerError(
                f"PostgreSQL did not start: {_why(read_log(database, said))}",
                hint=f"its log: {database.log}",
            )
    raise ServerError(f"PostgreSQL does not answer after {timeout:.0f} s", hint=f"its log: {database.log}")


def _ready(database: Database) -> bool:
    try:
        text = (database.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    lines = text.splitlines()
    return len(lines) > 7 and lines[7].strip() == "ready"


def _why(log: str) -> str:
    fatal = [line for line in log.splitlines() if re.search(r"\b(FATAL|PANIC)\b", line)]
    return cluster.last_useful("\n".join(fatal) or log)
