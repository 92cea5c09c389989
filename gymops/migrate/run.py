"""The migration from end to end: plan, schema, copy, indexes, proof, record."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from gymops.clock import Clock
from gymops.errors import GymopsError, Interrupted
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.scan import no_collector, peak_rss
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate import copy, indexes, records
from gymops.migrate import plan as planning
from gymops.migrate import target as targets
from gymops.migrate.phase import Observer
from gymops.migrate.plan import Plan
from gymops.migrate.report import Proof, Report, Seconds, TableResult
from gymops.migrate.rowids import Rowids
from gymops.migrate.verify import prove
from gymops.pg import schema
from gymops.pg.connection import redact
from gymops.pg.failures import interruptible
from gymops.pg.lock import hold

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Options:
    """How to run."""

    quarantine: bool = False
    index_from: int = indexes.FROM_EVENTS
    """From so many events on, an empty table is loaded without its indexes."""


def plan(source: SqliteLog, url: str, observer: Observer) -> Plan:
    """Read the whole source and what the target holds of it; write nothing.

    Raises:
        GateRefused: the target holds events of a user that the source lacks.
        DifferenceFound: the target holds an event of the source in another form or order.
    """
    target = targets.look(url, source.users)
    observer.phase("reading the source", None)
    source.read(target.counts, observer.advance)
    log = PostgresLog(url, only=source.users)
    try:
        if target.counts:
            observer.phase("comparing what is there already", sum(target.counts.values()))
            targets.check_prefix(source, log, target, observer)
        return planning.make(
            source,
            redact(url),
            already_there=target.counts,
            table_work=targets.table_work(source, log) if target.ready else {},
            pending_revisions=target.pending,
            unfinished=target.unfinished,
            rejects_to_write=targets.rejects_differ(source, log) if target.ready else False,
            folded=log.folded_users() if target.ready else frozenset(),
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
    with (
        interruptible(),
        hold(url, "migrate", clock=clock, holder="migrate") as lock,
        no_collector(),
    ):
        rowids = Rowids(source)
        agreed = plan(source, url, observer)
        agreed.refuse_problems(options.quarantine)
        planned = clock.monotonic()
        if agreed.work and not confirm(agreed):
            raise Interrupted("stopped before anything was written", hint="run it again when ready")
        waited = clock.monotonic() - planned
        schema.upgrade(url, clock=clock)
        with (
            targets.connected(url) as connection,
            records.recorded(url, connection, source.name, clock.now) as run_id,
        ):
            job = _Job(url, connection, source, agreed, run_id, clock, lock.check, observer)
            begun = clock.monotonic()
            written = job.copy(options.index_from, rowids)
            copied = clock.monotonic()
            with job.indexes():
                keyed = clock.monotonic()
                proof = prove(source, url, observer)
                proved = clock.monotonic()
            if not proof.equal:
                rowids.check_all()
            ended = clock.monotonic()
            report = Report(
                plan=agreed,
                written=written,
                tables=_table_results(agreed, proof),
                proof=proof,
                seconds=Seconds(
                    plan=planned - started,
                    copy=copied - begun,
                    index=ended - copied - (proved - keyed),
                    verify=proved - keyed,
                    total=ended - started - waited,
                ),
                peak_rss=peak_rss() + max(r.scan.peak_rss for r in source.read().values()),
            )
            records.finish(connection, run_id, report, clock.now(), lock.check)
    return report


@dataclass(frozen=True)
class _Job:
    """The writing part of a run."""

    url: str
    connection: Connection
    source: SqliteLog
    agreed: Plan
    run_id: uuid.UUID
    clock: Clock
    check: Callable[[], None]
    observer: Observer

    def copy(self, index_from: int, rowids: Rowids) -> int:
        """Write what the plan says; return how many events."""
        agreed, connection, source = self.agreed, self.connection, self.source
        large = agreed.to_write >= index_from
        if not (large and indexes.drop(connection, self.run_id, self.check)):
            with self.indexes():  # those that a run which died has dropped: rows go through all of them
                pass
        self.observer.phase("copying", agreed.to_write)
        written = 0
        for user in agreed.users:
            if not (user.to_write or agreed.rejects_to_write):
                continue

            def check(user_id: str = user.user_id) -> None:
                rowids.check(user_id)
                self.check()

            try:
                written += copy.copy_user(
                    connection,
                    source,
                    user,
                    run_id=self.run_id,
                    now=self.clock.now,
                    check=check,
                    progress=self.observer.advance,
                )
            except GymopsError:
                rowids.check(user.user_id)  # may explain it: rows that we did not plan with
                raise
        for name, table in agreed.tables.items():
            if table.to_write:
                copy.write_table(connection, source, name, agreed.folded, self.check)
        return written

    @contextmanager
    def indexes(self) -> Iterator[None]:
        """Build what was dropped, by this run or by one that died; inside, events are read in their order."""
        left = sum(len(found) for _, found in indexes.missing(self.connection))
        if left:
            self.observer.phase("building indexes", left)
        with indexes.in_the_making(self.connection, lambda: targets.connected(self.url)):
            yield
            if left:
                self.observer.phase("finishing the indexes", left)
        if left:
            indexes.build(self.connection, self.check, self.observer.advance)


def _table_results(agreed: Plan, proof: Proof) -> dict[str, TableResult]:
    results = {
        name: TableResult(table.rows, table.to_write, table.rejected, proof.tables.get(name, False))
        for name, table in agreed.tables.items()
    }
    if "events.extra" in proof.tables:
        rows = agreed.events
        results["events.extra"] = TableResult(rows, agreed.to_write, 0, proof.tables["events.extra"])
    return results
