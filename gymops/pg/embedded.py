"""The embedded PostgreSQL: one server per home directory, reached by a socket in a private folder."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from gymops.clock import Clock, ticks
from gymops.errors import ServerError
from gymops.pg import cluster, process
from gymops.pg.binaries import find_binaries, major

__all__ = ["Server", "Status", "find_binaries", "open_server", "start", "status", "stop", "temporary"]

DATABASE = "gymops"
APP_ROLE = "gymops_app"
PORT = 5432

_SOCKET = f".s.PGSQL.{PORT}"
_SOCKET_BYTES = 103  # 107 on Linux, 103 on macOS
_PLAIN = re.compile(r"[A-Za-z0-9_./+~-]+")  # a comma or a quote means something in lists of socket folders
_LOG_BYTES = 10_000_000
_IMMEDIATE = 10.0


@dataclass(frozen=True)
class Server:
    """A running or stopped server belonging to one home directory."""

    home: Path
    binaries: Path

    @property
    def folder(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def socket_dir(self) -> Path:
        """Inside home; where that is too long a path for a socket, a folder in /tmp named after home.

        It depends on nothing but home, so that every command finds it, whatever its environment.
        """
        inside = self.folder / "socket"
        if _PLAIN.fullmatch(str(inside)) and len(os.fsencode(inside / _SOCKET)) <= _SOCKET_BYTES:
            return inside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:20]
        return Path("/tmp", f"gymops-{name}")  # noqa: S108 - private_folder() checks whose it is

    def url(self, database: str = DATABASE, user: str = cluster.OWNER) -> str:
        """The URL of one of its databases; it holds no secret."""
        where = quote(str(self.socket_dir))
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={where}&port={PORT}"


@dataclass(frozen=True)
class Status:
    """What is known of a server."""

    running: bool
    ready: bool
    """It answers and is out of recovery."""
    pid: int | None
    version: str | None
    """Of the server when it answers, else of its data directory ("18"); None before the first start."""
    data_dir: Path
    socket_dir: Path
    port: int
    log: Path
    started_at: datetime | None
    """UTC."""


def open_server(home: Path, postgres_bin: Path | None = None) -> Server:
    """The server of a home directory; nothing is made or started."""
    return Server(home.expanduser().resolve(), find_binaries(postgres_bin))


def start(
    server: Server,
    *,
    clock: Clock,
    timeout: float = 60.0,
    tied_to_parent: bool = False,
    settings: Mapping[str, str] | None = None,
) -> bool:
    """Start the server and wait until it answers; False if it ran already.

    ``timeout`` (seconds) ends the waiting, not the server: recovery after a crash may take longer, and the
    same command waits on. ``tied_to_parent`` ends the server when the calling thread ends, even by SIGKILL
    (Linux only). ``settings`` go before the server's own, for this run.

    Raises:
        ServerError: it cannot be started; the message quotes its log.
        LockHeld: someone else is starting or stopping it.
    """
    settings = settings or {}
    with _told(server):
        cluster.prepare_home(server.home, server.folder)
        with process.locked(server.folder / "lock", clock=clock, timeout=timeout):
            if found := process.postmaster(server.data):
                _await(server, lambda: process.postmaster(server.data) == found, clock, timeout)
                return False
            with process.no_other(server.folder / "alive", server.data, clock=clock, timeout=20) as alive:
                identity = process.choose(server.home.parent, server.binaries / "postgres")
                cluster.hand_over(server.home, server.folder, identity)
                if cluster.data_version(server.data) is None:
                    durable = settings.get("fsync") != "off"
                    cluster.initialise(
                        server.data, server.binaries, identity, durable=durable, timeout=max(timeout, 120)
                    )
                _check_version(server)
                _launch(server, identity, alive, clock, timeout, settings, tied=tied_to_parent)
            return True


def stop(server: Server, *, clock: Clock, timeout: float = 30.0) -> bool:
    """Stop the server: fast; after ``timeout`` seconds immediately; then by force. False if it did not run.

    Raises:
        ServerError: it cannot be stopped.
        LockHeld: someone else is starting or stopping it.
    """
    with _told(server):
        if not server.folder.is_dir():
            return False
        with process.locked(server.folder / "lock", clock=clock, timeout=timeout):
            found = process.postmaster(server.data)
            if found is None:
                return False
            for how, patience in (
                (signal.SIGINT, timeout), (signal.SIGQUIT, _IMMEDIATE), (signal.SIGKILL, _IMMEDIATE),
            ):  # fmt: skip
                process.send(found.pid, server.data, how)
                gone = (process.postmaster(server.data) is None for _ in _wait(clock, patience))
                if any(gone):
                    break
            else:
                raise ServerError(f"PostgreSQL (process {found.pid}) does not stop", hint=f"see {server.log}")
            if server.folder not in server.socket_dir.parents:
                shutil.rmtree(server.socket_dir, ignore_errors=True)
            return True


def status(server: Server) -> Status:
    """Look whether the server runs; a process is believed, a pid file is not."""
    with _told(server):
        found = process.postmaster(server.data)
        answer = _ask(server) if found else None
        return Status(
            running=found is not None,
            ready=answer is not None,
            pid=found.pid if found else None,
            version=answer or cluster.data_version(server.data),
            data_dir=server.data,
            socket_dir=server.socket_dir,
            port=PORT,
            log=server.log,
            started_at=found.started_at if found else None,
        )


@contextmanager
def temporary(
    *, clock: Clock, postgres_bin: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server in a folder of its own; both are gone afterwards, the server even if we are killed."""
    with tempfile.TemporaryDirectory(prefix="gymops-", ignore_cleanup_errors=True) as home:
        server = open_server(Path(home), postgres_bin)
        try:
            start(server, clock=clock, tied_to_parent=True, settings=settings)
            yield server
        finally:
            stop(server, clock=clock)


def _launch(
    server: Server,
    identity: process.Identity,
    alive: int,
    clock: Clock,
    timeout: float,
    settings: Mapping[str, str],
    *,
    tied: bool,
) -> None:
    cluster.private_folder(server.socket_dir, identity)
    cluster.clear_stale(server.data, server.socket_dir, _SOCKET)
    cluster.configure(server.data, identity)
    # On the command line, because nothing in a file may move the server to another place.
    given = {"unix_socket_directories": str(server.socket_dir), "listen_addresses": "", "port": str(PORT)}
    options = [part for name, value in {**settings, **given}.items() for part in ("-c", f"{name}={value}")]
    log = _open_log(server.log)
    try:
        said = os.fstat(log).st_size
        lives = process.spawn(
            identity, server.folder, server.binaries / "postgres", "-D", str(server.data), *options,
            log=log, keep=alive, tied=tied,
        )  # fmt: skip
    finally:
        os.close(log)
    _await(server, lives, clock, timeout, said)
    _provide(server)


def _await(server: Server, lives: Callable[[], bool], clock: Clock, timeout: float, said: int = 0) -> None:
    for _ in _wait(clock, timeout):
        # What `pg_ctl -w start` takes for success is not enough: recovery can still fail afterwards.
        if _listens(server) and _ask(server):
            return
        if not lives():
            why = cluster.last_useful(_read_log(server.log, said))
            raise ServerError(f"PostgreSQL did not start: {why}", hint=f"its log: {server.log}")
    raise ServerError(
        f"PostgreSQL runs, but does not answer after {timeout:.0f} s; after a crash it first recovers",
        hint=f"wait and run `gymops db start` again; its log: {server.log}",
    )


def _listens(server: Server) -> bool:
    try:
        lines = (server.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _ask(server: Server) -> str | None:
    """The version of the server if it answers, is the one meant and is out of recovery."""
    answer = _psql(
        server,
        "postgres",
        "select pg_is_in_recovery(), split_part(current_setting('server_version'), ' ', 1),"
        " current_setting('data_directory')",
    )
    if answer is None:
        return None
    recovers, version, data = answer.split("|", 2)
    return version if recovers == "f" and Path(data).samefile(server.data) else None


def _provide(server: Server) -> None:
    """Make the database and the restricted role where they are missing."""
    found = _psql(
        server,
        "postgres",
        f"select exists(select from pg_database where datname = '{DATABASE}'),"  # noqa: S608 - our constants
        f" exists(select from pg_roles where rolname = '{APP_ROLE}')",
    )
    database, role = (found or "f|f").split("|")
    if database == "f":
        _must(server, "postgres", f"create database {DATABASE}")
    if role == "f":
        # One transaction: the role exists only together with its limits.
        _must(
            server,
            DATABASE,
            "begin",
            f"create role {APP_ROLE} login nosuperuser nocreatedb nocreaterole noreplication",
            f"revoke all on database {DATABASE} from public",
            f"grant connect on database {DATABASE} to {APP_ROLE}",
            "revoke create on schema public from public",
            "commit",
        )


def _must(server: Server, database: str, *statements: str) -> None:
    if _psql(server, database, *statements) is None:
        why = cluster.last_useful(_read_log(server.log, 0))
        raise ServerError(f"PostgreSQL cannot be prepared: {why}", hint=f"its log: {server.log}")


def _psql(server: Server, database: str, *statements: str) -> str | None:
    """What the statements print, None if they failed."""
    command = [str(server.binaries / "psql"), "-XAtqw", "-v", "ON_ERROR_STOP=1", "-d", server.url(database)]
    command += [part for statement in statements for part in ("-c", statement)]
    try:
        done = subprocess.run(
            command,
            env={**process.environment(), "PGCONNECT_TIMEOUT": "5"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _check_version(server: Server) -> None:
    made, runs = cluster.data_version(server.data), major(server.binaries)
    if made != str(runs):
        raise ServerError(
            f"{server.data} was made by PostgreSQL {made}, and this is PostgreSQL {runs}",
            hint=f"set postgres_bin to the programs of {made}, or start afresh with another --home",
        )


def _open_log(log: Path) -> int:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_name("log.1"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _read_log(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - 100_000))
        return file.read().decode(errors="replace")


def _wait(clock: Clock, timeout: float) -> Iterator[float]:
    return ticks(clock, timeout=timeout, interval=process.POLL)


@contextmanager
def _told(server: Server) -> Iterator[None]:
    """Turn what the operating system refuses into a message."""
    try:
        yield
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{Path(error.cmd[-1]).name} did not end in {error.timeout:.0f} s") from error
    except OSError as error:
        where = error.filename or server.home
        hints = {
            errno.ENOSPC: "make room on the disk, or choose another folder with --home",
            errno.EACCES: "choose a folder you may write to with --home",
            errno.EROFS: "choose a folder you may write to with --home",
        }
        raise ServerError(f"{where}: {error.strerror}", hint=hints.get(error.errno or 0)) from error
