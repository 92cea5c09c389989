"""Sessions as every part of gymops relies on them, and each way they fail, on real servers."""

from __future__ import annotations

import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from gymops.clock import SystemClock
from gymops.errors import ConfigError, GymopsError, TargetError
from gymops.pg import connection as module
from gymops.pg import embedded
from gymops.pg.connection import DatabaseError, Kind, connect, translated

PASSWORD = "s3cr3t-p@ss/w%rd"
ENCODED = "s3cr3t-p%40ss%2Fw%25rd"


@contextmanager
def fails(kind: Kind, says: str) -> Iterator[None]:
    with pytest.raises(DatabaseError) as refused, translated():
        yield
    error = refused.value
    assert isinstance(error, TargetError)
    assert error.kind is kind, error.message
    assert says in error.message
    assert error.hint
    assert PASSWORD not in f"{error.message}{error.hint}"


@pytest.fixture(scope="module")
def guarded() -> Iterator[embedded.Server]:
    """A server that asks the role ``locked`` for its password, and never lets ``barred`` in."""
    with embedded.temporary(clock=SystemClock(), settings={"fsync": "off", "max_connections": "8"}) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            row = admin.execute("SHOW hba_file").fetchone()
            assert row is not None
            hba = Path(row[0])
            first = "local all locked scram-sha-256\nlocal all barred reject\n"
            hba.write_text(first + hba.read_text(encoding="utf-8"), encoding="utf-8")
            admin.execute(f"CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE barred LOGIN")
            admin.execute("SELECT pg_reload_conf()")
        yield server


def test_a_session_has_the_settings_the_rest_relies_on(any_database: str) -> None:
    with connect(any_database, application="gymops test") as session:
        expected = {
            "TimeZone": "UTC",
            "DateStyle": "ISO, YMD",
            "IntervalStyle": "postgres",
            "extra_float_digits": "1",
            "client_encoding": "UTF8",
            "statement_timeout": "0",
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": "0",
            "idle_session_timeout": "0",
            "application_name": "gymops test",
            "client_connection_check_interval": "200ms",
            "search_path": '"$user", public',
        }
        rows = session.execute("SELECT name, current_setting(name) FROM pg_settings").fetchall()
        found = {str(name): str(value) for name, value in rows}
        session.rollback()
        again = session.execute("SELECT name, current_setting(name) FROM pg_settings").fetchall()
        session.rollback()
        assert {name: found[name] for name in expected} == expected
        assert {str(name): str(value) for name, value in again} == found, "a rollback took settings back"
        assert session.prepare_threshold is None
        assert session.info.get_parameters().get("options") is None


def test_the_settings_win_over_those_of_the_role_and_the_url(database: str) -> None:
    with connect(database, autocommit=True) as admin:
        role = f"odd_{uuid.uuid4().hex[:8]}"
        admin.execute(f"CREATE ROLE {role} LOGIN")
        admin.execute(f"ALTER ROLE {role} SET timezone = 'Asia/Tokyo'")
        admin.execute(f"ALTER ROLE {role} SET statement_timeout = '1s'")
        try:
            url = database.replace("gymops@", f"{role}@") + "&client_encoding=LATIN1&application_name=mine"
            with connect(url) as session:
                shown = session.execute(
                    "SELECT current_setting('timezone'), current_setting('statement_timeout'),"
                    " current_setting('client_encoding'), current_setting('application_name')"
                ).fetchone()
                assert shown == ("UTC", "0", "UTF8", "gymops")
        finally:
            admin.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("autocommit", [True, False])
def test_autocommit_is_as_asked_for(database: str, autocommit: bool) -> None:
    with connect(database, autocommit=autocommit) as session:
        assert session.autocommit is autocommit
        session.execute("SELECT 1")
        idle = session.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        assert idle is autocommit


def test_a_setting_the_platform_refuses_is_done_without(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module._WELCOME, "client_connection_check_interval", "never")
    monkeypatch.setitem(module._WELCOME, "no_such_setting", "1")
    with connect(database) as session:
        assert session.execute("SHOW timezone").fetchone() == ("UTC",)


def test_nobody_listens_there(database: str) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with fails(Kind.UNREACHABLE, f"gymops@127.0.0.1:{port}/gym: nothing listens there"):
            connect(f"postgresql://gymops:{ENCODED}@127.0.0.1:{port}/gym")
    with fails(Kind.UNREACHABLE, "nothing listens there"):
        connect(database.replace("port=", "port=1"))


def test_what_listens_there_is_no_postgres() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with fails(Kind.UNREACHABLE, "does not answer"):
            connect(f"postgresql://gymops:{ENCODED}@127.0.0.1:{port}/gym", timeout=1)


def test_the_host_is_unknown() -> None:
    with fails(Kind.UNREACHABLE, "host name is unknown"):
        connect(f"postgresql://gymops:{ENCODED}@no-such-host.invalid/gym")


def test_the_database_is_missing(any_database: str) -> None:
    missing = any_database.replace("/test_", "/missing_")
    with fails(Kind.NO_DATABASE, "the database does not exist"):
        connect(missing)


def test_the_password_is_wrong_missing_or_right(guarded: embedded.Server) -> None:
    url = guarded.url("postgres", "locked")
    with fails(Kind.REFUSED, "asks for a password"):
        connect(url)
    with fails(Kind.REFUSED, "wrong user name or password"):
        connect(url.replace("locked@", "locked:s3cr3t@"))
    with connect(url.replace("locked@", f"locked:{ENCODED}@")) as session:
        assert session.execute("SELECT current_user").fetchone() == ("locked",)


def test_the_user_is_not_let_in(guarded: embedded.Server) -> None:
    for user in ("barred", "nobody-knows-me"):
        with fails(Kind.REFUSED, "does not let this user in"):
            connect(guarded.url("postgres", user))


def test_the_server_takes_no_more_connections(guarded: embedded.Server) -> None:
    sessions: list[psycopg.Connection[tuple[object, ...]]] = []
    try:
        with fails(Kind.TOO_MANY_CONNECTIONS, "takes no more connections"):
            while True:
                sessions.append(connect(guarded.url("postgres")))
    finally:
        for session in sessions:
            session.close()


@contextmanager
def answering(request_bytes: int, answer: bytes) -> Iterator[int]:
    """A port where one client is answered with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(request_bytes)
                client.send(answer)
                client.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_no_encrypted_connection_comes_about() -> None:
    # The request for TLS has 8 bytes; N is no.
    with answering(8, b"N") as port, fails(Kind.REFUSED, "no encrypted connection came about"):
        connect(f"postgresql://gymops:{ENCODED}@127.0.0.1:{port}/gym?sslmode=require")


@pytest.mark.parametrize(
    "said",
    [
        'PAM authentication failed for user "gymops_app"',
        "The IAM authentication failed for the role gymops_app. Check the IAM token for this role.",
        "This RDS Proxy has no credentials for the role gymops_app. Check the credentials for this role.",
    ],
)
def test_a_token_that_rds_or_its_proxy_refuses_is_told_as_such(said: str) -> None:
    fields = f"SFATAL\0C28000\0M{said}\0\0".encode()
    error = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
    with answering(1000, error) as port, fails(Kind.REFUSED, "IAM does not let this user in"):
        connect(f"postgresql://gymops_app:{ENCODED}@127.0.0.1:{port}/gym?sslmode=disable")


@pytest.mark.parametrize(
    ("said", "told"), [("too tired", "FATAL: too tired"), (f"no to {PASSWORD}", "/gym?sslmode=disable")]
)
def test_what_a_server_says_is_told_unless_it_repeats_the_password(said: str, told: str) -> None:
    fields = f"SFATAL\0C0Z000\0M{said}\0\0".encode()
    error = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
    with answering(1000, error) as port, pytest.raises(DatabaseError) as refused:
        connect(f"postgresql://gymops:{ENCODED}@127.0.0.1:{port}/gym?sslmode=disable")
    assert PASSWORD not in f"{refused.value.message}{refused.value.hint}"
    assert refused.value.message.endswith(told)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://gymops:{PASSWORD}@127.0.0.1/gym",
        f"postgresql://gymops:{ENCODED}@127.0.0.1/gym?sslmode=maybe",
        f"postgresql://gymops:{ENCODED}@127.0.0.1:99999/gym",
        f"postgresql://gymops:{ENCODED}@127.0.0.1/gym?connect_timeout=soon",
        f"postgresql://gymops:{ENCODED}@127.0.0.1/gym?servise=x",
        f"host=127.0.0.1,localhost port=1,2,3 password={PASSWORD}",
        f"service=no-such-service-of-gymops password={PASSWORD}",
    ],
)
def test_a_url_that_says_something_impossible(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        connect(url)
    assert refused.value.hint
    assert PASSWORD not in f"{refused.value.message}{refused.value.hint}"
    assert refused.value.__cause__ is None


def test_an_old_server_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OLDEST", 99)
    with fails(Kind.UNSUPPORTED, "99 is the oldest that is supported"):
        connect(database)


def test_another_encoding_is_refused(any_database: str) -> None:
    name = f"latin_{uuid.uuid4().hex[:8]}"
    with connect(any_database, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            own = any_database.partition("/test_")[2].partition("?")[0]
            with fails(Kind.UNSUPPORTED, "is encoded in LATIN1; events need UTF8"):
                connect(any_database.replace(f"test_{own}", name))
        finally:
            admin.execute(f"DROP DATABASE {name}")


def test_a_read_only_database(any_gymops_database: str) -> None:
    with connect(any_gymops_database, autocommit=True) as session:
        session.execute("SET default_transaction_read_only = on")
        with fails(Kind.READ_ONLY, "the database is read-only"):
            session.execute("DELETE FROM projections")


def test_a_missing_right(any_gymops_database: str) -> None:
    with connect(any_gymops_database, autocommit=True) as session:
        session.execute("SET ROLE gymops_app")
        with fails(Kind.FORBIDDEN, "42501: permission denied for table runs"):
            session.execute("SELECT FROM runs")


def test_the_event_log_refuses_a_change(gymops_database: str) -> None:
    with (
        connect(gymops_database) as session,
        fails(Kind.APPEND_ONLY, "append-only (23001: events is append-only: DELETE is refused)"),
    ):
        session.execute("DELETE FROM events")


def test_a_session_that_was_ended(any_database: str) -> None:
    with connect(any_database) as session, connect(any_database, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [session.info.backend_pid])
        with fails(Kind.CONNECTION_LOST, "connection to the database was lost"):
            session.execute("SELECT 1")
        with fails(Kind.CONNECTION_LOST, "connection to the database was lost"):
            session.execute("SELECT 1")


def test_a_server_that_crashed() -> None:
    with (
        embedded.temporary(clock=SystemClock(), settings={"fsync": "off"}) as server,
        connect(server.url("postgres")) as session,
    ):
        os.kill(session.info.backend_pid, signal.SIGKILL)
        with fails(Kind.CONNECTION_LOST, "connection to the database was lost"):
            session.execute("SELECT 1")


def test_a_lock_somebody_else_has(gymops_database: str) -> None:
    with connect(gymops_database) as one, connect(gymops_database) as other:
        one.execute("LOCK TABLE projections")
        other.execute("SET lock_timeout = '50ms'")
        with fails(Kind.LOCK_TIMEOUT, "another session holds a lock"):
            other.execute("DELETE FROM projections")


def test_a_statement_that_was_cancelled(database: str) -> None:
    with connect(database) as session:
        session.execute("SET statement_timeout = '50ms'")
        with fails(Kind.CANCELLED, "57014"):
            session.execute("SELECT pg_sleep(10)")


def test_a_database_without_the_schema(database: str) -> None:
    with connect(database) as session, fails(Kind.SCHEMA, 'relation "events" does not exist'):
        session.execute("SELECT FROM events")


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("53100", Kind.DISK_FULL),
        ("53200", Kind.OUT_OF_MEMORY),
        ("53300", Kind.TOO_MANY_CONNECTIONS),
        ("08006", Kind.CONNECTION_LOST),
        ("57P01", Kind.CONNECTION_LOST),
        ("57P03", Kind.UNREACHABLE),
        ("40001", Kind.CONFLICT),
        ("40P01", Kind.CONFLICT),
        ("XX001", Kind.DAMAGED),
        ("58030", Kind.OTHER),
        ("28P01", Kind.REFUSED),
        ("3F000", Kind.SCHEMA),
        ("XX000", Kind.OTHER),
    ],
)
def test_each_sqlstate_has_a_cause_and_a_way_out(database: str, sqlstate: str, kind: Kind) -> None:
    # RAISE gives what no test can bring about for real, such as a full disk.
    raised = f"DO $$ BEGIN RAISE EXCEPTION 'said so' USING ERRCODE = '{sqlstate}'; END $$"
    with connect(database) as session, fails(kind, f"({sqlstate}: said so)"):
        session.execute(raised)


@pytest.mark.parametrize(
    ("statement", "kind", "says"),
    [
        (
            "INSERT INTO exercises VALUES ('u', 'topsecret', 'x'), ('u', 'topsecret', 'x')",
            Kind.CONSTRAINT,
            "23505: constraint exercises_pkey",
        ),
        (
            "INSERT INTO exercises VALUES ('u', 'topsecret', 'x', NULL, NULL, NULL)",
            Kind.CONSTRAINT,
            "23502",
        ),
        ("SELECT 'topsecret'::integer", Kind.DATA, "22P02: invalid input syntax for type integer)"),
        ("SELECT 'topsecret'::timestamptz", Kind.DATA, "22007"),
        ("SELECT '{\"a\": topsecret}'::jsonb", Kind.DATA, "22P02"),
    ],
)
def test_no_row_is_quoted(gymops_database: str, statement: str, kind: Kind, says: str) -> None:
    with connect(gymops_database) as session, pytest.raises(DatabaseError) as refused, translated():
        session.execute(statement.encode())
    assert refused.value.kind is kind
    assert says in refused.value.message
    assert "topsecret" not in f"{refused.value.message}{refused.value.hint}"


def test_a_value_the_driver_refuses(database: str) -> None:
    with connect(database) as session, fails(Kind.DATA, "cannot be stored"):
        session.execute("SELECT %s", ["a\0b"])


def test_errors_of_our_own_pass() -> None:
    with pytest.raises(GymopsError, match="ours"), translated():
        raise GymopsError("ours")
