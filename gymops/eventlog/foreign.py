"""The events of a PostgreSQL database whose schema is one of the app's own, and not ours."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gymops.errors import SourceError
from gymops.eventlog.digest import CHUNK, Records, Stream, StreamHasher
from gymops.eventlog.event import Event, Row, identify
from gymops.eventlog.log import Progress
from gymops.pg.connection import Connection

_FIELDS = ("an id", "a timestamp", "a type", "a payload", "a schema version")


@dataclass(frozen=True)
class Shape:
    """A table of events of another schema than ours, as SQL expressions."""

    user_id: str | None
    payload: str
    schema_version: str
    order: str


@dataclass(frozen=True)
class ForeignLog:
    """Its events; ``user`` is whose they are where the schema knows no users. Within a ``snapshot``."""

    connection: Connection
    name: str
    shape: Shape
    user: str

    def streams(self, progress: Progress) -> dict[str, Stream]:
        """Every user's events, hashed."""
        streams: dict[str, Stream] = {}
        for user_id in self._users():
            hasher = StreamHasher()
            records = Records(user_id)
            rows = self._rows(user_id)
            while batch := list(islice(rows, CHUNK)):
                hasher.add(records.build([row for row, _ in batch], [payload for _, payload in batch]))
                progress(len(batch))
            if hasher.events:
                streams[user_id] = hasher.stream()
        return streams

    def events(self, user_id: str) -> Iterator[Event]:
        """One user's events in order."""
        for row, payload in self._rows(user_id):
            yield Event(user_id, uuid.UUID(bytes=row[1]), row[2], row[3], row[5], payload, row[6])

    def _users(self) -> list[str]:
        if self.shape.user_id is None:
            return [self.user]
        query = f"SELECT DISTINCT {self.shape.user_id}::text FROM events"
        users = [row[0] for row in self.connection.execute(query.encode())]
        if None in users:
            raise self._no_event("an event without a user")
        return sorted(users, key=str.encode)

    def _rows(self, user_id: str) -> Iterator[tuple[Row, str]]:
        shape = self.shape
        if shape.user_id is None and user_id != self.user:
            return
        where = f"WHERE {shape.user_id} = %s" if shape.user_id else ""
        query = (
            "SELECT event_id::text,"
            " (extract(epoch FROM \"timestamp\" - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint,"
            f" event_type::text, {shape.payload}::text, {shape.schema_version}"
            f" FROM events {where} ORDER BY {shape.order}"
        )
        with self.connection.cursor() as cursor:
            arguments = (user_id,) if shape.user_id else ()
            for row in cursor.stream(query.encode(), arguments, size=CHUNK):
                event_id, timestamp, event_type, payload, version = row
                if None in row:
                    raise self._no_event("an event without " + _FIELDS[row.index(None)])
                raw, source = identify(user_id, event_id)
                yield (0, raw, timestamp, event_type, payload, version, source, None), payload

    def _no_event(self, what: str) -> SourceError:
        return SourceError(f"{self.name}: {what}", hint="look for NULL in the table events, and mend it")


def shape(connection: Connection, name: str) -> Shape | None:
    """None for our own schema, the shape of one of the app's otherwise.

    Raises:
        SourceError: there is no event log.
    """
    columns = {
        row[0]
        for row in connection.execute(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = to_regclass('events') AND attnum > 0 AND NOT attisdropped"
        )
    }
    if {"user_id", "position", "event_id", "payload", "source_event_id"} <= columns:
        return None
    payload = "payload" if "payload" in columns else "data"
    if not {"event_id", "event_type", "timestamp", payload} <= columns:
        raise SourceError(
            f"{name}: no event log found: "
            + ("the table events has other columns" if columns else "no table events"),
            hint="gymops schema upgrade makes one; gymops migrate fills it",
        )
    moment = '"timestamp", created_at' if "created_at" in columns else '"timestamp"'
    return Shape(
        user_id="user_id" if "user_id" in columns else None,
        payload=payload,
        schema_version="coalesce(schema_version, 1)" if "schema_version" in columns else "1",
        order="id" if "id" in columns else f'{moment}, event_id::text COLLATE "C"',
    )
