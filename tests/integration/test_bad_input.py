"""Rows that cannot be moved: found, named, and kept to the last byte."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.errors import BadEvents
from gymops.eventlog import compare, sqlite
from gymops.eventlog import event as events_module
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate import copy
from tests.sources import COLUMNS, LOOSE, TITAN, change, event, event_id, migrate, query, tables, write

_DEEP = "[" * 600 + "]" * 600

# What is wrong -> (column, the value, what the message says of it)
BAD: dict[str, tuple[str, Any, str]] = {
    "invalid JSON": ("payload", '{"a": ', "payload: invalid JSON"),
    "an empty payload": ("payload", "", "payload: invalid JSON"),
    "text behind the JSON": ("payload", '{"a": 1} x', "payload: invalid JSON"),
    "NaN": ("payload", '{"a": NaN}', "payload: NaN, which is no JSON"),
    "Infinity": ("payload", '{"a": [-Infinity]}', "payload: -Infinity, which is no JSON"),
    "a NUL character in JSON": ("payload", r'{"a": "\u0000"}', r"payload: \u0000, which JSONB cannot hold"),
    "a NUL character in a key": ("payload", r'{"\u0000": 1}', r"payload: \u0000, which JSONB cannot hold"),
    "a lone surrogate": ("payload", r'{"a": "\ud83d"}', "payload: a lone surrogate"),
    "a number beyond JSONB": ("payload", '{"a": 1e200000}', "payload: a number beyond what JSONB holds"),
    "a scale beyond JSONB": ("payload", '{"a": 1e-20000}', "payload: a number beyond what JSONB holds"),
    "digits beyond JSONB": ("payload", "1" * 140_000, "payload: a number beyond what JSONB holds"),
    "nesting beyond us": ("payload", _DEEP, "payload: nested deeper than 512 levels"),
    "a payload that is a BLOB": ("payload", b'{"a": 1}', "payload: a BLOB or invalid UTF-8"),
    "a payload that is NULL": ("payload", None, "payload: NULL where JSON text belongs"),
    "a payload that is a number": ("payload", 5, "payload: an integer where JSON text belongs"),
    "a NULL event_id": ("event_id", None, "event_id: NULL where text belongs"),
    "a BLOB event_id": ("event_id", os.urandom(16), "event_id: a BLOB or invalid UTF-8"),
    "a real event_id": ("event_id", 1.5, "event_id: a real number where text belongs"),
    "a NUL in event_id": ("event_id", "a\0b", "event_id: a NUL character"),
    "a duplicate event_id": ("event_id", event_id(1), "event_id: a duplicate of an earlier event's"),
    "the same UUID in capitals": (
        "event_id",
        "ABCDEF00-0000-4000-8000-000000000001",
        "event_id: a duplicate of an earlier event's",
    ),
    "nonsense for a time": ("timestamp", "yesterday", "timestamp: 'yesterday' is no timestamp"),
    "an empty time": ("timestamp", "", "timestamp: '' is no timestamp"),
    "a NULL time": ("timestamp", None, "timestamp: NULL where text belongs"),
    "a day that is none": ("timestamp", "2024-02-30T00:00:00Z", "is no moment in time"),
    "an hour that is none": ("timestamp", "2024-02-03T24:00:00Z", "is no moment in time"),
    "a second 60": ("timestamp", "2016-12-31T23:59:60Z", "has a second 60"),
    "digits past the microsecond": ("timestamp", "2024-01-01T00:00:00.1234567Z", "digits past the micro"),
    "milliseconds since 1970": ("timestamp", 1709251200000, "neither a timestamp nor epoch seconds"),
    "an infinite time": ("timestamp", float("inf"), "neither a timestamp nor epoch seconds"),
    "a BLOB for a time": ("timestamp", b"2024-01-01T00:00:00Z", "timestamp: a BLOB or invalid UTF-8"),
    "an event_type that is NULL": ("event_type", None, "event_type: NULL where text belongs"),
    "an event_type that is a number": ("event_type", 7, "event_type: an integer where text belongs"),
    "a NUL in event_type": ("event_type", "Set\0Logged", "event_type: a NUL character"),
    "text for an integer": ("schema_version", "two", "schema_version: text where an integer belongs"),
    "a real for an integer": ("schema_version", 1.0, "schema_version: a real number where an integer"),
    "a version below zero": ("schema_version", -1, "schema_version: -1 is out of range"),
    "a version beyond integer": ("schema_version", 2**31, "schema_version: 2147483648 is out of range"),
}
_LONG = random.Random(7).randbytes(1500).hex()
BAD |= {
    "an event_type beyond an index": ("event_type", _LONG, "event_type: 3,000 bytes, more than the 2,600"),
    "a workout beyond an index": (
        "payload",
        f'{{"reps": 1, "workout_id": "{_LONG}"}}',
        "payload: workout_id: 3,000 bytes, more than the 2,600",
    ),
    "a workout that is a list": (
        "payload",
        f'{{"workout_id": ["{_LONG}"]}}',
        "payload: workout_id: 3,004 bytes, more than the 2,600",
    ),
}
_CAPITAL = event(90, event_id="abcdef00-0000-4000-8000-000000000001")
_INVALID_UTF8 = ("event_type", "payload", "event_id", "timestamp", "schema_version")


def with_bad(path: Path, *bad: tuple[str, Any]) -> Path:
    """Good events 1 and 90, then a bad one from row 3 on each followed by a good one."""
    rows = [event(1), _CAPITAL]
    for number, (column, value) in enumerate(bad, 100):
        rows += [event(number, **{column: value}), event(number + 1000)]
    return write(path, rows, LOOSE)


def problems(path: Path) -> list[str]:
    with closing(SqliteLog(path, "alice")) as log:
        log.read()
        return [f"{row.table} {row.rowid} {row.reason}" for row in log.rejected("alice")]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_named_with_its_column(tmp_path: Path, name: str) -> None:
    column, value, says = BAD[name]
    (found,) = problems(with_bad(tmp_path / "gym.db", (column, value)))
    assert found.startswith(f"events 3 {column}: ")
    assert says in found
    assert len(found) < 200


@pytest.mark.parametrize("column", _INVALID_UTF8)
def test_invalid_utf8_is_named_with_its_column(tmp_path: Path, column: str) -> None:
    path = with_bad(tmp_path / "gym.db", ("schema_version", 1))
    change(path, f"UPDATE events SET {column} = CAST(x'7b22c3287d' AS TEXT) WHERE id = 3")
    with closing(SqliteLog(path, "alice")) as log:
        log.read()
        (row,) = log.rejected("alice")
    assert (row.rowid, row.reason.split(":")[0]) == (3, column)
    at = row.columns.index(column)
    assert (row.types[at], row.cells[at]) == ("text", bytes.fromhex("7b22c3287d"))


READ: dict[str, tuple[str, Any, str]] = {
    "no zone": ("timestamp", "2024-03-01 00:00:00", events_module.NO_ZONE),
    "an offset": ("timestamp", "2024-03-01T02:00:00+02:00", events_module.OFFSET),
    "epoch seconds": ("timestamp", 1709251200, events_module.EPOCH_SECONDS),
    "epoch seconds as text": ("timestamp", "1709251200.000000", events_module.EPOCH_SECONDS),
    "no UUID": ("event_id", "event-7", events_module.NO_UUID),
    "no version": ("schema_version", None, events_module.NO_VERSION),
    "duplicate keys": ("payload", '{"a": 1, "a": 2}', events_module.REPEATED_KEY),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_otherwise_than_written_is_reported(tmp_path: Path, name: str) -> None:
    column, value, note = READ[name]
    path = with_bad(tmp_path / "gym.db", (column, value))
    with closing(SqliteLog(path, "alice")) as log:
        scan = log.read()["alice"].scan
        assert (dict(scan.notes), scan.events) == ({note: 1}, 4)
        third = list(log.events("alice"))[2]
    if column == "timestamp":
        assert events_module.isoformat(third.timestamp) == "2024-03-01T00:00:00.000000Z"
    if name == "no UUID":
        assert third.source_event_id == "event-7"
    if name == "duplicate keys":
        assert third.payload == '{"a": 2}'


def test_large_values_that_are_in_no_index_are_good(tmp_path: Path, gymops_database: str) -> None:
    payloads = [
        f'{{"note": "{_LONG}", "workout_id": "w"}}',
        f'{{"nested": {{"workout_id": "{_LONG}"}}, "workout_id": "w"}}',
        f'{{"workout_id": "{"🏋" * 600}"}}',
        f'["workout_id", "{_LONG}"]',
    ]
    path = write(tmp_path / "gym.db", (event(n, payload=text) for n, text in enumerate(payloads)))
    assert migrate(path, gymops_database).written == 4


def test_a_repeated_key_is_counted_once_beside_a_bad_row(tmp_path: Path) -> None:
    path = with_bad(tmp_path / "gym.db", ("payload", '{"a": 1, "a": 2}'), ("payload", "{"))
    with closing(SqliteLog(path, "alice")) as log:
        assert dict(log.read()["alice"].scan.notes) == {events_module.REPEATED_KEY: 1}


def test_digits_past_the_microsecond_that_are_zero(tmp_path: Path) -> None:
    assert not problems(with_bad(tmp_path / "gym.db", ("timestamp", "2024-01-01T00:00:00.123456000Z")))


@pytest.fixture
def all_bad(tmp_path: Path) -> Path:
    """One file with every bad row there is, and bad rows in every table beside it."""
    path = with_bad(tmp_path / "gym.db", *((column, value) for column, value, _ in BAD.values()))
    change(
        path,
        "ALTER TABLE events ADD COLUMN device",
        "ALTER TABLE events ADD COLUMN photo",
        "UPDATE events SET device = 'watch', photo = x'ff00' WHERE id % 3 = 0",
        "UPDATE events SET device = 9e999, photo = -9223372036854775808 WHERE id % 3 = 1",
        "INSERT INTO events SELECT 900 + id, CAST(x'ff' AS TEXT), timestamp, event_type, payload, 1, 2, 3"
        " FROM events WHERE id < 3",
        "CREATE TABLE projections (key, data, updated_at)",
        "INSERT INTO projections VALUES ('a', '{}', '2024-01-01'), ('a', '{}', '2024-01-01T00:00:00Z'),"
        " ('b', '{', '2024-01-01T00:00:00Z'), ('a', '[]', '2024-01-01T00:00:00Z'), (x'00', '1', 1709251200)",
        f"INSERT INTO projections VALUES ('{_LONG}', '{{}}', '2024-01-01T00:00:00Z')",
        "CREATE TABLE exercises (id, name, is_custom, equipment)",
        "INSERT INTO exercises VALUES"
        " ('squat', 'Squat', 1, x'01'), ('row', 'Row', 'yes', 1), ('dip', NULL, 0, 1)",
        "CREATE TABLE aggregates (period_type, period_key, data, updated_at)",
        "INSERT INTO aggregates VALUES ('week', '1', 'NaN', '2024-01-01T00:00:00Z'),"
        " ('week', '2', '{\"sets\": 3}', '2024-01-01T00:00:00Z')",
        "CREATE TABLE sync_state (token TEXT)",
    )
    return path


_SMALL_BAD = {
    ("projections", 1): "updated_at: '2024-01-01' is no timestamp",
    ("projections", 3): "data: invalid JSON",
    ("projections", 4): "a duplicate of an earlier row's key",
    ("projections", 5): "key: a BLOB or invalid UTF-8 where text belongs",
    ("projections", 6): "key: 3,009 bytes, more than the 2,600 an index holds",
    ("exercises", 2): "is_custom: 'yes' is neither 0 nor 1",
    ("exercises", 3): "name: NULL",
    ("aggregates", 1): "data: NaN, which is no JSON",
}


def test_the_default_is_to_stop_with_a_list_and_to_write_nothing(all_bad: Path, database: str) -> None:
    with pytest.raises(BadEvents) as stopped:
        migrate(all_bad, database)
    message, hint = stopped.value.message, stopped.value.hint
    total = len(BAD) + 2 + len(_SMALL_BAD)
    assert stopped.value.exit_code == 1
    assert f"{total} rows of {all_bad} cannot be moved as they are; nothing was written" in message
    assert f"  user 'alice', {all_bad}, events row 3: payload: invalid JSON" in message
    assert f"  and {total - 20} more" in message
    assert hint is not None
    assert "--on-bad-event quarantine" in hint
    assert tables(database) == []


def test_quarantine_moves_the_others_and_keeps_every_byte(all_bad: Path, database: str) -> None:
    report = migrate(all_bad, database, quarantine=True)

    good = 2 + len(BAD)
    assert (report.written, report.proof.equal) == (good, True)
    assert report.plan.rejected == len(BAD) + 2 + len(_SMALL_BAD)
    assert report.proof.source.rejected == report.proof.target.rejected
    assert report.proof.target.rejected.rows == report.plan.rejected
    assert query(database, "SELECT count(*), max(position) FROM events") == [(good, good)]

    rows = query(
        database,
        "SELECT user_id, source_table, source_rowid, reason, columns, types, cells FROM rejected_events",
    )
    found = {(table, rowid): rest for _, table, rowid, *rest in rows}
    assert {user for user, *_ in rows} == {"alice"}
    for number, (column, value, says) in enumerate(BAD.values()):
        reason, columns, types, cells = found.pop(("events", 3 + 2 * number))
        assert says in reason
        at = columns.index(column)
        assert (types[at], cells[at]) == stored(value)
        assert cells[columns.index("id")] == str(3 + 2 * number).encode()
        assert columns == ["id", *COLUMNS, "device", "photo"]
    for rowid in (901, 902):
        _, columns, types, cells = found.pop(("events", rowid))
        assert (types[1], cells[1]) == ("text", b"\xff")
    assert found.keys() == _SMALL_BAD.keys()
    for place, says in _SMALL_BAD.items():
        assert says in found[place][0]


def stored(value: Any) -> tuple[str, bytes | None]:
    """The type and bytes of a cell."""
    if value is None:
        return "null", None
    if isinstance(value, bytes):
        return "blob", value
    if isinstance(value, str):
        return "text", value.encode()
    return ("integer" if isinstance(value, int) else "real"), repr(value).encode()


def test_what_has_no_place_of_its_own_is_named_and_kept(all_bad: Path, database: str) -> None:
    report = migrate(all_bad, database, quarantine=True)
    plan = report.plan
    assert plan.unknown_tables == ("sync_state",)
    assert plan.unknown_columns == ("events.device", "events.photo", "exercises.equipment")
    assert report.as_dict()["unknown_columns"] == list(plan.unknown_columns)
    extra = dict(query(database, "SELECT event_id::text, extra FROM events"))
    assert extra[event_id(1)] == {"device": "inf", "photo": -(2**63)}
    assert extra["abcdef00-0000-4000-8000-000000000001"] == {"device": None, "photo": None}
    assert extra[event_id(1101)] == {"device": "watch", "photo": {"base64": "/wA="}}
    assert query(database, "SELECT exercise_id, extra FROM exercises") == [
        ("squat", {"equipment": {"base64": "AQ=="}})
    ]


def test_a_second_run_finds_the_quarantined_rows_there(all_bad: Path, database: str) -> None:
    first = migrate(all_bad, database, quarantine=True)
    again = migrate(all_bad, database, quarantine=True)
    assert not again.plan.work
    assert (again.written, again.proof.equal) == (0, True)
    assert again.proof.source.rejected == first.proof.source.rejected
    with closing(SqliteLog(all_bad, "alice")) as a, closing(PostgresLog(database)) as b:
        assert compare.compare(a, b).equal


@pytest.mark.parametrize(
    ("change_to", "column"), [(b"'\x01'", "cells"), (b"'x'", "types"), (b"'x'", "columns")]
)
def test_a_rejected_row_that_differs_is_a_difference(
    tmp_path: Path, database: str, change_to: bytes, column: str
) -> None:
    path = with_bad(tmp_path / "gym.db", ("payload", "{"))
    migrate(path, database, quarantine=True)
    with psycopg.connect(database) as connection:
        connection.execute(f"UPDATE rejected_events SET {column}[2] = ".encode() + change_to)
    again = migrate(path, database, quarantine=True)
    assert not again.proof.equal
    assert "the rejected rows differ" in str(again.proof.first_difference)


# Where the bad rows are


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight rows are read at a time, sixteen events are committed at a time."""
    monkeypatch.setattr(sqlite, "BATCH_ROWS", 8)
    monkeypatch.setattr(copy, "BATCH_EVENTS", 16)


PLACES: dict[str, Callable[[int], bool]] = {
    "at the start": lambda n: n <= 3,
    "whole batches at the start": lambda n: n <= 40,
    "at the end": lambda n: n >= 98,
    "whole batches at the end": lambda n: n > 60,
    "a whole batch in the middle": lambda n: 41 <= n <= 48,
    "more than a commit in the middle": lambda n: 30 <= n <= 70,
    "every other": lambda n: n % 2 == 0,
    "all but one": lambda n: n != 50,
    "all": lambda n: n > 0,
}


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize(("place", "index_from"), list(zip(PLACES, cycle((1, 1000)), strict=False)))
def test_bad_rows_anywhere(tmp_path: Path, gymops_database: str, place: str, index_from: int) -> None:
    bad = PLACES[place]
    path = write(
        tmp_path / "gym.db",
        (event(n, payload="{") if bad(n) else event(n) for n in range(1, 101)),
    )
    report = migrate(path, gymops_database, quarantine=True, index_from=index_from)
    expected = [event_id(n) for n in range(1, 101) if not bad(n)]
    assert (report.written, report.plan.rejected, report.proof.equal) == (
        len(expected),
        100 - len(expected),
        True,
    )
    rows = query(gymops_database, "SELECT event_id::text, position FROM events ORDER BY position")
    assert rows == [(event_id, position) for position, event_id in enumerate(expected, 1)]
    rejected = query(gymops_database, "SELECT source_rowid FROM rejected_events ORDER BY 1")
    assert rejected == [(n,) for n in range(1, 101) if bad(n)]
    assert not migrate(path, gymops_database, quarantine=True).plan.work


def test_the_first_valid_of_duplicates_wins(tmp_path: Path, gymops_database: str) -> None:
    same = "abcdef00-0000-4000-8000-00000000000"
    rows = [
        event(1, event_id=same + "1", payload="{"),
        event(2, event_id=(same + "1").upper()),
        event(3, event_id=same + "1"),
        event(4, event_id="mine"),
        event(5, event_id="mine"),
        event(6, event_id="Mine"),
        event(7, event_id=7),
        event(8, event_id="7"),
    ]
    path = write(tmp_path / "gym.db", rows, LOOSE)
    report = migrate(path, gymops_database, quarantine=True)
    assert report.proof.equal
    found = query(gymops_database, "SELECT schema_version, source_event_id FROM events ORDER BY position")
    assert [source for _, source in found] == [None, "mine", "Mine", "7"]
    rejected = query(gymops_database, "SELECT source_rowid, reason FROM rejected_events ORDER BY 1")
    assert [rowid for rowid, _ in rejected] == [1, 3, 5, 8]
    assert [reason.split(":")[1] for _, reason in rejected[1:]] == [" a duplicate of an earlier event's"] * 3


def test_a_unique_column_does_not_tell_two_spellings_of_a_uuid_apart(
    tmp_path: Path, gymops_database: str
) -> None:
    lower = "abcdef00-0000-4000-8000-000000000001"
    path = write(tmp_path / "gym.db", [event(1, event_id=lower), event(2, event_id=lower.upper())], TITAN)
    report = migrate(path, gymops_database, quarantine=True)
    assert (report.written, report.plan.rejected, report.proof.equal) == (1, 1, True)


def test_the_lowest_and_highest_rowids_are_moved(tmp_path: Path, gymops_database: str) -> None:
    path = write(tmp_path / "gym.db", [event(1), event(2, payload="{"), event(3)], LOOSE)
    change(
        path,
        f"UPDATE events SET id = {-(2**63)} WHERE id = 1",
        f"UPDATE events SET id = {2**63 - 1} WHERE id = 3",
        f"INSERT INTO events SELECT {-(2**63) + 1}, 'x', '', '', '', 1",
    )
    report = migrate(path, gymops_database, quarantine=True)
    assert (report.written, report.plan.rejected, report.proof.equal) == (2, 2, True)
    assert not migrate(path, gymops_database, quarantine=True).plan.work


def test_a_log_without_events_is_moved(tmp_path: Path, database: str) -> None:
    report = migrate(write(tmp_path / "gym.db", []), database)
    assert (report.written, report.plan.events, report.proof.equal) == (0, 0, True)


def test_bad_rows_of_an_utf16_database_are_kept(tmp_path: Path, gymops_database: str) -> None:
    path = write(
        tmp_path / "gym.db", [event(1), event(2, payload="ü")], LOOSE, pragmas=("encoding = 'UTF-16be'",)
    )
    assert migrate(path, gymops_database, quarantine=True).proof.equal
    (row,) = query(gymops_database, "SELECT types, cells FROM rejected_events")
    assert row[0] == ["integer", *["text UTF-16be"] * 4, "integer"]
    assert (row[1][4], row[1][0]) == ("ü".encode("utf-16-be"), b"2")
