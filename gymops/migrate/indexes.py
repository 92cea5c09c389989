"""Loading without indexes: dropped from an empty table only, recorded in the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from gymops.pg.connection import translated

Connection = psycopg.Connection[tuple[Any, ...]]
Sessions = Callable[[], AbstractContextManager[Connection]]

FROM_EVENTS = 50_000
"""Fewer events are loaded faster into a table with its indexes in place."""
_AT_A_TIME = 2

_INDEXES = """
SELECT c.relname, pg_get_indexdef(i.indexrelid), coalesce(k.contype::text, '')
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
WHERE i.indrelid = 'events'::regclass AND (k.contype IS NULL OR k.contype IN ('p', 'u'))
ORDER BY k.contype = 'p' DESC NULLS LAST, c.relname
"""

_FOUND = """
SELECT true, EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'events'::regclass AND c.relname = %(name)s
"""

_RECORDED = "SELECT run_id, dropped_indexes FROM runs WHERE dropped_indexes IS NOT NULL ORDER BY started_at"


@dataclass(frozen=True)
class Index:
    """An index of the events table; ``constraint`` is p (primary key), u (unique) or empty."""

    name: str
    definition: str
    constraint: str


def drop(connection: Connection, run_id: uuid.UUID, check: Callable[[], None]) -> bool:
    """Drop the indexes of an empty events table and record them; False if it is not empty."""
    with translated(), connection.transaction():
        connection.execute("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")
        if connection.execute("SELECT FROM events LIMIT 1").fetchone() is not None:
            return False
        indexes = [Index(*row) for row in connection.execute(_INDEXES)]
        if not indexes:  # a run that died before its first batch has dropped and recorded them
            return True
        connection.execute(
            "UPDATE runs SET dropped_indexes = %s WHERE run_id = %s",
            (Jsonb([asdict(index) for index in indexes]), run_id),
        )
        for index in indexes:
            name = sql.Identifier(index.name)
            if index.constraint:
                connection.execute(sql.SQL("ALTER TABLE events DROP CONSTRAINT {}").format(name))
            else:
                connection.execute(sql.SQL("DROP INDEX {}").format(name))
        check()
    return True


def missing(connection: Connection) -> list[tuple[uuid.UUID, list[Index]]]:
    """The indexes that this or an earlier run dropped and has not built again, by run."""
    with translated():
        rows = connection.execute(_RECORDED).fetchall()
    return [(run_id, [Index(**index) for index in indexes]) for run_id, indexes in rows]


def build(connection: Connection, check: Callable[[], None], progress: Callable[[int], None]) -> int:
    """Build what is missing, each index and its record in one transaction; return how many."""
    built = 0
    for run_id, indexes in missing(connection):
        for at, index in enumerate(indexes):
            with translated(), connection.transaction():
                connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
                _build(connection, index)
                left = [asdict(other) for other in indexes[at + 1 :]]
                connection.execute(
                    "UPDATE runs SET dropped_indexes = %s WHERE run_id = %s",
                    (Jsonb(left) if left else None, run_id),
                )
                check()
            built += 1
            progress(1)
    return built


@contextmanager
def in_the_making(connection: Connection, sessions: Sessions) -> Iterator[None]:
    """Build what is missing, two at a time; at the end ``build`` has only to declare and to record it.

    Inside, the first one is there, which is the primary key's: events can be read in their order while
    the others are being built. They can not be written. ``sessions`` opens more connections.
    """
    with translated(), connection.transaction():
        # A session of a run that was killed may still be building one: without waiting for it, two
        # would be built under one name.
        connection.execute("LOCK TABLE events IN ROW EXCLUSIVE MODE")
        todo = [
            index
            for _, indexes in missing(connection)
            for index in indexes
            if connection.execute(_FOUND, {"name": index.name}).fetchone() is None
        ]
    if not todo:
        yield
        return
    with translated(), ExitStack() as stack:
        idle: SimpleQueue[Connection] = SimpleQueue()
        opened = [stack.enter_context(sessions()) for _ in range(_AT_A_TIME)]
        for session in opened:
            session.execute("SET maintenance_work_mem = '256MB'")
            # Each build sorts on one core for most of its time.
            session.execute("SET max_parallel_maintenance_workers = 0")
            idle.put(session)

        def create(definition: str) -> None:
            session = idle.get()
            try:
                with translated():
                    session.execute(definition.encode())
            finally:
                idle.put(session)

        pool = stack.enter_context(ThreadPoolExecutor(_AT_A_TIME))
        try:
            first, *others = [pool.submit(create, index.definition) for index in todo]
            first.result()
            yield
            for done in as_completed(others):
                done.result()
        except BaseException:  # also Ctrl-C: the server must not go on building for nobody
            pool.shutdown(wait=False, cancel_futures=True)
            for session in opened:
                with suppress(psycopg.Error):  # the server may be what failed
                    session.cancel_safe(timeout=5)
            raise


def _build(connection: Connection, index: Index) -> None:
    """Build an index, or what is left to do for one that somebody built by hand meanwhile."""
    found = connection.execute(_FOUND, {"name": index.name}).fetchone()
    built, constrained = found or (False, False)
    if not built:
        # The definition is PostgreSQL's own (pg_get_indexdef), recorded before the index was dropped.
        connection.execute(index.definition.encode())
    if index.constraint and not constrained:
        kind = sql.SQL("PRIMARY KEY" if index.constraint == "p" else "UNIQUE")
        name = sql.Identifier(index.name)
        connection.execute(
            sql.SQL("ALTER TABLE events ADD CONSTRAINT {name} {kind} USING INDEX {name}").format(
                name=name, kind=kind
            )
        )
