"""Binary COPY, read as it arrives: the tuples, each as PostgreSQL sends it."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator

import psycopg
from psycopg import sql
from psycopg.errors import error_from_result

from gymops.eventlog.digest import NULL
from gymops.eventlog.event import Event
from gymops.pg.connection import Connection

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_BATCH_BYTES = 256 << 10


def copy_out(connection: Connection, query: sql.Composed) -> Iterator[list[bytes]]:
    """The tuples of a binary COPY, some at a time."""
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        header = bytes(copy.read())  # comes with the first tuple, or with the trailer if there is none
        batch = [header[len(HEADER) :]] if len(header) > len(HEADER) else []
        size = 0
        arrived = connection.pgconn.get_copy_data
        for data in copy:
            batch.append(bytes(data))
            size += len(data)
            # psycopg waits anew for every tuple, which costs more than all else here: those that are there
            # already are taken straight from libpq. What follows the trailer is left to psycopg.
            while batch[-1] != TRAILER and size < _BATCH_BYTES:
                count, more = arrived(1)
                if count < 0:
                    raise _ended_early(connection)
                if count == 0:
                    break
                batch.append(bytes(more))
                size += count
            if size >= _BATCH_BYTES:
                last = batch.pop()  # may be the trailer
                yield batch
                batch, size = [last], 0
        if batch and batch[-1] == TRAILER:
            batch.pop()
        yield batch


def _ended_early(connection: Connection) -> psycopg.Error:
    """What the server said instead of the rest of a COPY; the session can be used again."""
    first, *_ = iter(connection.pgconn.get_result, None)
    return error_from_result(first)


def parse(record: bytes) -> Event:
    """Read a record (see ``digest``) back into an event."""
    fields: list[bytes] = []
    at = 2
    for _ in range(7):
        (length,) = struct.unpack_from(">i", record, at)
        at += 4
        fields.append(record[at : at + length] if length >= 0 else b"")
        at += max(length, 0)
    user_id, event_id, timestamp, event_type, version, payload, source = fields
    return Event(
        user_id=user_id.decode(),
        event_id=uuid.UUID(bytes=event_id),
        timestamp=struct.unpack(">q", timestamp)[0],
        event_type=event_type.decode(),
        schema_version=struct.unpack(">i", version)[0],
        payload=payload[1:].decode(),
        # The last field: NULL has the length -1, which is not that of an empty text.
        source_event_id=None if record.endswith(NULL) and not source else source.decode(),
    )


def prefix_of(record: bytes) -> bytes:
    """Number of fields, then length and bytes of the user id: what all records of a user begin with."""
    (length,) = struct.unpack_from(">i", record, 2)
    return record[: 6 + length]
