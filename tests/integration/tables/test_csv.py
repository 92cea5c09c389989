"""A directory of CSV files is moved as tables are: what it holds arrives and is proved, or is kept."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from gymops.errors import BadEvents, GateRefused, SourceError
from gymops.pg.embedded import Server
from gymops.tables import inferred, run, snapshot, staging
from tests.conftest import fresh_databases
from tests.contract.strategies import FEW, TEXTS
from tests.integration.tables import coach
from tests.integration.tables.files import move, types
from tests.sources import Quiet, query

REJECTED = """
SELECT source_table, source_rowid, reason, cells[cardinality(cells)] FROM gymops_records.rejected_rows
ORDER BY source_table, source_rowid
"""
KEYS = """
SELECT conrelid::regclass::text FROM pg_constraint
WHERE contype = '{}' AND convalidated AND connamespace = 'public'::regnamespace ORDER BY 1
"""


@pytest.mark.shows("fitzen-coach", "data")
def test_the_coach_with_its_faults(tmp_path: Path, database: str) -> None:
    folder = coach.write(tmp_path / "csv")
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"\xff")
    assert snapshot.holds_tables(folder)
    ragged = "workouts row 10: line 10 of workouts.csv has 5 cells, its header 4"
    with pytest.raises(BadEvents, match=ragged):
        move(folder, database)
    report = move(folder, database, quarantine=True)
    assert report.as_dict()["verified"]
    assert report.as_dict()["rows"] == {"source": 164, "written": 158, "already_there": 0, "rejected": 6}
    assert {one.what for one in report.plan.left_out} == {r"file \xff.jpg"}
    assert {table.name for table in report.plan.tables} == {
        "users", "workouts", "nutrition", "goals", "habits", "measurements", "reminders", "recipes",
        "chat_history",
    }  # fmt: skip

    assert types(report, "users") == {
        "user_id": "bigint", "name": "text", "phone": "text", "subscribed": "boolean", "joined": "date",
    }  # fmt: skip
    assert types(report, "nutrition")["calories"] == "bigint"
    assert types(report, "nutrition")["protein"] == types(report, "measurements")["weight"] == "numeric"
    assert types(report, "workouts")["started_at"] == "timestamp without time zone"

    assert query(database, REJECTED) == [
        (
            "chat_history",
            10,
            "message: a text that is not valid in its encoding where text belongs",
            b"h\xffllo",
        ),
        ("measurements", 3, "taken: '2024-02-30': no day of the calendar", b"70.2"),
        ("nutrition", 8, "calories: a text where bigint belongs", b"1.7"),
        ("reminders", 4, "line 4 of reminders.csv has 2 cells, its header 3", b"3"),
        ("workouts", 10, "line 10 of workouts.csv has 5 cells, its header 4", b"and one cell more"),
        ("workouts", 22, "started_at: 'soon': no ISO date", b'squat, "deep"\nthen rest'),
    ]
    notes = {table.name: table.notes for table in report.plan.tables}
    assert "user_id is no reference: 1 rows point to nothing in users" in notes["goals"]
    assert "habit_id is no primary key: 0 rows have none, 1 one that another has" in notes["habits"]
    assert "it has no primary key: no column of ids is its own" in notes["measurements"]
    held = [name for (name,) in query(database, KEYS.format("p"))]
    assert held == ["chat_history", "goals", "nutrition", "recipes", "reminders", "users", "workouts"]
    referring = ["chat_history", "habits", "measurements", "nutrition", "reminders", "workouts"]
    assert [name for (name,) in query(database, KEYS.format("f"))] == referring

    exercises = "SELECT phone, exercises FROM workouts JOIN users USING (user_id) WHERE user_id = 1"
    assert query(database, exercises) == [("00491701", 'squat, "deep"\nthen rest')]
    habits = "SELECT user_id, streak FROM habits WHERE habit_id = 3 ORDER BY streak"
    assert query(database, habits) == [(3, 3), (3, 30)]
    weights = "SELECT taken::text, weight FROM measurements WHERE user_id < 4 ORDER BY taken"
    assert query(database, weights) == [("2024-04-01", Decimal("70.1")), ("2024-04-03", Decimal("70.3"))]
    photos = "SELECT photo, photo IS NULL FROM recipes ORDER BY recipe_id"
    assert query(database, photos) == [(None, True), ("soup.jpg", False)]

    again = move(folder, database, quarantine=True)
    assert again.plan.there
    assert again.as_dict()["rows"] == {"source": 164, "written": 0, "already_there": 158, "rejected": 6}
    assert again.proof.digests == report.proof.digests
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE recipes SET title = 'Soup!' WHERE recipe_id = 2")
    _, proof, apart = run.verify(folder, database, {}, Quiet())
    assert not proof.equal
    assert list(apart) == ["recipes"]
    with pytest.raises(GateRefused, match="table recipes: as many rows on both sides, but not the same"):
        move(folder, database, quarantine=True)


def test_references_are_of_the_type_they_refer_to(tmp_path: Path) -> None:
    """An empty column takes it; one of another type is none, and that is told."""
    (tmp_path / "users.csv").write_text("id,name\n1,Ada\n2,Bob\n")
    (tmp_path / "goals.csv").write_text("id,user_id\n")
    (tmp_path / "habits.csv").write_text("id,user_id\na,u1\nb,u2\n")
    with snapshot.taken(tmp_path) as source:
        tables = {table.name: table for table in source.schema.tables}
        notes = source.staged.notes
    assert [column.declared for column in tables["goals"].columns] == ["TEXT", "BIGINT"]
    assert [key.parent for key in tables["goals"].foreign_keys] == ["users"]
    assert "user_id is empty throughout: as in users" in notes["goals"]
    assert not tables["habits"].foreign_keys
    assert "user_id is no reference to users: TEXT here, BIGINT there" in notes["habits"]


REFUSED = {
    "a name twice": ({"a.csv": b"id,Name,name\n"}, "its header names 'name' twice"),
    "a column without a name": ({"a.csv": b"id,,name\n"}, "its header has no name for column 2"),
    "no header": ({"a.csv": b"17,Ada\n18,Bob\n"}, "its first line is no header, it holds b'17'"),
    "an empty file": ({"a.csv": b"\xef\xbb\xbf"}, "the file is empty"),
    "an open quote": ({"a.csv": b'id,name\n1,"Ada\n2,Bob\n'}, "line 2: a quote that is never closed"),
    "UTF-16": ({"a.csv": "id,name\n".encode("utf-16")}, "it is UTF-16"),
    "names that differ in case only": ({"a.csv": b"id\n", "A.CSV": b"id\n"}, "no table can have its name"),
    "a name that is no UTF-8": ({os.fsdecode(b"\xff.csv"): b"id\n"}, "no table can have its name"),
    "a name of SQLite's": ({"sqlite_a.csv": b"id\n"}, "no table can have its name"),
    "no names left for lines": ({"a.csv": b"rowid,oid,_rowid_\n"}, "columns rowid, _rowid_ and oid"),
}


def stage(folder: Path) -> staging.Staged:
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        return staging.stage(folder, connection)


@pytest.mark.parametrize("what", REFUSED)
def test_files_that_are_none_are_refused(what: str, tmp_path: Path) -> None:
    files, says = REFUSED[what]
    for name, held in files.items():
        (tmp_path / name).write_bytes(held)
    with pytest.raises(SourceError, match=says) as error:
        stage(tmp_path)
    assert error.value.hint


@pytest.mark.parametrize(("text", "other"), [("71.5", 71), ("Bob", "Bob "), ("", "-")])
def test_a_value_that_became_another_is_found_in_the_file(
    text: str, other: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text('id,weight,name,note\n1,70.5,Ada,x\n2,71.5,Bob,""\n')
    stage(tmp_path)
    monkeypatch.setattr(inferred, "value", lambda _, found: other if found == text else found)
    with pytest.raises(
        SourceError, match=r"a\.csv: read a second time, it holds something else from line 3 on"
    ):
        stage(tmp_path)


def test_a_row_that_was_lost_is_found_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("id,weight\n1,70.5\n2,71.5,too many\n3,72\n")
    assert len(stage(tmp_path).ragged["a"]) == 1
    read = staging._read

    def forgetful(*given: Any) -> Any:
        file = read(*given)
        file.ragged.clear()
        return file

    monkeypatch.setattr(staging, "_read", forgetful)
    with pytest.raises(SourceError, match="from line 3 on"):
        stage(tmp_path)


def test_an_event_log_beside_csv_files_is_still_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    assert snapshot.holds_tables(tmp_path)
    (tmp_path / "gym.db").write_bytes(b"")
    assert not snapshot.holds_tables(tmp_path)
    assert not snapshot.holds_tables(tmp_path / "nowhere")


VALUES: list[SearchStrategy[Any]] = [
    st.integers(-(2**63), 2**63 - 1),
    st.decimals(-(10**9), 10**9, places=3).map(Decimal(0).__add__),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.one_of(st.just(""), TEXTS.map("~{}".format)),
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bool, list[tuple[Any, ...]]]:
    """A separator, whether everything is quoted, and rows with an id."""
    columns = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=6))
    rows = draw(st.lists(st.tuples(*(st.one_of(st.none(), one) for one in columns)), max_size=12))
    return draw(st.sampled_from(",;\t")), draw(st.booleans()), [(at, *row) for at, row in enumerate(rows)]


def cell(value: Any, *, quoted: bool) -> str:
    if value is None:
        return ""
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    needed = not text or any(character in text for character in ',;\t\r\n"')
    return '"' + text.replace('"', '""') + '"' if quoted or needed else text


@settings(FEW, max_examples=10)
@given(tables(), st.sampled_from(["utf-8", "utf-8-sig"]), st.sampled_from(["\n", "\r\n"]))
def test_any_table_comes_back_equal(
    postgres_server: Server, made: tuple[str, bool, list[tuple[Any, ...]]], encoding: str, end: str
) -> None:
    separator, quoted, rows = made
    width = len(rows[0]) if rows else 2
    header = ["id", *(f"c{at}" for at in range(1, width))]
    lines = [header, *([cell(value, quoted=quoted) for value in row] for row in rows)]
    with fresh_databases(postgres_server) as new, tempfile.TemporaryDirectory() as folder:
        written = "".join(separator.join(line) + end for line in lines)
        (Path(folder) / "any.csv").write_bytes(written.encode(encoding))
        url = new()
        report = move(Path(folder), url)
        assert report.proof.equal
        assert query(url, 'SELECT * FROM "any" ORDER BY id') == rows
