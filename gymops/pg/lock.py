"""One run at a time: an advisory lock that names its holder and outlives no process."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from gymops.clock import Clock, ticks
from gymops.errors import LockHeld
from gymops.pg.connection import Connection, connect, translated
from gymops.pg.failures import DatabaseError, Kind

_NAMESPACE = "gymops.lock/1/"
_POLL = 0.1
# How long a holder elsewhere is waited for: it may be about to end, its process cannot be looked at.
_ELSEWHERE = 3.0
# PostgreSQL cuts application_name to 63 bytes. Their sum with the words between them stays within it:
# "gymops" verb(10) "host="(14) "pid="(7) "start="(7).
_VERB, _HOST = 10, 14
_IDENTITY = re.compile(r"gymops (?P<verb>\S+) host=(?P<host>\S+) pid=(?P<pid>\d+) start=(?P<start>\w*)")


def key(name: str) -> int:
    """The lock's number: the first 8 bytes, signed, of SHA-256 over ``gymops.lock/1/`` and its name.

    Advisory locks belong to one database, so equal names in two databases are two locks.
    """
    digest = hashlib.sha256((_NAMESPACE + name).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@dataclass(frozen=True)
class Holder:
    """The session that has the lock."""

    backend: int
    user: str
    application: str
    since: datetime | None
    """When its session began, in UTC; None if this user may not see it."""

    def __str__(self) -> str:
        told = _IDENTITY.fullmatch(self.application)
        who = (
            f"gymops {told['verb']} on {told['host']}, process {told['pid']}"
            if told
            else f"{self.application or 'an unnamed program'}"
        )
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"{who} (database user {self.user}, backend {self.backend}){since}"

    @property
    def here(self) -> bool:
        """Whether its process is, or was, one of this machine."""
        told = _IDENTITY.fullmatch(self.application)
        return told is not None and told["host"] == _host()

    @property
    def dead(self) -> bool:
        """Whether its process was one of this machine and is gone."""
        told = _IDENTITY.fullmatch(self.application)
        return told is not None and self.here and not _alive(int(told["pid"]), told["start"])


class AdvisoryLock:
    """A lock this process holds, as long as its own session lives."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name
        self._key = key(name)

    def take(self) -> bool:
        """Try once, without waiting."""
        with translated():
            row = self.connection.execute("SELECT pg_try_advisory_lock(%s)", [self._key]).fetchone()
        return row == (True,)

    def holder(self) -> Holder | None:
        """Who has it, if anyone has."""
        # A bigint key is stored as two halves, with objsubid 1.
        with translated():
            row = self.connection.execute(
                """
                SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), a.backend_start
                FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
                WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                  AND (l.classid::bigint << 32) | l.objid::bigint = %s
                """,
                [self._key],
            ).fetchone()
        if row is None:
            return None
        return Holder(row[0], row[1], row[2], row[3] and row[3].astimezone(UTC))

    def check(self) -> None:
        """See that the lock is still ours; call it before a commit that relies on it.

        Raises:
            DatabaseError: its session is gone, and with it the lock.
        """
        try:
            held = self.holder()
        except DatabaseError as error:
            # A server that dies takes its sessions along one by one: this one may be the first to go.
            raise DatabaseError(
                f"{error.message} by the session that held the lock {self.name!r}",
                kind=error.kind,
                hint=error.hint,
                sqlstate=error.sqlstate,
            ) from error
        if held is None or held.backend != self.connection.info.backend_pid:
            raise DatabaseError(
                f"the session that held the lock {self.name!r} is gone, so another run may have begun",
                kind=Kind.CONNECTION_LOST,
                hint="run the same command again; what was committed is kept",
            )


@contextmanager
def hold(
    url: str, name: str, *, clock: Clock, holder: str, wait_for_dead: float = 30.0
) -> Iterator[AdvisoryLock]:
    """Hold the lock ``name`` of this database; ``holder`` is the verb shown to those refused.

    The lock lives in a session of its own: transactions of the work come and go beside it. A session
    lock pins a connection of RDS Proxy, so migrations connect to the instance itself.

    A holder that died on this machine is waited for up to ``wait_for_dead`` seconds, until its backend
    notices (client_connection_check_interval); one elsewhere for 3 seconds; a living one not at all.
    A lock is never taken away from anyone.

    Raises:
        LockHeld: somebody else has it.
        TargetError: the database cannot be used.
    """
    connection = connect(url, autocommit=True, application=identity(holder))
    try:
        lock = AdvisoryLock(connection, name)
        _take(lock, clock, wait_for_dead)
        yield lock
    finally:
        _release(connection)


def identity(verb: str) -> str:
    """This process as an application_name: verb, host, pid and start time, in at most 63 bytes."""
    pid = os.getpid()
    word = re.sub(r"[^A-Za-z0-9._-]", "-", verb)[:_VERB]
    return f"gymops {word} host={_host()} pid={pid} start={_stat(pid)[1]}"


def _take(lock: AdvisoryLock, clock: Clock, wait_for_dead: float) -> None:
    held: Holder | None = None
    for gone in ticks(clock, timeout=max(wait_for_dead, _ELSEWHERE), interval=_POLL):
        if lock.take():
            return
        held = lock.holder() or held
        if held and gone >= _patience(held, wait_for_dead):
            break
    raise LockHeld(f"the lock {lock.name!r} is held by {held or 'another session'}", hint=_way_out(held))


def _patience(held: Holder, wait_for_dead: float) -> float:
    if held.dead:
        return wait_for_dead
    return 0.0 if held.here else _ELSEWHERE


def _way_out(held: Holder | None) -> str:
    if held is None:
        return "run the same command again"
    if held.here and not held.dead:
        return "wait until it has ended, or stop it; then run the same command again"
    return (
        "if its process is gone, its session ends within about a minute; an administrator can end it "
        f"with SELECT pg_terminate_backend({held.backend})"
    )


def _release(connection: Connection) -> None:
    # The end of the session lets go of the lock, even when the server cannot be told any more.
    try:
        connection.execute("SELECT pg_advisory_unlock_all()")
    except psycopg.Error:
        pass
    finally:
        connection.close()


def _host() -> str:
    """This machine's name in at most 14 plain characters; a longer one keeps its head and a digest."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()) or "-"
    if len(name) <= _HOST:
        return name
    return f"{name[: _HOST - 7]}~{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _alive(pid: int, start: str) -> bool:
    """Whether the process that started then still runs; a reused pid has another start time."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists, as another user's
    state, now = _stat(pid)
    return state != "Z" and (not start or not now or now == start)


def _stat(pid: int) -> tuple[str, str]:
    """A process's state and when it started, in clock ticks since boot and base 36; empty without /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    # The second field, the program's name in brackets, may itself hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    return fields[0], _base36(int(fields[19]))


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
