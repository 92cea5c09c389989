"""What a column becomes, value by value: each case of SQLite's ways by its name."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gymops.errors import BadEvents
from gymops.pg.embedded import Server
from tests.integration.tables.files import Moved, columns, make, move, moved, types
from tests.sources import query

UTC = dt.UTC
Case = tuple[str, list[Any], str, list[Any]]


def day(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def naive(*parts: int) -> dt.datetime:
    return dt.datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


CASES: dict[str, Case] = {
    # declared type, values, type in the target, values there
    "integers": ("INTEGER", [1, None, -5], "bigint", [1, None, -5]),
    "big integers": ("BIGINT", [2**63 - 1, -(2**63)], "bigint", [2**63 - 1, -(2**63)]),
    "fractions in an integer column": ("INT", [1, 2.5], "double precision", [1.0, 2.5]),
    "fractions beside integers no double holds": (
        "INT",
        [2**53 + 1, 2.5],
        "numeric",
        [Decimal(2**53 + 1), Decimal("2.5")],
    ),
    "an integer beyond 64 bits, which SQLite keeps as a real number": (
        "INTEGER",
        [1, 1e20],
        "double precision",
        [1.0, 1e20],
    ),
    "real numbers": (
        "REAL",
        [0.1, 5e-324, 1.7976931348623157e308],
        "double precision",
        [0.1, 5e-324, 1.7976931348623157e308],
    ),
    "infinity": ("DOUBLE", [float("inf"), float("-inf")], "double precision", [float("inf"), float("-inf")]),
    "decimals that keep to their digits": (
        "DECIMAL(10,2)",
        [0.99, 5, -12345678.25],
        "numeric(10,2)",
        [Decimal("0.99"), Decimal("5.00"), Decimal("-12345678.25")],
    ),
    "decimals that do not": ("NUMERIC(10,2)", [0.1 + 0.2], "numeric", [Decimal("0.30000000000000004")]),
    "a length nobody keeps to": ("VARCHAR(3)", ["long enough", "ä"], "text", ["long enough", "ä"]),
    "texts with everything in them": (
        "TEXT",
        ["", "\\N", "\\.", "a\tb\nc\rd\\", "😀"],
        "text",
        ["", "\\N", "\\.", "a\tb\nc\rd\\", "😀"],
    ),
    "digits in a text column": ("TEXT", [1, "007", 2.5], "text", ["1", "007", "2.5"]),
    "blobs": ("BLOB", [b"", b"\x00\xff\\"], "bytea", [b"", b"\x00\xff\\"]),
    "texts in a blob column": ("BLOB", ["a", b"\xff"], "bytea", [b"a", b"\xff"]),
    "booleans": ("BOOLEAN", [0, 1, None], "boolean", [False, True, None]),
    "booleans as words": ("BOOL", ["true", "FALSE"], "boolean", [True, False]),
    "booleans that count further": ("BOOLEAN", [0, 1, 2], "bigint", [0, 1, 2]),
    "dates": ("DATE", ["2024-02-29", None], "date", [dt.date(2024, 2, 29), None]),
    "dates with a time": (
        "DATE",
        ["2024-02-29", "2024-02-29 12:30"],
        "timestamp without time zone",
        [naive(2024, 2, 29), naive(2024, 2, 29, 12, 30)],
    ),
    "ISO moments": (
        "DATETIME",
        ["2024-02-29T12:30:15.123456"],
        "timestamp without time zone",
        [naive(2024, 2, 29, 12, 30, 15, 123456)],
    ),
    "ISO moments with a zone": (
        "TIMESTAMP",
        ["2024-02-29T12:30:00Z", "2024-02-29 12:30:00+02:00", "2024-02-29"],
        "timestamp with time zone",
        [day(2024, 2, 29, 12, 30), day(2024, 2, 29, 10, 30), day(2024, 2, 29)],
    ),
    "unix seconds": (
        "DATETIME",
        [0, 1709209800],
        "timestamp with time zone",
        [day(1970, 1, 1), day(2024, 2, 29, 12, 30)],
    ),
    "unix milliseconds": (
        "DATETIME",
        [1709209800123],
        "timestamp with time zone",
        [day(2024, 2, 29, 12, 30, 0, 123000)],
    ),
    "unix seconds with a fraction": (
        "DATETIME",
        [1709209800.25],
        "timestamp with time zone",
        [day(2024, 2, 29, 12, 30, 0, 250000)],
    ),
    "julian days": ("DATETIME", [2460370.020833333], "timestamp with time zone", [day(2024, 2, 29, 12, 30)]),
    "all of them in one column": (
        "DATETIME",
        ["2024-02-29 12:30:00", 1709209800, 2460370.020833333],
        "timestamp with time zone",
        [day(2024, 2, 29, 12, 30)] * 3,
    ),
    "days as whole numbers": ("DATE", [20240229, 20231231], "bigint", [20240229, 20231231]),
    "years": ("DATE", [2024, 1999], "bigint", [2024, 1999]),
    "times": (
        "TIME",
        ["12:30", "23:59:59.5"],
        "time without time zone",
        [dt.time(12, 30), dt.time(23, 59, 59, 500000)],
    ),
    "words in a date column": ("DATE", ["soon", "later"], "text", ["soon", "later"]),
    "UUIDs": (
        "UUID",
        ["12345678-1234-5678-1234-567812345678"],
        "uuid",
        [uuid.UUID("12345678-1234-5678-1234-567812345678")],
    ),
    "UUIDs of many shapes": ("UUID", ["1234", "ABC"], "text", ["1234", "ABC"]),
    "JSON": ("JSON", ['{"b": 1.50, "a": "\\u00e4"}'], "jsonb", [{"b": 1.5, "a": "ä"}]),
    "no type, integers": ("", [1, 2], "bigint", [1, 2]),
    "no type, everything": ("", [1, 2.5, "x"], "text", ["1", "2.5", "x"]),
    "no type, with a blob": ("", [1, "x", b"\xff"], "bytea", [b"1", b"x", b"\xff"]),
    "a type SQLite never heard of": ("STRING", ["a", 1], "text", ["a", "1"]),
    "more texts than integers in an integer column": ("INTEGER", ["a", "b", 1], "text", ["a", "b", "1"]),
    "texts of which many are no UTF-8": ("TEXT", ["a", "BAD"], "bytea", [b"a", b"\xff\xfe"]),
    "nothing at all": ("INTEGER", [None], "bigint", [None]),
}


def rows_of(table: str, values: list[Any], *more: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Statements that fill a table; the value BAD is a text that is no UTF-8."""
    for at, value in enumerate(values, 1):
        what = "CAST(x'fffe' AS TEXT)" if value == "BAD" else "?"
        places = ", ".join(["?", what, *(f"'{one}'" for one in more)])
        yield f"INSERT INTO {table} VALUES ({places})", (at,) if value == "BAD" else (at, value)


@pytest.fixture(scope="module")
def all_cases(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    """Every case in a table of its own, of one file."""
    script = ";".join(
        f"CREATE TABLE t{at} (n INTEGER PRIMARY KEY, c {declared})"
        for at, (declared, *_) in enumerate(CASES.values())
    )
    rows = [row for at, case in enumerate(CASES.values()) for row in rows_of(f"t{at}", case[1])]
    with moved(postgres_server, tmp_path_factory.mktemp("cases"), script, *rows) as found:
        yield found


@pytest.mark.parametrize("name", CASES)
def test_values(name: str, all_cases: Moved) -> None:
    _, _, kind, expected = CASES[name]
    table = f"t{list(CASES).index(name)}"
    assert types(all_cases.report, table)["c"] == kind
    assert [found for (found,) in query(all_cases.url, f"SELECT c FROM {table} ORDER BY n")] == expected


def test_moved_again_all_of_it_is_there_and_proved(all_cases: Moved) -> None:
    again = move(all_cases.path, all_cases.url, quarantine=True)
    assert again.plan.there
    assert again.proof.equal
    assert again.proof.digests == all_cases.report.proof.digests


REJECTED: dict[str, tuple[str, list[Any], str, str]] = {
    # declared type, one value in twelve, its type and why it does not fit
    "a text in an integer column": ("INTEGER", ["n/a"], "text", "c: a text where bigint belongs"),
    "a blob in a text column": ("TEXT", [b"\xff"], "blob", "c: a BLOB where text belongs"),
    "a NUL in a text": ("TEXT", ["a\0b"], "text", "c: a NUL character"),
    "bad UTF-8": ("TEXT", ["BAD"], "text", "c: a text that is not valid in its encoding"),
    "no day of the calendar": ("DATE", ["2023-02-29"], "text", "c: '2023-02-29': no day of the calendar"),
    "finer than a microsecond": (
        "DATETIME",
        ["2023-02-28 12:00:00.1234567"],
        "text",
        "c: '2023-02-28 12:00:00.1234567': finer than a microsecond",
    ),
    "no JSON": ("JSON", ["{"], "text", "c: invalid JSON"),
}
_GOOD = {"INTEGER": 7, "TEXT": "a", "DATE": "2024-02-29", "DATETIME": "2024-02-29 12:00", "JSON": "[]"}


@pytest.fixture(scope="module")
def all_rejected(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    """Eleven good rows and a bad one in each table."""
    script = ";".join(
        f"CREATE TABLE t{at} (n INTEGER PRIMARY KEY, c {declared}, d)"
        for at, (declared, *_) in enumerate(REJECTED.values())
    )
    rows = [
        row
        for at, (declared, values, *_) in enumerate(REJECTED.values())
        for row in rows_of(f"t{at}", [_GOOD[declared]] * 11 + values, "beside")
    ]
    with moved(postgres_server, tmp_path_factory.mktemp("rejected"), script, *rows) as found:
        yield found


@pytest.mark.parametrize("name", REJECTED)
def test_a_value_that_does_not_fit_is_kept_with_its_row(name: str, all_rejected: Moved) -> None:
    _, (value,), kind, why = REJECTED[name]
    table = f"t{list(REJECTED).index(name)}"
    bad = b"\xff\xfe" if value == "BAD" else value if isinstance(value, bytes) else value.encode()
    assert query(all_rejected.url, f"SELECT count(*) FROM {table}") == [(11,)]
    ((rowid, reason, *kept),) = query(
        all_rejected.url,
        "SELECT source_rowid, reason, columns, types, cells FROM gymops_records.rejected_rows"
        " WHERE source_table = %s",
        table,
    )
    assert rowid == 12
    assert reason.startswith(why)
    assert kept == [["n", "c", "d"], ["integer", kind, "text"], [b"12", bad, b"beside"]]


def test_without_quarantine_nothing_is_written(tmp_path: Path, database: str) -> None:
    rows = rows_of("t", [1] * 11 + ["n/a"])
    path = make(tmp_path / "any.db", "CREATE TABLE t (n INTEGER PRIMARY KEY, c INTEGER)", *rows)
    with pytest.raises(BadEvents, match="t row 12: c: a text where bigint belongs") as error:
        move(path, database)
    assert "--on-bad-event quarantine" in str(error.value.hint)
    assert query(database, "SELECT to_regclass('t'), to_regclass('gymops_records.runs')") == [(None, None)]

    report = move(path, database, quarantine=True)
    assert report.as_dict()["rows"] == {"source": 12, "written": 11, "already_there": 0, "rejected": 1}
    assert move(path, database, quarantine=True).plan.there


def test_what_gymops_toml_says_of_a_column_wins(tmp_path: Path, database: str) -> None:
    path = make(
        tmp_path / "any.db",
        "CREATE TABLE t (n INTEGER PRIMARY KEY, c INTEGER, d TEXT, e REAL, f TEXT DEFAULT 'x');"
        "INSERT INTO t VALUES (1, 1709209800000, '2024-02-29 12:30:00', 2460370.020833333, 'kept')",
    )
    said = {
        "c": {"reads": "unix_ms"},
        "d": {"type": "timestamptz", "name": "moment"},
        "e": {"type": "timestamptz", "reads": "julian"},
        "f": {"type": "varchar(5)", "default": "upper('y')", "not_null": True},
    }
    move(path, database, tables=columns(said))
    at = day(2024, 2, 29, 12, 30)
    assert query(database, "SELECT c, moment, e, f FROM t") == [(at, at, at, "kept")]
    assert query(
        database, "SELECT column_default FROM information_schema.columns WHERE column_name = 'f'"
    ) == [("upper('y'::text)",)]


def test_what_is_unique_in_sqlite_and_not_once_converted(tmp_path: Path, database: str) -> None:
    path = make(
        tmp_path / "any.db",
        "CREATE TABLE t (n INTEGER PRIMARY KEY, c DATETIME UNIQUE);"
        "INSERT INTO t (c) VALUES ('2024-02-29'), ('2024-02-29 00:00:00'), ('2024-02-29 00:01:00')",
    )
    with pytest.raises(BadEvents, match="t row 2: unique: the same as an earlier row's, once converted"):
        move(path, database)
    report = move(path, database, quarantine=True)
    assert report.plan.rejected.rows == 1
    assert query(database, "SELECT n FROM t ORDER BY n") == [(1,), (3,)]


def test_a_database_in_utf_16(tmp_path: Path, database: str) -> None:
    rows = [("INSERT INTO t VALUES (?, 'ä😀')", (at,)) for at in range(20)]
    script = "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (n INTEGER PRIMARY KEY, c TEXT)"
    path = make(
        tmp_path / "any.db", script, *rows, ("INSERT INTO t VALUES (99, CAST(x'00d86100' AS TEXT))", ())
    )
    report = move(path, database, quarantine=True)
    assert report.plan.rejected.rows == 1
    assert query(database, "SELECT count(*), min(c), max(c) FROM t") == [(20, "ä😀", "ä😀")]
    assert query(database, "SELECT types, cells FROM gymops_records.rejected_rows") == [
        (["integer", "text UTF-16le"], [b"99", b"\x00\xd8a\x00"])
    ]
