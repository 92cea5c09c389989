"""Moving the tables of a file: plan, load, prove and record, in one transaction of the target."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from gymops.clock import Clock
from gymops.errors import DifferenceFound, GateRefused, Interrupted, SourceError, TargetError
from gymops.eventlog.scan import no_collector, peak_rss
from gymops.pg.connection import Connection, connect, redact, translated
from gymops.pg.failures import interruptible
from gymops.pg.lock import hold
from gymops.tables import differences, loading, overrides, proof, snapshot, target
from gymops.tables.differences import Difference
from gymops.tables.make import Observer, make
from gymops.tables.plan import Plan, Rule, TablePlan
from gymops.tables.proof import Proof
from gymops.tables.snapshot import Snapshot

_RECORDS = """
CREATE SCHEMA IF NOT EXISTS gymops_records;
CREATE TABLE IF NOT EXISTS gymops_records.runs (
  run_id uuid NOT NULL,
  source text NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  host text,
  pid bigint,
  report jsonb,
  CONSTRAINT runs_pkey PRIMARY KEY (run_id)
);
CREATE TABLE IF NOT EXISTS gymops_records.rejected_rows (
  target_table text COLLATE "C" NOT NULL,
  source_table text NOT NULL,
  source_rowid bigint NOT NULL,
  reason text NOT NULL,
  columns text[] NOT NULL,
  types text[] NOT NULL,
  cells bytea[] NOT NULL,
  rejected_at timestamptz NOT NULL,
  CONSTRAINT rejected_rows_pkey PRIMARY KEY (target_table, source_rowid),
  CONSTRAINT rejected_rows_cells_check
    CHECK (cardinality(columns) = cardinality(types) AND cardinality(columns) = cardinality(cells))
);
REVOKE ALL ON gymops_records.runs, gymops_records.rejected_rows FROM PUBLIC
"""
_RECORD = "INSERT INTO gymops_records.runs VALUES (%s, %s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Seconds:
    """How long each part took."""

    plan: float
    copy: float
    index: float
    verify: float
    total: float


@dataclass(frozen=True)
class Report:
    """The result of moving a file's tables."""

    plan: Plan
    written: dict[str, int]
    """Table in the target -> rows written."""
    unchecked: tuple[str, ...]
    """Rules that rows which are there break: they hold for what is written from now on."""
    views: dict[str, tuple[int | None, int]]
    """View -> how many rows it gives in the source (None: it cannot be read there) and in the target."""
    proof: Proof
    seconds: Seconds

    def as_dict(self) -> dict[str, Any]:
        """The document of ``migrate --json``; its keys are stable."""
        mine, theirs = self.proof.digests
        written = sum(self.written.values())
        copying = self.seconds.copy + self.seconds.index
        return {
            "source": self.plan.source,
            "target": self.plan.target,
            "rows": {
                "source": self.plan.rows,
                "written": written,
                "already_there": 0 if self.plan.work else self.plan.rows - self.plan.rejected.rows,
                "rejected": self.plan.rejected.rows,
            },
            "tables": {table.source.name: self._table(table) for table in self.plan.tables},
            "views": {
                name: {"source": mine, "target": theirs} for name, (mine, theirs) in self.views.items()
            },
            "left_out": [vars(one) for one in self.plan.left_out],
            "unchecked": list(self.unchecked),
            "digest": {"source": mine, "target": theirs},
            "verified": self.proof.equal,
            "first_difference": self.proof.first_difference,
            "seconds": {name: round(value, 3) for name, value in vars(self.seconds).items()},
            "rows_per_second": round(written / copying) if written and copying else 0,
            "peak_rss_mb": round(peak_rss() / 1e6, 1),
            "rejected_digest": self.plan.rejected.digest,
        }

    def _table(self, table: TablePlan) -> dict[str, Any]:
        mine, theirs = self.proof.source[table.name], self.proof.target[table.name]
        return {
            "target": table.name,
            "source": table.rows,
            "written": self.written.get(table.name, 0),
            "rejected": len(table.scanned.rejected),
            "rules": len(table.rules),
            "digest": {"source": mine.digest, "target": theirs.digest},
            "verified": mine == theirs,
        }


def plan(path: Path, url: str, section: Mapping[str, Any], observer: Observer) -> Plan:
    """Read the whole file and decide; what is tried on the target is rolled back."""
    with _opened(path, url, section, observer) as (_, _, found):
        return found


def verify(
    path: Path, url: str, section: Mapping[str, Any], observer: Observer
) -> tuple[Plan, Proof, dict[str, Difference]]:
    """Compare a file's tables with those of the target; the rows of each that differs, too.

    Raises:
        DifferenceFound: the target does not have all of these tables.
    """
    try:
        with _opened(path, url, section, observer) as (source, connection, found):
            if found.there:
                return found, *_compared(connection, source, found, observer)
            lacking = ", ".join(table.name for table in found.tables)
    except GateRefused as error:
        raise DifferenceFound(error.message, hint=error.hint) from error
    raise DifferenceFound(
        f"{redact(url)} has none of the tables {lacking}", hint=f"gymops migrate {path} --to URL moves them"
    )


def run(
    path: Path,
    url: str,
    section: Mapping[str, Any],
    *,
    quarantine: bool,
    confirm: Callable[[Plan], bool],
    clock: Clock,
    observer: Observer,
) -> Report:
    """Move the tables and prove it, or leave nothing behind; ``section`` is [migrate] of gymops.toml.

    Raises:
        LockHeld: another migration into this database is running.
        BadEvents: rows cannot be moved, and they are not to be quarantined.
        GateRefused: the target has these tables with another content.
        Interrupted: ``confirm`` said no.
    """
    started = clock.monotonic()
    with (
        interruptible(),
        hold(url, "migrate", clock=clock, holder="migrate") as lock,
        no_collector(),
        _opened(path, url, section, observer) as (source, connection, agreed),
    ):
        agreed.refuse_problems(quarantine)
        planned = clock.monotonic()
        if agreed.there:
            return _there(connection, source, agreed, clock, started, observer)
        if not confirm(agreed):
            raise Interrupted("stopped before anything was written", hint="run it again when ready")
        begun, begun_at = clock.monotonic(), clock.now()
        with translated(), connection.transaction():
            connection.execute(_RECORDS)
            observer.phase("copying", agreed.rows)
            written = {
                table.name: _copied(connection, source, table, clock, observer) for table in agreed.tables
            }
            copied = clock.monotonic()
            unchecked = _ruled(connection, agreed, observer)
            views = _viewed(connection, source, agreed)
            ruled = clock.monotonic()
            observer.phase("proving", agreed.rows)
            proved = proof.prove(connection, agreed, observer.advance)
            ended = clock.monotonic()
            seconds = Seconds(
                planned - started,
                copied - begun,
                ruled - copied,
                ended - ruled,
                ended - started - (begun - planned),
            )
            report = Report(agreed, written, unchecked, views, proved, seconds)
            if not proved.equal:
                raise DifferenceFound(
                    f"the copy is not what the file holds, and was taken back: {proved.first_difference}",
                    hint="run it again; if it stays so, this is a fault of gymops: please report it with the"
                    " table's declaration. Another type for a column in gymops.toml may go around it",
                )
            document = Jsonb(json.loads(json.dumps(report.as_dict())))
            place = (socket.gethostname(), os.getpid())
            connection.execute(_RECORD, (uuid.uuid4(), source.name, begun_at, clock.now(), *place, document))
            lock.check()
    return report


@contextmanager
def _opened(
    path: Path, url: str, section: Mapping[str, Any], observer: Observer
) -> Iterator[tuple[Snapshot, Connection, Plan]]:
    with (
        closing(connect(url, autocommit=True, application="gymops migrate")) as connection,
        snapshot.taken(path) as source,
    ):
        if not source.schema.tables:
            raise SourceError(
                f"{source.name}: it holds no tables", hint="check that it is the app's database"
            )
        choices = overrides.read(section, source.schema)
        yield source, connection, make(source, connection, redact(url), choices, observer)


def _there(
    connection: Connection, source: Snapshot, agreed: Plan, clock: Clock, started: float, observer: Observer
) -> Report:
    """The tables are there: nothing is written, whatever they hold."""
    planned = clock.monotonic()
    found, rows_apart = _compared(connection, source, agreed, observer)
    ended = clock.monotonic()
    if not found.equal:
        rows = "".join(f"; {name}: {difference}" for name, difference in rows_apart.items())
        raise GateRefused(
            f"the target has these tables, and not with this content: {found.first_difference}{rows}",
            hint="the file or the target has moved on since: compare with `gymops verify SOURCE TARGET`, and"
            " migrate into an empty database",
        )
    seconds = Seconds(planned - started, 0, 0, ended - planned, ended - started)
    return Report(agreed, {}, (), {}, found, seconds)


def _compared(
    connection: Connection, source: Snapshot, agreed: Plan, observer: Observer
) -> tuple[Proof, dict[str, Difference]]:
    observer.phase("proving what is there", agreed.rows)
    found = proof.prove(connection, agreed, observer.advance)
    whole = {name.removeprefix("column ") for name in found.missing if name.startswith("column ")}
    different = [
        table
        for table in agreed.tables
        if found.source[table.name] != found.target[table.name]
        and not any(name.startswith(f"{table.name}.") for name in whole)
    ]
    with translated():
        return found, {table.name: differences.find(connection, source, table) for table in different}


def _copied(
    connection: Connection, source: Snapshot, table: TablePlan, clock: Clock, observer: Observer
) -> int:
    """Make a table and fill it, its rejected rows beside it."""
    connection.execute(target.create(table).encode())
    written = loading.fill(connection, source, table, observer.advance)
    loading.keep_rejected(connection, source, table, clock.now)
    return written


def _ruled(connection: Connection, agreed: Plan, observer: Observer) -> tuple[str, ...]:
    """Make keys, indexes, checks and references, and set the sequences; return what rows there break."""
    rules = [(table, rule) for table in agreed.tables for rule in table.rules]
    observer.phase("keys, indexes and references", len(rules))
    unchecked = []
    for table, rule in sorted(rules, key=lambda one: one[1].what == "foreign key"):
        if rule.what in ("check", "foreign key"):
            connection.execute(target.statement(table, rule, unchecked=True).encode())
            try:
                with connection.transaction():
                    validate = sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}")
                    connection.execute(validate.format(sql.Identifier(table.name), sql.Identifier(rule.name)))
            except psycopg.IntegrityError:
                unchecked.append(f"{rule.what} {rule.name} of {table.source.name}")
        else:
            _made(connection, table, rule)
        observer.advance(1)
    for table in agreed.tables:
        for column in table.columns:
            if column.identity:
                _numbered(connection, table, column.name)
    return tuple(unchecked)


def _made(connection: Connection, table: TablePlan, rule: Rule) -> None:
    try:
        connection.execute(target.statement(table, rule).encode())
    except (psycopg.IntegrityError, psycopg.OperationalError) as error:
        if error.sqlstate not in ("23505", "54000"):  # equal keys, or a value that is too long for an index
            raise
        raise TargetError(
            f"the {rule.what} {rule.name} of {table.source.name} cannot be made, and all was taken back:"
            f" PostgreSQL: {error.diag.message_primary}",
            hint=f'leave it out in gymops.toml: [migrate.tables.{table.source.name}.sql] {rule.name} = ""',
        ) from error


def _numbered(connection: Connection, table: TablePlan, column: str) -> None:
    """The next number is behind the highest that was ever given."""
    query = sql.SQL(
        "SELECT setval(pg_get_serial_sequence({table_text}, {column_text}), greatest(m, {last}, 1),"
        " greatest(m, {last}) >= 1) FROM (SELECT coalesce(max({column}), 0) AS m FROM {table}) AS t"
    ).format(
        table_text=sql.Literal(sql.Identifier(table.name).as_string()),
        column_text=sql.Literal(column),
        column=sql.Identifier(column),
        table=sql.Identifier(table.name),
        last=sql.Literal(table.source.last_number),
    )
    connection.execute(query)


def _viewed(connection: Connection, source: Snapshot, agreed: Plan) -> dict[str, tuple[int | None, int]]:
    """Make the views; how many rows each gives on both sides."""
    found: dict[str, tuple[int | None, int]] = {}
    for view in agreed.views:
        connection.execute(view.query.encode())
        row = connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(view.name))
        ).fetchone()
        found[view.source] = (source.count(view.source), row[0] if row else 0)
    return found
