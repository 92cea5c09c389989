"""Migrations that are killed: processes of their own, ended by SIGKILL at a chosen step.

A step is one exchange with PostgreSQL: a statement, BEGIN, COMMIT, one piece of a COPY. The child counts
them at the one place where psycopg waits for the server, so none is left out, and kills itself before
the Nth is sent (``before``) or after it was sent and before its answer came (``during``).
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import signal
import sqlite3
import time
import traceback
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from gymops.clock import SystemClock
from gymops.errors import GymopsError
from gymops.eventlog import sqlite
from gymops.eventlog.event import identify
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate import copy, run
from gymops.pg import schema

__all__ = [
    "Crash",
    "Expected",
    "Migration",
    "append",
    "assert_fitting",
    "assert_whole",
    "migrate",
    "workspace",
]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])

BAD = ("not json {", None)


@dataclass(frozen=True)
class Crash:
    """Where a child kills itself: at the Nth step of all, or of those whose statement holds ``at``."""

    step: int = 1
    at: str = ""
    during: bool = False
    signal: int = signal.SIGKILL


@dataclass
class Outcome:
    """How a child ended: its exit code (negative for a signal), and what it said."""

    code: int
    labels: list[str] = field(default_factory=list)
    """The steps it took."""
    report: dict[str, Any] = field(default_factory=dict)
    error: str = ""


class Quiet:
    """An observer that says nothing."""

    def phase(self, name: str, total: int | None) -> None: ...

    def advance(self, done: int) -> None: ...


class Migration:
    """A migration in a process of its own; with ``crash``, it sends itself a signal there."""

    def __init__(
        self,
        source: Path,
        url: str,
        crash: Crash | None = None,
        *,
        batch: int = 40,
        index_from: int = 1,
        quarantine: bool = True,
    ) -> None:
        self._receive, send = _context.Pipe(duplex=False)
        arguments = (send, source, url, crash, batch, index_from, quarantine)
        self._child = _context.Process(target=_child, args=arguments)
        self._child.start()
        send.close()
        # One that stopped itself and was forgotten by a failing test would keep the test run from ending.
        atexit.register(self._child.kill)

    @property
    def pid(self) -> int:
        assert self._child.pid
        return self._child.pid

    def kill(self) -> None:
        """End it as ``kill -9`` does, wherever it is."""
        self._child.kill()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._signal(signal.SIGINT)

    def stopped(self, timeout: float = 60.0) -> Migration:
        """Wait until it has stopped itself (SIGSTOP)."""
        deadline = time.monotonic() + timeout
        while self._state() != "T":
            assert time.monotonic() < deadline, "it does not stop"
            assert self._child.is_alive(), "it has ended before"
            time.sleep(0.005)
        return self

    def go_on(self) -> Migration:
        """Let it run again."""
        self._signal(signal.SIGCONT)
        return self

    def ended(self, timeout: float = 120.0) -> Outcome:
        """Wait until it has ended, and see how."""
        outcome = Outcome(0)
        with suppress(EOFError, OSError):  # killed before it could say all
            assert self._receive.poll(timeout), "the migration hangs"
            outcome = self._receive.recv()
        self._child.join(timeout)
        assert self._child.exitcode is not None, "the migration hangs"
        outcome.code = self._child.exitcode
        return outcome

    def _state(self) -> str:
        with suppress(FileNotFoundError, ProcessLookupError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return "X"

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self.pid, number)


def migrate(source: Path, url: str, crash: Crash | None = None, **options: Any) -> Outcome:
    """Run one migration to its end, whatever that is."""
    return Migration(source, url, crash, **options).ended()


def _child(
    send: Any,
    source: Path,
    url: str,
    crash: Crash | None,
    batch: int,
    index_from: int,
    quarantine: bool,
) -> None:
    copy.BATCH_EVENTS, copy._WRITE, sqlite.BATCH_ROWS = batch, 8, 16
    outcome = Outcome(0)
    _count_steps(outcome, crash)
    try:
        log = SqliteLog(source)
        report = run.run(
            log,
            url,
            options=run.Options(quarantine=quarantine, index_from=index_from),
            confirm=lambda _: True,
            clock=SystemClock(),
            observer=Quiet(),
        )
        log.close()
        outcome.report = report.as_dict()
        outcome.code = 0 if report.proof.equal else 3
        outcome.error = "" if report.proof.equal else str(report.proof.first_difference)
    except GymopsError as error:
        outcome.code, outcome.error = error.exit_code, f"{error.message}; {error.hint}"
    except KeyboardInterrupt:
        outcome.code, outcome.error = 130, "interrupted"
    except BaseException:  # noqa: BLE001
        outcome.code, outcome.error = 70, traceback.format_exc()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has ended
    send.send(outcome)
    send.close()
    os._exit(outcome.code)


def _count_steps(outcome: Outcome, crash: Crash | None) -> None:
    wait = psycopg.Connection.wait
    seen: list[bool] = []

    def counted(self: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
        name = gen.__name__
        if name in ("_read_gen", "_stream_fetchone_gen"):  # only reads on
            return wait(self, gen, *args, **kwargs)
        outcome.labels.append(_label(gen))
        if crash and crash.at in outcome.labels[-1]:
            seen.append(True)
            if len(seen) == crash.step:
                if crash.during:
                    next(gen, None)  # sent, but the answer is never read
                os.kill(os.getpid(), crash.signal)
        return wait(self, gen, *args, **kwargs)

    psycopg.Connection.wait = counted  # type: ignore[method-assign]


def _label(gen: Any) -> str:
    frame = getattr(gen, "gi_frame", None)
    query = frame.f_locals.get("query", frame.f_locals.get("statement")) if frame else None
    text = query.as_string() if isinstance(query, psycopg.sql.Composable) else query
    return " ".join((text.decode() if isinstance(text, bytes) else text or gen.__name__).split())


@dataclass
class Expected:
    """What a target must hold of one user: ids in order, and the number of rejected rows."""

    events: list[tuple[uuid.UUID, str]]
    rejected: int


def workspace(folder: Path, *, events: int = 150, users: int = 3) -> dict[str, Expected]:
    """A workspace of several users in both shapes, with rejected rows and small tables."""
    return {
        user: _file(folder / user / "gym.db", user, events - 20 * index, neon=index % 2 == 1)
        for index, user in enumerate(["anna", "auth0|000001", "default", "zoë", "ärger"][:users])
    }


def _file(path: Path, user: str, events: int, *, neon: bool) -> Expected:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    if neon:
        connection.execute(
            # Without any index VACUUM renumbers the rows.
            "CREATE TABLE events (event_id TEXT, event_type TEXT, timestamp TEXT, data TEXT, created_at TEXT)"
        )
    else:
        connection.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE NOT NULL,"
            " timestamp TEXT NOT NULL, event_type TEXT NOT NULL, payload TEXT NOT NULL,"
            " schema_version INTEGER)"
        )
    connection.execute("CREATE TABLE projections (key TEXT PRIMARY KEY, data TEXT NOT NULL, updated_at TEXT)")
    rows = [(f"p{n}", f'{{"n": {n}}}', "2026-01-01T00:00:00Z") for n in range(12)]
    connection.executemany("INSERT INTO projections VALUES (?, ?, ?)", [*rows, ("bad", "{", "2026")])
    connection.commit()
    expected = Expected([], 1)
    append(connection, user, expected, range(events))
    connection.close()
    return expected


def append(connection: sqlite3.Connection, user: str, expected: Expected, numbers: range) -> None:
    """Append events with these numbers; every 37th cannot be moved, ids of every 5th are no UUIDs."""
    columns = {row[1] for row in connection.execute("PRAGMA table_info(events)")}
    payload = "payload" if "payload" in columns else "data"
    for n in numbers:
        event_id = f"{user}-{n}" if n % 5 == 0 else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{user}{n}"))
        bad = n % 37 == 11
        data = BAD[0] if bad else json.dumps({"n": n, "workout_id": f"w{n // 10}", "text": "ü" * (n % 50)})
        connection.execute(
            f"INSERT INTO events (event_id, event_type, timestamp, {payload}) VALUES (?, ?, ?, ?)",
            (event_id, "SetLogged", f"2026-01-01T00:{n // 60 % 60:02}:{n % 60:02}Z", data),
        )
        if bad:
            expected.rejected += 1
        else:
            expected.events.append((uuid.UUID(bytes=identify(user, event_id)[0]), data))
    connection.commit()


def assert_whole(url: str, expected: dict[str, Expected], source: Path | None = None) -> None:
    """Every event once, in order, at positions 1 to n; indexes valid; records that fit; nothing running."""
    report = schema.check(url)
    assert report.ok, report
    with psycopg.connect(url, autocommit=True) as connection:
        for user, wanted in expected.items():
            rows = connection.execute(
                "SELECT position, event_id, payload FROM events WHERE user_id = %s ORDER BY position", [user]
            ).fetchall()
            assert [row[0] for row in rows] == list(range(1, len(wanted.events) + 1)), user
            assert [row[1] for row in rows] == [event_id for event_id, _ in wanted.events], user
            assert [row[2] for row in rows] == [json.loads(data) for _, data in wanted.events], user
            assert _one(connection, "SELECT count(*) FROM rejected_events WHERE user_id = %s", user) == (
                wanted.rejected
            )
            checkpoint = connection.execute(
                "SELECT events, rejected FROM checkpoints WHERE user_id = %s", [user]
            ).fetchone()
            assert checkpoint == (len(wanted.events), wanted.rejected), user
        assert _one(connection, "SELECT count(DISTINCT user_id) FROM events") == len(expected)
        assert _one(connection, "SELECT count(*) FROM runs WHERE status = 'running'") == 0
        assert _one(connection, "SELECT count(*) FROM runs WHERE dropped_indexes IS NOT NULL") == 0
        assert _one(connection, "SELECT status FROM runs ORDER BY started_at DESC LIMIT 1") == "done"


def assert_fitting(url: str) -> None:
    """Straight after a crash: every checkpoint says exactly what is there."""
    with psycopg.connect(url) as connection:
        if _one(connection, "SELECT to_regclass('checkpoints') IS NULL"):
            return
        rows = connection.execute(
            "SELECT user_id, c.events, c.rejected,"
            " (SELECT count(*) FROM events e WHERE e.user_id = u.user_id),"
            " (SELECT count(*) FROM rejected_events r WHERE r.user_id = u.user_id)"
            " FROM checkpoints c FULL JOIN (SELECT DISTINCT user_id FROM events"
            " UNION SELECT user_id FROM rejected_events) u USING (user_id)"
        ).fetchall()
    for user, events, rejected, *there in rows:
        assert [events, rejected] == there, user


def _one(connection: psycopg.Connection[Any], query: str, *arguments: object) -> Any:
    row = connection.execute(query.encode(), arguments).fetchone()
    return row[0] if row else None


def large(path: Path, events: int, *, journal: str = "delete") -> None:
    """A log of many events, made inside SQLite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute(
        "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE NOT NULL,"
        " timestamp TEXT NOT NULL, event_type TEXT NOT NULL, payload TEXT NOT NULL)"
    )
    connection.execute(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
        " INSERT INTO events (event_id, timestamp, event_type, payload)"
        " SELECT printf('00000000-0000-4000-8000-%012x', n),"
        " strftime('%Y-%m-%dT%H:%M:%SZ', 1750000000 + n, 'unixepoch'), 'SetLogged',"
        " json_object('workout_id', 'w' || (n / 20), 'reps', n % 13, 'weight', n % 100 + 0.5) FROM n",
        (events,),
    )
    connection.commit()
    connection.close()
