"""The record of a run: a row in runs, begun before the first write and ended with the proof."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from gymops.errors import GymopsError
from gymops.migrate.report import Report
from gymops.migrate.target import connected
from gymops.pg.connection import translated

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def recorded(
    url: str, connection: Connection, source: str, now: Callable[[], datetime]
) -> Iterator[uuid.UUID]:
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
            (run_id, source, now(), socket.gethostname(), os.getpid()),
        )
    try:
        yield run_id
    except BaseException:
        # Also on Ctrl-C: what was committed stays, and the run is told as failed. In a session of its
        # own: a late cancel request may still hit the next statement of the old one.
        connection.close()
        with suppress(GymopsError, psycopg.Error):  # the server may be what failed; the next run marks it
            _fail(url, run_id, now())
        raise


def _fail(url: str, run_id: uuid.UUID, now: datetime) -> None:
    with connected(url) as connection:
        connection.execute(
            "UPDATE runs SET status = 'failed', finished_at = %s WHERE run_id = %s AND status = 'running'",
            (now, run_id),
        )


def finish(
    connection: Connection, run_id: uuid.UUID, report: Report, now: datetime, check: Callable[[], None]
) -> None:
    """Record what a run did and proved. This commit waits for the disk, and with it for all before it."""
    document = json.loads(json.dumps(report.as_dict()))
    status = "done" if report.proof.equal else "failed"
    with translated(), connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = on")
        connection.execute(
            "UPDATE runs SET status = %s, finished_at = %s, report = %s WHERE run_id = %s",
            (status, now, Jsonb(document), run_id),
        )
        check()
