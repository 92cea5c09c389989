"""A migration killed with SIGKILL, at moments that have a name, and started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.soak.crashes import Crash, assert_fitting, assert_whole, migrate, workspace

_COMMIT = "_exit_gen"  # psycopg's end of a transaction: 1 the run's row, 2 the drop, 3 the first batch, ...

SCHEMA = {
    "in the middle of a revision": Crash(at="CREATE TABLE exercises"),
    "between two revisions": Crash(at="CREATE TABLE runs"),
}
MOMENTS = {
    "as the run's row is committed": Crash(at=_COMMIT, during=True),
    "while the indexes are dropped": Crash(at="DROP INDEX", during=True),
    "as the dropping of the indexes is committed": Crash(2, at=_COMMIT, during=True),
    "between dropping the indexes and the first batch": Crash(at="SET LOCAL synchronous_commit"),
    "in the middle of the second batch": Crash(9, at="copy_to", during=True),
    "between a batch's events and its rejected rows": Crash(2, at="INSERT INTO rejected_events"),
    "between a batch and its checkpoint": Crash(3, at="INSERT INTO checkpoints"),
    "before the commit of a batch": Crash(4, at=_COMMIT),
    "as a batch is committed": Crash(4, at=_COMMIT, during=True),
    "between two users": Crash(5, at="SET LOCAL synchronous_commit"),
    "as a small table is written": Crash(at="INSERT INTO projections", during=True),
    "while a unique index is built": Crash(at="CREATE UNIQUE INDEX events_event_id_key", during=True),
    "between building an index and recording it": Crash(4, at="UPDATE runs SET dropped_indexes"),
    "between the last index and the proof": Crash(at="COPY ( SELECT"),
    "between the proof and its record": Crash(at="UPDATE runs SET status = %s"),
    "as the proof's record is committed": Crash(2, at="SELECT pg_advisory_unlock_all"),
}


@pytest.mark.parametrize("moment", SCHEMA)
def test_killed_while_the_schema_is_made(moment: str, database: str, tmp_path: Path) -> None:
    _kill_and_go_on(SCHEMA[moment], database, tmp_path / "workspace")


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed(moment: str, gymops_database: str, tmp_path: Path) -> None:
    _kill_and_go_on(MOMENTS[moment], gymops_database, tmp_path / "workspace")


def _kill_and_go_on(moment: Crash, database: str, source: Path) -> None:
    expected = workspace(source, users=2, events=120)

    killed = migrate(source, database, moment)
    assert_fitting(database)
    again = migrate(source, database)

    assert killed.code == -9
    assert (again.code, again.error) == (0, "")
    assert_whole(database, expected)


_PARTS = 2
_TWELFTHS = [
    pytest.param(0, marks=pytest.mark.long),
    *(pytest.param(i, marks=pytest.mark.soak) for i in range(1, 12)),
]


@pytest.mark.parametrize("during", [False, True], ids=["before", "during"])
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("twelfth", _TWELFTHS)
def test_killed_at_every_step(
    twelfth: int, part: int, during: bool, new_database: Databases, tmp_path: Path
) -> None:
    """Of twelve steps the first is for the long tests, the others for the soak."""
    source = tmp_path / "workspace"
    expected = workspace(source, users=2, events=100)
    steps = len(migrate(source, new_database()).labels)
    assert steps > 200

    for step in range(1 + twelfth + 12 * part, steps + 1, 12 * _PARTS):
        database = new_database()
        killed = migrate(source, database, Crash(step, during=during))
        assert_fitting(database)
        again = migrate(source, database)

        assert (killed.code, again.code, again.error) == (-9, 0, ""), step
        assert_whole(database, expected)
