"""Random tables with random values: whatever SQLite took arrives and is proved, or is kept with its row."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from gymops.eventlog.shapes import quote
from gymops.pg.embedded import Server
from gymops.tables.names import fold
from tests.conftest import fresh_databases
from tests.contract.strategies import FEW, SCALARS, TEXTS, many
from tests.integration.tables.files import move
from tests.sources import query

BAD = "a text that is no UTF-8"
DATES = ("2024-02-29", "2024-02-29 12:30:00", "2024-02-29T12:30:00.25Z", "12:30", "2023-02-30", "now")
VALUES: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, 1709209800, 1709209800123, 2460370.020833333]),
    st.floats(allow_nan=False),
    TEXTS,
    st.sampled_from([*DATES, "true", "[1.50]", "{", "a\0b", BAD, "12345678-1234-5678-1234-567812345678"]),
    st.binary(max_size=6),
)
TYPES = ["", "INTEGER", "BIGINT", "REAL", "TEXT", "VARCHAR(3)", "BLOB", "NUMERIC", "DECIMAL(6,2)", "BOOLEAN"]
TYPES += ["DATE", "DATETIME", "TIMESTAMP", "TIME", "JSON", "UUID", "STRING", "INT UNSIGNED"]
MORE = ["", "", "", "UNIQUE", "NOT NULL", "COLLATE NOCASE", "UNIQUE COLLATE NOCASE", "DEFAULT 'null'"]
MORE += ["DEFAULT CURRENT_TIMESTAMP", "DEFAULT false", "CHECK (1)"]
NAMES = st.one_of(
    st.text(SCALARS, min_size=1, max_size=6),
    st.sampled_from(["select", "Order", "xmin", "a b", 'q"q', "ÄÖ", "x" * 70, "x" * 71, "id", "ID"]),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, list[Any]]]]:
    """CREATE TABLE statements, and rows to insert."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=fold))
    made, rows = [], []
    for name in names:
        columns = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=fold))
        # A column that is mostly of one kind, as they are, with something else between.
        kinds = [draw(st.one_of(VALUES, st.lists(VALUES, min_size=1, max_size=2))) for _ in columns]
        key = draw(st.sampled_from(["", "number", "key", "without rowid"]))
        parts = []
        for at, column in enumerate(columns):
            declared, more = draw(st.sampled_from(TYPES)), draw(st.sampled_from(MORE))
            if at == 0 and key:
                declared, more = ("INTEGER", "PRIMARY KEY") if key == "number" else (declared, "PRIMARY KEY")
            parts.append(f"{quote(column)} {declared} {more}")
        end = " WITHOUT ROWID" if key == "without rowid" else ""
        made.append(f"CREATE TABLE {quote(name)} ({', '.join(parts)}){end}")
        for _ in range(draw(st.integers(0, 24))):
            odd = draw(st.integers(0, 9)) == 0
            row = [
                draw(VALUES if odd else st.sampled_from(kind if isinstance(kind, list) else [kind]))
                for kind in kinds
            ]
            rows.append((name, row))
    return made, rows


def write(path: Path, made: list[str], rows: list[tuple[str, list[Any]]]) -> int:
    """The file, and how many rows SQLite took."""
    taken = 0
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in made:
            connection.execute(statement)
        for name, values in rows:
            places = ", ".join("CAST(x'fffe' AS TEXT)" if value == BAD else "?" for value in values)
            statement = f"INSERT OR IGNORE INTO {quote(name)} VALUES ({places})"
            try:
                done = connection.execute(statement, [value for value in values if value != BAD])
            except sqlite3.IntegrityError:  # no number where a row is numbered
                continue
            taken += done.rowcount
    return taken


def check(server: Server, made: list[str], rows: list[tuple[str, list[Any]]]) -> None:
    with fresh_databases(server) as new, tempfile.TemporaryDirectory() as folder:
        path, url = Path(folder) / "any.db", new()
        taken = write(path, made, rows)
        report = move(path, url, quarantine=True)
        assert report.proof.equal
        moved = sum(content.rows for content in report.proof.target.values())
        assert moved + report.plan.rejected.rows == taken
        ((kept,),) = query(url, "SELECT count(*) FROM gymops_records.rejected_rows")
        assert kept == report.plan.rejected.rows
        assert move(path, url, quarantine=True).plan.there


@settings(FEW, max_examples=12)
@given(tables())
def test_any_table_is_moved_and_proved(
    postgres_server: Server, found: tuple[list[str], list[tuple[str, list[Any]]]]
) -> None:
    check(postgres_server, *found)


@many(120)
@given(tables())
def test_many_tables_are_moved_and_proved(
    postgres_server: Server, found: tuple[list[str], list[tuple[str, list[Any]]]]
) -> None:
    check(postgres_server, *found)
