"""Each revision: up, down and up again around data, the same offline as online, and clean to squawk."""

from __future__ import annotations

import pytest

from gymops.clock import SystemClock
from gymops.pg import linting, revisions, schema
from gymops.pg.connection import Connection, connect
from gymops.pg.revisions import Revision

REVISIONS = [revision.id for revision in revisions.history()]

# revision -> table -> a row as an app or a migration leaves it, once the revision is there.
DATA: dict[str, dict[str, str]] = {
    "0001": {
        "events": """
            ('auth0|000001', 1, 'a9f2cf7e-5d8f-4b7e-9d3e-0d5d5f9f3c01', 'legacy-1',
             '2024-02-29 23:59:59.999999+00', 'SetLogged',
             '{"workout_id": "w1", "weight": 62.50, "note": "é \\" \\\\ "}', 2, '{"seq": 7}'),
            ('ünïcode', 9223372036854775807, '00000000-0000-0000-0000-000000000000', NULL,
             '0001-01-01 00:00:00+00', '', '[]', 1, NULL)
        """,
    },
    "0002": {
        "projections": "('auth0|000001', 'current_workout', 'null', '2026-01-01Z', NULL)",
        "exercises": "('auth0|000001', 'squat', 'Squat', 'legs', NULL, true, NULL, '{}')",
        "aggregates": "('auth0|000001', 'week', '2026-01', '{\"volume\": 1.50}', '2026-01-01Z', NULL)",
    },
    "0003": {
        "runs": """
            ('a9f2cf7e-5d8f-4b7e-9d3e-0d5d5f9f3c02', 'migrate', 'gym.db', 'running', '2026-01-01Z', NULL,
             'host', 4711, '["events_timestamp_idx"]', NULL)
        """,
        "checkpoints": (
            "('auth0|000001', 'a9f2cf7e-5d8f-4b7e-9d3e-0d5d5f9f3c02', 2000, 1999, 1, '2026-01-01Z')"
        ),
        "rejected_events": r"""
            ('auth0|000001', 'events', 7, 'bad', '{id,payload}', '{integer,blob}', '{\\x37,\\x00ff}',
             '2026-01-01Z')
        """,
    },
    "0004": {
        "folds": "('auth0|000001', 1)",
        "sets": """
            ('auth0|000001', 'a9f2cf7e-5d8f-4b7e-9d3e-0d5d5f9f3c03', 7, 'w1', 'squat',
             '2026-01-01T00:00:00.000000Z', 100, 45.3592, 'lb', 5, NULL)
        """,
        "shadow_folds": "('auth0|000001', 1)",
        "shadow_projections": "('auth0|000001', 'current_workout', 'null', '2026-01-01Z', NULL, 7)",
    },
    "0005": {},
}
COLUMNS = {
    # Without xid, which the database sets.
    "events": (
        "(user_id, position, event_id, source_event_id, timestamp, event_type, payload,"
        " schema_version, extra)"
    )
}

SHAPE = """
SELECT c.relname, c.relkind::text, c.relacl::text, obj_description(c.oid), pg_get_viewdef(c.oid)
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
UNION ALL
SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '') || a.attcollation::regcollation
         || coalesce(col_description(a.attrelid, a.attnum), '')
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
  AND a.attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
UNION ALL
SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid), convalidated::text
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT tablename, indexname, indexdef, NULL, NULL FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text, NULL
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT proname, prosrc, NULL, NULL, NULL FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
"""

Rows = dict[str, list[tuple[str, ...]]]


def shape(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(SHAPE).fetchall()


def fill(connection: Connection, revision: str) -> None:
    for table, values in DATA[revision].items():
        connection.execute(f"INSERT INTO {table} {COLUMNS.get(table, '')} VALUES {values}".encode())


def columns(connection: Connection, up_to: list[str]) -> dict[str, str]:
    """The columns of the tables that are filled by then; a later revision may add others."""
    return {
        table: ", ".join(
            f'"{name}"'
            for (name,) in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                " AND NOT attisdropped ORDER BY attnum",
                [table],
            )
        )
        for revision in up_to
        for table in DATA[revision]
    }


def stored(connection: Connection, of: dict[str, str]) -> Rows:
    return {
        table: connection.execute(f"SELECT ROW({names})::text FROM {table} ORDER BY 1".encode()).fetchall()
        for table, names in of.items()
    }


def test_every_revision_has_data_to_keep() -> None:
    assert list(DATA) == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_goes_up_down_and_up_again_around_data(any_database: str, revision: str) -> None:
    earlier = REVISIONS[: REVISIONS.index(revision)]
    before = earlier[-1] if earlier else "base"
    with connect(any_database, autocommit=True) as connection:
        if earlier:
            schema.upgrade(any_database, clock=SystemClock(), to=before)
        for done in earlier:
            fill(connection, done)
        of = columns(connection, earlier)
        kept, old_shape = stored(connection, of), shape(connection)

        assert schema.upgrade(any_database, clock=SystemClock(), to=revision) == [revision]
        assert stored(connection, of) == kept
        new_shape = shape(connection)
        fill(connection, revision)

        revisions.undo(connect(any_database), before)
        assert stored(connection, of) == kept
        if earlier:
            assert shape(connection) == old_shape
        else:
            assert {row[0] for row in shape(connection)} == {"alembic_version", "alembic_version_pkey"}

        assert schema.upgrade(any_database, clock=SystemClock(), to=revision) == [revision]
        assert stored(connection, of) == kept
        assert shape(connection) == new_shape
        fill(connection, revision)


def test_the_offline_sql_makes_the_same_schema(any_database: str, any_gymops_database: str) -> None:
    with (
        connect(any_database, autocommit=True) as offline,
        connect(any_gymops_database, autocommit=True) as online,
    ):
        for revision in REVISIONS:
            offline.execute(revisions.offline_sql(revision).encode())
        assert shape(offline) == shape(online)
    assert schema.check(any_database).ok


def test_what_is_there_keeps_its_data_up_to_the_head(any_gymops_database: str) -> None:
    with connect(any_gymops_database, autocommit=True) as connection:
        for revision in REVISIONS:
            fill(connection, revision)
        of = columns(connection, REVISIONS)
        kept = stored(connection, of)
        assert schema.upgrade(any_gymops_database, clock=SystemClock()) == []
        assert stored(connection, of) == kept
        assert schema.lint(connection) == []


@pytest.mark.parametrize("revision", schema.history(), ids=REVISIONS)
def test_squawk_has_no_complaint(revision: Revision) -> None:
    assert linting.lint(revision) == []


def test_an_ignored_complaint_says_why() -> None:
    for revision in REVISIONS:
        lines = revisions.offline_sql(revision).splitlines()
        for number, line in enumerate(lines):
            if "squawk-ignore" in line:
                assert lines[number - 1].strip().startswith("-- "), f"{revision}: {line}"
