"""A database of tables and no event log: each row comes back of a dump, or a restore-test says which not."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest

from gymops.backup.contents import hold, read
from gymops.backup.evidence import Result
from gymops.backup.isolated import NotRecovered
from gymops.backup.port import Restored
from gymops.pg.binaries import find_binaries
from tests.integration.backup.conftest import Backed, vault_in
from tests.integration.backup.restoring.conftest import CLOCK, NAME, Stored
from tests.integration.tables.files import make, move
from tests.integration.tables.test_productivity import SCRIPT

OTHERS = "other rows came back than there were"


@pytest.fixture
def dumped(tmp_path: Path, database: str) -> Stored:
    """The productivity app's database, as its file was moved into it, and a dump of it."""
    move(make(tmp_path / "app.db", SCRIPT), database, like="productivity")
    backed = Backed(database, find_binaries(), vault_in(tmp_path, NAME), tmp_path)
    taker = backed.taker(method="dump")
    taker.take(taker.plan("daily"), CLOCK.now())
    return Stored(backed, [], [], tmp_path / "keys")


@pytest.mark.shows("productivity-fargate", "restore-test")
def test_every_row_comes_back_whatever_the_servers_are_set_to(dumped: Stored) -> None:
    """What is written later is in no dump, and a server writes its values as it is set to."""
    url = dumped.backed.url
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    for setting in ("datestyle = 'German'", "timezone = 'Asia/Kolkata'", "bytea_output = 'escape'"):
        dumped.backed.sql(f'ALTER DATABASE "{name}" SET {setting}')
    taker = dumped.backed.taker(method="dump")
    taker.take(taker.plan("daily"), CLOCK.now())
    dumped.backed.sql("DELETE FROM completions")
    before, point = min(dumped.vault.catalogue.points(), key=lambda one: one.ended), dumped.point
    assert before.tables == point.tables
    assert point.tables
    rows = {one.table: one.rows for one in point.tables}
    assert rows.items() >= {"public.tasks": 1, "public.completions": 1, "public.settings": 1}.items()
    restores = dumped.restores()
    tested = dumped.test(restores=restores, tables=restores.tables)
    assert (tested.result, tested.events.expected) == (Result.PASSED, 0)
    assert tested.tables == f"{len(rows)} tables, {sum(rows.values())} rows"

    def spoil(restored: Restored) -> str:
        with psycopg.connect(restored.url or "", autocommit=True) as connection:
            connection.execute("UPDATE tasks SET title = 'Walk'")
        return "another title"

    tested = dumped.test(spoil=spoil)
    assert (tested.result, tested.message) == (Result.FAILED, f"of public.tasks {OTHERS}")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT", None),
        ("UPDATE pairs SET t = 'c' WHERE t = 'b'", f"of public.pairs {OTHERS}"),
        ("DELETE FROM pairs", "of public.pairs 0 rows came back, and there were 3"),
        ("DROP TABLE pairs", "the table public.pairs did not come back"),
        ("CREATE TABLE more ()", "public.more came back, and there was no such table"),
    ],
)
def test_a_table_that_is_another_is_named(database: str, statement: str, why: str | None) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE pairs AS SELECT unnest(ARRAY['a', 'a', 'b']) AS t")
        before = read(connection)
        connection.execute(statement.encode())
    with pytest.raises(NotRecovered) if why else nullcontext() as told:
        hold(database, before)
    assert (told.value.message if told else None) == why


def test_of_a_base_backup_nobody_can_tell(database: str, tmp_path: Path) -> None:
    """It has no log, and no word of its tables; where nothing is in a database there is nothing to tell."""
    backed = Backed(database, find_binaries(), vault_in(tmp_path, NAME), tmp_path)
    empty = Stored(backed, [], [], tmp_path / "keys")
    backed.taker().take(backed.taker().plan("daily"), CLOCK.now())
    assert empty.test().result is Result.PASSED
    backed.sql("CREATE TABLE pairs AS SELECT 1 AS one")
    backed.taker().take(backed.taker().plan("daily"), CLOCK.now())
    tested = empty.test()
    assert (tested.result, tested.events.restored) == (Result.UNVERIFIED, None)
    assert 'method = "dump"' in (tested.hint or "")


def test_equal_rows_count_each_and_their_order_does_not(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE pairs (t text, b bytea, f float8, at timestamptz)")
        found = []
        for rows in (["a", "a", "b"], ["b", "a", "a"], ["a", "b", "b"], ["a", "b"]):
            connection.execute("TRUNCATE pairs")
            for one in rows:
                connection.execute("INSERT INTO pairs VALUES (%s, 'x', 0.1, '2024-02-29')", [one])
            (content,) = read(connection)
            found.append((content.rows, content.digest))
    assert found[0] == found[1]
    assert len(set(found)) == 3
