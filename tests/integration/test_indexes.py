"""The indexes of events: dropped for a large load, recorded, and built again exactly as they were."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psycopg
import pytest

from tests.soak.crashes import Crash, Migration, assert_whole, migrate, workspace

_DROPPED = Crash(at="SET LOCAL synchronous_commit")
_KEY = "CREATE UNIQUE INDEX events_pkey ON events (user_id, position)"


def _indexes(url: str) -> list[tuple[str, str, bool]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT pg_get_indexdef(i.indexrelid), coalesce(pg_get_constraintdef(k.oid), ''), i.indisvalid"
            " FROM pg_index i LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid"
            " WHERE i.indrelid = 'events'::regclass ORDER BY 1"
        ).fetchall()


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def test_all_are_built_again_as_they_were(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=1)
    _execute(
        gymops_database,
        'CREATE INDEX "Ours, by the ""day""" ON events (user_id, event_type DESC) INCLUDE (xid)',
        "CREATE INDEX only_sets ON events (user_id) WHERE event_type = 'SetLogged'",
        "ALTER TABLE events ADD CONSTRAINT apart EXCLUDE USING btree (user_id WITH =, position WITH =)",
    )
    before = _indexes(gymops_database)

    done = migrate(source, gymops_database)

    assert done.code == 0
    assert [label for label in done.labels if label.startswith("DROP INDEX")]
    assert _indexes(gymops_database) == before
    assert_whole(gymops_database, expected)


def _at(labels: list[str], beginning: str) -> int:
    return next(at for at, label in enumerate(labels) if label.startswith(beginning))


def test_the_proof_begins_when_the_primary_key_is_there(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=2)

    done = migrate(source, gymops_database)

    assert done.code == 0
    proof = _at(done.labels, "COPY ( SELECT user_id, event_id,")
    assert _at(done.labels, "CREATE UNIQUE INDEX events_pkey") < proof
    assert proof < _at(done.labels, "ALTER TABLE events ADD CONSTRAINT")
    seconds = done.report["seconds"]
    assert seconds["index"] > 0
    assert sum(seconds.values()) - seconds["total"] <= seconds["total"] + 0.003
    assert_whole(gymops_database, expected)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_ended_in_its_proof_has_all_built_by_the_next(
    how: int, source: Path, gymops_database: str
) -> None:
    expected = workspace(source, users=1)
    before = _indexes(gymops_database)
    crash = Crash(at="COPY ( SELECT user_id, event_id,", signal=how)
    assert migrate(source, gymops_database, crash).code in (-9, 130)
    assert _indexes(gymops_database) != before

    done = migrate(source, gymops_database, index_from=1000)

    assert (done.code, done.error) == (0, "")
    assert _indexes(gymops_database) == before
    assert_whole(gymops_database, expected)


def test_few_events_go_through_the_indexes(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=1)

    done = migrate(source, gymops_database, index_from=1000)

    assert done.code == 0
    assert not [label for label in done.labels if "DROP" in label and "staging" not in label]
    assert_whole(gymops_database, expected)


@pytest.mark.parametrize(
    "by_hand", [[_KEY], [_KEY, "ALTER TABLE events ADD PRIMARY KEY USING INDEX events_pkey"]]
)
def test_somebody_built_one_by_hand(by_hand: list[str], source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=1)
    before = _indexes(gymops_database)
    assert migrate(source, gymops_database, _DROPPED).code == -9
    _execute(gymops_database, *by_hand)

    done = migrate(source, gymops_database, index_from=1000)

    assert (done.code, done.error) == (0, "")
    assert _indexes(gymops_database) == before
    assert_whole(gymops_database, expected)


def test_a_dead_run_is_still_building_one(source: Path, gymops_database: str) -> None:
    expected = workspace(source, users=1)
    before = _indexes(gymops_database)
    assert migrate(source, gymops_database, _DROPPED).code == -9
    with psycopg.connect(gymops_database) as orphan, psycopg.connect(gymops_database, autocommit=True) as eye:
        orphan.execute(_KEY.encode())
        running = Migration(source, gymops_database, index_from=1000)
        blocked = "SELECT pid FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
        deadline = time.monotonic() + 30
        while eye.execute(blocked, [orphan.info.backend_pid]).fetchone() is None:
            assert time.monotonic() < deadline, "it does not wait"
            time.sleep(0.01)
        orphan.commit()
        done = running.ended()

    assert (done.code, done.error) == (0, "")
    assert _indexes(gymops_database) == before
    assert_whole(gymops_database, expected)
