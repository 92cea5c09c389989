"""What an append costs does not grow with the history: statements, rows and pages, and no wall clock."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from gymops.app.store import Store
from tests.contract.stores import KINDS, StorePlace, Trainee, long_log

USER = "auth0|000001"
SHORT, LONG = 240, 20_040
"""Events of history; both end with a finished workout, and at the same place in a page of the history."""


def _operations(store: Store) -> dict[str, Callable[[], Any]]:
    """One of each kind of append, in an order in which they follow from each other."""
    trainee = Trainee(store, USER)
    logged: list[str] = []

    def change(kind: str, of: int, **more: Any) -> str:
        return trainee.append(kind, workout_id=trainee.workout, original_event_id=logged[of], **more)

    return {
        "start": trainee.start,
        "add": lambda: trainee.append("ExerciseAdded", workout_id=trainee.workout, exercise_id="exercise-1"),
        "log": lambda: logged.append(trainee.log("exercise-1", 1.0, 6)),
        "log a record": lambda: logged.append(trainee.log("exercise-1", 500.0, 6)),
        "modify the record": lambda: change("SetModified", 1, weight=400.0),
        "delete the record": lambda: change("SetDeleted", 1),
        "finish": trainee.finish,
        "modify a finished set": lambda: change("SetModified", 0, weight=450.0),
        "delete a finished set": lambda: change("SetDeleted", 0),
    }


def _postgres_costs(place: StorePlace) -> dict[str, tuple[int, ...]]:
    """Per operation: messages, and rows written and read in any table, by index and by scan."""
    store = place.open()
    with psycopg.connect(place.database, autocommit=True) as connection:
        for table in ("events", "projections", "aggregates", "sets", "folds"):
            connection.execute(f"VACUUM ANALYZE {table}".encode())
    store.build(USER)
    session = store._sessions._idle[0]  # type: ignore[attr-defined]
    sent: list[Any] = []
    costs: dict[str, tuple[int, ...]] = {}
    wait = psycopg.Connection.wait

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self is session:
            sent.append(1)
        return wait(self, *args, **kwargs)

    look = (
        "SELECT coalesce(sum(n_tup_ins), 0), coalesce(sum(n_tup_upd), 0), coalesce(sum(n_tup_del), 0),"
        " coalesce(sum(seq_tup_read), 0), coalesce(sum(idx_tup_fetch), 0) FROM pg_stat_user_tables"
    )

    def read() -> tuple[int, ...]:
        session.execute(
            "SELECT pg_stat_force_next_flush()"
        ) if session.info.server_version >= 150000 else None
        with psycopg.connect(place.database, autocommit=True) as fresh:
            (row,) = fresh.execute(look).fetchall()
        return tuple(map(int, row))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Connection, "wait", counted)
        for name, operation in _operations(store).items():
            before = read()
            sent.clear()
            operation()
            messages = len(sent)
            costs[name] = (messages, *(now - then for now, then in zip(read(), before, strict=True)))
    return costs


def _sqlite_costs(place: StorePlace) -> dict[str, tuple[int, ...]]:
    """Per operation: statements, rows changed, and steps of SQLite's machine in hundreds."""
    store = place.open()
    store.build(USER)
    statements: list[str] = []
    changes: list[int] = []
    steps: list[int] = []
    connect = sqlite3.connect

    class Counted(sqlite3.Connection):
        def close(self) -> None:
            changes.append(self.total_changes)
            super().close()

    def opened(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs, factory=Counted)
        connection.set_trace_callback(statements.append)
        connection.set_progress_handler(lambda: steps.append(1) or 0, 100)  # type: ignore[func-returns-value]
        return connection

    costs: dict[str, tuple[int, ...]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gymops.app.store.sqlite.sqlite3.connect", opened)
        for name, operation in _operations(store).items():
            for one in (statements, changes, steps):
                one.clear()
            operation()
            costs[name] = (len(statements), sum(changes), len(steps))
    return costs


def _costs(place: StorePlace, events: int) -> dict[str, tuple[int, ...]]:
    long_log(place, USER, events)
    return _postgres_costs(place) if place.postgres else _sqlite_costs(place)


def _compared(short: dict[str, tuple[int, ...]], long: dict[str, tuple[int, ...]]) -> None:
    shown = json.dumps({name: [short[name], long[name]] for name in short}, indent=1)
    for name, costs in short.items():
        assert costs[0] == long[name][0], shown
        for less, more in zip(costs[1:], long[name][1:], strict=True):
            assert more <= less + 20, (
                shown
            )  # an index has another level; a table of ten periods is read whole


def _both(new_place: Callable[[], Any], events: int) -> None:
    found = []
    for many in (SHORT, events):
        with new_place() as place:
            found.append(_costs(place, many))
    _compared(*found)


@pytest.mark.parametrize("kind", ["sqlite", "embedded"])
def test_an_append_costs_the_same_after_ten_times_the_history(kind: str, store_places: Any) -> None:
    _both(lambda: store_places.new(kind), SHORT + 10 * 240)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_an_append_costs_the_same_after_20000_events(kind: str, store_places: Any) -> None:
    _both(lambda: store_places.new(kind), LONG)


def test_no_statement_of_an_append_reads_a_whole_table_of_sqlite(store_places: Any) -> None:
    """To count rows is one step of SQLite's machine, however many there are: so the plans are asked."""
    statements: list[str] = []
    with store_places.new("sqlite") as place, pytest.MonkeyPatch.context() as patch:
        long_log(place, USER, SHORT)
        store = place.open()
        store.build(USER)
        connect = sqlite3.connect

        def opened(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **kwargs)
            connection.set_trace_callback(statements.append)
            return connection

        patch.setattr("gymops.app.store.sqlite.sqlite3.connect", opened)
        for operation in _operations(store).values():
            operation()
        patch.undo()
        assert len(statements) > 100
        for statement in statements:
            if statement.split()[0] in ("SELECT", "INSERT", "DELETE") and "sqlite_master" not in statement:
                plan = place.run(USER, f"EXPLAIN QUERY PLAN {statement}")
                scans = [
                    step for *_, step in plan if step.startswith("SCAN") and step != "SCAN folds"
                ]  # one row
                assert not scans, (statement, plan)


def test_an_append_is_two_round_trips(postgres: StorePlace) -> None:
    costs = _costs(postgres, SHORT)
    assert {costs[name][0] for name in ("start", "add", "log", "log a record")} == {2}
