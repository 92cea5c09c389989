"""What the target holds already, and whether the rest of the source can be appended to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg

from gymops.errors import DifferenceFound, GateRefused
from gymops.eventlog import compare, tables
from gymops.eventlog.digest import CHUNK, Stream, StreamHasher, record
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate.phase import Observer
from gymops.pg import schema
from gymops.pg.connection import connect, translated

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Target:
    """The database to fill, and how many events it holds of each of the source's users."""

    url: str
    counts: dict[str, int]
    pending: list[str]
    """Schema revisions to be applied first."""
    unfinished: bool
    """An earlier run ended before its proof, or left indexes to be built."""

    @property
    def ready(self) -> bool:
        """Whether the schema is there, so that all its tables can be read."""
        return not self.pending


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A session of the migration; every statement outside a transaction commits at once."""
    connection = connect(url, autocommit=True, application="gymops migrate")
    try:
        yield connection
    finally:
        connection.close()


def look(url: str, users: list[str]) -> Target:
    """What the target holds of these users."""
    pending = [revision.id for revision in schema.pending(url)]
    if schema.current(url) is None:
        return Target(url, {}, pending, unfinished=False)
    with connected(url) as connection, translated():
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


def check_prefix(source: SqliteLog, log: PostgresLog, target: Target, observer: Observer) -> None:
    """What the target holds must be how the source begins: only then can the rest be appended.

    Raises:
        GateRefused: it holds events of a user that the source lacks.
        DifferenceFound: it holds an event of the source in another form or order.
    """
    if target.ready:
        streams = dict(log.digest(observer.advance).streams)
    else:  # an older schema may lack the tables that a whole digest reads
        streams = {user: _stream(log, user, observer) for user in target.counts}
    readings = source.read()
    wrong = [user for user in target.counts if streams.get(user) != readings[user].scan.watched]
    if not wrong:
        return
    found = compare.Differences()
    for user in wrong:
        if readings[user].scan.stream != streams.get(user):
            found += compare.align(user, source, log)
    first = found.first
    where = f"; first: {first.describe('source', 'target')}" if first else ""
    if found.extra:
        example = where if first and first.kind == "extra" else f"; first difference{where[7:]}"
        raise GateRefused(
            f"the target holds {found.extra:,} events of the source's users that the source lacks{example}",
            hint="it has moved on since, or is another log: compare with `gymops verify SOURCE TARGET`,"
            " and migrate into an empty database",
        )
    raise DifferenceFound(
        f"what the target holds is not how the source begins: {found.changed:,} events changed,"
        f" {found.moved:,} moved, {found.missing:,} missing{where}",
        hint="compare with `gymops verify SOURCE TARGET`, and migrate into an empty database",
    )


def table_work(source: SqliteLog, log: PostgresLog) -> dict[str, int]:
    """How many rows of each table beside the events are to be written."""
    folded = log.folded_users()
    differences = {
        name: tables.compare(
            tables.given(name, source.table_rows(name), folded),
            tables.given(name, log.table_rows(name), folded),
        )
        for name in source.tables()
    }
    return {name: found.missing + found.changed for name, found in differences.items()}


def rejects_differ(source: SqliteLog, log: PostgresLog) -> bool:
    """Whether the target holds another number of rejected rows than the source."""
    mine = sum(len(r.scan.rejected) + len(r.rejected_table_rows) for r in source.read().values())
    return mine != log.rejected().rows


def _stream(log: PostgresLog, user: str, observer: Observer) -> Stream:
    hasher = StreamHasher()
    for batch in _batches(record(event) for event in log.events(user)):
        hasher.add(batch)
        observer.advance(len(batch))
    return hasher.stream()


def _batches(records: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(records)
    while batch := list(islice(rest, CHUNK)):
        yield batch
