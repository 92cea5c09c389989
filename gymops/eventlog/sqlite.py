"""SQLite files as event logs: opened read-only, read in short transactions, never changed.

The source may belong to an app that is running. So nothing here holds a read transaction for long: in
rollback-journal mode that would block the app's writes, in WAL mode it would keep its WAL growing.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gymops.config import EventMapping
from gymops.errors import SourceError
from gymops.eventlog.shapes import Contents, Shape, SmallTable, other_tables, quote, recognise

MAGIC = b"SQLite format 3\0"
_DECRYPT = "decrypt an encrypted database into a copy first (SQLCipher: sqlcipher_export)"
BUSY_SECONDS = 5.0
"""How long to wait for an app that is writing. Its own transactions are shorter than this."""
BATCH_ROWS = 4096
BATCH_BYTES = 4 << 20
BATCH_SECONDS = 0.05
"""A batch's read transaction ends at the first of these; the app waits for it at most that long."""


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
            *(
                (file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else None
                for file in beside[:1]
            ),
            _first_bytes(beside[1], 136),
        )

    def is_event_log(self) -> bool:
        """Whether the file is a database with a table of events we recognise."""
        with self.connection() as connection:
            return recognise(connection, self._mapping) is not None

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
            shape = recognise(connection, self._mapping)
            if shape is None:
                raise self._no_log(connection)
            table = quote(shape.table)
            low, high = connection.execute(
                f"SELECT (SELECT min(rowid) FROM {table}), (SELECT max(rowid) FROM {table})"
            ).fetchone()
            tables, unknown = other_tables(connection, shape.table)
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
            f"SELECT {shape.columns()} FROM {quote(shape.table)}"
            " WHERE rowid > ? AND rowid <= ? ORDER BY rowid"
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
            raise SourceError(
                f"{self.path}: row {rowid} of {table} is gone", hint="run the same command again"
            )
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
                hint=f"check the path; {_DECRYPT}",
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
                    hint=f"find who holds it (`fuser {self.path}`), end its transaction, and run this again",
                ) from error
            if "not a database" in text:
                raise SourceError(
                    f"{self.path}: not a SQLite database, or an encrypted one",
                    hint=_DECRYPT,
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
                "SELECT name FROM sqlite_schema"
                " WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
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
            size += sum(len(row[payload]) if isinstance(row[payload], str | bytes) else 8 for row in more)
            step = max(16, min(1024, BATCH_BYTES * len(rows) // (8 * max(size, 1))))
    finally:
        cursor.close()
    return rows, step


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
