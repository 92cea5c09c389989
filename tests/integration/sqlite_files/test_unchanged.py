"""What is read is never changed, whoever has it open and wherever it lies."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gymops.errors import SourceError
from gymops.eventlog import opening
from gymops.eventlog.sqlite import SqliteFile
from gymops.eventlog.workspace import SqliteLog
from tests.integration.sqlite_files.files import INSERT, WAL, ids, read, refused
from tests.sources import App, event, hashes, write


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_no_byte_changes_while_the_app_has_it_open(tmp_path: Path, mode: str) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=(f"journal_mode = {mode}",))
    app = App(path, INSERT)
    before = hashes(path.parent)
    assert (mode == "wal") == ("gym.db-wal" in before)
    assert read(path) == ids(1, 2, 3, 900)
    assert hashes(path.parent) == before
    app.close()
    assert read(path) == ids(1, 2, 3, 900)


def test_no_byte_changes_of_a_wal_left_by_a_killed_writer(tmp_path: Path) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=WAL)
    App(path, INSERT).kill()
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
    App(wal_file, INSERT).close()
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
    app = App(wal_file, INSERT)
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
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=WAL)
    read_only_folder(path.parent)
    seen = _uris(monkeypatch)
    assert read(path) == ids(1, 2, 3)
    assert seen
    assert all("immutable=1" in uri for uri in seen)


@pytest.mark.parametrize("linked", [False, True])
def test_a_wal_without_shm_in_a_read_only_folder(
    tmp_path: Path, read_only_folder: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=WAL)
    App(path, INSERT).kill()
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
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=WAL)
    path.with_name("gym.db-journal").write_bytes(b"anything")
    read_only_folder(path.parent)
    seen = _uris(monkeypatch)
    refused(path, "its -journal holds events")
    assert not [uri for uri in seen if "immutable" in uri]


def test_a_wal_with_its_shm_in_a_read_only_folder(
    tmp_path: Path, read_only_folder: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "log" / "gym.db", map(event, (1, 2, 3)), pragmas=WAL)
    App(path, INSERT).kill()
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
        App(wal_file, INSERT).close()


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
    path = write(tmp_path / "app" / "gym.db", map(event, (1, 2, 3)), pragmas=WAL)
    app = App(path, INSERT)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    first = opening.fingerprint(link)
    assert read(link) == ids(1, 2, 3, 900)
    app.close()
    assert opening.fingerprint(link) != first
