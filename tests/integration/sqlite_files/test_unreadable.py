"""Files that are no database, or a damaged one: refused, by name, and with what to do."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gymops.eventlog import opening
from tests.integration.sqlite_files.files import INSERT, WAL, refused
from tests.sources import LOOSE, App, event, write


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
    path = write(tmp_path / "gym.db", map(event, range(500)), pragmas=WAL)
    App(path, INSERT).kill()
    with path.open("r+b") as whole:
        whole.truncate(path.stat().st_size // 8192 * 4096)
    refused(path, "truncated", "restore a backup")


def test_a_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "gym.db", [event(1)])

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opening.os, "open", denied)  # type: ignore[attr-defined]
    refused(path, "Permission denied", "check its permissions")


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
