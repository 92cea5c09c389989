"""The migration from end to end: plan, schema, copy, indexes, proof, record."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import psycopg
from psycopg.types.json import Jsonb

from gymops.clock import Clock
from gymops.errors import DifferenceFound, GateRefused, Interrupted
from gymops.eventlog import compare, tables
from gymops.eventlog.digest import EMPTY_HEAD, Stream
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.scan import no_collector, peak_rss
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate import copy, indexes
from gymops.migrate import plan as planning
from gymops.migrate.plan import Plan
from gymops.migrate.report import Proof, Report, Seconds, TableResult
from gymops.pg import schema
from gymops.pg.connection import connect, redact, translated
from gymops.pg.lock import hold

Connection = psycopg.Connection[tuple[Any, ...]]


class Observer(Protocol):
    """Told what goes on, for a person to see."""

    def phase(self, name: str, total: int | None) -> None:
        """A part of the work begins; ``total`` is how much it is."""
        ...

    def advance(self, done: int) -> None:
        """So much more of the part is done."""
        ...


@dataclass(frozen=True)
class Options:
    """How to run."""

    quarantine: bool = False
    index_from: int = indexes.FROM_EVENTS
    """From so many events on, an empty table is loaded without its indexes."""


@dataclass(frozen=True)
class Target:
    """The database to fill, and what it holds of the source's users."""

    url: str
    counts: dict[str, int]
    pending: list[str]
    unfinished: bool

    @property
    def ready(self) -> bool:
        """Whether the schema is there, so that its tables can be read."""
        return not self.pending


def plan(source: SqliteLog, url: str, observer: Observer) -> Plan:
    """Read the whole source and what the target holds of it; write nothing.

    Raises:
        GateRefused: the target holds events of a user that the source lacks.
        DifferenceFound: the target holds an event of the source in another form or order.
    """
    target = _look(url, source.users)
    observer.phase("reading the source", None)
    source.read(target.counts, observer.advance)
    log = PostgresLog(url, only=source.users)
    try:
        if target.counts:
            observer.phase("comparing what is there already", sum(target.counts.values()))
            _check_prefix(source, log, target.counts, observer)
        return planning.make(
            source,
            redact(url),
            already_there=target.counts,
            table_work=_table_work(source, log) if target.ready else {},
            pending_revisions=target.pending,
            unfinished=target.unfinished,
            rejects_to_write=_rejects_differ(source, log) if target.ready else False,
        )
    finally:
        log.close()


def run(
    source: SqliteLog,
    url: str,
    *,
    options: Options,
    confirm: Callable[[Plan], bool],
    clock: Clock,
    observer: Observer,
) -> Report:
    """Migrate and prove it. Interrupted at any point, the same call goes on where it stopped.

    ``confirm`` is shown the plan and says whether to go on.

    Raises:
        LockHeld: another migration into this database is running.
        BadEvents: the source holds rows that cannot be moved, and they are not to be quarantined.
        Interrupted: ``confirm`` said no.
    """
    started = clock.monotonic()
    with hold(url, "migrate", clock=clock, holder="migrate") as lock, no_collector():
        agreed = plan(source, url, observer)
        agreed.refuse_problems(options.quarantine)
        planned = clock.monotonic()
        if agreed.work and not confirm(agreed):
            raise Interrupted("stopped before anything was written", hint="run it again when ready")
        waited = clock.monotonic() - planned
        schema.upgrade(url, clock=clock)
        with _connected(url) as connection, _recorded(connection, source, clock.now) as run_id:
            begun = clock.monotonic()
            written = _copy(connection, source, agreed, options, run_id, clock, lock.check, observer)
            copied = clock.monotonic()
            _index(connection, observer)
            indexed = clock.monotonic()
            proof = _prove(source, url, observer)
            verified = clock.monotonic()
            report = Report(
                plan=agreed,
                written=written,
                tables=_table_results(agreed, proof),
                proof=proof,
                seconds=Seconds(
                    plan=planned - started,
                    copy=copied - begun,
                    index=indexed - copied,
                    verify=verified - indexed,
                    total=verified - started - waited,
                ),
                peak_rss=peak_rss() + max(r.scan.peak_rss for r in source.read().values()),
            )
            lock.check()
            _record(connection, run_id, report, clock.now())
    return report


def _look(url: str, users: list[str]) -> Target:
    """What the target holds of these users."""
    pending = [revision.id for revision in schema.pending(url)]
    if schema.current(url) is None:
        return Target(url, {}, pending, unfinished=False)
    with _connected(url) as connection, translated():
        rows = connection.execute(
            "SELECT user_id, count(*) FROM events WHERE user_id = ANY(%s) GROUP BY user_id", (users,)
        ).fetchall()
        unfinished = False
        if not pending:
            unfinished = bool(
                connection.execute(
                    "SELECT FROM runs WHERE kind = 'migrate'"
                    " AND (status = 'running' OR dropped_indexes IS NOT NULL) LIMIT 1"
                ).fetchone()
            )
    return Target(url, dict(rows), pending, unfinished)


def _check_prefix(source: SqliteLog, log: PostgresLog, counts: dict[str, int], observer: Observer) -> None:
    """What the target holds must be how the source begins: only then can the rest be appended."""
    digest = log.digest(observer.advance)
    nothing = Stream(0, EMPTY_HEAD)
    readings = source.read()
    wrong = [user for user in counts if digest.streams.get(user, nothing) != readings[user].scan.watched]
    if not wrong:
        return
    streams = {user: readings[user].scan.stream for user in wrong}
    found = compare.Differences()
    for user in wrong:
        if streams[user] != digest.streams[user]:
            found += compare.align(user, source, log)
    where = f"; first: {found.first.describe('source', 'target')}" if found.first else ""
    if found.extra:
        raise GateRefused(
            f"the target holds {found.extra:,} events of the source's users that the source lacks{where}",
            hint="it has moved on since, or is another log: compare with `gymops verify SOURCE TARGET`,"
            " and migrate into an empty database",
        )
    raise DifferenceFound(
        f"what the target holds is not how the source begins: {found.changed:,} events changed,"
        f" {found.moved:,} moved, {found.missing:,} missing{where}",
        hint="compare with `gymops verify SOURCE TARGET`, and migrate into an empty database",
    )


def _table_work(source: SqliteLog, log: PostgresLog) -> dict[str, int]:
    differences = {
        name: tables.compare(source.table_rows(name), log.table_rows(name)) for name in source.tables()
    }
    return {name: found.missing + found.changed for name, found in differences.items()}


def _rejects_differ(source: SqliteLog, log: PostgresLog) -> bool:
    mine = sum(len(r.scan.rejected) + len(r.rejected_table_rows) for r in source.read().values())
    return mine != log.rejected().rows


def _copy(
    connection: Connection,
    source: SqliteLog,
    agreed: Plan,
    options: Options,
    run_id: uuid.UUID,
    clock: Clock,
    check: Callable[[], None],
    observer: Observer,
) -> int:
    observer.phase("copying", agreed.to_write)
    if agreed.to_write >= options.index_from:
        indexes.drop(connection, run_id)
    written = 0
    for user in agreed.users:
        if user.rejected:
            copy.write_rejected(connection, source, user.user_id, clock.now())
        written += copy.copy_user(
            connection, source, user, run_id=run_id, now=clock.now, check=check, progress=observer.advance
        )
    for name, table in agreed.tables.items():
        if table.rejected:
            for user in agreed.users:
                copy.write_rejected(connection, source, user.user_id, clock.now())
        if table.to_write:
            copy.write_table(connection, source, name)
    return written


def _index(connection: Connection, observer: Observer) -> None:
    left = sum(len(found) for _, found in indexes.missing(connection))
    if left:
        observer.phase("building indexes", left)
        indexes.build(connection, observer.advance)


def _prove(source: SqliteLog, url: str, observer: Observer) -> Proof:
    """Compare the whole source with the whole target, both read after the last write."""
    users = source.users
    expected = sum(reading.scan.rows for reading in source.read().values())
    observer.phase("proving", 2 * expected)
    source.read_again(observer.advance)
    log = PostgresLog(url, only=users)
    try:
        mine, theirs = source.digest(), log.digest(observer.advance)
        first: compare.Difference | str | None = None
        if mine.head != theirs.head:
            first = compare.differences(source, log, mine, theirs).first
        elif mine.rejected != theirs.rejected:
            first = (
                f"the rejected rows differ: {mine.rejected.rows:,} in the source,"
                f" {theirs.rejected.rows:,} in the target"
            )
        gap = log.gap()
        if gap is not None:
            first = f"the positions of user {gap!r} are not 1, 2, 3, ..."
        compared = {
            name: tables.compare(source.table_rows(name), log.table_rows(name))
            for name in sorted(source.tables())
        }
        for name, found in compared.items():
            first = first or (f"table {name}: {found.first}" if not found.equal else None)
        equal = {name: found.equal for name, found in compared.items()}
        side = source.side_streams()
        if side:
            equal["events.extra"] = side == log.side_streams()
            if not equal["events.extra"]:
                first = first or "the side column of events differs"
    finally:
        log.close()
    return Proof(mine, theirs, equal, first)


def _table_results(agreed: Plan, proof: Proof) -> dict[str, TableResult]:
    results = {
        name: TableResult(table.rows, table.to_write, table.rejected, proof.tables.get(name, False))
        for name, table in agreed.tables.items()
    }
    if "events.extra" in proof.tables:
        rows = agreed.events
        results["events.extra"] = TableResult(rows, agreed.to_write, 0, proof.tables["events.extra"])
    return results


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    connection = connect(url, autocommit=True, application="gymops migrate")
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _recorded(connection: Connection, source: SqliteLog, now: Callable[[], datetime]) -> Iterator[uuid.UUID]:
    """A row in runs that says what is going on.

    Earlier runs still marked as running are dead: we hold the lock.
    """
    run_id = uuid.uuid4()
    with translated(), connection.transaction():
        connection.execute(
            "UPDATE runs SET status = 'failed', finished_at = %s"
            " WHERE kind = 'migrate' AND status = 'running'",
            (now(),),
        )
        connection.execute(
            "INSERT INTO runs (run_id, kind, source, status, started_at, host, pid)"
            " VALUES (%s, 'migrate', %s, 'running', %s, %s, %s)",
            (run_id, source.name, now(), socket.gethostname(), os.getpid()),
        )
    try:
        yield run_id
    except BaseException:
        # Also on Ctrl-C: what was committed stays, and the run is told as failed.
        with suppress(psycopg.Error):  # the connection may be what failed; the next run marks this one
            connection.execute(
                "UPDATE runs SET status = 'failed', finished_at = %s WHERE run_id = %s", (now(), run_id)
            )
        raise


def _record(connection: Connection, run_id: uuid.UUID, report: Report, now: datetime) -> None:
    document = json.loads(json.dumps(report.as_dict()))
    status = "done" if report.proof.equal else "failed"
    with translated(), connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = on")
        connection.execute(
            "UPDATE runs SET status = %s, finished_at = %s, report = %s WHERE run_id = %s",
            (status, now, Jsonb(document), run_id),
        )
