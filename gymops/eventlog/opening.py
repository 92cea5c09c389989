"""Opening a SQLite file to read it: never changed, never read past a journal, errors in plain words.

Two traps decide how this is done. ``immutable=1`` ignores what lies in a ``-wal`` or ``-journal``. And
closing any descriptor of a file drops all POSIX locks the process has on it, those of SQLite included:
so files are looked at through ``peek`` only.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gymops.errors import SourceError

MAGIC = b"SQLite format 3\0"
BUSY_SECONDS = 5.0
"""How long to wait for an app that is writing. Its own transactions are shorter than this."""

_HEADER = 100
_AGAIN = "run the same command again"
_DECRYPT = "decrypt an encrypted database into a copy first (SQLCipher: sqlcipher_export)"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection; every SQLite error inside becomes a ``SourceError``."""
    check(path)
    real = _real(path)
    with translated(path), _locks_kept():
        immutable = _needs_immutable(path, real)
        before = _state(real) if immutable else None
        uri = real.as_uri() + ("?mode=ro&immutable=1" if immutable else "?mode=ro")
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            for setting in ("query_only = 1", "cell_size_check = 1", "mmap_size = 0"):
                connection.execute(f"PRAGMA {setting}")
            _whole(connection, path, real)
            yield connection
        finally:
            connection.close()
        if immutable and _state(real) != before:
            raise SourceError(f"{show(path)}: another program wrote to it while it was read", hint=_AGAIN)


def check(path: Path) -> None:
    """See that the file can be a SQLite database at all.

    Raises:
        SourceError: it is missing, unreadable, empty, no file or no database.
    """
    with _readable(path):
        status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{show(path)}: a directory, not a database", hint="name the file in it")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{show(path)}: not a regular file", hint="copy it into a file first")
    with _readable(path):
        header = peek(path, _HEADER)
    if not header:
        raise SourceError(f"{show(path)}: the file is empty", hint="check that it is the app's database")
    if not header.startswith(MAGIC[: len(header)]):
        raise SourceError(
            f"{show(path)}: not a SQLite database, or an encrypted one", hint=f"check the path; {_DECRYPT}"
        )
    if len(header) < _HEADER:
        raise _truncated(path, status.st_size, _HEADER)


def is_database(path: Path) -> bool:
    """Whether a file begins as a SQLite database does."""
    try:
        return path.is_file() and peek(path, len(MAGIC)) == MAGIC
    except OSError:
        return False


def fingerprint(path: Path) -> tuple[object, ...]:
    """Changes whenever a transaction commits to the file; equal means nothing has changed.

    The change counter of the header counts transactions in rollback-journal mode, the header of the
    ``-shm`` those in WAL mode.
    """
    real = _real(path)
    with _readable(path):
        return (*_state(real), peek(real, _HEADER), _first_bytes(beside(real, "-shm"), 96))


def peek(path: Path, size: int) -> bytes:
    """The first bytes of a file, read without SQLite and without losing its locks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        if _connections:
            _descriptors.append(descriptor)
        else:
            os.close(descriptor)


_connections: list[object] = []
_descriptors: list[int] = []
"""Not closed before the last connection of this process is."""


@contextmanager
def _locks_kept() -> Iterator[None]:
    token = object()
    _connections.append(token)
    try:
        yield
    finally:
        _connections.remove(token)
        while _descriptors and not _connections:
            os.close(_descriptors.pop())


def beside(path: Path, suffix: str) -> Path:
    """The ``-wal``, ``-shm`` or ``-journal`` of a file that is no symbolic link."""
    return path.with_name(path.name + suffix)


def show(path: Path) -> str:
    """A path as it can be printed and stored, even where its name is no UTF-8."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _real(path: Path) -> Path:
    # SQLite follows symbolic links: what it keeps beside the file is beside their end.
    return Path(os.path.realpath(path))


def _needs_immutable(path: Path, real: Path) -> bool:
    """A WAL database cannot be opened where no ``-shm`` can be made, unless it is immutable.

    Nor is one made where it would be ours and not the app's, which then could not write to it. Readers
    of an immutable file ignore the WAL, so that is only right while there is none with anything in it.
    """
    wal_mode = peek(real, 20)[18:20] == b"\x02\x02"
    if not wal_mode or beside(real, "-shm").exists():
        return False
    ours = os.geteuid() in (0, real.stat().st_uid)
    if ours and os.access(real.parent, os.W_OK | os.X_OK):
        return False
    for suffix in ("-wal", "-journal"):
        if _size(beside(real, suffix)):
            raise SourceError(
                f"{show(path)}: its {suffix} holds events, but it has no -shm and none can be made in"
                " its directory, so SQLite cannot read them",
                hint=f"copy {show(real)} and {show(beside(real, suffix))} together into a directory you"
                " can write to, and migrate the copy",
            )
    return True


def _whole(connection: sqlite3.Connection, path: Path, real: Path) -> None:
    """See that the file is as long as its header says, while no writer can change it."""
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        page = connection.execute("PRAGMA page_size").fetchone()[0]
        size = real.stat().st_size
        if size < pages * page and not _size(beside(real, "-wal")):
            raise _truncated(path, size, pages * page)
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors on this file into a ``SourceError``."""
    try:
        yield
    except sqlite3.Error as error:
        raise _source_error(path, error) from error


def _source_error(path: Path, error: sqlite3.Error) -> SourceError:
    name, where, text = getattr(error, "sqlite_errorname", ""), show(path), str(error)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return SourceError(
            f"{where}: locked by another program for more than {BUSY_SECONDS:g} seconds",
            hint=f"find who holds it (`fuser {where}`), let its transaction end, and {_AGAIN}",
        )
    if name == "SQLITE_NOTADB":
        return SourceError(f"{where}: not a SQLite database, or an encrypted one", hint=_DECRYPT)
    if name == "SQLITE_READONLY_ROLLBACK":
        return SourceError(
            f"{where}: a hot journal lies beside it: the app crashed in the middle of a write",
            hint=f"start and stop the app once, or run `sqlite3 {where} .schema`,"
            f" so that SQLite rolls the write back; then {_AGAIN}",
        )
    if name.startswith("SQLITE_CORRUPT"):
        return _truncation(path) or SourceError(
            f"{where}: damaged: {text}",
            hint=f"recover what can be read with `sqlite3 {where} .recover`, or restore a backup",
        )
    if name.startswith("SQLITE_IOERR"):
        return SourceError(f"{where}: cannot be read: {text}", hint="check the disk, or restore a backup")
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return SourceError(
            f"{where}: cannot be opened: {text}",
            hint="check the permissions of the file, its -wal and -shm and its directory, or migrate a copy"
            " (of all three)",
        )
    return SourceError(f"{where}: {text}", hint=f"see that the app is not changing its tables, then {_AGAIN}")


def _truncation(path: Path) -> SourceError | None:
    """Whether a damaged file is shorter than its header says; for the message only."""
    try:
        header, size = peek(path, _HEADER), path.stat().st_size
    except OSError:
        return None
    page = int.from_bytes(header[16:18], "big")
    expected = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    return _truncated(path, size, expected) if size < expected else None


def _truncated(path: Path, size: int, expected: int) -> SourceError:
    return SourceError(
        f"{show(path)}: truncated: {size:,} bytes of {expected:,}",
        hint="take a whole copy (sqlite3 FILE '.backup COPY') or restore a backup",
    )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        gone = "a symbolic link to nothing" if path.is_symlink() else "no such file or directory"
        raise SourceError(f"{show(path)}: {gone}", hint="check the path") from None
    except OSError as error:
        raise SourceError(f"{show(path)}: {error.strerror}", hint="check its permissions") from error


def _state(real: Path) -> tuple[object, ...]:
    status = real.stat()
    try:
        wal = beside(real, "-wal").stat()
        written = (wal.st_size, wal.st_mtime_ns)
    except OSError:
        written = (0, 0)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, *written


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _first_bytes(path: Path, size: int) -> bytes:
    try:
        return peek(path, size)
    except OSError:
        return b""
