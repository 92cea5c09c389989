"""The schema on real servers: how it is upgraded, who is refused, and what the check finds."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest

from gymops.clock import SystemClock
from gymops.errors import LockHeld, SchemaError
from gymops.pg import revisions, schema
from gymops.pg.connection import Connection, DatabaseError, Kind, connect
from gymops.pg.lock import hold
from tests.conftest import Databases

ALL = ["0001", "0002", "0003", "0004", "0005"]


def findings(url: str) -> dict[str, str]:
    return {check.name: check.detail for check in schema.check(url).checks if not check.ok}


def test_an_upgrade_applies_every_revision_once(any_database: str) -> None:
    assert schema.current(any_database) is None
    assert [revision.id for revision in schema.pending(any_database)] == ALL

    assert schema.upgrade(any_database, clock=SystemClock()) == ALL

    assert schema.upgrade(any_database, clock=SystemClock()) == []
    assert schema.current(any_database) == "0005"
    assert schema.pending(any_database) == []
    assert schema.check(any_database).ok, findings(any_database)


def test_an_upgrade_stops_at_the_revision_asked_for(database: str) -> None:
    assert schema.upgrade(database, clock=SystemClock(), to="0002") == ["0001", "0002"]
    assert schema.current(database) == "0002"
    assert findings(database) == {
        "revision": "pending: 0003, 0004, 0005; gymops schema upgrade applies them",
        "accepted": "this gymops works on 0004 to 0005, the database is at 0002",
    }
    with pytest.raises(SchemaError, match="no revision '0099'"):
        schema.upgrade(database, clock=SystemClock(), to="0099")


def test_every_revision_declares_its_phase() -> None:
    assert [revision.id for revision in schema.history()] == ALL
    assert ALL[-1] == schema.MAX_SCHEMA
    assert {revision.phase for revision in schema.history()} <= {"expand", "contract"}


def test_alembic_says_nothing_on_stderr(database: str, capfd: pytest.CaptureFixture[str]) -> None:
    schema.upgrade(database, clock=SystemClock())
    assert capfd.readouterr() == ("", "")


def test_a_revision_of_another_program_is_refused(database: str) -> None:
    with connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    for look in (schema.current, schema.pending, schema.check):
        with pytest.raises(SchemaError, match=r"ae1027a6acf.*does not know") as refused:
            look(database)
        assert refused.value.hint is not None
    with pytest.raises(SchemaError, match="ae1027a6acf"):
        schema.upgrade(database, clock=SystemClock())


def test_an_events_table_of_another_program_is_refused_and_left_alone(database: str) -> None:
    with connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE events (id serial PRIMARY KEY, payload jsonb)")
        with pytest.raises(SchemaError, match="already has events, and gymops did not create it") as refused:
            schema.upgrade(database, clock=SystemClock())
        assert refused.value.hint is not None
        assert "empty database" in refused.value.hint
        assert connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,)


def test_a_missing_role_that_may_not_be_created_names_the_statement(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = f"weak_{uuid.uuid4().hex[:8]}"
    missing = f"app_{uuid.uuid4().hex[:8]}"
    with connect(database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'CREATE ROLE {weak} LOGIN; ALTER DATABASE "{name}" OWNER TO {weak}')
        try:
            _with_role(monkeypatch, missing)
            with pytest.raises(SchemaError, match="needs the role gymops_app") as refused:
                schema.upgrade(database.replace("gymops@", f"{weak}@"), clock=SystemClock())
            assert refused.value.hint is not None
            assert "CREATE ROLE gymops_app NOLOGIN" in refused.value.hint
            assert connection.execute("SELECT to_regclass('events')").fetchone() == (None,)
        finally:
            connection.execute(f'ALTER DATABASE "{name}" OWNER TO gymops; DROP ROLE {weak}')


def _with_role(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Other tests' databases need gymops_app, so a role that does not exist takes its place."""
    from alembic import op

    execute = op.execute

    def renamed(statement: str) -> None:
        execute(statement.replace("rolname = 'gymops_app'", f"rolname = '{name}'"))

    monkeypatch.setattr(op, "execute", renamed)


def test_a_missing_role_is_made_once_by_two_databases_at_once(new_any_database: Databases) -> None:
    name = f"app_{uuid.uuid4().hex[:8]}"
    make = revisions.offline_sql("0001").partition("DO $$")[2].partition("$$;")[0]
    statement = f"DO $$ {make.replace('gymops_app', name)} $$".encode()
    with connect(new_any_database()) as one, connect(new_any_database()) as two:
        one.execute(statement)
        other = threading.Thread(target=lambda: two.execute(statement))
        other.start()
        other.join(0.3)
        assert other.is_alive(), "the second does not wait for the first"
        one.commit()
        other.join(60)
        two.commit()
        made = two.execute("SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = %s", [name]).fetchall()
        two.execute(f"DROP ROLE {name}")
        two.commit()
    assert made == [(False, False)]


def test_an_existing_role_is_left_as_it_is(database: str) -> None:
    with connect(database, autocommit=True) as connection:
        query = "SELECT * FROM pg_roles WHERE rolname = 'gymops_app'"
        connection.execute(
            "DO $$ BEGIN CREATE ROLE gymops_app LOGIN; EXCEPTION WHEN OTHERS THEN NULL; END $$"
        )
        before = connection.execute(query).fetchall()
        schema.upgrade(database, clock=SystemClock())
        assert connection.execute(query).fetchall() == before


def test_a_blocked_revision_gives_way_and_names_the_blocker(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "LOCK_TIMEOUT", "500ms")
    schema.upgrade(database, clock=SystemClock(), to="0002")
    with connect(database, application="nightly report") as blocker:
        blocker.execute("LOCK TABLE alembic_version IN SHARE MODE")
        with pytest.raises(DatabaseError, match=r"revision 0003 gave way.*nightly report") as refused:
            schema.upgrade(database, clock=SystemClock())
        assert str(blocker.info.backend_pid) in refused.value.message
        assert refused.value.kind is Kind.LOCK_TIMEOUT
    assert schema.current(database) == "0002"
    assert schema.upgrade(database, clock=SystemClock()) == ["0003", "0004", "0005"]


def test_a_failing_revision_leaves_no_trace_and_those_before_it_stay(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = revisions.run

    def fails(connection: Connection, revision: str) -> None:
        if revision == "0002":
            connection.execute("SET SESSION statement_timeout = '1h'; CREATE TEMP TABLE projections (x int)")
            connection.execute("SET search_path = pg_temp, public")
            connection.commit()
        run(connection, revision)

    monkeypatch.setattr(revisions, "run", fails)
    with pytest.raises(DatabaseError, match="revision 0002 failed and left no trace"):
        schema.upgrade(database, clock=SystemClock())
    assert schema.current(database) == "0001"
    monkeypatch.undo()
    assert schema.upgrade(database, clock=SystemClock()) == ["0002", "0003", "0004", "0005"]


def test_two_upgrades_at_once_apply_each_revision_once(database: str) -> None:
    results: list[object] = []

    def one() -> None:
        try:
            results.append(schema.upgrade(database, clock=SystemClock()))
        except LockHeld as refused:
            results.append(refused)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(ALL) == 1
    assert all(result in (ALL, []) or isinstance(result, LockHeld) for result in results)
    assert schema.check(database).ok


def test_an_upgrade_under_way_is_named(database: str) -> None:
    with (
        hold(database, "schema", clock=SystemClock(), holder="schema"),
        pytest.raises(LockHeld, match=r"'schema' is held by gymops schema on .*, process "),
    ):
        schema.upgrade(database, clock=SystemClock())


@pytest.mark.parametrize(
    ("damage", "name", "says"),
    [
        ("DROP INDEX events_timestamp_idx", "indexes", "lacks events_timestamp_idx"),
        ("ALTER TABLE events DROP CONSTRAINT events_event_id_key", "indexes", "lacks events_event_id_key"),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_timestamp_idx'::regclass",
            "indexes",
            "lacks events_timestamp_idx",
        ),
        ("ALTER TABLE events DROP COLUMN extra", "columns", "extra is missing"),
        ("ALTER TABLE events ALTER schema_version TYPE bigint", "columns", "schema_version is bigint"),
        ("DROP TABLE checkpoints", "tables", "checkpoints"),
        ("ALTER TABLE events DISABLE TRIGGER ALL", "append_only", "does not protect"),
        ("ALTER TABLE events ENABLE REPLICA TRIGGER events_append_only", "append_only", "does not protect"),
        ("DROP TRIGGER events_append_only ON events", "append_only", "is missing"),
        ("GRANT UPDATE (payload) ON events TO gymops_app", "app_role", "may UPDATE"),
        ("GRANT TRUNCATE ON events TO PUBLIC", "app_role", "may TRUNCATE"),
        ("CREATE UNIQUE INDEX bad ON exercises (name)", "keys", "exercises: the unique index bad"),
    ],
)
def test_the_check_finds_what_is_missing(gymops_database: str, damage: str, name: str, says: str) -> None:
    with connect(gymops_database, autocommit=True) as connection:
        connection.execute(damage.encode())
    found = findings(gymops_database)
    assert set(found) == {name}
    assert says in found[name]


def test_the_check_names_the_run_that_left_indexes_dropped(gymops_database: str) -> None:
    run = uuid.uuid4()
    with connect(gymops_database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO runs (run_id, kind, source, status, started_at, dropped_indexes)"
            " VALUES (%s, 'migrate', 'gym.db', 'running', now(), '[\"events_timestamp_idx\"]')",
            [run],
        )
        connection.execute("DROP INDEX events_timestamp_idx")
    assert str(run) in findings(gymops_database)["indexes"]


def test_the_role_owner_and_path_may_hold_any_character(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gymops import resources

    odd = tmp_path / "100% odd: name"
    odd.mkdir()
    (odd / "migrations").symlink_to(resources.path("migrations"))
    monkeypatch.setattr(resources, "path", lambda name: odd / name)
    with connect(database, autocommit=True) as connection:
        connection.execute("""CREATE ROLE "o'n%20@:/ner" SUPERUSER LOGIN PASSWORD 'p@ss:w/rd%'""")
    try:
        url = database.replace("gymops@", "o'n%2520%40%3A%2Fner:p%40ss%3Aw%2Frd%25@")
        assert schema.upgrade(url, clock=SystemClock()) == ALL
    finally:
        with connect(database, autocommit=True) as connection:
            connection.execute('REASSIGN OWNED BY "o\'n%20@:/ner" TO gymops; DROP OWNED BY "o\'n%20@:/ner"')
            connection.execute('DROP ROLE "o\'n%20@:/ner"')
