"""A restored server that nothing outside hears of: no archive, no schedule, no subscription, no network.

What the server it was copied from read its settings from is put aside, so that nothing of it can speak: an
``archive_command``, a preloaded scheduler, the address of a primary. It recovers from a folder of WAL and
answers on a socket in a private folder, to nobody but its owner.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gymops.backup import lsn, work
from gymops.clock import Clock, ticks
from gymops.errors import GymopsError, ServerError
from gymops.pg import cluster, embedded, process
from gymops.pg.connection import connect_plain, translated
from gymops.pg.embedded import Server
from gymops.pg.server import SOCKET, read_log

WAL = "wal"
"""The folder of decrypted WAL, beside the data directory."""
_ASIDE = "settings-of-the-source"
_FILES = ("postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf")
_HBA = "local all all trust\n"
_SETTINGS = {
    "listen_addresses": "",
    "archive_mode": "off",
    "archive_command": "",
    "primary_conninfo": "",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "hot_standby": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO, YMD",
    "shared_buffers": "256MB",
    "log_line_prefix": "%m [%p] ",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# All of it is made durable at once, and not file by file: each of a thousand would wait for the disk, though
# it was written long before. Older ones do not tell of errors then, and others have nothing of the kind.
_AT_ONCE = {"recovery_init_sync_method": "syncfs"}
_TELLS = (5, 8)
"""The first Linux that does."""
# What the WAL was written with, the server that reads it must have at least.
_CONTROL = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}
_RECOVERY = {
    "recovery_target_timeline": "current",  # no other is looked for
    "recovery_target_action": "promote",
    "restore_command": f"test -f ../{WAL}/%f && cp ../{WAL}/%f %p",
}
_LONGEST = 24 * 3600.0
_OURS = re.compile(r"No space left|Disk quota|out of memory|Cannot allocate|could not create shared memory"
                   r"|could not fork|Too many open files|Permission denied|lock file")  # fmt: skip
"""The machine's fault, not that of what was restored."""


class NotRecovered(GymopsError):
    """What was restored does not become a database."""

    code = "not_recovered"


@dataclass(frozen=True)
class Reached:
    """How far a recovery came."""

    lsn: int
    timeline: int
    """Of what was recovered; it goes on with another."""
    last_commit: datetime | None
    """When the last transaction that came back was committed; None: none came back from the WAL."""
    why: str
    """As PostgreSQL says."""


def prepare(server: Server, target: Mapping[str, str], clock: Clock) -> None:
    """Make an unpacked data directory one that recovers apart; ``target``: up to where.

    Raises:
        ServerError: the programs do not run, or the folder is not ours.
    """
    control = _control(server)
    aside = server.folder / _ASIDE
    aside.mkdir(mode=0o700)
    for name in _FILES:
        if (server.data / name).exists():
            (server.data / name).rename(aside / name)
    needed = {name: control[told] for name, told in _CONTROL.items() if told in control}
    text = "".join(f"{name} = '{value}'\n" for name, value in {**_SETTINGS, **needed}.items())
    for name, content in zip(_FILES, (text, "", _HBA, ""), strict=True):
        _write(server.data / name, content)
    for name in ("standby.signal", "postmaster.pid"):
        (server.data / name).unlink(missing_ok=True)
    (server.data / "recovery.signal").touch()
    launch(server, clock, {**_RECOVERY, **(_AT_ONCE if _tells() else {}), **target}, tied=True)


def launch(server: Server, clock: Clock, settings: Mapping[str, str] | None = None, *, tied: bool) -> None:
    """Start it, and wait until it is up and out of recovery, whatever its role and database are called.

    Raises:
        NotRecovered: what is there is no whole database.
        ServerError: it does not start.
    """
    try:
        _launch(server, clock, settings or {}, tied=tied)
    except OSError as error:
        hint = "make room on the disk" if error.errno == 28 else "check the folder and its permissions"
        raise ServerError(f"{error.filename or server.home}: {error.strerror}", hint=hint) from None


def again(server: Server, clock: Clock) -> None:
    """Start it, as apart as before, also where its settings were put back already; it outlives this process.

    Raises:
        NotRecovered, ServerError: as ``launch``.
    """
    launch(server, clock, _SETTINGS, tied=False)


def reached(server: Server, url: str) -> Reached:
    """How far the recovery of a server came that is up: by the history of its timeline.

    Raises:
        NotRecovered: it is on no timeline of its own, so it did not recover as it was told.
    """
    with translated(), connect_plain(url) as connection:
        row = connection.execute(
            "SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp(),"
            " pg_walfile_name(pg_current_wal_lsn())"
        ).fetchone()
    if row is None:
        raise AssertionError("a query without a row")
    timeline = lsn.timeline(row[2])
    history = server.data / "pg_wal" / f"{timeline:08X}.history"
    if row[0] or not history.exists():
        raise NotRecovered(f"it is on timeline {timeline}, and that has no history: it did not recover")
    parent, place, why = history.read_text(encoding="utf-8").strip().splitlines()[-1].split("\t", 2)
    return Reached(lsn.parse(place), int(parent), row[1].astimezone(UTC) if row[1] else None, why)


def give_back(server: Server) -> None:
    """Put the settings of the source back: what is restored takes its place. The server is stopped."""
    aside = server.folder / _ASIDE
    for name in _FILES:
        if (aside / name).exists():
            (aside / name).replace(server.data / name)
    shutil.rmtree(aside, ignore_errors=True)


def sweep(home: Path) -> list[str]:
    """End the servers of killed runs, and remove their sockets; their folders go with the next one's. The
    names of those folders.
    """
    left = [folder for folder in sorted(home.glob("work-*")) if not work.held(folder)]
    for place in (place for folder in left for place in folder.glob("*/postgres")):
        server = Server(place.parent, Path())
        for pid in process.orphans(server.data):
            process.send(pid, server.data, signal.SIGKILL)
        if server.folder not in server.socket_dir.parents:
            shutil.rmtree(server.socket_dir, ignore_errors=True)
    return [folder.name for folder in left]


def _launch(server: Server, clock: Clock, settings: Mapping[str, str], *, tied: bool) -> None:
    with process.locked(server.folder / "lock", clock=clock, timeout=60.0), process.no_other(
        server.folder / "alive", server.data, clock=clock, timeout=20.0
    ) as alive:  # fmt: skip
        identity = process.choose(server.home.parent, server.binaries / "postgres")
        cluster.hand_over(server.home, server.folder, identity)
        _hand_over(server.folder / WAL, identity)
        cluster.private_folder(server.socket_dir, identity)
        cluster.clear_stale(server.data, server.socket_dir, SOCKET)
        lives, said = embedded.spawn(server, identity, alive, settings, tied=tied)
        for _ in ticks(clock, timeout=_LONGEST, interval=process.POLL):
            if not lives():
                raise _failed(server, said)
            if _ready(server):
                return
    raise ServerError(f"recovery did not end in {_LONGEST / 3600:.0f} hours", hint=f"its log: {server.log}")


def _tells() -> bool:
    """Whether the system says of a whole file system that it could not be written."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return sys.platform == "linux" and found is not None and (int(found[1]), int(found[2])) >= _TELLS


def _failed(server: Server, said: int) -> GymopsError:
    text = read_log(server, said)
    why = cluster.last_useful(text)
    fatal = re.search(r"\b(FATAL|PANIC):", text)
    if fatal and not _OURS.search(text):
        return NotRecovered(f"PostgreSQL does not recover from it: {why}")
    hint = "make room on the disk" if re.search("No space left|Disk quota", text) else None
    return ServerError(f"PostgreSQL did not start: {why}", hint=hint)


def _ready(server: Server) -> bool:
    # As hot_standby is off, it says so only when recovery is over.
    try:
        lines = (server.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _control(server: Server) -> dict[str, str]:
    identity = process.choose(server.home.parent, server.binaries / "postgres")
    cluster.hand_over(server.home, server.folder, identity)
    done = process.run(
        identity, server.folder, server.binaries / "pg_controldata", "-D", str(server.data), timeout=60
    )
    if done.returncode != 0:
        raise NotRecovered(f"pg_controldata cannot read it: {cluster.last_useful(done.stderr)}")
    pairs = (line.partition(":") for line in done.stdout.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _hand_over(folder: Path, identity: process.Identity) -> None:
    if os.geteuid() == 0 and folder.exists():
        for path in (folder, *folder.iterdir()):
            os.chown(path, identity.uid, identity.gid)


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
