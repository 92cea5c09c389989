"""SQLite files as one event log: a single file, or a directory with one folder per user."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gymops.config import EventMapping
from gymops.errors import SourceError
from gymops.eventlog.digest import LogDigest, RejectedHasher, Stream
from gymops.eventlog.event import Decoder, Event, Row
from gymops.eventlog.jsonb import BadJsonError, Payloads
from gymops.eventlog.log import Progress, silent
from gymops.eventlog.scan import DUPLICATE, Scan, scan
from gymops.eventlog.shapes import Contents, SmallTable
from gymops.eventlog.spool import Spool
from gymops.eventlog.sqlite import SqliteFile, read_table
from gymops.eventlog.tables import TABLES

SUFFIXES = (".db", ".sqlite", ".sqlite3")


@dataclass(frozen=True)
class RejectedRow:
    """A bad row verbatim: per column its name, SQLite type and bytes."""

    table: str
    rowid: int
    reason: str
    columns: list[str]
    types: list[str]
    cells: list[bytes | None]


@dataclass
class Reading:
    """One file as it was read."""

    file: SqliteFile
    fingerprint: tuple[object, ...]
    contents: Contents
    rejected_table_rows: list[RejectedRow] = field(default_factory=list)
    scan: Scan = field(default_factory=Scan)


class SqliteLog:
    """The event log of one SQLite file or of a workspace directory, up to the moment it was first read.

    What the app appends later belongs to the next run. The small tables are kept as they were at that
    moment, so that they fit the events.
    """

    def __init__(self, source: Path, user_id: str = "default", mapping: EventMapping | None = None) -> None:
        self.source = source
        self.files, self.ignored = find_logs(source, user_id, mapping)
        self._spool = Spool()
        self._readings: dict[str, Reading] = {}

    @property
    def name(self) -> str:
        return str(self.source)

    def close(self) -> None:
        """Delete what was kept of the small tables."""
        self._spool.close()

    @property
    def users(self) -> list[str]:
        """All users, sorted by their bytes."""
        return sorted((file.user_id for file in self.files), key=str.encode)

    def read(self, watch: Mapping[str, int] | None = None, progress: Progress = silent) -> dict[str, Reading]:
        """Read every file once; ``watch`` gives the length whose digest is wanted, by user."""
        for file in self.files:
            if file.user_id not in self._readings:
                self._readings[file.user_id] = self._read(file, (watch or {}).get(file.user_id, -1), progress)
        return self._readings

    def read_again(self, progress: Progress = silent) -> None:
        """Read those files again that have changed since, up to the same high mark."""
        for reading in self._readings.values():
            fingerprint = reading.file.fingerprint()
            if fingerprint != reading.fingerprint:
                reading.scan = scan(reading.file, reading.contents, progress=progress)
                reading.fingerprint = fingerprint
            else:
                progress(reading.scan.rows)

    def digest(self, progress: Progress = silent) -> LogDigest:
        streams = {user: reading.scan.stream for user, reading in self.read(progress=progress).items()}
        hasher = RejectedHasher()
        for user_id in self._readings:
            for row in self.rejected(user_id):
                hasher.add(user_id, row.table, row.columns, row.types, row.cells)
        return LogDigest({user: stream for user, stream in streams.items() if stream.events}, hasher.result())

    def side_streams(self) -> Mapping[str, Stream]:
        """The streams of the side column, of the users whose events have columns we do not know."""
        return {
            user: reading.scan.side
            for user, reading in self.read().items()
            if reading.scan.side is not None and reading.scan.side.events
        }

    def events(self, user_id: str) -> Iterator[Event]:
        payloads = Payloads()
        for rows in self.rows(user_id):
            for _, event_id, timestamp, event_type, payload, version, source, _ in rows:
                canonical = payloads.canonical(event_type, payload)
                yield Event.of(user_id, event_id, timestamp, event_type, version, canonical, source)

    def rows(self, user_id: str, *, after: int | None = None) -> Iterator[list[Row]]:
        """The events of one user as decoded rows, batch by batch, without the rejected ones.

        Their payloads are as the source has them: what is no JSON was rejected when the log was read.
        """
        reading = self.read().get(user_id)
        if reading is None:
            return
        file, contents = reading.file, reading.contents
        rejected = reading.scan.rejected
        decoder = Decoder(user_id, contents.shape.extra)
        start = contents.low_mark - 1 if after is None else after
        with file.connection() as connection:
            for raw in file.batches(connection, contents.shape, after=start, upto=contents.high_mark):
                rows, _ = decoder.decode(raw)
                if rejected:
                    first = bisect_left(rejected, raw[0][0])
                    bad = set(rejected[first : bisect_left(rejected, raw[-1][0] + 1)])
                    rows = [row for row in rows if row[0] not in bad] if bad else rows
                yield rows

    def rejected(self, user_id: str) -> Iterator[RejectedRow]:
        """The rows of one user that are no events (or no rows of their table), verbatim."""
        reading = self.read()[user_id]
        file, contents = reading.file, reading.contents
        yield from reading.rejected_table_rows
        if not reading.scan.rejected:
            return
        decoder, payloads = Decoder(user_id, contents.shape.extra), Payloads()
        with file.connection() as connection:
            for rowid in reading.scan.rejected:
                columns, types, cells = file.verbatim(connection, contents.shape.table, rowid)
                raw = next(file.batches(connection, contents.shape, after=rowid - 1, upto=rowid))
                reason = _reason(decoder, payloads, raw)
                yield RejectedRow("events", rowid, reason, columns, types, cells)

    def tables(self) -> frozenset[str]:
        return frozenset(table.name for reading in self.read().values() for table in reading.contents.tables)

    def table_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        self.read()
        return self._spool.rows(name)

    def raw_table_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """As ``table_rows``, the values with their JSON as the source wrote it."""
        return self._spool.raw_rows(name)

    def _read(self, file: SqliteFile, watch: int, progress: Progress) -> Reading:
        rejected: list[RejectedRow] = []
        with file.connection() as connection:
            fingerprint = file.fingerprint()

            def keep(contents: Contents) -> None:
                for table in contents.tables:
                    for rowid, reason in self._keep(file, table, read_table(connection, table)):
                        cells = file.verbatim(connection, table.name, rowid)
                        rejected.append(RejectedRow(table.name, rowid, reason, *cells))

            contents = file.contents(connection, keep)
        reading = Reading(file, fingerprint, contents, rejected)
        reading.scan = scan(file, contents, watch=watch, progress=progress)
        return reading

    def _keep(
        self,
        file: SqliteFile,
        table: SmallTable,
        rows: Iterator[tuple[int, dict[str, object], dict[str, object]]],
    ) -> list[tuple[int, str]]:
        encode: Callable[..., tuple[str, str, str]] = TABLES[table.name].encode
        bad = []
        for rowid, known, extra in rows:
            try:
                if not self._spool.put(table.name, file.user_id, *encode(known, extra)):
                    bad.append((rowid, "a duplicate of an earlier row's key"))
            except ValueError as error:
                bad.append((rowid, str(error)))
        return bad


def find_logs(
    source: Path, user_id: str, mapping: EventMapping | None = None
) -> tuple[list[SqliteFile], list[str]]:
    """The logs of a file or of a workspace directory, and what in it is no log and is left alone.

    Raises:
        SourceError: nothing is there, nothing in it is an event log, or a user has two.
    """
    if not source.is_dir():
        return [SqliteFile(source, user_id, mapping)], []
    logs: list[SqliteFile] = []
    ignored: list[str] = []
    for entry in sorted(source.iterdir()):
        if not entry.is_dir():
            if entry.suffix in SUFFIXES:
                ignored.append(f"{entry.name} (a database beside the users' folders)")
            continue
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            raise SourceError(
                f"{entry!r}: a folder name that is no UTF-8", hint="rename the folder"
            ) from None
        files = sorted(file for file in entry.iterdir() if file.suffix in SUFFIXES and file.is_file())
        found = [SqliteFile(file, entry.name, mapping) for file in files]
        if len(found) > 1:
            others = [log for log in found if not log.is_event_log()]
            ignored += [f"{entry.name}/{log.path.name} (no event log)" for log in others]
            found = [log for log in found if log not in others]
        if len(found) > 1:
            names = " and ".join(log.path.name for log in found)
            raise SourceError(
                f"{entry}: two logs for one user: {names}",
                hint="move the one that is not the app's out of the folder",
            )
        if not found:
            ignored.append(f"{entry.name}/ (no database)")
        logs += found
    if not logs:
        raise SourceError(
            f"{source}: no databases: expected {source}/<user id>/<name>.db",
            hint="name one file, or the directory that holds one folder per user",
        )
    return logs, ignored


def _reason(decoder: Decoder, payloads: Payloads, raw: list[tuple[object, ...]]) -> str:
    rows, bad = decoder.decode(raw)
    if bad:
        return bad[0].reason
    try:
        payloads.canonical(rows[0][3], rows[0][4])
    except BadJsonError as error:
        return f"payload: {error}"
    return DUPLICATE
