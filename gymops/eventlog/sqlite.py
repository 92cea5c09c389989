"""SQLite files as event logs: opened read-only, read in short transactions, never changed.

The source may belong to an app that is running. So nothing here holds a read transaction for long: in
rollback-journal mode that would block the app's writes, in WAL mode it would keep its WAL growing.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymops.config import EventMapping
from gymops.errors import SourceError

MAGIC = b"SQLite format 3\0"
SUFFIXES = (".db", ".sqlite", ".sqlite3")
BUSY_SECONDS = 5.0
"""How long to wait for an app that is writing. Its own transactions are shorter than this."""
BATCH_ROWS = 4096
BATCH_BYTES = 4 << 20
BATCH_SECONDS = 0.05
"""A batch's read transaction ends at the first of these; the app waits for it at most that long."""


@dataclass(frozen=True)
class Shape:
    """Which table and columns hold the events."""

    name: str
    table: str
    event_id: str
    timestamp: str
    event_type: str
    payload: str
    schema_version: str | None
    extra: tuple[str, ...] = ()
    """Columns with no place of their own in the target; kept in its side column."""
    unique_ids: bool = True
    """Whether the table itself keeps event ids unique."""

    def columns(self) -> str:
        """The select list of ``event.Row`` decoding, as SQL."""
        names = [self.event_id, self.timestamp, self.event_type, self.payload]
        quoted = [quote(name) for name in names]
        quoted.append(quote(self.schema_version) if self.schema_version else "1")
        return ", ".join(["rowid", *quoted, *map(quote, self.extra)])


@dataclass(frozen=True)
class SmallTable:
    """A table beside the events: what it is called and what its columns become in the target."""

    name: str
    columns: dict[str, tuple[str, str]]
    """Target column -> (kind, source column); kinds: text, text?, json, time, time?, bool."""
    extra: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Contents:
    """What a SQLite file holds, as of one short transaction."""

    shape: Shape
    low_mark: int
    high_mark: int
    """The lowest and highest event rowid; what is appended later is not part of this log."""
    bytes: int
    tables: tuple[SmallTable, ...]
    unknown_tables: tuple[str, ...]


# Target table -> target column -> (kind, names the column is known to have in a source).
KNOWN_TABLES: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "projections": {
        "key": ("text", ("key",)),
        "data": ("json", ("data", "value")),
        "updated_at": ("time", ("updated_at",)),
    },
    "exercises": {
        "exercise_id": ("text", ("exercise_id", "id")),
        "name": ("text", ("name",)),
        "category": ("text?", ("category",)),
        "description": ("text?", ("description",)),
        "is_custom": ("bool", ("is_custom",)),
        "created_at": ("time?", ("created_at",)),
    },
    "aggregates": {
        "period_type": ("text", ("period_type",)),
        "period_key": ("text", ("period_key",)),
        "data": ("json", ("data",)),
        "updated_at": ("time", ("updated_at",)),
    },
}


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class SqliteFile:
    """One SQLite database file with one user's event log."""

    def __init__(self, path: Path, user_id: str, mapping: EventMapping | None = None) -> None:
        self.path = path
        self.user_id = user_id
        self._mapping = mapping

    def fingerprint(self) -> tuple[object, ...]:
        """Changes whenever a transaction commits to the file; equal means nothing has changed.

        The change counter of the header counts transactions in rollback-journal mode, the header of the
        ``-shm`` those in WAL mode.
        """
        try:
            stat = self.path.stat()
            with self.path.open("rb") as file:
                header = file.read(100)
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror}") from error
        beside = [_beside(self.path, suffix) for suffix in ("-wal", "-shm")]
        return (
            stat.st_ino,
            stat.st_size,
            stat.st_mtime_ns,
            header,
            *((file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else None for file in beside[:1]),
            _first_bytes(beside[1], 136),
        )

    def is_event_log(self) -> bool:
        """Whether the file is a database with a table of events we recognise."""
        with self.connection() as connection:
            return _shape(connection, self._mapping) is not None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection; every SQLite error inside becomes a ``SourceError``."""
        self._check_file()
        uri = self.path.absolute().as_uri() + "?mode=ro"
        if self._needs_immutable():
            uri += "&immutable=1"
        with self._translated():
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                connection.execute("PRAGMA query_only = 1")
                connection.execute("PRAGMA temp_store = FILE")
                connection.execute("PRAGMA mmap_size = 0")
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                yield connection
            finally:
                connection.close()

    def contents(self, connection: sqlite3.Connection, keep: Callable[[Contents], None]) -> Contents:
        """Look at the file in one short transaction; ``keep`` reads the small tables inside it.

        Raises:
            SourceError: the file holds no event log we recognise.
        """
        connection.execute("BEGIN")
        try:
            shape = _shape(connection, self._mapping)
            if shape is None:
                raise self._no_log(connection)
            table = quote(shape.table)
            low, high = connection.execute(
                f"SELECT (SELECT min(rowid) FROM {table}), (SELECT max(rowid) FROM {table})"
            ).fetchone()
            tables, unknown = _other_tables(connection, shape.table)
            contents = Contents(
                shape=shape,
                low_mark=low or 0,
                high_mark=high or 0,
                bytes=self.path.stat().st_size,
                tables=tables,
                unknown_tables=unknown,
            )
            keep(contents)
            return contents
        finally:
            connection.execute("COMMIT")

    def batches(
        self, connection: sqlite3.Connection, shape: Shape, *, after: int, upto: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the raw rows with ``after < rowid <= upto`` in order, each batch read on its own."""
        sql = (
            f"SELECT {shape.columns()} FROM {quote(shape.table)} WHERE rowid > ? AND rowid <= ? ORDER BY rowid"
        )
        payload = 4
        step = 16
        while True:
            rows, step = _batch(connection, sql, (after, upto), payload, step)
            if not rows:
                return
            yield rows
            after = rows[-1][0]

    def verbatim(
        self, connection: sqlite3.Connection, table: str, rowid: int
    ) -> tuple[list[str], list[str], list[bytes | None]]:
        """One row as it is stored: column names, SQLite types, bytes (text and BLOB unchanged)."""
        names = [row[1] for row in connection.execute("SELECT * FROM pragma_table_info(?)", (table,))]
        types = ", ".join(f"typeof({quote(name)})" for name in names)
        cells = ", ".join(
            f"CASE typeof({quote(name)}) WHEN 'real' THEN CAST(printf('%!.17g', {quote(name)}) AS BLOB)"
            f" ELSE CAST({quote(name)} AS BLOB) END"
            for name in names
        )
        row = connection.execute(
            f"SELECT {types}, {cells} FROM {quote(table)} WHERE rowid = ?", (rowid,)
        ).fetchone()
        if row is None:
            raise SourceError(f"{self.path}: row {rowid} of {table} is gone", hint="run the same command again")
        return names, list(row[: len(names)]), list(row[len(names) :])

    def _check_file(self) -> None:
        path = self.path
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                header = file.read(100)
        except FileNotFoundError:
            raise SourceError(f"{path}: no such file", hint="check the path") from None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}", hint="check its permissions") from error
        if size == 0:
            raise SourceError(f"{path}: the file is empty", hint="check that it is the app's database")
        if not header.startswith(MAGIC):
            raise SourceError(
                f"{path}: not a SQLite database, or an encrypted one",
                hint="check the path; decrypt an encrypted database into a copy first (SQLCipher: sqlcipher_export)",
            )
        journal = _beside(path, "-journal")
        if _hot(journal):
            raise SourceError(
                f"{path}: a hot journal lies beside it: the app crashed in the middle of a write",
                hint=f"start and stop the app once, or run `sqlite3 {path} 'PRAGMA schema_version'`,"
                " so that SQLite rolls the write back; then run the same command again",
            )
        page = int.from_bytes(header[16:18], "big")
        page = 65536 if page == 1 else page
        pages = int.from_bytes(header[28:32], "big")
        valid = header[24:28] == header[92:96]
        wal = _beside(path, "-wal")
        if valid and size < page * pages and not (wal.exists() and wal.stat().st_size):
            raise SourceError(
                f"{path}: truncated: {size} bytes of {page * pages}",
                hint="take a whole copy (sqlite3 FILE '.backup COPY') or restore a backup",
            )

    def _needs_immutable(self) -> bool:
        """A WAL database cannot be opened where no ``-shm`` can be made, unless it is immutable.

        Immutable readers ignore the WAL, so that is only right while there is none with anything in it.
        """
        with self.path.open("rb") as file:
            wal_mode = file.read(20)[18:20] == b"\x02\x02"
        shm, wal = _beside(self.path, "-shm"), _beside(self.path, "-wal")
        if not wal_mode or shm.exists() or _writable(self.path.parent):
            return False
        if wal.exists() and wal.stat().st_size:
            raise SourceError(
                f"{self.path}: its -wal holds events, but it has no -shm and its directory is read-only,"
                " so SQLite cannot read the -wal",
                hint=f"copy {self.path.name} and {wal.name} together into a directory you can write to,"
                " and migrate the copy",
            )
        return True

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if "locked" in text or "busy" in text:
                raise SourceError(
                    f"{self.path}: locked by another program for more than {BUSY_SECONDS:.0f} seconds",
                    hint="find who holds it (`fuser FILE`), end its transaction, and run the same command again",
                ) from error
            if "not a database" in text:
                raise SourceError(
                    f"{self.path}: not a SQLite database, or an encrypted one",
                    hint="decrypt an encrypted database into a copy first (SQLCipher: sqlcipher_export)",
                ) from error
            if "malformed" in text or "disk I/O" in text:
                raise SourceError(
                    f"{self.path}: damaged: {text}",
                    hint=f"recover what can be read with `sqlite3 {self.path} .recover`, or restore a backup",
                ) from error
            raise SourceError(f"{self.path}: {text}") from error

    def _no_log(self, connection: sqlite3.Connection) -> SourceError:
        names = [
            row[0]
            for row in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            )
        ]
        if self._mapping is not None:
            message = f"{self.path}: no table {self._mapping.table!r} with the columns of [migrate.events]"
        else:
            message = f"{self.path}: no event log found"
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return SourceError(
            f"{message} (tables: {shown or 'none'})",
            hint="name the table and its columns in gymops.toml under [migrate.events];"
            " `gymops init` writes an example",
        )


class Unique:
    """The ids seen so far, on disk, for logs that do not keep their own ids unique."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)  # private, deleted on close
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("CREATE TABLE seen (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def add(self, event_id: bytes) -> bool:
        """Remember an id; False when it was there."""
        sql = "INSERT OR IGNORE INTO seen VALUES (?)"
        return self._connection.execute(sql, (event_id,)).rowcount == 1

    def close(self) -> None:
        """Forget all."""
        self._connection.close()


class Spool:
    """Small tables as they were at a log's high mark, on disk until they are written.

    Private to this user (0700) and deleted on close.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gymops-")
        self._connection = sqlite3.connect(Path(self._folder.name) / "spool", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(
            "CREATE TABLE rows (name TEXT, user_id TEXT, key TEXT, value TEXT, raw TEXT,"
            " PRIMARY KEY (name, user_id, key)) WITHOUT ROWID"
        )

    def put(self, name: str, user_id: str, key: str, value: str, raw: str) -> bool:
        """Keep one row; False when the key is there already."""
        sql = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?)"
        return self._connection.execute(sql, (name, user_id, key, value, raw)).rowcount == 1

    def rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yield (user_id, key, canonical value), sorted by the bytes of user_id and key."""
        sql = "SELECT user_id, key, value FROM rows WHERE name = ? ORDER BY user_id, key"
        yield from self._connection.execute(sql, (name,))

    def raw_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yield (user_id, key, value as the source writes its JSON)."""
        sql = "SELECT user_id, key, raw FROM rows WHERE name = ? ORDER BY user_id, key"
        yield from self._connection.execute(sql, (name,))

    def close(self) -> None:
        """Delete what was kept."""
        self._connection.close()
        self._folder.cleanup()


def read_table(
    connection: sqlite3.Connection, table: SmallTable
) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Yield (rowid, target column -> raw value, unknown column -> raw value) of a small table."""
    known = list(table.columns)
    names = [quote(table.columns[name][1]) for name in known] + [quote(name) for name in table.extra]
    connection.text_factory = _text_or_bytes
    try:
        for rowid, *values in connection.execute(
            f"SELECT rowid, {', '.join(names)} FROM {quote(table.name)} ORDER BY rowid"
        ):
            split = len(known)
            yield (
                rowid,
                dict(zip(known, values[:split], strict=True)),
                dict(zip(table.extra, values[split:], strict=True)),
            )
    finally:
        connection.text_factory = str


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
            raise SourceError(f"{entry!r}: a folder name that is no UTF-8", hint="rename the folder") from None
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


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _first_bytes(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _hot(journal: Path) -> bool:
    """A journal with a live header: SQLite zeroes it, truncates or deletes the file on commit."""
    return _first_bytes(journal, 8) == b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _batch(
    connection: sqlite3.Connection, sql: str, bounds: tuple[int, int], payload: int, step: int
) -> tuple[list[tuple[Any, ...]], int]:
    """Read one batch, ending its transaction; also the step to begin the next one with."""
    try:
        return _fetch(connection, sql, bounds, payload, step)
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" not in str(error):
            raise
    connection.text_factory = _text_or_bytes
    try:
        return _fetch(connection, sql, bounds, payload, 16)
    finally:
        connection.text_factory = str


def _fetch(
    connection: sqlite3.Connection, sql: str, bounds: tuple[int, int], payload: int, step: int
) -> tuple[list[tuple[Any, ...]], int]:
    started = time.monotonic()
    cursor = connection.execute(sql, bounds)
    rows: list[tuple[Any, ...]] = []
    size = 0
    try:
        while len(rows) < BATCH_ROWS and size < BATCH_BYTES and time.monotonic() - started < BATCH_SECONDS:
            more = cursor.fetchmany(min(step, BATCH_ROWS - len(rows)))
            if not more:
                break
            rows += more
            size += sum(
                len(row[payload]) if isinstance(row[payload], str | bytes) else 8 for row in more
            )
            step = max(16, min(1024, BATCH_BYTES * len(rows) // (8 * max(size, 1))))
    finally:
        cursor.close()
    return rows, step


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Lower-case column name -> its name as declared."""
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return {name.lower(): name for (name,) in rows}


def _shape(connection: sqlite3.Connection, mapping: EventMapping | None) -> Shape | None:
    if mapping is not None:
        wanted = {
            field: getattr(mapping, field)
            for field in ("event_id", "timestamp", "event_type", "payload", "schema_version")
        }
        table = mapping.table
        columns = _columns(connection, table)
    else:
        table = "events"
        columns = _columns(connection, table)
        wanted = {
            "event_id": "event_id",
            "timestamp": "timestamp",
            "event_type": "event_type",
            "payload": "payload" if "payload" in columns else "data",
            "schema_version": "schema_version" if "schema_version" in columns else None,
        }
    found = {field: columns.get(name.lower()) if name else None for field, name in wanted.items()}
    if any(found[field] is None for field, name in wanted.items() if name):
        return None
    _check_rowid(connection, table)
    order = connection.execute(
        "SELECT name FROM pragma_table_info(?) WHERE pk = 1 AND upper(type) = 'INTEGER'"
        " AND (SELECT count(*) FROM pragma_table_info(?) WHERE pk > 0) = 1",
        (table, table),
    ).fetchone()
    used = {name for name in found.values() if name} | ({order[0]} if order else set())
    return Shape(
        name="mapping" if mapping else "titan" if wanted["payload"] == "payload" else "neon",
        table=table,
        event_id=str(found["event_id"]),
        timestamp=str(found["timestamp"]),
        event_type=str(found["event_type"]),
        payload=str(found["payload"]),
        schema_version=found["schema_version"],
        extra=tuple(name for name in columns.values() if name not in used),
        unique_ids=_is_unique(connection, table, str(found["event_id"])),
    )


def _check_rowid(connection: sqlite3.Connection, table: str) -> None:
    try:
        connection.execute(f"SELECT rowid FROM {quote(table)} LIMIT 0")
    except sqlite3.OperationalError:
        raise SourceError(
            f"table {table} has no rowid, and so does not keep the order of its events",
            hint=f"copy it in order first: CREATE TABLE ordered AS SELECT * FROM {table} ORDER BY ...,"
            " and name that table in gymops.toml under [migrate.events]",
        ) from None


def _is_unique(connection: sqlite3.Connection, table: str, column: str) -> bool:
    indexes = connection.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (table,)
    ).fetchall()
    for (index,) in indexes:
        members = connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
        if members == [(column,)]:
            return True
    return False


def _other_tables(
    connection: sqlite3.Connection, events: str
) -> tuple[tuple[SmallTable, ...], tuple[str, ...]]:
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND name <> ? ORDER BY name",
        (events,),
    ).fetchall()
    tables: list[SmallTable] = []
    unknown: list[str] = []
    for (name,) in names:
        table = _small_table(connection, name)
        if table is None:
            unknown.append(name)
        else:
            tables.append(table)
    return tuple(tables), tuple(unknown)


def _small_table(connection: sqlite3.Connection, name: str) -> SmallTable | None:
    known = KNOWN_TABLES.get(name)
    if known is None:
        return None
    columns = _columns(connection, name)
    found: dict[str, tuple[str, str]] = {}
    for target, (kind, candidates) in known.items():
        column = next((columns[candidate] for candidate in candidates if candidate in columns), None)
        if column is not None:
            found[target] = (kind, column)
        elif not kind.endswith("?") and kind != "bool":
            return None
    used = {column for _, column in found.values()}
    rows = connection.execute(f"SELECT count(*) FROM {quote(name)}").fetchone()[0]
    return SmallTable(name, found, tuple(c for c in columns.values() if c not in used), rows)
