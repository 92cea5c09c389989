"""The schema's own rules on real servers: who may do what, what is unique, what stays true."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from gymops.pg import schema
from gymops.pg.connection import Connection, connect

ALL = ["0001", "0002", "0003", "0004", "0005"]
APPEND = """
INSERT INTO events (user_id, position, event_id, "timestamp", event_type, payload)
VALUES (%s, %s, %s, %s, %s, %s) RETURNING position
"""
CHANGES = (
    "UPDATE events SET payload = '{}'",
    "UPDATE events SET payload = '{}' WHERE false",
    "DELETE FROM events RETURNING *",
    "TRUNCATE events",
    "INSERT INTO events SELECT * FROM events ON CONFLICT (user_id, position) DO UPDATE SET extra = '{}'",
)


@pytest.fixture
def owner(any_gymops_database: str) -> Iterator[Connection]:
    with connect(any_gymops_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def app(any_gymops_database: str) -> Iterator[Connection]:
    with connect(any_gymops_database, autocommit=True) as connection:
        connection.execute("SET ROLE gymops_app")
        yield connection


def append(
    connection: Connection,
    position: int = 1,
    *,
    user: str = "auth0|000001",
    kind: str = "SetLogged",
    when: str = "2026-01-01T10:00:00Z",
    workout: str | None = "w1",
) -> int:
    payload = json.dumps({"workout_id": workout} if workout else {"weight": 62.50})
    row = connection.execute(APPEND, [user, position, uuid.uuid4(), when, kind, payload]).fetchone()
    assert row is not None
    return int(row[0])


def test_changes_to_events_are_refused_to_the_owner_and_to_the_app(
    owner: Connection, app: Connection
) -> None:
    append(owner)
    for statement in CHANGES:
        for setting in ("origin", "replica"):
            owner.execute(f"SET session_replication_role = {setting}")
            with pytest.raises(
                psycopg.errors.RestrictViolation, match=r"events is append-only: .* is refused"
            ):
                owner.execute(statement.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement.encode())
    assert owner.execute("SELECT payload, extra FROM events").fetchall() == [({"workout_id": "w1"}, None)]


def test_the_app_appends_and_reads_and_no_more(app: Connection) -> None:
    assert append(app) == 1
    stored = app.execute(
        "SELECT user_id, schema_version, xid::text::bigint > 0, extra FROM events"
    ).fetchall()
    assert stored == [("auth0|000001", 1, True, None)]
    for table, values in {
        "projections": "('u', 'k', '{}', now())",
        "exercises": "('u', 'squat', 'Squat')",
        "aggregates": "('u', 'week', '2026-01', '{}', now())",
    }.items():
        app.execute(f"INSERT INTO {table} VALUES {values}".encode())
        app.execute(f"UPDATE {table} SET extra = '{{}}'; DELETE FROM {table}".encode())
    assert app.execute("SELECT count(*) FROM workout_summaries").fetchone() == (1,)
    assert app.execute("SELECT version_num FROM alembic_version").fetchone() == ("0005",)
    for refused in (
        "SELECT FROM runs",
        "SELECT FROM checkpoints",
        "SELECT FROM rejected_events",
        "INSERT INTO alembic_version VALUES ('9999')",
        "DELETE FROM workout_summaries",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "TRUNCATE projections",
    ):
        with pytest.raises(psycopg.errors.Error) as error:
            app.execute(refused.encode())
        assert error.value.sqlstate in ("42501", "55000"), refused


def test_a_position_and_an_event_id_are_unique_within_the_user_only(owner: Connection) -> None:
    same = uuid.uuid4()
    for user in ("ann", "bob"):
        owner.execute(APPEND, [user, 1, same, "2026-01-01Z", "SetLogged", "{}"])
    with pytest.raises(psycopg.errors.UniqueViolation, match="events_event_id_key"):
        owner.execute(APPEND, ["ann", 2, same, "2026-01-01Z", "SetLogged", "{}"])
    with pytest.raises(psycopg.errors.UniqueViolation, match="events_pkey"):
        owner.execute(APPEND, ["ann", 1, uuid.uuid4(), "2026-01-01Z", "SetLogged", "{}"])
    with pytest.raises(psycopg.errors.CheckViolation, match="events_position_check"):
        owner.execute(APPEND, ["ann", 0, uuid.uuid4(), "2026-01-01Z", "SetLogged", "{}"])


def test_workout_summaries_are_true_after_every_append(owner: Connection) -> None:
    append(owner, 1, kind="WorkoutStarted", when="2026-01-01T10:00:00Z")
    append(owner, 2, when="2026-01-01T10:05:00Z")
    append(owner, 3, when="2026-01-01T10:10:00Z", workout=None)
    append(owner, 1, user="other", when="2026-01-02T09:00:00Z")
    query = """
        SELECT user_id, workout_id, started_at::text, last_updated::text, total_sets
        FROM workout_summaries ORDER BY user_id
    """
    first = ("auth0|000001", "w1", "2026-01-01 10:00:00+00", "2026-01-01 10:05:00+00", 1)
    second = ("other", "w1", "2026-01-02 09:00:00+00", "2026-01-02 09:00:00+00", 1)
    assert owner.execute(query).fetchall() == [first, second]
    append(owner, 4, when="2026-01-01T10:15:00Z")
    assert owner.execute(query).fetchall() == [(*first[:3], "2026-01-01 10:15:00+00", 2), second]


def test_a_run_is_running_or_finished(owner: Connection) -> None:
    insert = (
        "INSERT INTO runs (run_id, kind, source, status, started_at, finished_at)"
        " VALUES (gen_random_uuid(), 'migrate', 's', %s, now(), %s)"
    )
    for good in (("running", None), ("done", "2026-01-01Z"), ("failed", "2026-01-01Z")):
        owner.execute(insert, good)
    for bad in (("running", "2026-01-01Z"), ("done", None), ("failed", None), ("paused", "2026-01-01Z")):
        with pytest.raises(psycopg.errors.CheckViolation):
            owner.execute(insert, bad)


def test_a_rejected_row_has_a_type_and_a_cell_for_each_column(owner: Connection) -> None:
    insert = "INSERT INTO rejected_events VALUES ('u', 'events', %s, 'bad', %s, %s, %s, now())"
    owner.execute(insert, [1, ["id", "event_id"], ["integer", "null"], [b"1", b""]])
    owner.execute(insert, [2, [], [], []])
    for columns, types, cells in ((["id"], [], [b"1"]), (["id"], ["integer"], []), ([], ["integer"], [b"1"])):
        with pytest.raises(psycopg.errors.CheckViolation, match="rejected_events_cells_check"):
            owner.execute(insert, [3, columns, types, cells])


def test_the_lint_names_unique_keys_without_the_user(owner: Connection) -> None:
    assert schema.lint(owner) == []
    owner.execute(
        """
        CREATE TABLE plans (id bigint PRIMARY KEY, user_id text, name text UNIQUE, UNIQUE (user_id, name));
        CREATE UNIQUE INDEX plans_covering ON plans (name) INCLUDE (user_id);
        CREATE UNIQUE INDEX plans_lower ON plans (lower(name));
        CREATE INDEX plans_plain ON plans (name);
        CREATE TABLE settings (name text PRIMARY KEY)
        """
    )
    assert [line.split()[-4] for line in schema.lint(owner)] == [
        "plans_covering",
        "plans_lower",
        "plans_name_key",
        "plans_pkey",
    ]
