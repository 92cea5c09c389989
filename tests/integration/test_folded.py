"""An app that folds the events itself owns its projections: no move and no comparison meddles with them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gymops.app.store.postgres import PostgresStore
from gymops.app.store.sqlite import SqliteStore
from gymops.clock import SystemClock
from gymops.eventlog.compare import compare
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.sample import write_log, write_workspace
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate.plan import FOLDED
from tests.sources import migrate, query

_DATA = "SELECT user_id, key, data::text, position FROM projections ORDER BY 1, 2"


def fold(url: str) -> None:
    with closing(PostgresStore(lambda **_: url, clock=SystemClock())) as store:
        for user in store.users():
            store.build(user)
        assert store.readiness().ready


def test_a_served_target_is_left_as_it_is_and_nothing_is_to_do(tmp_path: Path, gymops_database: str) -> None:
    write_workspace(tmp_path / "workspace", users=2, events=200, seed=3)
    assert migrate(tmp_path / "workspace", gymops_database).proof.equal
    fold(gymops_database)
    before = query(gymops_database, _DATA)

    again = migrate(tmp_path / "workspace", gymops_database)
    assert (again.written, again.proof.equal, again.plan.work) == (0, True, False)
    assert again.plan.notes[FOLDED] == 2
    assert query(gymops_database, _DATA) == before


def test_a_user_who_is_not_served_yet_is_compared_as_ever(tmp_path: Path, gymops_database: str) -> None:
    for user, seed in (("served", 1), ("new", 2)):
        (tmp_path / user).mkdir()
        write_log(tmp_path / user / "gym.db", events=100, seed=seed, user=user)
    migrate(tmp_path / "served" / "gym.db", gymops_database, user="served")
    fold(gymops_database)
    report = migrate(tmp_path / "new" / "gym.db", gymops_database, user="new")
    assert report.proof.equal
    assert report.plan.notes == {}
    with closing(PostgresLog(gymops_database)) as log:
        assert log.folded_users() == {"served"}
    with (
        closing(SqliteLog(tmp_path / "new" / "gym.db", "new")) as file,
        closing(PostgresLog(gymops_database, only=["new"])) as log,
    ):
        result = compare(file, log)
        assert result.equal
        assert result.tables["projections"].rows_a == result.tables["projections"].rows_b > 0
    changed = "UPDATE projections SET data = '7' WHERE user_id = 'new' AND key = 'current_workout'"
    query(gymops_database, f"{changed} RETURNING 1")
    with (
        closing(SqliteLog(tmp_path / "new" / "gym.db", "new")) as file,
        closing(PostgresLog(gymops_database, only=["new"])) as log,
    ):
        assert not compare(file, log).equal


def test_a_served_file_moves_with_its_rows_and_without_its_own_tables(
    tmp_path: Path, gymops_database: str
) -> None:
    write_log(tmp_path / "gym.db", events=150, seed=4)
    SqliteStore(tmp_path / "gym.db", clock=SystemClock(), owner="default").build("default")
    with closing(SqliteLog(tmp_path / "gym.db")) as log:
        assert log.folded_users() == {"default"}
    report = migrate(tmp_path / "gym.db", gymops_database)
    assert report.proof.equal
    assert report.plan.unknown_tables == ()
    assert report.plan.tables["projections"].to_write > 0
    fold(gymops_database)  # what came along is what the events fold to here
    with closing(PostgresStore(lambda **_: gymops_database, clock=SystemClock())) as store:
        assert store.rebuild("alice").equal
