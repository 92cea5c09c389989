"""Keys, indexes, checks, references, defaults, numbering, generated columns, views and names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gymops.pg.embedded import Server
from tests.integration.tables.files import Moved, make, move, moved
from tests.sources import query

SCRIPT = """
CREATE TABLE people (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL COLLATE NOCASE UNIQUE,
  age INT CHECK (age BETWEEN 0 AND 150),
  active BOOLEAN NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  joined TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  note DEFAULT 'null',
  boss INTEGER REFERENCES people ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
  shout TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL,
  initial TEXT AS (substr(name, 1, 1)) STORED,
  CONSTRAINT grown CHECK (age >= 18 OR boss IS NOT NULL)
);
INSERT INTO people (id, name, age, active, boss) VALUES (1, 'Ada', 36, 1, NULL), (2, 'äneas', 17, 0, 1);
CREATE INDEX people_grown ON people (age DESC, name) WHERE active;
CREATE INDEX people_lower ON people (lower(note), length(name) DESC);
CREATE INDEX people_glob ON people (id) WHERE name GLOB '[A-Z]*' AND note IS NOT 'x';
CREATE INDEX people_typed ON people (typeof(note));
CREATE TABLE defaults (
  n INTEGER PRIMARY KEY,
  a NUMERIC DEFAULT 'null', b NUMERIC DEFAULT false, c INTEGER DEFAULT -5, d REAL DEFAULT (1 + 0.5),
  e TEXT DEFAULT "it's", f BLOB DEFAULT x'00ff', g BOOLEAN DEFAULT FALSE, h DATE DEFAULT CURRENT_DATE,
  i TEXT DEFAULT CURRENT_TIMESTAMP, j INTEGER DEFAULT (strftime('%s', 'now')), k INTEGER DEFAULT 0x10,
  l TEXT DEFAULT NULL, m TEXT DEFAULT 'null', o TEXT DEFAULT (hex(randomblob(4)))
);
CREATE TABLE parts (a INT, b TEXT, c ANY, PRIMARY KEY (b, a)) STRICT, WITHOUT ROWID;
INSERT INTO parts VALUES (1, 'x', 1), (2, 'x', 'one');
CREATE TABLE uses (part_b TEXT, part_a INT, who REFERENCES people, gone INT REFERENCES nowhere (id),
                   FOREIGN KEY (part_b, part_a) REFERENCES parts ON UPDATE CASCADE);
INSERT INTO uses VALUES ('x', 1, 1, 7), ('y', 9, NULL, NULL);
CREATE TABLE loose (k TEXT PRIMARY KEY, v TEXT NOT NULL);
INSERT INTO loose VALUES (NULL, 'a'), (NULL, 'b'), ('k', 'c');
CREATE TABLE "select" (
  "order" INTEGER PRIMARY KEY, "first name" TEXT, "größe" INT, "GRÖßE" INT, xmin INT, "a""b" INT
);
INSERT INTO "select" VALUES (1, 'x', 2, 3, 4, 5);
CREATE TABLE "ÄPFEL" (x); CREATE TABLE "äPFEL" (x);
CREATE TABLE a_very_long_name_that_goes_on_and_on_until_postgresql_cuts_it_off_1 (x);
CREATE TABLE a_very_long_name_that_goes_on_and_on_until_postgresql_cuts_it_off_2 (x);
CREATE VIEW grown_ups AS
  SELECT p.ID AS Id, p.Name, ifnull(p.note, '-') AS n FROM People p WHERE p.name LIKE 'a%';
CREATE VIEW counted (total) AS SELECT count(*) FROM grown_ups;
CREATE VIEW odd AS SELECT json_extract(note, '$.a') FROM people;
CREATE TRIGGER t AFTER INSERT ON people BEGIN SELECT 1; END;
CREATE VIRTUAL TABLE f USING fts5(body);
"""


@pytest.fixture(scope="module")
def shop(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    """All of it, moved."""
    with moved(postgres_server, tmp_path_factory.mktemp("schema"), SCRIPT) as found:
        yield found


def constraints(moved: Moved, table: str) -> dict[str, str]:
    return dict(
        query(
            moved.url,
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = to_regclass(%s) AND contype <> 'n'",
            table,
        )
    )


def indexes(moved: Moved, table: str) -> dict[str, str]:
    rows = query(moved.url, "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", table)
    return {name: definition.partition(" btree ")[2] for name, definition in rows}


def left_out(moved: Moved) -> dict[str, str]:
    return {one.what: one.why for one in moved.report.plan.left_out}


def notes(moved: Moved, table: str) -> list[str]:
    found = next(one for one in moved.report.plan.tables if one.source.name == table)
    return [*found.notes, *(note for column in found.columns for note in column.notes)]


def refused(moved: Moved, statement: str) -> str:
    with psycopg.connect(moved.url) as connection, pytest.raises(psycopg.IntegrityError) as error:
        connection.execute(statement.encode())
    return error.value.diag.constraint_name or ""


def test_primary_and_unique_keys(shop: Moved) -> None:
    assert constraints(shop, "people")["people_pkey"] == "PRIMARY KEY (id)"
    assert constraints(shop, "parts")["parts_pkey"] == "PRIMARY KEY (b, a)"


def test_nocase_is_unique_without_case_and_only_for_a_to_z(shop: Moved) -> None:
    assert refused(shop, "INSERT INTO people (name, age) VALUES ('ADA', 40)") == "people_name_key"
    with psycopg.connect(shop.url) as connection:
        connection.execute("INSERT INTO people (name, age) VALUES ('Äneas', 40)")
        connection.rollback()
    assert any("citext" in note for note in notes(shop, "people"))


def test_checks_hold(shop: Moved) -> None:
    assert constraints(shop, "people")["grown"] == "CHECK (((age >= 18) OR (boss IS NOT NULL)))"
    assert refused(shop, "INSERT INTO people (name, age) VALUES ('b', 17)") == "grown"
    assert refused(shop, "INSERT INTO people (name, age) VALUES ('b', 151)") == "people_check"


def test_references_with_what_they_do(shop: Moved) -> None:
    found = constraints(shop, "people")["people_boss_fkey"]
    assert (
        found == "FOREIGN KEY (boss) REFERENCES people(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED"
    )
    assert constraints(shop, "uses")["uses_who_fkey"] == "FOREIGN KEY (who) REFERENCES people(id)"


def test_rows_that_point_to_nothing_stay_and_the_key_holds_for_new_ones(shop: Moved) -> None:
    found = constraints(shop, "uses")["uses_part_b_part_a_fkey"]
    assert found.endswith("REFERENCES parts(b, a) ON UPDATE CASCADE NOT VALID")
    assert any(note.startswith("1 rows point to nothing in parts") for note in notes(shop, "uses"))
    assert shop.report.unchecked == ("foreign key uses_part_b_part_a_fkey of uses",)
    assert refused(shop, "INSERT INTO uses VALUES ('z', 1)") == "uses_part_b_part_a_fkey"


def test_a_reference_to_no_table_is_told(shop: Moved) -> None:
    assert left_out(shop)["foreign key gone of uses"] == "the table nowhere is not there"


def test_indexes_partial_and_on_expressions(shop: Moved) -> None:
    found = indexes(shop, "people")
    assert found[
        "people_grown"
    ] == '(age DESC, lower((name COLLATE "C"))) WHERE ((active)::integer <> 0)' or (
        found["people_grown"] == '(age DESC, lower((name COLLATE "C"))) WHERE active'
    )
    assert found["people_lower"] == "(lower(note), length(name) DESC)"
    assert found["people_glob"] == (
        "(id) WHERE ((name ~ '^[A-Z].*$'::text) AND (note IS DISTINCT FROM 'x'::text))"
    )
    assert left_out(shop)["index people_typed of people"] == "typeof() has no counterpart"


def test_numbering_goes_on_behind_the_highest_number_ever_given(tmp_path: Path, database: str) -> None:
    script = """
    CREATE TABLE a (n INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO a VALUES (9, 1), (3, 1);
    DELETE FROM a WHERE n = 9;
    CREATE TABLE b (n INTEGER PRIMARY KEY, x); INSERT INTO b VALUES (-5, 1), (7, 1);
    CREATE TABLE c (n INTEGER PRIMARY KEY, x);
    CREATE TABLE d (n INTEGER PRIMARY KEY, x); INSERT INTO d VALUES (-5, 1);
    """
    move(make(tmp_path / "any.db", script), database)
    with psycopg.connect(database) as connection:
        given = [
            connection.execute(f"INSERT INTO {table} (x) VALUES (1) RETURNING n".encode()).fetchone()
            for table in "abcd"
        ]
    assert given == [(10,), (8,), (1,), (1,)]


def test_generated_columns_are_computed_there(shop: Moved) -> None:
    found = query(shop.url, "SELECT shout, initial FROM people ORDER BY id")
    assert found == [("ADA", "A"), ("äNEAS", "ä")]  # upper() of SQLite knows A to Z only
    generated = "SELECT attname FROM pg_attribute WHERE attrelid = 'people'::regclass AND attgenerated = 's'"
    assert query(shop.url, f"{generated} ORDER BY attnum") == [("shout",), ("initial",)]


def test_defaults(shop: Moved) -> None:
    with psycopg.connect(shop.url) as connection:
        row = connection.execute(
            "INSERT INTO defaults (n) VALUES (1) RETURNING a, b, c, d, e, f, g, h, i, j, k, l, m, o"
        ).fetchone()
        today = connection.execute(
            "SELECT (now() AT TIME ZONE 'UTC')::date,"
            " to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),"
            " floor(extract(epoch FROM now()))::bigint"
        ).fetchone()
        connection.rollback()
    assert row is not None
    assert today is not None
    assert row == (None, 0, -5, 1.5, "it's", b"\x00\xff", False, *today, 16, None, "null", None)
    told = notes(shop, "defaults")
    assert "the default 'null' is left out: a text where numeric belongs" in told
    assert any("randomblob" in note for note in told)


def test_strict_and_without_rowid(shop: Moved) -> None:
    assert query(shop.url, "SELECT a, b, c FROM parts ORDER BY a") == [(1, "x", "1"), (2, "x", "one")]


def test_null_in_a_primary_key(shop: Moved) -> None:
    assert constraints(shop, "loose")["loose_pkey"] == "UNIQUE (k)"
    assert left_out(shop)["primary key of loose"] == "k holds NULL: UNIQUE takes its place"


def test_reserved_spaced_unicode_and_system_names(shop: Moved) -> None:
    found = query(shop.url, 'SELECT "order", "first name", "größe", "grÖße", xmin_2, "a""b" FROM "select"')
    assert found == [(1, "x", 2, 3, 4, 5)]


def test_names_that_collide_when_they_are_folded_or_cut(shop: Moved) -> None:
    names = {table.source.name: table.name for table in shop.report.plan.tables}
    assert (names["ÄPFEL"], names["äPFEL"]) == ("Äpfel", "äpfel")
    long = [new for old, new in names.items() if old.startswith("a_very")]
    assert [len(name) for name in long] == [63, 63]
    assert long[1].endswith("_2")


def test_views_translated_or_told(shop: Moved) -> None:
    assert query(shop.url, "SELECT id, name, n FROM grown_ups") == [(1, "Ada", "null")]
    assert query(shop.url, "SELECT total FROM counted") == [(1,)]
    assert shop.report.views == {"counted": (1, 1), "grown_ups": (1, 1)}
    assert left_out(shop)["view odd"] == "json_extract() has no counterpart"


def test_what_has_no_counterpart_is_told(shop: Moved) -> None:
    assert {"trigger t of people", "virtual table f"} <= set(left_out(shop))


def test_a_second_time_it_is_there_and_proved(shop: Moved) -> None:
    again = move(shop.path, shop.url, quarantine=True)
    assert again.plan.there
    assert again.proof.equal
    assert not again.written
