"""Memory and time: a batch ends before either is used up."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gymops.errors import GymopsError
from gymops.eventlog import sqlite
from gymops.eventlog.shapes import Contents
from gymops.eventlog.sqlite import SqliteFile
from gymops.eventlog.workspace import SqliteLog
from tests.integration.sqlite_files.files import INSERT, ids, read
from tests.sources import LOOSE, App, change, event, write


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
        App(file, INSERT).close()
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
