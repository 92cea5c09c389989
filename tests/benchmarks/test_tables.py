"""The benchmark of tables runs and counts every row."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.benchmarks import tables
from tests.sources import change


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.sqlite"
    change(
        path,
        "CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name NVARCHAR(120))",
        "CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, ArtistId INTEGER NOT NULL REFERENCES Artist)",
        "INSERT INTO Artist VALUES (1, 'AC/DC'), (2, 'Accept')",
        "INSERT INTO Album VALUES (1, 1), (2, 2), (3, 1)",
    )
    return path


def test_a_file_is_made_many_times_over_with_its_references(small: Path, tmp_path: Path) -> None:
    path, rows = tables.enlarge(small, tmp_path / "large.sqlite", 10)
    assert rows == 10 * 5 + 10 * 23
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT count(*), count(DISTINCT ArtistId) FROM Album").fetchone() == (
            30,
            20,
        )


@pytest.mark.long
def test_every_row_is_counted(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main(["--chinook", str(small), "--times", "4", "--runs", "1"]) == 0
    told = capsys.readouterr().out
    assert "Chinook x4 and odd rows beside it: 112 rows." in told
    assert re.search(r"\| gymops migrate, proof included \| .* \| 100 \| 12 \| 0 \| yes \|", told)
