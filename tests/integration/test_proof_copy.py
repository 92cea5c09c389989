"""A binary COPY is taken out whole, or ends with what the server said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg import sql

from gymops.eventlog.copy_out import HEADER, TRAILER, copy_out
from gymops.pg import embedded
from gymops.pg.connection import Connection, DatabaseError, Kind, connect, translated


@pytest.fixture
def connection(any_server: embedded.Server) -> Iterator[Connection]:
    with closing(connect(any_server.url("postgres"), autocommit=True)) as opened:
        yield opened


def rows(select: str) -> sql.Composed:
    return sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(sql.SQL(select))


def of_width(width: int, count: int) -> sql.Composed:
    return rows(f"SELECT repeat('x', {width}), n FROM generate_series(1, {count}) n")


@pytest.mark.parametrize(
    ("width", "count"), [(0, 0), (0, 1), (5, 2), (5, 20_000), (100, 7_000), (300_000, 7)]
)
def test_every_tuple_comes_out_once_and_in_order(width: int, count: int, connection: Connection) -> None:
    with connection.cursor() as cursor, cursor.copy(of_width(width, count)) as copy:
        expected = b"".join(map(bytes, copy))
    batches = list(copy_out(connection, of_width(width, count)))
    found = [one for batch in batches for one in batch]
    assert HEADER + b"".join(found) + TRAILER == expected
    assert len(found) == count


@pytest.mark.parametrize("at", [1, 2, 3, 5_000, 19_999, 20_000])
def test_an_error_in_the_middle_is_the_server_s_own(at: int, connection: Connection) -> None:
    failing = rows(f"SELECT 1 / (n - {at}), n FROM generate_series(1, 20000) n")
    with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero"):
        list(copy_out(connection, failing))
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_session_that_is_ended_in_the_middle(connection: Connection, any_server: embedded.Server) -> None:
    batches = copy_out(connection, of_width(1_000, 200_000))
    next(batches)
    with closing(connect(any_server.url("postgres"), autocommit=True)) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
    with pytest.raises(DatabaseError) as caught, translated():
        list(batches)
    assert caught.value.kind is Kind.CONNECTION_LOST


def test_who_reads_no_further_leaves_a_session_that_can_be_used(connection: Connection) -> None:
    batches = copy_out(connection, of_width(1_000, 200_000))
    assert next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert connection.execute("SELECT 1").fetchone() == (1,)
