"""One transaction: all of it is there and proved, or nothing is; what is there is proved, or refused."""

from __future__ import annotations

import random
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.clock import SystemClock
from gymops.errors import (
    ConfigError,
    DifferenceFound,
    GateRefused,
    Interrupted,
    LockHeld,
    SourceError,
    TargetError,
)
from gymops.pg.lock import hold
from gymops.tables import kinds, run, snapshot
from gymops.tables.run import Report
from tests.integration.tables.files import columns, make, move
from tests.sources import App, Quiet, change, hashes, query, tables

CHINOOK = Path(__file__).resolve().parents[4] / "shared/data/chinook.sqlite"
SCRIPT = """
CREATE TABLE makers (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE things (id INTEGER PRIMARY KEY, maker INTEGER REFERENCES makers, price DECIMAL(8,2));
CREATE INDEX things_maker ON things (maker);
CREATE VIEW dear AS SELECT name, price FROM things JOIN makers ON maker = makers.id WHERE price > 10;
INSERT INTO makers VALUES (1, 'Ada'), (2, 'Bob');
INSERT INTO things VALUES (1, 1, 9.99), (2, 2, 20.5), (3, NULL, NULL);
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make(tmp_path / "shop.db", SCRIPT)


@pytest.fixture
def chinook() -> Path:
    if not CHINOOK.is_file():
        pytest.skip(f"{CHINOOK} is not there: the sample database Chinook is not part of this repository")
    return CHINOOK


def test_chinook(chinook: Path, any_database: str) -> None:
    report = move(chinook, any_database)
    assert report.proof.equal
    assert report.as_dict()["rows"]["written"] == 15_607
    assert not report.plan.left_out
    assert not report.unchecked
    bought = "SELECT sum(total)::float8, min(invoicedate)::text FROM invoice"
    with closing(sqlite3.connect(f"{chinook.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        total, first = connection.execute("SELECT sum(Total), min(InvoiceDate) FROM Invoice").fetchone()
    assert query(any_database, bought) == [(round(total, 2), first)]
    valid = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"
    assert query(any_database, valid) == [(11,)]
    again = move(chinook, any_database)
    assert again.plan.there
    assert again.proof.digests == report.proof.digests


def test_the_file_is_not_touched_and_nothing_lies_beside_it(file: Path, database: str) -> None:
    before = hashes(file.parent)
    move(file, database)
    assert hashes(file.parent) == before


CHANGES = {
    "a row less": ("DELETE FROM things WHERE id = 3", "table things: 3 rows in the source, 2 in the target"),
    "a row more": ("INSERT INTO things VALUES (7)", "table things: 3 rows in the source, 4 in the target"),
    "a cent": (
        "UPDATE things SET price = 10 WHERE id = 1",
        "table things: as many rows on both sides, but not the same",
    ),
    "an index": ("DROP INDEX things_maker", "index things_maker of things is not as planned: not there"),
    "a key": (
        "ALTER TABLE things DROP CONSTRAINT things_maker_fkey",
        "constraint things_maker_fkey of things is not as planned: not there",
    ),
    "a type": (
        "ALTER TABLE makers ALTER name TYPE varchar(9)",
        "column makers.name is not as planned: character varying(9)",
    ),
    "a column": (
        "ALTER TABLE makers DROP name CASCADE",
        "table makers: 2 rows in the source, 0 in the target",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_target_with_another_content_is_refused(what: str, file: Path, database: str) -> None:
    statement, says = CHANGES[what]
    move(file, database)
    with psycopg.connect(database) as connection:
        if what == "a type":
            connection.execute("DROP VIEW dear")
        connection.execute(statement.encode())
    with pytest.raises(GateRefused, match=re.escape(says)):
        move(file, database)


def test_verify_counts_the_rows_that_differ_and_names_the_first(file: Path, database: str) -> None:
    with pytest.raises(DifferenceFound, match="has none of the tables makers, things"):
        run.verify(file, database, {}, Quiet())
    move(file, database)
    _, proof, apart = run.verify(file, database, {}, Quiet())
    assert (proof.equal, apart) == (True, {})
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM things WHERE id = 1")
        connection.execute("UPDATE things SET price = 20.6 WHERE id = 2")
        connection.execute("INSERT INTO things VALUES (8), (9)")
    _, proof, apart = run.verify(file, database, {}, Quiet())
    assert not proof.equal
    assert str(apart["things"]) == (
        "2 rows of the source are missing, 3 are there beside; the first that is missing: id = 1"
    )
    assert list(apart) == ["things"]


def test_a_file_that_moved_on_is_refused(file: Path, database: str) -> None:
    move(file, database)
    change(file, "INSERT INTO makers VALUES (3, 'Eve')")
    with pytest.raises(GateRefused, match="table makers: 3 rows in the source, 2 in the target"):
        move(file, database)
    assert query(database, "SELECT count(*) FROM makers") == [(2,)]


def test_tables_of_others_are_left_alone(file: Path, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE other (x int)")
    move(file, database)
    assert tables(database) == ["makers", "other", "things"]


def test_a_table_of_others_with_our_name_is_refused(file: Path, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE makers (x int)")
    with pytest.raises(GateRefused, match="the target already has makers, and lacks things"):
        move(file, database)
    assert tables(database) == ["makers"]


def test_what_was_loaded_wrongly_is_taken_back(
    file: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof does not hash what was sent: a fault on the way there shows."""
    wrong = replace(kinds.TEXT, texts={str: lambda value: value.upper().encode()})
    monkeypatch.setattr("gymops.tables.decide.TEXT", wrong)
    with pytest.raises(DifferenceFound, match="table makers: as many rows on both sides, but not the same"):
        move(file, database)
    assert tables(database) == []


def test_interrupted_anywhere_it_leaves_nothing(file: Path, database: str) -> None:
    parts: list[str] = []

    class Stopping(Quiet):
        def __init__(self, at: str) -> None:
            self.at = at

        def phase(self, name: str, total: int | None) -> None:
            parts.append(name)
            if name == self.at:
                raise KeyboardInterrupt

    def attempt(at: str) -> Report:
        return run.run(
            file, database, {}, quarantine=False, confirm=lambda _: True, clock=SystemClock(),
            observer=Stopping(at),
        )  # fmt: skip

    for at in ("checking every row", "copying", "keys, indexes and references", "proving"):
        with pytest.raises(KeyboardInterrupt):
            attempt(at)
        assert tables(database) == []
    assert attempt("never").proof.equal
    assert parts[-1] == "proving"


def test_asked_and_told_no_it_writes_nothing(file: Path, database: str) -> None:
    with pytest.raises(Interrupted):
        run.run(
            file, database, {}, quarantine=False, confirm=lambda _: False, clock=SystemClock(),
            observer=Quiet(),
        )  # fmt: skip
    assert tables(database) == []


def test_a_plan_leaves_nothing_behind(file: Path, database: str) -> None:
    plan = run.plan(file, database, {}, Quiet())
    assert plan.work
    assert query(database, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'gymops%'") == []
    assert tables(database) == []


def test_one_at_a_time(file: Path, database: str) -> None:
    with hold(database, "migrate", clock=SystemClock(), holder="migrate"), pytest.raises(LockHeld):
        move(file, database)


_WAL = """
c.execute("PRAGMA journal_mode = wal"); c.execute("PRAGMA wal_autocheckpoint = 0")
c.execute("INSERT INTO makers VALUES (3, 'only in the WAL')")
"""


def test_what_is_only_in_the_wal_is_moved_and_what_comes_later_is_not(file: Path, database: str) -> None:
    app = App(file, _WAL)

    class Writing(Quiet):
        def phase(self, name: str, total: int | None) -> None:
            if name == "copying":  # the app goes on while the file is read
                change(file, "INSERT INTO makers VALUES (4, 'later')", "DELETE FROM makers WHERE id = 1")

    report = run.run(
        file, database, {}, quarantine=False, confirm=lambda _: True, clock=SystemClock(), observer=Writing()
    )
    app.close()
    assert report.proof.equal
    assert query(database, "SELECT id FROM makers ORDER BY id") == [(1,), (2,), (3,)]


def test_a_computed_column_that_means_another_thing_there_holds_its_values(
    tmp_path: Path, database: str
) -> None:
    path = make(
        tmp_path / "any.db",
        "CREATE TABLE t (n INTEGER PRIMARY KEY, x TEXT, s TEXT AS (substr(x, -2)),"
        " r REAL AS (round(n + 0.5)));"
        "INSERT INTO t (x) VALUES ('abc'), ('cde')",
    )
    report = move(path, database)
    assert query(database, "SELECT s, r FROM t ORDER BY n") == [("bc", 2.0), ("de", 3.0)]
    column = report.plan.tables[0].columns[2]
    assert column.notes == ("not computed there, its values are moved: PostgreSQL computes something else",)
    assert report.plan.tables[0].columns[3].generated
    assert move(path, database).plan.there


def test_an_index_that_cannot_be_made_says_how_to_do_without(tmp_path: Path, database: str) -> None:
    path = make(
        tmp_path / "any.db",
        "CREATE TABLE t (n INTEGER PRIMARY KEY, x TEXT); CREATE INDEX long ON t (x)",
        ("INSERT INTO t (x) VALUES (?)", (random.Random(1).randbytes(20_000).hex(),)),
    )
    with pytest.raises(TargetError, match="the index long of t cannot be made, and all was taken") as error:
        move(path, database)
    assert error.value.hint == 'leave it out in gymops.toml: [migrate.tables.t.sql] long = ""'
    assert tables(database) == []
    move(path, database, tables={"t": {"sql": {"long": ""}}})


def test_two_files_that_reject_rows_of_the_same_name(tmp_path: Path, database: str) -> None:
    for name, section in (("a", {}), ("b", {"tables": {"t": {"name": "u"}}})):
        rows = [("INSERT INTO t (x) VALUES (?)", (value,)) for value in [*range(11), name]]
        path = make(tmp_path / name, "CREATE TABLE t (n INTEGER PRIMARY KEY, x INTEGER)", *rows)
        move(path, database, quarantine=True, **section)
        assert move(path, database, quarantine=True, **section).plan.there
    kept = query(database, "SELECT target_table, source_table, cells[2] FROM gymops_records.rejected_rows")
    assert sorted(kept) == [("t", "t", b"a"), ("u", "t", b"b")]


def test_a_rejected_row_that_was_changed_is_noticed(tmp_path: Path, database: str) -> None:
    rows = [("INSERT INTO t (x) VALUES (?)", (value,)) for value in [*range(11), "many"]]
    path = make(tmp_path / "any.db", "CREATE TABLE t (n INTEGER PRIMARY KEY, x INTEGER)", *rows)
    move(path, database, quarantine=True)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE gymops_records.rejected_rows SET cells[2] = 'few'::bytea")
    with pytest.raises(GateRefused, match="rejected rows: 1 in the source, 1 in the target, or others"):
        move(path, database, quarantine=True)


def test_not_null_where_there_are_nulls_is_left_out(tmp_path: Path, database: str) -> None:
    script = "CREATE TABLE t (n INTEGER PRIMARY KEY, x TEXT, y TEXT); INSERT INTO t (y) VALUES ('a')"
    said = {"x": {"not_null": True}, "y": {"not_null": True}}
    report = move(make(tmp_path / "any.db", script), database, tables=columns(said))
    _, x, y = report.plan.tables[0].columns
    assert (x.not_null, y.not_null) == (False, True)
    assert x.notes == ("NOT NULL is left out: 1 values are NULL",)


def test_gymops_toml_decides_otherwise(file: Path, database: str) -> None:
    section: dict[str, Any] = {
        "names": "keep",
        "tables": {
            "things": {"name": "Articles", "sql": {"things_maker": "", "Articles_pkey": "PRIMARY KEY (id) "}},
            "makers": {"columns": {"name": {"name": "Label"}}},
        },
        "views": {"dear": 'SELECT price FROM "Articles"'},
    }
    report = move(file, database, **section)
    assert tables(database) == ["Articles", "makers"]
    assert query(database, 'SELECT "Label" FROM makers ORDER BY id') == [("Ada",), ("Bob",)]
    assert query(database, "SELECT to_regclass('things_maker')") == [(None,)]
    assert report.views == {"dear": (1, 3)}
    assert [one.what for one in report.plan.left_out] == ["index things_maker of things"]
    assert move(file, database, **section).plan.there


def test_a_table_left_out(file: Path, database: str) -> None:
    report = move(file, database, tables={"makers": {"skip": True}}, views={"dear": ""})
    assert tables(database) == ["things"]
    assert {one.what for one in report.plan.left_out} == {
        "table makers", "view dear", "foreign key maker of things",
    }  # fmt: skip


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such table": ({"tables": {"nothing": {}}}, "migrate.tables.nothing: the file has no such table"),
    "no such column": ({"tables": {"things": {"columns": {"x": {}}}}}, "the table has no such column"),
    "no such rule": ({"tables": {"things": {"sql": {"x": ""}}}}, "there is no 'x'"),
    "no such view": ({"views": {"x": ""}}, "migrate.views.x: no view of the file"),
    "an unknown key": ({"tables": {"things": {"typ": 1}}}, "unknown key 'typ'"),
    "an unknown type": (
        {"tables": {"things": {"columns": {"id": {"type": "money"}}}}},
        "'money' is not among",
    ),
    "an unknown reading": (
        {"tables": {"things": {"columns": {"id": {"reads": "x"}}}}},
        "no reading of numbers",
    ),
    "a taken name": ({"tables": {"things": {"name": "a"}, "makers": {"name": "a"}}}, "'a' is taken"),
    "no text": ({"tables": {"things": {"name": 1}}}, "a text is expected"),
    "no way with names": ({"names": "upper"}, "'upper' is none"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_settings_are_told(what: str, file: Path, database: str) -> None:
    section, says = WRONG[what]
    with pytest.raises(ConfigError, match=re.escape(says)) as error:
        move(file, database, **section)
    assert error.value.hint


def test_a_file_without_tables_is_no_source(tmp_path: Path, database: str) -> None:
    path = make(tmp_path / "any.db", "CREATE TABLE t (x); DROP TABLE t")
    assert not snapshot.holds_tables(path)
    with pytest.raises(SourceError, match="it holds no tables"):
        move(path, database)


def test_rows_that_pgloader_loses(tmp_path: Path, database: str) -> None:
    """A text among integers, bad UTF-8, colliding names, BLOBs, 'null' and false as numeric defaults."""
    script = """
    CREATE TABLE a (n INTEGER PRIMARY KEY, number INTEGER, word TEXT, raw BLOB,
                    price NUMERIC DEFAULT 'null', rate NUMERIC DEFAULT false);
    CREATE TABLE "Ä" (x INTEGER); CREATE TABLE "ä" (x INTEGER);
    INSERT INTO "Ä" VALUES (1); INSERT INTO "ä" VALUES (2);
    """
    insert = "INSERT INTO a VALUES (?, ?, ?, ?, 1.5, 2)"
    rows: list[tuple[str, tuple[Any, ...]]] = [
        (insert, (at, at, "word", bytes([at, 0, 255]))) for at in range(20)
    ]
    rows.append((insert, (20, "many", "word", b"")))
    rows.append((insert.replace("?, ?, 1.5", "CAST(x'ff' AS TEXT), ?, 1.5"), (21, 21, b"")))
    path = make(tmp_path / "any.db", script, *rows)
    report = move(path, database, quarantine=True)
    assert query(database, "SELECT count(*), count(raw), sum(length(raw)) FROM a") == [(20, 20, 60)]
    assert query(database, 'SELECT (SELECT x FROM "Ä"), (SELECT x FROM "ä")') == [(1, 2)]
    rejected = "SELECT source_rowid, cells[2], cells[3] FROM gymops_records.rejected_rows ORDER BY 1"
    kept = query(database, rejected)
    assert kept == [(20, b"many", b"word"), (21, b"21", b"\xff")]
    assert report.as_dict()["rows"] == {"source": 24, "written": 22, "already_there": 0, "rejected": 2}
    with psycopg.connect(database) as connection:
        row = connection.execute("INSERT INTO a (n) VALUES (99) RETURNING price, rate").fetchone()
    assert row == (None, 0)
