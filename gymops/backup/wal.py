"""The WAL between base backups: received up to now, stored segment by segment, and read back.

1. A replication slot makes the server keep what is not stored yet. It is moved on only when that is stored,
   so a receiver may be killed at any time, and any number may be at work.
2. pg_receivewal fetches from the end of what is stored up to a mark that was just committed, some segments at
   a time, into a folder that is thrown away.
3. Each segment is stored as a file of its own, and recorded. The last one is not full: it is stored as it is,
   under the place it reaches to, and goes once a later one is there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from gymops.backup import envelope, lsn, stream, work
from gymops.backup.keys import Keys
from gymops.backup.recovery_point import StoredFile
from gymops.backup.source import Place
from gymops.errors import GymopsError
from gymops.pg.connection import Connection, translated
from gymops.pg.programs import ProgramError, run
from gymops.store.blobs import Blobs
from gymops.store.objects import Objects, named
from gymops.store.records import plain, read

_AT_ONCE = 16
"""Segments that are fetched at a time: the room it takes."""
_SECONDS = 900.0
"""Nobody waits longer for those."""

_SLOT = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s"
_ADVANCE = """
SELECT pg_replication_slot_advance(%(slot)s, %(to)s::pg_lsn) FROM pg_replication_slots
WHERE slot_name = %(slot)s AND restart_lsn < %(to)s::pg_lsn AND NOT active
"""


class WalGap(GymopsError):
    """WAL is missing between what is stored and what the server still has: a new base backup is needed."""

    code = "wal_gap"


@dataclass(frozen=True)
class Segment:
    """A stored segment of the WAL."""

    name: str
    """As PostgreSQL calls it: 24 digits."""
    system: str
    start_lsn: str
    end_lsn: str
    """What is behind it, in a segment that was not full, is not there."""
    partial: bool
    at: datetime
    """When it was received, by the server's clock."""
    marked: bool
    """Whether what is recovered to its end holds all that was committed before ``at``."""
    file: StoredFile


@dataclass(frozen=True)
class Stored:
    """A segment that is in the store, as far as its key tells; of one segment there may be several."""

    stem: str
    """``NAME.END.TOKEN``: what the keys of its record and of its bytes have in common."""
    start: int
    end: int
    partial: bool

    @property
    def name(self) -> str:
        """As PostgreSQL calls it."""
        return self.stem[:24]


class Wal:
    """What is stored of the WAL of one database system: signed ``wal/ENV/SYSTEM/SEGMENT.END.TOKEN.json``, and
    ``ENV/wal/SYSTEM/SEGMENT.END.TOKEN.zst.age`` for the bytes. ``size``: bytes of a segment.
    """

    def __init__(
        self, objects: Objects, blobs: Blobs, environment: str, system: str, size: int, keys: Keys
    ) -> None:
        self._objects, self._blobs, self._keys = objects, blobs, keys
        self.environment, self.system, self.size = named(environment), system, size

    def stored(self) -> Sequence[Stored]:
        """All of it, in the order of the WAL."""
        prefix = self._record("").removesuffix(".json")
        found = (self._stored(key.removeprefix(prefix)) for key in self._objects.keys(prefix))
        return sorted(filter(None, found), key=lambda one: (one.name[:8], one.start, one.end, one.stem))

    def chain(self, timeline: int, start: str) -> Sequence[Stored]:
        """What is stored from a place on without a gap, of each segment the one that holds most."""
        found = {one.start: one for one in self.stored() if lsn.timeline(one.name) == timeline}
        at, row = lsn.parse(start) // self.size * self.size, []
        while at in found:
            row.append(found[at])
            if found[at].partial:
                break
            at += self.size
        return row

    def segment(self, one: Stored) -> Segment:
        """The record of a segment.

        Raises:
            Forged: it is damaged, or signed by another.
            WalGap: it is gone.
        """
        key = self._record(one.stem)
        found = self._objects.get(key)
        if found is None:
            raise WalGap(f"the record of {one.name} is gone", hint=f"gymops audit {self.environment}")
        try:
            segment: Segment = read(Segment, json.loads(envelope.open_(found[0], key, {self._keys.public})))
        except (ValueError, TypeError) as error:
            raise envelope.Forged(
                f"{key} is of another gymops: {error}", hint="pip install --upgrade gymops"
            ) from None
        if (segment.name, segment.system) != (one.name, self.system) or lsn.parse(segment.end_lsn) != one.end:
            raise envelope.Forged(f"{key} is the record of another segment", hint="put it back")
        return segment

    def fetch(self, one: Stored, folder: Path) -> Segment:
        """Write a segment into a folder, under the name the server asks for; whole, or not at all.

        Raises:
            Forged, Damaged, KeyProblem, NoBlob, WalGap: it is not what was stored, or not there.
        """
        segment = self.segment(one)
        new = folder / f".{one.name}"
        try:
            with self._blobs.read(segment.file.key) as stored, new.open("wb") as target:
                source = stream.Checked(stored, segment.file.key, segment.file.bytes, segment.file.sha256)
                stream.load(source, target, self._keys, name=segment.file.key)
                source.finish()
            new.replace(folder / one.name)
        except OSError as error:
            raise stream.no_room(error, folder) from None
        finally:
            new.unlink(missing_ok=True)
        return segment

    def remove(self, one: Stored) -> None:
        """Take one out of the store: first its record, so that none is there without bytes."""
        self._objects.delete(self._record(one.stem))
        self._blobs.delete(self.file(one.stem))

    def add(self, name: str, source: Path, end: int, mark: Place) -> None:
        """Store a segment that is filled up to ``end``; whether another stores it too does not matter."""
        start = lsn.start(name, self.size)
        stem = f"{name}.{end:016X}.{uuid4().hex[:8]}"
        with source.open("rb") as opened, self._blobs.write(self.file(stem)) as sink:
            written = stream.store(opened, sink, self._keys)
        segment = Segment(
            name, self.system, lsn.spell(start), lsn.spell(end), end < start + self.size, mark.at,
            end >= lsn.parse(mark.flushed),
            StoredFile(self.file(stem), written.bytes, written.sha256, written.plain),
        )  # fmt: skip
        record = json.dumps(plain(segment), sort_keys=True).encode()
        self._objects.create(self._record(stem), envelope.close(record, self._keys))

    def file(self, stem: str) -> str:
        """The key of the bytes."""
        return f"{self.environment}/wal/{self.system}/{stem}.zst.age"

    def _record(self, stem: str) -> str:
        return f"wal/{self.environment}/{self.system}/{stem}.json"

    def _stored(self, key: str) -> Stored | None:
        name, _, end = (stem := key.removesuffix(".json")).rpartition(".")[0].partition(".")
        try:
            start = lsn.start(name, self.size)
            return Stored(stem, start, int(end, 16), int(end, 16) < start + self.size)
        except ValueError:
            return None  # not ours


def systems(objects: Objects, environment: str) -> Sequence[str]:
    """Of which database systems there is WAL."""
    prefix = f"wal/{named(environment)}/"
    return sorted({key.removeprefix(prefix).partition("/")[0] for key in objects.keys(prefix)})


def slot(environment: str) -> str:
    """The replication slot of an environment's backups."""
    return "gymops_" + "".join(c if c.isalnum() else "_" for c in environment.lower())[:50]


def keep(connection: Connection, environment: str) -> None:
    """Make the server keep its WAL from now on until it is stored; a slot that it gave up is made anew."""
    with translated():
        found = connection.execute(_SLOT, (slot(environment),)).fetchone()
        if found and found[0] == "lost":
            connection.execute("SELECT pg_drop_replication_slot(%s)", (slot(environment),))
        if not found or found[0] == "lost":
            connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", (slot(environment),))


def receive(
    connection: Connection, url: str, binaries: Path, wal: Wal, mark: Place, start: str, home: Path
) -> Sequence[Stored]:
    """Store the WAL from a base backup's ``start`` up to a mark, as far as it is not stored yet; what is
    stored of it then. ``home``: where it passes through.

    Raises:
        WalGap: the server no longer has what comes next, has gone on with another timeline, or was put back.
        ProgramError: the server refuses, or goes away.
        StoreError: it cannot be written.
    """
    row, end = wal.chain(mark.timeline, start), lsn.parse(mark.flushed)
    if (row and row[-1].end > end) or lsn.parse(start) > end:
        raise WalGap(
            f"the server is at {mark.flushed}, and {lsn.spell(row[-1].end) if row else start} was stored:"
            " its data directory was put back",
            hint=f"gymops audit {wal.environment}; then begin with an empty store",
        )
    at = _next(wal, row, start)
    while at < end:
        upto = min(end, at + _AT_ONCE * wal.size)
        with work.folder(home) as folder:
            _fetch(url, binaries, folder, lsn.segment(mark.timeline, at, wal.size), upto)
            for place in range(at, upto, wal.size):
                name = lsn.segment(mark.timeline, place, wal.size)
                whole, begun = folder / name, folder / f"{name}.partial"
                wal.add(name, whole if whole.exists() else begun, min(upto, place + wal.size), mark)
        at = upto
        with translated():
            connection.execute(_ADVANCE, {"slot": slot(wal.environment), "to": lsn.spell(at)})
    for one in superseded(wal.stored()):
        wal.remove(one)
    return wal.chain(mark.timeline, start)


def superseded(stored: Sequence[Stored]) -> Sequence[Stored]:
    """Those of which there is another that holds as much, or more; ``stored`` is in order."""
    last = {one.name: one for one in stored}
    return [one for one in stored if one is not last[one.name]]


def _next(wal: Wal, row: Sequence[Stored], start: str) -> int:
    """Where to go on: a segment that was not full is fetched again from its beginning."""
    if not row:
        return lsn.parse(start) // wal.size * wal.size
    return row[-1].start if row[-1].partial else row[-1].end


def _fetch(url: str, binaries: Path, folder: Path, first: str, upto: int) -> None:
    # An empty segment of this name, not finished, is where pg_receivewal believes it stopped. It goes on past
    # the place it is given, so it is given the one before.
    Path(folder, f"{first}.partial").touch()
    try:
        run(
            binaries, "pg_receivewal", url, "-D", str(folder), "--no-loop", "--no-sync",
            "--endpos", lsn.spell(upto - 1), timeout=_SECONDS,
        )  # fmt: skip
    except ProgramError as error:
        if "already been removed" in error.message or "not in this server's history" in error.message:
            raise WalGap(
                f"the server no longer has the WAL {first}, and it was not stored: {error.message}",
                hint="gymops backup takes a new base backup; from there on every time can be restored",
            ) from None
        raise
