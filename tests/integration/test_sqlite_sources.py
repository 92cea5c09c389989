"""SQLite files as they are found: in every state an app, a crash or a copy leaves them in."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gymops.errors import GymopsError, SourceError
from gymops.eventlog import opening, sqlite
from gymops.eventlog.shapes import Contents
from gymops.eventlog.sqlite import SqliteFile
from gymops.eventlog.workspace import SqliteLog
from tests.sources import LOOSE, TITAN, App, change, event, event_id, hashes, write

_WAL = ("journal_mode = wal",)
_INSERT = f"""
columns = "event_id, timestamp, event_type, payload, schema_version"
c.execute(f"INSERT INTO events ({{columns}}) VALUES (?, ?, ?, ?, ?)", {event(900)!r})
"""


def read(path: Path, user: str = "alice") -> list[str]:
    """The ids of a log's events, in order."""
    with closing(SqliteLog(path, user)) as log:
        return [str(found.event_id) for user_id in log.users for found in log.events(user_id)]


def ids(*numbers: int) -> list[str]:
    return [event_id(number) for number in numbers]


def refused(path: Path, says: str, hint: str = "") -> SourceError:
    """Reading fails, naming the file, with this in the message and the hint."""
    with pytest.raises(SourceError) as error:
        read(path)
    assert str(path) in error.value.message
    assert says in error.value.message.replace(str(path), "FILE"), error.value.message
    assert error.value.hint
    assert hint in error.value.hint
    return error.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three events in rollback-journal mode."""
    return write(tmp_path / "gym.db", map(event, (1, 2, 3)))


@pytest.fixture
def wal_file(tmp_path: Path) -> Path:
    """Three events in WAL mode, cleanly closed."""
    return write(tmp_path / "gym.db", map(event, (1, 2, 3)), pragmas=_WAL)


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Mounts a folder read-only on itself: even root cannot write there then."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        for options in (["--bind", folder], ["-o", "remount,ro,bind"]):
            done = subprocess.run(
                ["mount", *map(str, options), str(folder)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.skip(f"mounting is not possible here: {done.stderr.strip()}")
            mounted.append(folder)

    yield mount
    for folder in mounted[:1]:
        subprocess.run(["umount", str(folder)], check=True)


# Files that are no database


def test_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "gym.db", "no such file", "check the path")


def test_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "gym.db").symlink_to(tmp_path / "gone.db")
    refused(tmp_path / "gym.db", "a symbolic link to nothing")


def test_a_path_through_a_file(file: Path) -> None:
    refused(file / "gym.db", "no such file or directory")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "gym.db").touch()
    refused(tmp_path / "gym.db", "the file is empty")


@pytest.mark.parametrize("content", [b"PGDMP" * 500, os.urandom(8192), bytes(4096), b"SQLite format 2\0" * 9])
def test_a_file_that_is_no_database_or_encrypted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gym.db").write_bytes(content)
    refused(tmp_path / "gym.db", "not a SQLite database, or an encrypted one", "sqlcipher_export")


def test_an_encrypted_file_with_a_plain_header(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[18:] = os.urandom(len(raw) - 18)
    file.write_bytes(raw)
    refused(file, "not a SQLite database, or an encrypted one", "sqlcipher_export")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gym.db")
    refused(tmp_path / "gym.db", "not a regular file", "copy it into a file")


@pytest.mark.parametrize("length", [1, 16, 50, 100, 4096, 5000, 8192, -4096, -100, -1])
def test_a_truncated_file(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "gym.db", map(event, range(500)))
    with path.open("r+b") as whole:
        whole.truncate(length if length > 0 else path.stat().st_size + length)
    refused(path, "truncated", "restore a backup")


def test_a_truncated_file_beside_a_wal(tmp_path: Path) -> None:
    """What is missing could stand in the WAL: it is found when it is read."""
    path = write(tmp_path / "gym.db", map(event, range(500)), pragmas=_WAL)
    App(path, _INSERT).kill()
    with path.open("r+b") as whole:
        whole.truncate(path.stat().st_size // 8192 * 4096)
    refused(path, "truncated", "restore a backup")


def test_a_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "gym.db", [event(1)])

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opening.os, "open", denied)  # type: ignore[attr-defined]
    refused(path, "Permission denied", "check its permissions")


# Damage


def _overwrite(path: Path, page: int, content: bytes) -> None:
    with path.open("r+b") as damaged:
        damaged.seek(page * 4096)
        damaged.write(content)


@pytest.mark.parametrize("content", [bytes(4096), b"\xff" * 4096, b"\x0d" + b"\xa5" * 4095])
def test_damage_in_the_middle(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "gym.db", map(event, range(3000)))
    with closing(sqlite3.connect(path)) as connection:
        pages = (
            [
                page
                for (page,) in connection.execute(
                    "SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path"
                )
            ]
            if _has_dbstat(connection)
            else [path.stat().st_size // 8192]
        )
    _overwrite(path, pages[len(pages) // 2] - 1, content)
    refused(path, "damaged", ".recover")


def _has_dbstat(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1 FROM dbstat LIMIT 1")
    except sqlite3.OperationalError:
        return False
    return True


def test_damage_that_only_the_size_of_a_cell_tells(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", map(event, range(500)), LOOSE)
    for page, at, size in ((3, 2182, 96), (13, 555, 100), (2, 2317, 100)):
        _overwrite(path, page, path.read_bytes()[page * 4096 :][:at] + b"\xff" * size)
        refused(path, "damaged: database disk image is malformed", ".recover")
        write(path.with_name("whole.db"), map(event, range(500)), LOOSE).replace(path)


def test_a_page_that_stands_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", map(event, range(500)), LOOSE)
    raw = path.read_bytes()
    leaves = [at for at in range(0, len(raw), 4096) if raw[at] == 0x0D and at]
    _overwrite(path, leaves[4] // 4096, raw[leaves[3] : leaves[3] + 4096])
    refused(path, "out of order", ".recover")


# Journals and locks


def test_a_hot_journal_left_by_a_crash(file: Path) -> None:
    App(
        file,
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN');"
        "c.execute('UPDATE events SET payload = ?', ('x' * 9000,));"
        "c.execute('CREATE TABLE more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 9000) SELECT i FROM n')",
    ).kill()
    journal = file.with_name("gym.db-journal")
    assert journal.read_bytes()[:8] == bytes.fromhex("d9d505f920a163d7")
    before = hashes(file.parent)

    refused(file, "a hot journal lies beside it", f"sqlite3 {file} .schema")

    assert hashes(file.parent) == before
    change(file, "PRAGMA schema_version")  # what the hint says
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    assert read(file) == ids(1, 2, 3)


def test_a_journal_of_an_app_in_the_middle_of_a_write_is_not_hot(file: Path) -> None:
    app = App(file, "c.execute('PRAGMA synchronous = off'); c.execute('BEGIN')" + _INSERT)
    assert file.with_name("gym.db-journal").read_bytes()[:8] == bytes.fromhex("d9d505f920a163d7")
    assert read(file) == ids(1, 2, 3)
    app.close()


@pytest.mark.parametrize("mode", ["PERSIST", "TRUNCATE"])
def test_a_journal_that_is_done_with(file: Path, mode: str) -> None:
    app = App(file, f"c.execute('PRAGMA journal_mode = {mode}')" + _INSERT)
    app.close()
    assert file.with_name("gym.db-journal").exists()
    assert read(file) == ids(1, 2, 3, 900)


def test_a_locked_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    app = App(file, "c.execute('BEGIN EXCLUSIVE')")
    refused(file, "locked by another program for more than 0.05 seconds", f"fuser {file}")
    app.close()
    assert read(file) == ids(1, 2, 3)


def test_a_lock_that_is_let_go_in_time_costs_no_row(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time a batch may take counts from when it has the lock."""
    monkeypatch.setattr(sqlite, "BATCH_SECONDS", 0.01)
    log = SqliteFile(file, "alice")
    with log.connection() as connection:
        contents = log.contents(connection, lambda _: None)
        app = App(file, "c.execute('BEGIN EXCLUSIVE')")
        letting_go = threading.Timer(0.1, app.close)
        letting_go.start()
        batches = log.batches(connection, contents.shape, after=0, upto=contents.high_mark)
        assert [row[0] for batch in batches for row in batch] == [1, 2, 3]
        letting_go.join()


def test_a_batch_has_a_row_however_late_it_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BATCH_SECONDS", 0.0)
    assert read(file) == ids(1, 2, 3)
    change(file, "UPDATE events SET event_type = CAST(x'ff' AS TEXT) WHERE id = 2")
    assert read(file) == ids(1, 3)


# What is read is never changed


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_no_byte_changes_while_the_app_has_it_open(tmp_path: Path, mode: str) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=(f"journal_mode = {mode}",))
    app = App(path, _INSERT)
    before = hashes(path.parent)
    assert (mode == "wal") == ("gym.db-wal" in before)
    assert read(path) == ids(1, 2, 3, 900)
    assert hashes(path.parent) == before
    app.close()
    assert read(path) == ids(1, 2, 3, 900)


def test_no_byte_changes_of_a_wal_left_by_a_killed_writer(tmp_path: Path) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=_WAL)
    App(path, _INSERT).kill()
    wal = path.with_name("gym.db-wal")
    assert wal.stat().st_size > 0
    before = hashes(path.parent)

    assert read(path) == ids(1, 2, 3, 900)
    path.with_name("gym.db-shm").unlink()
    assert read(path) == ids(1, 2, 3, 900)

    assert hashes(path.parent) == before
    App(path, "").close()
    assert read(path) == ids(1, 2, 3, 900), "the app recovers what it had committed"


def test_a_cleanly_closed_wal_database(wal_file: Path) -> None:
    """SQLite makes an empty -wal beside it; the app takes it away again when it closes."""
    before = hashes(wal_file.parent)
    assert read(wal_file) == ids(1, 2, 3)
    after = hashes(wal_file.parent)
    assert after.pop("gym.db-wal", None) in (None, hashlib.sha256().hexdigest())
    assert after == before
    App(wal_file, _INSERT).close()
    assert sorted(path.name for path in wal_file.parent.iterdir()) == ["gym.db"]
    assert read(wal_file) == ids(1, 2, 3, 900)


def _posix_locks(path: Path) -> int:
    """How many locks this process has on a database and its -shm."""
    inodes = {file.stat().st_ino for file in (path, path.with_name(path.name + "-shm"))}
    with Path("/proc/locks").open() as locks:
        fields = [line.split() for line in locks]
    return sum(str(os.getpid()) in line and int(line[5].split(":")[2]) in inodes for line in fields)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="needs /proc/locks")
def test_looking_at_a_file_does_not_drop_the_locks_sqlite_has_on_it(wal_file: Path) -> None:
    """Otherwise an app that closes would take the WAL away from under the reader."""
    app = App(wal_file, _INSERT)
    log = SqliteFile(wal_file, "alice")
    with log.connection() as connection:
        connection.execute("SELECT 1 FROM events").fetchone()
        locks = _posix_locks(wal_file)
        assert locks > 0
        log.fingerprint()
        assert log.is_event_log()
        opening.check(wal_file)
        assert _posix_locks(wal_file) == locks
        app.close()
        assert wal_file.with_name("gym.db-wal").exists()
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (4,)
    assert _posix_locks(wal_file) == 0
    assert not opening._descriptors


def _uris(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    real = sqlite3.connect

    def connect(database: str, **options: object) -> sqlite3.Connection:
        if database:
            seen.append(database)
        return real(database, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(sqlite3, "connect", connect)
    return seen


def test_a_clean_wal_database_in_a_read_only_folder(
    tmp_path: Path, read_only_folder: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=_WAL)
    read_only_folder(path.parent)
    seen = _uris(monkeypatch)
    assert read(path) == ids(1, 2, 3)
    assert seen
    assert all("immutable=1" in uri for uri in seen)


@pytest.mark.parametrize("linked", [False, True])
def test_a_wal_without_shm_in_a_read_only_folder(
    tmp_path: Path, read_only_folder: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=_WAL)
    App(path, _INSERT).kill()
    path.with_name("gym.db-shm").unlink()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    read_only_folder(path.parent)
    seen = _uris(monkeypatch)
    error = refused(link if linked else path, "its -wal holds events", "migrate the copy")
    assert not seen, "it was opened, perhaps without its WAL"

    # The remedy, as it is written.
    copies = tmp_path / "copies"
    copies.mkdir()
    assert error.hint is not None
    for name in re.findall(r"(\S*gym\.db\S*)", error.hint):
        shutil.copy(name, copies)
    assert read(copies / "gym.db") == ids(1, 2, 3, 900)


def test_a_journal_is_never_read_past(
    tmp_path: Path, read_only_folder: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=_WAL)
    path.with_name("gym.db-journal").write_bytes(b"anything")
    read_only_folder(path.parent)
    seen = _uris(monkeypatch)
    refused(path, "its -journal holds events")
    assert not [uri for uri in seen if "immutable" in uri]


def test_a_wal_with_its_shm_in_a_read_only_folder(
    tmp_path: Path, read_only_folder: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=_WAL)
    App(path, _INSERT).kill()
    read_only_folder(path.parent)
    seen = _uris(monkeypatch)
    assert read(path) == ids(1, 2, 3, 900)
    assert not [uri for uri in seen if "immutable" in uri]


def test_a_wal_database_of_another_user_gets_no_files_of_ours(
    wal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app could not write to a -wal that we own."""
    monkeypatch.setattr(opening.os, "geteuid", lambda: 12345)  # type: ignore[attr-defined]
    assert read(wal_file) == ids(1, 2, 3)
    assert sorted(path.name for path in wal_file.parent.iterdir()) == ["gym.db"]


def test_a_file_that_was_taken_for_immutable_and_changes(
    wal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening.os, "geteuid", lambda: 12345)  # type: ignore[attr-defined]
    log = SqliteFile(wal_file, "alice")
    with pytest.raises(SourceError, match="another program wrote to it"), log.connection():
        App(wal_file, _INSERT).close()


# Names and places


@pytest.mark.parametrize("name", ["a b.db", "a'b\".db", "a?b#c%20d.db", "é🏋.db", "line\nbreak.db", "-x;.db"])
def test_any_path(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name.replace(".db", "") / name, map(event, (1, 2)))
    assert read(path) == ids(1, 2)


def test_a_path_that_is_no_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/g\xffym.db"))
    write(path, [event(1)])
    with closing(SqliteLog(path, "alice")) as log:
        assert log.name.encode().endswith(rb"/g\xffym.db")
    assert read(path) == ids(1)
    path.write_bytes(b"")
    with pytest.raises(SourceError, match=r"g\\xffym.db: the file is empty"):
        read(path)


def test_a_link_to_a_file_whose_wal_lies_elsewhere(tmp_path: Path) -> None:
    path = write(tmp_path / "app" / "gym.db", map(event, (1, 2, 3)), pragmas=_WAL)
    app = App(path, _INSERT)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    first = opening.fingerprint(link)
    assert read(link) == ids(1, 2, 3, 900)
    app.close()
    assert opening.fingerprint(link) != first


# Shapes of the table


def test_utf16_is_read_as_it_is(tmp_path: Path) -> None:
    path = write(
        tmp_path / "gym.db",
        [
            event(1, payload='{"note": "Klimmzüge 🏋"}'),
            event(2),
            event(3, event_type=b"blob"),
            event(4, payload=None),
        ],
        LOOSE,
        pragmas=("encoding = 'UTF-16le'",),
    )
    # A lone surrogate, which SQLite would silently merge with what comes behind it.
    change(path, "UPDATE events SET payload = CAST(x'7b0022003dd822003a0031007d00' AS TEXT) WHERE id = 2")
    with closing(SqliteLog(path, "alice")) as log:
        events = list(log.events("alice"))
        assert [(found.event_id, found.payload) for found in events] == [
            (events[0].event_id, '{"note": "Klimmzüge 🏋"}')
        ]
        rejected = list(log.rejected("alice"))
    assert [row.rowid for row in rejected] == [2, 3, 4]
    surrogate = rejected[0]
    at = surrogate.columns.index("payload")
    assert surrogate.types[at] == "text UTF-16le"
    assert surrogate.cells[at] == bytes.fromhex("7b0022003dd822003a0031007d00")
    assert surrogate.cells[surrogate.columns.index("event_id")] == event_id(2).encode("utf-16-le")
    assert surrogate.cells[surrogate.columns.index("id")] == b"2"


def test_a_table_without_rowid(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", [], TITAN.replace("AUTOINCREMENT", "") + " WITHOUT ROWID")
    refused(path, "WITHOUT ROWID, and so does not keep the order of its events", "[migrate.events]")


def test_a_view(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", [event(1)])
    change(path, "ALTER TABLE events RENAME TO log", "CREATE VIEW events AS SELECT * FROM log")
    refused(path, "'events' is a view", "[migrate.events]")


def test_names_in_another_case(tmp_path: Path) -> None:
    columns = "Id INTEGER PRIMARY KEY, Event_ID, Timestamp, EVENT_TYPE, Payload, Schema_VERSION"
    path = write(
        tmp_path / "gym.db",
        map(event, (1, 2)),
        f"CREATE TABLE EVENTS ({columns})",
        "CREATE TABLE Projections (KEY TEXT, Data TEXT, Updated_At TEXT)",
        "INSERT INTO Projections VALUES ('a', '{}', '2024-01-01T00:00:00Z')",
    )
    with closing(SqliteLog(path, "alice")) as log:
        contents = log.read()["alice"].contents
        assert (contents.unknown_tables, contents.shape.extra) == ((), ())
        assert [row[1] for row in log.table_rows("projections")] == ['["a"]']
    assert read(path) == ids(1, 2)


@pytest.mark.parametrize("taken", [("rowid",), ("rowid", "_rowid_"), ("ROWID", "oid", "_RowId_")])
def test_a_column_called_rowid(tmp_path: Path, taken: tuple[str, ...]) -> None:
    """The order is the table's, and the column is kept like any other."""
    ddl = LOOSE[:-1] + "".join(f', "{name}"' for name in taken) + ")"
    path = write(tmp_path / "gym.db", map(event, (1, 2, 3)), ddl)
    change(path, *(f'UPDATE events SET "{name}" = 7 - id' for name in taken))
    assert read(path) == ids(1, 2, 3)
    with closing(SqliteLog(path, "alice")) as log:
        assert sorted(log.read()["alice"].contents.shape.extra) == sorted(taken)


def test_a_table_whose_columns_hide_its_rowid(tmp_path: Path) -> None:
    ddl = (
        "CREATE TABLE events (event_id, timestamp, event_type, payload, schema_version, rowid, oid, _rowid_)"
    )
    refused(write(tmp_path / "gym.db", [event(1)], ddl), "hide its rowid")


def test_a_primary_key_that_is_not_the_rowid_is_kept(tmp_path: Path) -> None:
    """``INTEGER PRIMARY KEY DESC`` is SQLite's own exception to its rule."""
    path = write(tmp_path / "gym.db", map(event, (1, 2)), LOOSE.replace("PRIMARY KEY", "PRIMARY KEY DESC"))
    change(path, "UPDATE events SET id = 10 - rowid")
    assert read(path) == ids(1, 2)
    with closing(SqliteLog(path, "alice")) as log:
        assert log.read()["alice"].contents.shape.extra == ("id",)


def test_the_lowest_and_highest_rowids_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", map(event, (1, 2, 3, 4)), LOOSE)
    lowest, highest = -(2**63), 2**63 - 1
    change(
        path,
        f"UPDATE events SET id = {lowest} WHERE id = 1",
        "UPDATE events SET id = -5 WHERE id = 2",
        f"UPDATE events SET id = {highest} WHERE id = 4",
    )
    assert read(path) == ids(1, 2, 3, 4)


def test_computed_columns(tmp_path: Path) -> None:
    """What is computed when it is read holds nothing, and may fail on the very row that is bad."""
    path = write(tmp_path / "gym.db", [event(1), event(2, payload="{"), event(3)], LOOSE)
    change(path, "ALTER TABLE events ADD COLUMN reps AS (json_extract(payload, '$.reps'))")
    assert read(path) == ids(1, 3)
    with closing(SqliteLog(path, "alice")) as log:
        (bad,) = log.rejected("alice")
        assert "reps" not in bad.columns

    stored = LOOSE[:-1] + ", loud TEXT GENERATED ALWAYS AS (upper(event_type)) STORED)"
    path = write(tmp_path / "stored.db", [event(1)], stored)
    with closing(SqliteLog(path, "alice")) as log:
        assert [row[7] for rows in log.rows("alice") for row in rows] == ['{"loud": "SETLOGGED"}']


def test_an_event_column_that_is_computed(tmp_path: Path) -> None:
    path = tmp_path / "gym.db"
    change(
        path,
        "CREATE TABLE events (id INTEGER PRIMARY KEY, event_id, timestamp, payload, schema_version,"
        " event_type AS (json_extract(payload, '$.type')))",
        "INSERT INTO events (event_id, timestamp, payload)"
        f" VALUES ('{event_id(1)}', '2024-01-01T00:00:00Z', '{{\"type\": \"SetLogged\"}}')",
    )
    with closing(SqliteLog(path, "alice")) as log:
        assert [found.event_type for found in log.events("alice")] == ["SetLogged"]


def test_a_strict_table_and_one_whose_key_is_text(tmp_path: Path) -> None:
    strict = write(tmp_path / "a.db", map(event, (2, 1)), TITAN + " STRICT")
    assert read(strict) == ids(2, 1)
    neon = tmp_path / "b.db"
    change(
        neon,
        "CREATE TABLE events"
        " (event_id TEXT PRIMARY KEY, event_type TEXT, timestamp TEXT, data TEXT, created_at TEXT)",
        *(
            f"INSERT INTO events VALUES ('{event_id(n)}', 'SetLogged', '2024-01-01T00:00:0{n}Z', '{{}}', 'x')"
            for n in (3, 1, 2)
        ),
    )
    assert read(neon) == ids(3, 1, 2)


def test_a_log_without_events(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", [])
    with closing(SqliteLog(path, "alice")) as log:
        assert log.digest().events == 0
        App(path, _INSERT).close()
        assert list(log.events("alice")) == [], "what came later belongs to the next run"
    assert read(path) == ids(900)


def test_a_column_that_goes_away_meanwhile_is_not_read_as_its_name(tmp_path: Path) -> None:
    """SQLite takes a name in double quotes that is no column for a text."""
    path = write(tmp_path / "gym.db", [event(1)])
    file = SqliteFile(path, "alice")
    with file.connection() as connection:
        contents = file.contents(connection, lambda _: None)
    change(path, "ALTER TABLE events RENAME COLUMN payload TO body")
    with pytest.raises(SourceError, match="no such column"), file.connection() as connection:
        list(file.batches(connection, contents.shape, after=0, upto=1))


def test_a_projection_table_without_rowid(tmp_path: Path) -> None:
    path = write(
        tmp_path / "gym.db",
        [event(1)],
        TITAN,
        "CREATE TABLE projections (key TEXT PRIMARY KEY, data TEXT, updated_at TEXT) WITHOUT ROWID",
        "INSERT INTO projections VALUES ('b', '{', 'x'), ('a', '{}', '2024-01-01T00:00:00Z'),"
        " ('c', '{}', '2024-01-01T00:00:00Z')",
    )
    with closing(SqliteLog(path, "alice")) as log:
        log.read()
        assert [row[1] for row in log.table_rows("projections")] == ['["a"]', '["c"]']
        assert [(row.rowid, row.reason[:5]) for row in log.rejected("alice")] == [(2, "data:")]


# Memory and time


def test_rows_of_any_size_between_small_ones(tmp_path: Path) -> None:
    large = '{"note": "' + "x" * 300_000 + '"}'
    numbers = range(1, 600)
    path = write(
        tmp_path / "gym.db", (event(n, payload=large) if n % 200 == 0 else event(n) for n in numbers), LOOSE
    )
    change(path, "UPDATE events SET event_type = CAST(x'ff' AS TEXT) WHERE id = 300")
    assert read(path) == ids(*(n for n in numbers if n != 300))


def test_a_batch_ends_at_its_bytes_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BATCH_BYTES", 1 << 20)
    path = write(tmp_path / "gym.db", map(event, range(1, 200)), LOOSE[:-1] + ", photo)")
    change(path, "UPDATE events SET photo = zeroblob(600000) WHERE id > 100 AND id < 110")
    file = SqliteFile(path, "alice")
    with file.connection() as connection:
        contents = file.contents(connection, lambda _: None)
        sizes = [
            sum(len(row[6] or b"") for row in batch)
            for batch in file.batches(connection, contents.shape, after=0, upto=contents.high_mark)
        ]
    assert sum(sizes) == 9 * 600_000
    assert max(sizes) <= 1_200_000


@pytest.mark.parametrize("others", ["zeroblob(10000)", "NULL", "7", "1.5"])
def test_middling_blobs_count_for_a_batch(
    others: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BATCH_BYTES", 1 << 20)
    path = write(tmp_path / "gym.db", map(event, range(1, 800)), LOOSE[:-1] + ", photo)")
    change(path, f"UPDATE events SET photo = iif(id % 2, zeroblob(10000), {others})")
    log = SqliteFile(path, "alice")
    with log.connection() as connection:
        shape = log.contents(connection, lambda _: None).shape
        assert max(len(batch) for batch in log.batches(connection, shape, after=0, upto=800)) == 256


def test_a_batch_ends_when_its_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.02
        return now

    path = write(tmp_path / "gym.db", map(event, range(1, 2000)))
    log = SqliteFile(path, "alice")
    with log.connection() as connection:
        contents = log.contents(connection, lambda _: None)
        monkeypatch.setattr(sqlite.time, "monotonic", clock)  # type: ignore[attr-defined]
        batches = log.batches(connection, contents.shape, after=0, upto=contents.high_mark)
        sizes = [len(batch) for batch in batches]
    assert sum(sizes) == 1999
    assert set(sizes[:-1]) == {3 * 256}


def test_no_batch_keeps_its_lock(file: Path) -> None:
    """Between two batches the app can write, in rollback-journal mode too."""
    log = SqliteFile(file, "alice")
    with log.connection() as connection:
        kept: list[Contents] = []
        contents = log.contents(connection, kept.append)
        assert kept == [contents]
        App(file, _INSERT).close()
        for _ in log.batches(connection, contents.shape, after=0, upto=contents.high_mark):
            App(file, "c.execute('UPDATE events SET schema_version = 2')").close()


def test_projections_are_brought_into_form_after_the_transaction(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading megabytes of JSON takes longer than an app waits for its lock."""
    change(
        file,
        "CREATE TABLE projections (key TEXT PRIMARY KEY, data TEXT, updated_at TEXT)",
        "INSERT INTO projections VALUES ('a', '{}', '2024-01-01T00:00:00Z')",
    )
    from gymops.eventlog import workspace

    real = workspace.SqliteLog._digest_table

    def digest(*arguments: object) -> object:
        App(file, "c.execute('UPDATE projections SET data = 1')").close()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(workspace.SqliteLog, "_digest_table", digest)
    with closing(SqliteLog(file, "alice")) as log:
        log.read()
        assert [row[2][:4] for row in log.table_rows("projections")] == ["[{},"]


def test_our_own_disk_is_not_taken_for_the_source(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gymops.eventlog import spool

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(spool, "_private", full)
    with pytest.raises(GymopsError, match=r"the temporary directory .* cannot be used: .*full") as error:
        SqliteLog(file, "alice")
    assert error.value.hint is not None
    assert "TMPDIR" in error.value.hint
