"""Copy events in batches; a batch, its checkpoint and its rejected rows share a transaction."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Set
from datetime import datetime
from typing import Any

import psycopg

from gymops.eventlog.event import Row
from gymops.eventlog.tables import TABLES, Table, given
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate.plan import UserPlan
from gymops.migrate.rejects import RejectedRows, renumber
from gymops.pg.connection import translated

Connection = psycopg.Connection[tuple[Any, ...]]

BATCH_EVENTS = 50_000
BATCH_BYTES = 32 << 20
_WRITE = 128
"""Rows formatted at a time, so that the server always has something to do while we read on."""

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_length = struct.Struct(">i").pack
_payload_head = struct.Struct(">iB").pack
_position_id_null_time = struct.Struct(">iqi16siiq").pack
_position_id = struct.Struct(">iqi16s").pack
_time = struct.Struct(">iq").pack

_COPY_EVENTS = """
COPY events
    (user_id, position, event_id, source_event_id, "timestamp", event_type, schema_version, payload, extra)
FROM STDIN (FORMAT binary)
"""

_CHECKPOINT = """
INSERT INTO checkpoints (user_id, run_id, source_rowid, events, rejected, updated_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (user_id) DO UPDATE
SET run_id = excluded.run_id, source_rowid = excluded.source_rowid, events = excluded.events,
    rejected = excluded.rejected, updated_at = excluded.updated_at
"""


def copy_user(
    connection: Connection,
    source: SqliteLog,
    user: UserPlan,
    *,
    run_id: uuid.UUID,
    now: Callable[[], datetime],
    check: Callable[[], None],
    progress: Callable[[int], None],
) -> int:
    """Append a user's events behind those that are there already; return how many were written.

    ``check`` is called before each commit and raises when the run has lost its lock, or the source its
    order.
    """
    position = user.already_there
    encode = Encoder(user.user_id)
    batches = source.rows(user.user_id, after=user.after_rowid)
    if user.rejected:
        renumber(connection, source, user.user_id, check)
    rejected = RejectedRows(source, user.user_id)
    ended = user.already_there >= user.events
    rowid = user.after_rowid
    while not ended or rejected.left:
        with translated(), connection.transaction():
            # The last commit of the run waits for the disk, and with it for all before it. A crash of
            # the server in between loses whole batches with their checkpoints, never a part of one.
            connection.execute("SET LOCAL synchronous_commit = off")
            before, size = position, 0
            with connection.cursor() as cursor, cursor.copy(_COPY_EVENTS) as copy:
                copy.write(_HEADER)
                for rows in batches:
                    for start in range(0, len(rows), _WRITE):
                        part = rows[start : start + _WRITE]
                        data = encode(part, position)
                        copy.write(data)
                        position += len(part)
                        size += len(data)
                    rowid = rows[-1][0] if rows else rowid
                    if position - before >= BATCH_EVENTS or size >= BATCH_BYTES:
                        break
                else:
                    ended = True
                copy.write(_TRAILER)
            ended = ended or position >= user.events
            rejected.write(connection, upto=None if ended else rowid, now=now())
            counts = (position, rejected.passed)
            # Before the lowest of all rowids there is no number left that a bigint holds.
            connection.execute(_CHECKPOINT, (user.user_id, run_id, max(rowid, -(2**63)), *counts, now()))
            check()
        progress(position - before)
    return position - user.already_there


def write_table(
    connection: Connection, source: SqliteLog, name: str, folded: Set[str], check: Callable[[], None]
) -> None:
    """Write one table beside the events, newer rows over older ones, in one transaction.

    ``folded`` are the users whose projections the target folds from their events itself.
    """
    table: Table = TABLES[name]
    with translated(), connection.transaction(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE staging (user_id text, key jsonb, value jsonb) ON COMMIT DROP")
        with cursor.copy("COPY staging FROM STDIN") as copy:
            for row in given(name, source.raw_table_rows(name), folded):
                copy.write_row(row)
        cursor.execute(table.insert("staging"))
        check()


class Encoder:
    """Formats rows of one user for a binary COPY into events.

    The payload goes as the source wrote it: PostgreSQL parses it itself, so that the proof compares two
    independent readings of it.
    """

    def __init__(self, user_id: str) -> None:
        raw = user_id.encode()
        self._prefix = struct.pack(">hi", 9, len(raw)) + raw
        self._types: dict[tuple[str, int], bytes] = {}

    def __call__(self, rows: list[Row], position: int) -> bytes:
        """The tuples of ``rows``, at the positions after ``position``."""
        prefix, types = self._prefix, self._types
        out: list[bytes] = []
        for _, event_id, timestamp, event_type, payload, version, source, extra in rows:
            position += 1
            raw = payload.encode()
            out += (
                prefix,
                _position_id_null_time(8, position, 16, event_id, -1, 8, timestamp)
                if source is None
                else _position_id(8, position, 16, event_id) + _field(source) + _time(8, timestamp),
                types.get((event_type, version)) or self._type(event_type, version),
                _payload_head(len(raw) + 1, 1),
                raw,
                _NULL if extra is None else _json(extra),
            )
        return b"".join(out)

    def _type(self, event_type: str, version: int) -> bytes:
        raw = _field(event_type) + struct.pack(">ii", 4, version)
        if len(self._types) < 1024:  # memory stays flat when every event has a type of its own
            self._types[event_type, version] = raw
        return raw


def _field(text: str) -> bytes:
    raw = text.encode()
    return _length(len(raw)) + raw


def _json(text: str) -> bytes:
    raw = text.encode()
    return _payload_head(len(raw) + 1, 1) + raw
