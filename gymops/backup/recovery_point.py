"""A recovery point: what was backed up when, where it is stored, and the seal a restore must bring back."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from gymops.errors import GymopsError
from gymops.eventlog.seal import Seal
from gymops.store.records import plain, read


class Kind(StrEnum):
    """How it was taken."""

    BASE = "base"
    """A base backup of the whole server: with the WAL received since, any later time can be restored."""
    DUMP = "dump"
    """A dump of one database, where only SQL reaches it."""
    SNAPSHOT = "snapshot"
    """RDS's own; it has no file of ours, and the record says what was sealed before it."""
    VAULT = "aws-backup"
    """One of AWS Backup, likewise."""
    COPY = "copy"
    """Its copy in another region, likewise."""


class NoPoint(GymopsError):
    """There is no such recovery point."""

    code = "no_point"


@dataclass(frozen=True)
class StoredFile:
    """A file of a recovery point, as it is stored: compressed and encrypted."""

    key: str
    bytes: int
    sha256: str
    """Of the stored bytes."""
    plain: int
    """Bytes before compression."""


@dataclass(frozen=True)
class SealedAt:
    """The seal that a restore must bring back."""

    number: int
    digest: str
    """Of the seal itself."""
    events: int
    head: str
    """The log's head."""
    taken: datetime


@dataclass(frozen=True)
class TableContent:
    """A table as it was."""

    table: str
    """``schema.name``."""
    rows: int
    digest: str


@dataclass(frozen=True)
class RecoveryPoint:
    """What can be restored. Law: it is recorded once its bytes were stored and read back."""

    id: str
    environment: str
    kind: Kind
    tier: str
    began: datetime
    """By the server's clock, as the next: what was committed by then is in it."""
    ended: datetime
    """A base is restored to its end at the least, and with the WAL received since to any later time."""
    server: str
    """The PostgreSQL's version, as 18.6: the same major version restores it."""
    files: tuple[StoredFile, ...]
    recipient: str
    """The public key it is encrypted to."""
    gymops: str
    seal: SealedAt | None = None
    """None of a database without an event log of ours. Of one whose log was damaged, the newest there was."""
    system: str | None = None
    """The database system's identifier; None of a dump."""
    timeline: int | None = None
    start_lsn: str | None = None
    end_lsn: str | None = None
    segment: int = 16 << 20
    """Bytes of a segment of its WAL."""
    keep_until: datetime | None = None
    """When its tier lets go of it; None: never by itself."""
    damaged: str | None = None
    """How the log was damaged when it was taken: nothing was sealed then, and it is no good one."""
    tables: tuple[TableContent, ...] | None = None
    """Of a dump of a database without an event log of ours: what its tables held."""

    @property
    def size(self) -> int:
        """Bytes, as stored."""
        return sum(file.bytes for file in self.files)

    def dump(self) -> bytes:
        """As it is signed."""
        document = plain(self)
        for name in ("damaged", "tables"):
            if getattr(self, name) is None:  # the others are spelled as ever
                del document[name]
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def load(data: bytes) -> RecoveryPoint:
    """The reverse of ``dump``.

    Raises:
        ValueError, TypeError: it is none.
    """
    found: RecoveryPoint = read(RecoveryPoint, json.loads(data))
    return found


def new_id(now: datetime) -> str:
    """Sorted by time, and no other's, also of those of the same second."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def sealed_at(seal: Seal) -> SealedAt:
    """What a recovery point keeps of a seal."""
    return SealedAt(seal.number, seal.digest, seal.events, seal.head, seal.taken)
