r"""The digest of an event log, format version 1.

A SQLite file, a workspace, a Postgres, an archive and a restored backup have the same digest when, and
only when, they hold the same events in the same order per user.

**Record.** An event's canonical bytes are the tuple that PostgreSQL's ``COPY ... (FORMAT binary)``
sends for ::

    SELECT user_id, event_id, "timestamp", event_type, schema_version, payload, source_event_id

so that ``psql`` alone can produce them: the number of fields (16-bit, always 7), then each field as its
length in bytes (32-bit, -1 for NULL) and its bytes; integers are big-endian.

================ ======================================================================
user_id          UTF-8
event_id         16 bytes
timestamp        64-bit, microseconds since 2000-01-01T00:00:00Z
event_type       UTF-8
schema_version   32-bit
payload          the byte 1, then ``payload::jsonb::text`` in UTF-8
source_event_id  UTF-8; NULL where event_id is the source's own id
================ ======================================================================

An id that is no UUID is kept as source_event_id; its event_id is the UUIDv5, in the namespace
8f0c1c3e-6a0e-5c55-9d6f-0d3b3f6f2a71, of ``<bytes of user_id>:<user_id><id>``, such as ``5:aliceset-1``.

**Chunk.** 1,024 consecutive records of one user, the last chunk being what is left:
``SHA-256(0x00 || records)``.

**Stream head.** ``h = 32 zero bytes``; for each chunk ``h = SHA-256(0x01 || h || chunk)``.

**Log head.** ``SHA-256(0x02 || users)``, users sorted by the bytes of user_id, each as the length of
user_id (32-bit), user_id, event count (64-bit) and stream head. Written as 64 hexadecimal digits.

**Rejected rows** have a count and a digest of their own (see :class:`RejectedHasher`).

Test vectors: ``tests/unit/test_digest.py``. The format never changes; it can only be superseded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from gymops.eventlog.event import Event, Row

FORMAT = 1
CHUNK = 1024
EMPTY_HEAD = bytes(32)

NULL = b"\xff\xff\xff\xff"
_length = struct.Struct(">i").pack
_id_and_time = struct.Struct(">i16siq").pack
_payload_head = struct.Struct(">iB").pack


@dataclass(frozen=True)
class Stream:
    """One user's events: how many, and their head."""

    events: int
    head: bytes


@dataclass(frozen=True)
class Rejected:
    """Rows that are no events: how many, and their digest."""

    rows: int = 0
    digest: str = ""


@dataclass(frozen=True)
class LogDigest:
    """The digest of a whole log. Two logs are equal exactly when these are."""

    streams: Mapping[str, Stream]
    rejected: Rejected = field(default_factory=Rejected)

    @property
    def events(self) -> int:
        return sum(stream.events for stream in self.streams.values())

    @property
    def head(self) -> str:
        """The log head, 64 hexadecimal digits."""
        return log_head(self.streams)


def log_head(streams: Mapping[str, Stream]) -> str:
    """The log head over the streams that hold at least one event."""
    top = sha256(b"\x02")
    for user, stream in sorted((user.encode(), stream) for user, stream in streams.items() if stream.events):
        top.update(_length(len(user)) + user + struct.pack(">q", stream.events) + stream.head)
    return top.hexdigest()


class Records:
    """Builds the records of one user's events."""

    def __init__(self, user_id: str) -> None:
        raw = user_id.encode()
        self.prefix = struct.pack(">hi", 7, len(raw)) + raw
        """What every record of this user starts with, and of no other."""
        self._types: dict[tuple[str, int], bytes] = {}

    def build(self, rows: Iterable[Row], payloads: Iterable[str]) -> list[bytes]:
        """Records of ``rows``, whose payloads in canonical form are ``payloads``."""
        prefix, types = self.prefix, self._types
        records = []
        for (_, event_id, timestamp, event_type, _, version, source, _), payload in zip(
            rows, payloads, strict=True
        ):
            kind = types.get((event_type, version)) or self._type(event_type, version)
            raw = payload.encode()
            tail = NULL if source is None else _field(source)
            records.append(
                b"".join(
                    (
                        prefix,
                        _id_and_time(16, event_id, 8, timestamp),
                        kind,
                        _payload_head(len(raw) + 1, 1),
                        raw,
                        tail,
                    )
                )
            )
        return records

    def _type(self, event_type: str, version: int) -> bytes:
        raw = _field(event_type) + struct.pack(">ii", 4, version)
        if len(self._types) < CHUNK:  # memory stays flat when every event has a type of its own
            self._types[event_type, version] = raw
        return raw


def record(event: Event) -> bytes:
    """The record of one event."""
    row = (
        0,
        event.event_id.bytes,
        event.timestamp,
        event.event_type,
        "",
        event.schema_version,
        event.source_event_id,
        None,
    )
    return Records(event.user_id).build([row], [event.payload])[0]


def side_record(user_id: str, event_id: bytes, extra: str) -> bytes:
    """An event's side column as PostgreSQL sends (user_id, event_id, extra); no part of the log digest."""
    user, raw = user_id.encode(), extra.encode()
    head = struct.pack(">hi", 3, len(user)) + user + struct.pack(">i16s", 16, event_id)
    return head + _payload_head(len(raw) + 1, 1) + raw


class StreamHasher:
    """Chunks and head of one user's records, fed in order.

    ``watch`` is a number of events: the stream as it was at that length is kept as ``watched``. ``head`` is
    that over the chunks before these records, where they are not a stream's first.
    """

    def __init__(self, watch: int = -1, head: bytes = EMPTY_HEAD) -> None:
        self.events = 0
        self.watched: Stream | None = Stream(0, head) if watch == 0 else None
        self._head = head
        self._watch = watch
        self._chunks: list[bytes] = []
        self._open = sha256(b"\0")  # the chunk that is being filled: hashed as it comes, never held

    def add(self, records: Sequence[bytes]) -> None:
        """Append records to the stream."""
        at = 0
        while at < len(records):
            take = min(CHUNK - self.events % CHUNK, len(records) - at)
            if self.events < self._watch:
                take = min(take, self._watch - self.events)
            self._open.update(b"".join(records[at : at + take]))
            at += take
            self.events += take
            if self.events % CHUNK == 0:
                self._chunks.append(self._open.digest())
                self._open = sha256(b"\0")
            if self.events == self._watch:
                self.watched = self.stream()

    def chunks(self) -> list[bytes]:
        """The chunks so far, the last one as if nothing came after it."""
        return [*self._chunks, self._open.copy().digest()] if self.events % CHUNK else list(self._chunks)

    def stream(self) -> Stream:
        """The stream as it is now."""
        return Stream(self.events, fold(self.chunks(), self._head))


def fold(chunks: Iterable[bytes], head: bytes = EMPTY_HEAD) -> bytes:
    """The stream head over chunks, which come after those that ``head`` is of."""
    for chunk in chunks:
        head = sha256(b"\x01" + head + chunk).digest()
    return head


class RejectedHasher:
    """The digest of rejected rows: what they held, per user and table in the order of the source.

    A row is the number of its columns (32-bit), then per column its name, SQLite type and bytes, every
    field preceded by its length (32-bit, -1 for NULL). The digest is ``SHA-256(0x03 || groups)``, groups
    sorted by the bytes of (user_id, table), each as user_id and table (with their lengths), number of
    rows (64-bit) and the SHA-256 of its rows. Neither the rowid nor the reason is part of it.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[bytes, bytes], tuple[list[int], Any]] = {}

    def add(
        self,
        user_id: str,
        table: str,
        columns: Sequence[str],
        types: Sequence[str],
        cells: Sequence[bytes | None],
    ) -> None:
        """Append one row to its group."""
        count, rows = self._groups.setdefault((user_id.encode(), table.encode()), ([0], sha256()))
        count[0] += 1
        rows.update(_length(len(columns)))
        for name, kind, cell in zip(columns, types, cells, strict=True):
            rows.update(_field(name) + _field(kind))
            rows.update(NULL if cell is None else _length(len(cell)) + cell)

    def forget(self, user_id: str, table: str) -> None:
        """Begin a group anew: its table is read again."""
        self._groups.pop((user_id.encode(), table.encode()), None)

    def result(self) -> Rejected:
        """Count and digest; the digest of no rows is empty."""
        if not self._groups:
            return Rejected()
        top = sha256(b"\x03")
        total = 0
        for (user, table), (count, rows) in sorted(self._groups.items(), key=lambda group: group[0]):
            total += count[0]
            top.update(_length(len(user)) + user + _length(len(table)) + table)
            top.update(struct.pack(">q", count[0]) + rows.digest())
        return Rejected(total, top.hexdigest())


def _field(text: str) -> bytes:
    raw = text.encode()
    return _length(len(raw)) + raw
