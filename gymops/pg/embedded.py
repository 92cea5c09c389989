"""The embedded PostgreSQL: one server per home directory, reached by a socket in a private folder."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gymops.clock import Clock, ticks
from gymops.errors import ServerError
from gymops.pg import cluster, process
from gymops.pg.binaries import find_binaries, major
from gymops.pg.server import APP_ROLE, DATABASE, OWNER, PORT, SOCKET, Server, ask, open_log, provide, read_log

__all__ = [
    "APP_ROLE",
    "DATABASE",
    "OWNER",
    "Server",
    "Status",
    "find_binaries",
    "open_server",
    "start",
    "status",
    "stop",
    "temporary",
]

_IMMEDIATE = 10.0  # seconds, as the next one
_OTHERS = 20.0
_HINTS = {
    "No space left": "make room on the disk, or choose another folder with --home",
    "Disk quota": "make room on the disk, or choose another folder with --home",
    "Read-only file system": "choose a folder you may write to with --home",
    "Permission denied": "choose a folder you may write to with --home",
}


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
            if process.postmaster(server.data):
                _await(server, lambda: process.postmaster(server.data) is not None, clock, timeout)
                provide(server)  # whoever started it may have been killed before
                return False
            with process.no_other(
                server.folder / "alive", server.data, clock=clock, timeout=_OTHERS
            ) as alive:
                identity = process.choose(server.home.parent, server.binaries / "postgres")
                cluster.hand_over(server.home, server.folder, identity)
                if cluster.data_version(server.data) is None:
                    durable = settings.get("fsync") != "off"
                    _initialise(server, identity, alive, durable=durable, timeout=max(timeout, 120))
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
        answer = ask(server) if found else None
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


def _initialise(
    server: Server, identity: process.Identity, alive: int, *, durable: bool, timeout: float
) -> None:
    try:
        cluster.initialise(
            server.data, server.binaries, identity, keep=alive, durable=durable, timeout=timeout
        )
    except ServerError as error:
        error.hint = error.hint or _hint(error.message)
        raise


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
    cluster.clear_stale(server.data, server.socket_dir, SOCKET)
    cluster.configure(server.data, identity)
    lives, said = spawn(server, identity, alive, settings, tied=tied)
    _await(server, lives, clock, timeout, said)
    provide(server)


def spawn(
    server: Server, identity: process.Identity, alive: int, settings: Mapping[str, str], *, tied: bool
) -> tuple[Callable[[], bool], int]:
    """Start the server's process; whether it lives, and how many bytes its log had before.

    ``alive`` is the lock that its processes hold. ``tied`` ends it when the calling thread ends.
    """
    # On the command line, because nothing in a file may move the server to another place.
    given = {"unix_socket_directories": str(server.socket_dir), "listen_addresses": "", "port": str(PORT)}
    options = [part for name, value in {**settings, **given}.items() for part in ("-c", f"{name}={value}")]
    log = open_log(server)
    try:
        said = os.fstat(log).st_size
        lives = process.spawn(
            identity, server.folder, server.binaries / "postgres", "-D", str(server.data), *options,
            log=log, keep=alive, tied=tied,
        )  # fmt: skip
    finally:
        os.close(log)
    return lives, said


def _await(server: Server, lives: Callable[[], bool], clock: Clock, timeout: float, said: int = 0) -> None:
    for _ in _wait(clock, timeout):
        # What `pg_ctl -w start` takes for success is not enough: recovery can still fail afterwards.
        if _listens(server) and ask(server):
            return
        if not lives():
            why = cluster.last_useful(read_log(server, said))
            raise ServerError(f"PostgreSQL did not start: {why}", hint=_hint(why) or f"its log: {server.log}")
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


def _check_version(server: Server) -> None:
    made, runs = cluster.data_version(server.data), major(server.binaries)
    if made != str(runs):
        raise ServerError(
            f"{server.data} was made by PostgreSQL {made}, and this is PostgreSQL {runs}",
            hint=f"set postgres_bin to the programs of {made}, or start afresh with another --home",
        )


def _wait(clock: Clock, timeout: float) -> Iterator[float]:
    return ticks(clock, timeout=timeout, interval=process.POLL)


def _hint(why: str) -> str | None:
    return next((hint for cause, hint in _HINTS.items() if cause in why), None)


@contextmanager
def _told(server: Server) -> Iterator[None]:
    """Turn what the operating system refuses into a message."""
    try:
        yield
    except OSError as error:
        where = error.filename or server.home
        raise ServerError(f"{where}: {error.strerror}", hint=_hint(error.strerror or "")) from error
