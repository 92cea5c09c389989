"""The digest read in other ways: by plain SQL, by psql, by two processes, up to a watched length."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import psycopg
import pytest

from gymops.eventlog import scan as scanning
from gymops.eventlog.digest import CHUNK, Stream, log_head
from gymops.eventlog.event import Event
from gymops.eventlog.scan import Scan
from gymops.eventlog.sqlite import SqliteFile
from gymops.pg import embedded
from tests.conftest import Servers
from tests.contract.places import Places
from tests.fixtures_schema import Templates
from tests.unit.test_digest import plain_head, plain_record

# -- plain SQL ----------------------------------------------------------------------------------------

PLAIN = """
COPY (
  SELECT user_id, event_id, "timestamp", event_type, schema_version, payload, source_event_id
  FROM events WHERE user_id = 'default' ORDER BY position
) TO STDOUT (FORMAT binary)
"""
EVENTS = [
    Event("default", uuid.UUID(int=n), n, "Übung", n % 3, f'{{"kg": {n}.50}}', None if n % 2 else f"set {n}")
    for n in range(1, 901)
]


@pytest.fixture
def places(tmp_path: Path, servers: Servers, schema_templates: Templates) -> Iterator[Places]:
    with closing(Places(tmp_path, servers, schema_templates)) as made:
        yield made


def head_of(copied: bytes) -> str:
    """The log head of one user's events, fewer than a chunk: what lies between COPY's header and trailer."""
    header, records, trailer = copied[:19], copied[19:-2], copied[-2:]
    assert (header, trailer) == (b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff")
    chunk = hashlib.sha256(b"\x00" + records).digest()
    stream = hashlib.sha256(b"\x01" + bytes(32) + chunk).digest()
    user = struct.pack(">i", 7) + b"default" + struct.pack(">q", len(EVENTS))
    return hashlib.sha256(b"\x02" + user + stream).hexdigest()


@pytest.mark.parametrize("kind", ["postgres ours", "postgres ours, system's"])
def test_what_copy_sends_hashes_to_the_same(kind: str, places: Places) -> None:
    log = places.kinds[kind].fill(EVENTS)
    url = places.url_of(log)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        # None of these may have a say in it.
        cursor.execute("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET extra_float_digits = -15")
        with cursor.copy(PLAIN.encode()) as copy:
            copied = b"".join(bytes(part) for part in copy)
    assert head_of(copied) == log.digest().head


def test_psql_is_enough_to_compute_the_digest(places: Places, postgres_server: embedded.Server) -> None:
    psql = postgres_server.binaries / "psql"
    log = places.kinds["postgres ours"].fill(EVENTS)
    done = subprocess.run([psql, "-XqAt", places.url_of(log), "-c", PLAIN], capture_output=True, check=True)
    assert head_of(done.stdout) == log.digest().head


# -- in two halves ------------------------------------------------------------------------------------

SINCE_2000 = 820_576_800_000_000
"""2026-01-01T10:00:00Z in microseconds."""
ROWS = 4 * CHUNK + 100
Prepare = Callable[[sqlite3.Connection], object]


def bad(*numbers: int) -> Prepare:
    marks = ", ".join(map(str, numbers))
    return lambda connection: connection.execute(f"UPDATE events SET payload = 'x' WHERE id IN ({marks})")


def deleted(condition: str) -> Prepare:
    return lambda connection: connection.execute(f"DELETE FROM events WHERE {condition}")


def write(path: Path, *prepare: Prepare, more: str = "") -> SqliteFile:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY, event_id TEXT UNIQUE, timestamp TEXT,"
            f" event_type TEXT, payload TEXT, schema_version INTEGER {more})"
        )
        connection.executemany(
            "INSERT INTO events (id, event_id, timestamp, event_type, payload) VALUES (?, ?, ?, ?, ?)",
            (
                (
                    n,
                    str(uuid.UUID(int=n)),
                    f"2026-01-01T{10 + n // 3600}:{n // 60 % 60:02}:{n % 60:02}",
                    f"Type{n % 5}",
                    f'{{"n":{n},"n":{n}}}',
                )
                for n in range(1, ROWS + 1)
            ),
        )
        for change in prepare:
            change(connection)
    return SqliteFile(path, "default")


def scanned(file: SqliteFile, watch: int = -1) -> tuple[Scan, int]:
    done: list[int] = []
    with file.connection() as connection:
        contents = file.contents(connection, lambda _: None)
    result = scanning.scan(file, contents, watch=watch, progress=done.append)
    result.peak_rss = 0
    return result, sum(done)


MIDDLE = 2 * CHUNK


@pytest.mark.parametrize(
    ("prepare", "more"),
    [
        ([], ""),
        ([deleted("id = 7")], ""),
        ([deleted(f"id = {MIDDLE}")], ""),
        ([deleted(f"id = {MIDDLE + 1}")], ""),
        ([deleted(f"id <= {MIDDLE}")], ""),
        ([deleted(f"id BETWEEN 2 AND {ROWS - 1}")], ""),
        ([bad(1, 2, 3)], ""),
        ([bad(MIDDLE)], ""),
        ([bad(MIDDLE + 1, ROWS)], ", note TEXT DEFAULT 'x'"),
        (
            [bad(*range(1, 40)), bad(*range(ROWS - 30, ROWS)), deleted("id % 7 = 0")],
            ", note TEXT DEFAULT 'x'",
        ),
    ],
)
def test_two_processes_find_what_one_does(
    prepare: list[Prepare], more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "gym.db", *prepare, more=more)
    alone, _ = scanned(file)
    halves = Mock(wraps=scanning._halves)
    monkeypatch.setattr(scanning, "_halves", halves)
    monkeypatch.setattr(scanning, "PARALLEL_ROWS", 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    together, _ = scanned(file)
    halves.assert_called_once()
    assert vars(together) == vars(alone)


def test_ids_that_could_be_spelled_otherwise_are_looked_at_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE events SET event_id = upper(event_id) WHERE id = 10")
        same = "00000000-0000-0000-0000-00000000000a"
        connection.execute(f"UPDATE events SET event_id = ? WHERE id = {MIDDLE + 10}", (same,))

    file = write(tmp_path / "gym.db", twice)
    monkeypatch.setattr(scanning, "PARALLEL_ROWS", 2)
    found, _ = scanned(file)
    assert list(found.rejected) == [MIDDLE + 10]
    assert [sample.reason for sample in found.samples] == [scanning.DUPLICATE]


# -- up to a watched length ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "watch", [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, ROWS - 4, ROWS - 3]
)
def test_watching_gives_the_stream_of_the_prefix_and_where_it_ends(watch: int, tmp_path: Path) -> None:
    file = write(tmp_path / "gym.db", bad(2, CHUNK, CHUNK + 1))
    result, _ = scanned(file, watch)
    rowids = [n for n in range(1, ROWS + 1) if n not in (2, CHUNK, CHUNK + 1)]
    prefix = [
        plain_record(
            Event(
                "default",
                uuid.UUID(int=n),
                SINCE_2000 + n * 1_000_000,
                f"Type{n % 5}",
                1,
                f'{{"n": {n}}}',
                None,
            )
        )
        for n in rowids
    ]
    assert result.stream == Stream(len(rowids), plain_head(prefix))
    assert result.watched == Stream(watch, plain_head(prefix[:watch]))
    assert result.watched_rowid == (rowids[watch - 1] if watch else 0)
    assert log_head({"default": result.stream}) != log_head({})
