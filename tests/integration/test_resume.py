"""Going on after a crash when the world has changed meanwhile: the source, the target, or both."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

import psycopg
import pytest

from gymops.clock import SystemClock
from gymops.pg import schema
from tests.conftest import Databases
from tests.soak.crashes import Crash, Expected, Migration, append, assert_whole, migrate, workspace

_DROPPED = Crash(at="SET LOCAL synchronous_commit")  # dropped the indexes, and not begun the first batch
_THIRD = Crash(3, at="INSERT INTO checkpoints")
_BUILDING = Crash(at="CREATE UNIQUE INDEX events_event_id_key")
_COPY = "COPY events ("
_DELETED = 30


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def _anna(source: Path) -> sqlite3.Connection:
    return sqlite3.connect(source / "anna" / "gym.db")


def _gaps(source: Path, expected: dict[str, Expected], user: str = "auth0|000001") -> None:
    """Delete the first events of a log whose rowids are its own business, so that VACUUM renumbers them."""
    connection = sqlite3.connect(source / user / "gym.db")
    connection.execute(f"DELETE FROM events WHERE rowid <= {_DELETED}")
    connection.commit()
    connection.close()
    expected[user].rejected -= 1
    del expected[user].events[: _DELETED - 1]


def _vacuum(source: Path, user: str = "auth0|000001") -> None:
    connection = sqlite3.connect(source / user / "gym.db")
    before = connection.execute("SELECT min(rowid) FROM events").fetchone()
    connection.execute("VACUUM")
    assert connection.execute("SELECT min(rowid) FROM events").fetchone() != before
    connection.close()


def test_a_second_run_has_nothing_to_do(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=2)
    first = migrate(source, gymops_database)
    second = migrate(source, gymops_database)

    assert (first.code, second.code) == (0, 0)
    assert first.report["events"]["written"] > 0
    assert second.report["events"]["written"] == 0
    assert second.report["digest"] == first.report["digest"]
    writes = [
        label for label in second.labels if label.startswith(("COPY events (", "INSERT", "DROP", "CREATE"))
    ]
    assert [label.split("(")[0] for label in writes] == ["INSERT INTO runs "]
    assert_whole(gymops_database, expected)


def test_the_source_has_grown_since_the_crash(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=2)
    assert migrate(source, gymops_database, _THIRD).code == -9
    with _anna(source) as connection:
        append(connection, "anna", expected["anna"], range(1000, 1100))
    connection.close()

    again = migrate(source, gymops_database)

    assert (again.code, again.error) == (0, "")
    assert_whole(gymops_database, expected)


def test_users_were_added_since_the_crash(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=1)
    assert migrate(source, gymops_database, _THIRD).code == -9
    # One whose name comes first, so that the users are copied in another order.
    other = workspace(source.with_name("other"), users=2)["auth0|000001"]
    (source / "Aaron").mkdir()
    (source.with_name("other") / "auth0|000001" / "gym.db").rename(source / "Aaron" / "gym.db")

    again = migrate(source, gymops_database)

    assert (again.code, again.error) == (0, "")
    assert again.report["users"] == 2
    with psycopg.connect(gymops_database) as connection:
        counts = connection.execute("SELECT user_id, count(*) FROM events GROUP BY 1 ORDER BY 1").fetchall()
    assert counts == [("Aaron", len(other.events)), ("anna", len(expected["anna"].events))]


def test_the_rest_of_a_load_without_indexes_goes_through_them(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=2)
    assert migrate(source, gymops_database, _THIRD).code == -9

    again = migrate(source, gymops_database)

    assert again.code == 0
    labels = [label.split(" (")[0] for label in again.labels]
    built = [
        number for number, label in enumerate(labels) if "USING INDEX" in label or "CREATE INDEX" in label
    ]
    assert len(built) == 5
    assert max(built) < labels.index("COPY events")
    assert not [label for label in labels if label.startswith("DROP")]
    assert_whole(gymops_database, expected)


@pytest.mark.parametrize("index_from", [1, 10_000])
@pytest.mark.parametrize("crash", [_DROPPED, _BUILDING], ids=["dropped", "building"])
def test_another_source_finds_what_a_dead_run_has_dropped(
    crash: Crash, index_from: int, source: Path, gymops_database: str
) -> None:
    first = workspace(source, users=1)
    killed = migrate(source, gymops_database, crash)
    assert killed.code == -9
    assert not schema.check(gymops_database).ok
    other = source.with_name("other")
    second = workspace(other, users=2)
    (other / "anna").rename(other / "berta")
    second["berta"] = second.pop("anna")

    done = migrate(other, gymops_database, index_from=index_from)

    assert (done.code, done.error) == (0, "")
    assert schema.check(gymops_database).ok
    assert migrate(source, gymops_database).code == 0
    with psycopg.connect(gymops_database) as connection:
        counts = connection.execute("SELECT user_id, count(*) FROM events GROUP BY 1").fetchall()
    assert dict(counts) == {user: len(wanted.events) for user, wanted in {**first, **second}.items()}
    # And nothing is left to be done, for either.
    assert migrate(other, gymops_database).report["events"]["written"] == 0


def test_a_second_source_leaves_the_first_untouched(source: Path, gymops_database: str) -> None:
    first = workspace(source, users=1)
    assert migrate(source, gymops_database).code == 0
    query = "SELECT user_id, position, event_id, xid::text FROM events WHERE user_id = 'anna' ORDER BY 2"
    with psycopg.connect(gymops_database) as connection:
        before = connection.execute(query).fetchall()
    other = source.with_name("other")
    second = {"auth0|000001": workspace(other, users=2)["auth0|000001"]}
    (other / "anna").rename(source.with_name("put away"))

    done = migrate(other, gymops_database, index_from=1)

    assert done.code == 0
    assert not [label for label in done.labels if label.startswith(("DROP", "ALTER", "CREATE INDEX"))]
    with psycopg.connect(gymops_database) as connection:
        assert connection.execute(query).fetchall() == before
    assert_whole(gymops_database, {**first, **second})


def test_vacuum_after_the_crash_renumbers_what_was_copied(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=2)
    _gaps(source, expected)
    # Kill it behind the second batch of the user whose rowids will change.
    crash = Crash(6, at="INSERT INTO checkpoints")
    assert migrate(source, gymops_database, crash).code == -9
    _vacuum(source)

    again = migrate(source, gymops_database)

    assert (again.code, again.error) == (0, "")
    assert_whole(gymops_database, expected)


@pytest.mark.parametrize("step", [1, 2, 5, 7], ids=["first batch", "another user", "in the middle", "last"])
def test_vacuum_in_the_middle_of_the_copy(step: int, source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=2)
    _gaps(source, expected)
    stop = Crash(step, at="SET LOCAL synchronous_commit", signal=signal.SIGSTOP)
    running = Migration(source, gymops_database, stop).stopped()
    _vacuum(source)
    outcome = running.go_on().ended()

    assert (outcome.code, "vacuumed" in outcome.error) == (1, True)
    again = migrate(source, gymops_database)
    assert (again.code, again.error) == (0, "")
    assert_whole(gymops_database, expected)


def test_vacuum_before_the_proof(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=2)
    _gaps(source, expected)
    running = Migration(
        source, gymops_database, Crash(2, at="dropped_indexes IS NOT NULL", signal=signal.SIGSTOP)
    )
    running.stopped()
    with sqlite3.connect(source / "auth0|000001" / "gym.db") as connection:
        append(connection, "auth0|000001", expected["auth0|000001"], range(2000, 2050))
    connection.close()
    _vacuum(source)
    outcome = running.go_on().ended()

    assert (outcome.code, "vacuumed" in outcome.error) == (1, True)
    again = migrate(source, gymops_database)
    assert (again.code, again.error) == (0, "")
    assert_whole(gymops_database, expected)


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_a_target_whose_schema_is_behind(revision: str, source: Path, new_database: Databases) -> None:
    database, whole = new_database(), new_database()
    expected = workspace(source, users=1)
    assert migrate(source, whole).code == 0
    schema.upgrade(database, clock=SystemClock(), to=revision)
    with psycopg.connect(whole) as one, psycopg.connect(database) as other:
        columns = (
            'user_id, position, event_id, source_event_id, "timestamp", event_type, schema_version, payload'
        )
        with other.cursor().copy(f"COPY events ({columns}) FROM STDIN".encode()) as copy_in:
            beginning = f"COPY (SELECT {columns} FROM events ORDER BY position LIMIT 30) TO STDOUT"
            with one.cursor().copy(beginning.encode()) as copy_out:
                for data in copy_out:
                    copy_in.write(data)

    done = migrate(source, database)

    assert (done.code, done.error) == (0, "")
    assert done.report["events"]["already_there"] == 30
    assert_whole(database, expected)


def test_the_lock_s_session_is_gone(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=2)
    stop = Crash(4, at="SET LOCAL synchronous_commit", signal=signal.SIGSTOP)
    running = Migration(source, gymops_database, stop).stopped()
    with psycopg.connect(gymops_database, autocommit=True) as connection:
        held = connection.execute("SELECT events FROM checkpoints").fetchall()
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
            " WHERE locktype = 'advisory' AND granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        outcome = running.go_on().ended()
        assert connection.execute("SELECT events FROM checkpoints").fetchall() == held

    assert (outcome.code, "lock" in outcome.error) == (1, True)
    assert migrate(source, gymops_database).code == 0
    assert_whole(gymops_database, expected)
