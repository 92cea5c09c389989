"""Journals and locks, as apps and crashes leave them."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gymops.eventlog import opening, sqlite
from gymops.eventlog.sqlite import SqliteFile
from tests.integration.sqlite_files.files import INSERT, ids, read, refused
from tests.sources import App, change, hashes


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
    app = App(file, "c.execute('PRAGMA synchronous = off'); c.execute('BEGIN')" + INSERT)
    assert file.with_name("gym.db-journal").read_bytes()[:8] == bytes.fromhex("d9d505f920a163d7")
    assert read(file) == ids(1, 2, 3)
    app.close()


@pytest.mark.parametrize("mode", ["PERSIST", "TRUNCATE"])
def test_a_journal_that_is_done_with(file: Path, mode: str) -> None:
    app = App(file, f"c.execute('PRAGMA journal_mode = {mode}')" + INSERT)
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
