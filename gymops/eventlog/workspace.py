"""SQLite files as one event log: a single file, or a directory with one folder per user."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gymops.config import EventMapping
from gymops.errors import ConfigError, SourceError
from gymops.eventlog import limits
from gymops.eventlog.digest import LogDigest, RejectedHasher, Stream
from gymops.eventlog.event import Decoder, Event, Row
from gymops.eventlog.jsonb import BadJsonError, Payloads
from gymops.eventlog.log import Progress, silent
from gymops.eventlog.opening import check, is_database, show
from gymops.eventlog.scan import DUPLICATE, Scan, scan
from gymops.eventlog.shapes import Contents, SmallTable
from gymops.eventlog.spool import Spool
from gymops.eventlog.sqlite import SqliteFile, Verbatim
from gymops.eventlog.tables import TABLES

SUFFIXES = (".db", ".sqlite", ".sqlite3")
USER_BYTES = 512


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
        return show(self.source)

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

    def side_streams(self) -> Mapping[str, Stream] | None:
        """The streams of the side column, by user; None where no events have columns we do not know."""
        readings = self.read()
        if not any(reading.contents.shape.extra for reading in readings.values()):
            return None
        return {user: reading.scan.side for user, reading in readings.items() if reading.scan.side.events}

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
                columns, types, cells = file.verbatim(connection, contents.shape, rowid)
                raw = next(file.batches(connection, contents.shape, after=rowid - 1, upto=rowid), [])
                reason = _reason(decoder, payloads, raw)
                yield RejectedRow("events", rowid, reason, columns, types, cells)

    def tables(self) -> frozenset[str]:
        return frozenset(table.name for reading in self.read().values() for table in reading.contents.tables)

    def folded_users(self) -> frozenset[str]:
        return frozenset(user for user, reading in self.read().items() if reading.contents.folded)

    def table_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        self.read()
        return self._spool.rows(name)

    def raw_table_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """As ``table_rows``, the values with their JSON as the source wrote it."""
        return self._spool.raw_rows(name)

    def _read(self, file: SqliteFile, watch: int, progress: Progress) -> Reading:
        with file.connection() as connection:
            fingerprint = file.fingerprint()
            kept: dict[str, Verbatim] = {}

            def keep(contents: Contents) -> None:
                for table in contents.tables:
                    verbatim = kept[table.name] = Verbatim(connection, table.name, table.rowid)
                    rows = connection.execute(verbatim.select)
                    self._spool.keep(table.name, rows, len(verbatim.names) + 2)

            contents = file.contents(connection, keep)
        rejected: list[RejectedRow] = []
        for table in contents.tables:
            rejected += self._digest_table(file.user_id, table, kept[table.name])
            self._spool.forget(table.name)
        reading = Reading(file, fingerprint, contents, rejected)
        reading.scan = scan(file, contents, watch=watch, progress=progress)
        return reading

    def _digest_table(self, user_id: str, table: SmallTable, verbatim: Verbatim) -> Iterator[RejectedRow]:
        """Bring the rows of a small table into the target's form; yield those that have none."""
        encode: Callable[..., tuple[str, str, str]] = TABLES[table.name].encode
        for codes, rowid, *cells in self._spool.kept(table.name):
            values = verbatim.values(codes, cells)
            known = {target: values[source] for target, (_, source) in table.columns.items()}
            extra = {name: values[name] for name in table.extra}
            try:
                key, value, raw = encode(known, extra)
                limits.check_key(user_id, key)
                if self._spool.put(table.name, user_id, key, value, raw):
                    continue
                reason = "a duplicate of an earlier row's key"
            except ValueError as error:
                reason = str(error)
            yield RejectedRow(
                table.name, rowid, reason, verbatim.names, verbatim.types(codes), verbatim.cells(cells)
            )


def find_logs(
    source: Path, user_id: str, mapping: EventMapping | None = None
) -> tuple[list[SqliteFile], list[str]]:
    """The logs of a file or of a workspace directory, and what in it is no log and is left alone.

    Raises:
        SourceError: nothing is there, nothing in it is an event log, or a user has two.
    """
    if not source.is_dir():
        check(source)
        return [SqliteFile(source, _checked(user_id), mapping)], []
    logs: list[SqliteFile] = []
    ignored: list[str] = []
    for entry in _listed(source):
        if not entry.is_dir():
            if entry.suffix.lower() in SUFFIXES or is_database(entry):
                ignored.append(f"{show(entry)} (a database beside the users' folders)")
            continue
        found, left = _of_one_user(entry, mapping)
        logs += found
        ignored += left
    if not logs:
        raise SourceError(
            f"{show(source)}: no databases: expected {show(source)}/<user id>/<name>.db",
            hint="name one file, or the directory that holds one folder per user",
        )
    return logs, ignored


def _of_one_user(folder: Path, mapping: EventMapping | None) -> tuple[list[SqliteFile], list[str]]:
    try:
        user_id = folder.name.encode().decode()
    except UnicodeEncodeError:
        raise SourceError(
            f"{show(folder)}: a folder name that is no UTF-8", hint="rename the folder"
        ) from None
    files = [file for file in _listed(folder) if not file.is_dir()]
    named = [file for file in files if file.suffix.lower() in SUFFIXES]
    unnamed = [file for file in files if file not in named and is_database(file)]
    if not named:
        named, unnamed = unnamed, []
    ignored = [f"{show(file)} (a database under another name than *.db)" for file in unnamed]
    found = [SqliteFile(file, user_id, mapping) for file in named]
    if len(found) > 1:
        others = [log for log in found if not log.is_event_log()]
        if len(others) < len(found):
            ignored += [f"{show(log.path)} (no event log)" for log in others]
            found = [log for log in found if log not in others]
    if len(found) > 1:
        names = " and ".join(show(Path(log.path.name)) for log in found)
        raise SourceError(
            f"{show(folder)}: two logs for one user: {names}",
            hint="move the one that is not the app's out of the folder",
        )
    if not found:
        ignored.append(f"{show(folder)} (no database in it)")
    return found, ignored


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{show(folder)}: {error.strerror}", hint="check its permissions") from error


def _checked(user_id: str) -> str:
    """A user id that PostgreSQL can hold.

    Raises:
        ConfigError: it is empty or no UTF-8.
    """
    try:
        user_id.encode()
    except UnicodeEncodeError:
        raise ConfigError("the user id is no UTF-8", hint="name another with --user") from None
    if not user_id or len(user_id.encode()) > USER_BYTES:
        raise ConfigError(
            f"the user id is {'too long' if user_id else 'empty'}: 1 to {USER_BYTES} bytes",
            hint="name another with --user, or leave the option out",
        )
    return user_id


def _reason(decoder: Decoder, payloads: Payloads, raw: list[tuple[object, ...]]) -> str:
    rows, bad = decoder.decode(raw)
    if bad or not rows:
        return bad[0].reason if bad else "gone since"
    try:
        limits.check(rows[0][3], payloads.canonical(rows[0][3], rows[0][4]))
    except BadJsonError as error:
        return f"payload: {error}"
    except ValueError as error:
        return str(error)
    return DUPLICATE
