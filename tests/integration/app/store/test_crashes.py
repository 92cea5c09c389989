"""Killed in between: an event and its projections are both there or neither, and what was begun goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from gymops.app.store import StoreUnavailable, rebuild, sqlite
from gymops.app.store.opening import open_store
from gymops.app.store.transaction import Transaction
from gymops.clock import SystemClock
from gymops.pg import embedded
from tests.conftest import Servers
from tests.contract.stores import StorePlace, Trainee, long_log, new
from tests.fixtures_schema import upgraded
from tests.integration.app.store.reference import assert_meant

USER = "auth0|000001"
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _append(database: str, workout_id: str, event_id: str, step: int, during: bool = False) -> None:
    """Log a set, and die before or during the Nth step; without a step, between insert and fold."""
    if step:
        _die(step, during)
    else:
        Transaction.fold = lambda *_: _kill()  # type: ignore[method-assign]
    store = open_store(database, user="", clock=SystemClock())
    store.append(
        USER,
        [new("SetLogged", event_id=event_id, workout_id=workout_id, exercise_id="row", reps=5, weight=99)],
    )
    store.append(USER, [new("WorkoutCompleted", workout_id=workout_id)])


def _rebuild(database: str, step: int) -> None:
    rebuild.BATCH = 40
    _die(step)
    open_store(database, user="", clock=SystemClock()).rebuild(USER)


def _die(step: int, during: bool = False) -> None:
    """At the Nth exchange with Postgres, sent or not, or before the Nth statement for SQLite."""
    left = iter(range(1, step))

    def count(gen: Any = None) -> None:
        if next(left, None) is None:
            if during:
                next(gen, None)  # it is sent, and the answer is never read
            _kill()

    wait, connect = psycopg.Connection.wait, sqlite3.connect

    def waited(self: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
        count(gen)
        return wait(self, gen, *args, **kwargs)

    class Counted(sqlite3.Connection):
        def execute(self, *args: Any) -> Any:
            count()
            return super().execute(*args)

    psycopg.Connection.wait = waited  # type: ignore[method-assign]
    sqlite.sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=Counted)  # type: ignore[attr-defined]


def run(target: Any, *arguments: Any) -> int:
    """A process of its own; how it ended."""
    child = _processes.Process(target=target, args=arguments)
    child.start()
    child.join(60)
    assert child.exitcode is not None
    return child.exitcode


def event_id(n: int) -> str:
    return f"e0000000-0000-4000-8000-{n:012}"


def test_killed_between_insert_and_projections_leaves_neither(any_place: StorePlace) -> None:
    store = any_place.open()
    trainee = Trainee(store, USER)
    trainee.start()
    before = any_place.dump(USER)
    assert run(_append, any_place.database, trainee.workout, event_id(1), 0) == -signal.SIGKILL
    assert len(store.events(USER, after=0, limit=10)) == 1
    assert any_place.dump(USER) == before
    trainee.log()
    assert store.rebuild(USER).equal


def _killed_at(place: StorePlace, steps: range, *, during: bool = False) -> None:
    store = place.open()
    codes = []
    trainee = Trainee(store, USER)
    trainee.start()
    for step in steps:
        code = run(_append, place.database, trainee.workout, event_id(step), step, during)
        codes.append(code)
        if during:
            _settled(place)
        log = store.events(USER, after=0, limit=1000)
        assert_meant(log, place.dump(USER))
        assert place.folded(USER) == len(log)
        # Whatever became of it, the same event again is written once.
        one = new(
            "SetLogged",
            event_id=event_id(step),
            workout_id=trainee.workout,
            exercise_id="row",
            reps=5,
            weight=99,
        )
        written = any(event.event_id == one.event_id for event in log)
        if written or log[-1].event_type != "WorkoutCompleted":
            (done,) = store.append(USER, [one])
            assert done.repeated == written
        if code == 0:
            break
        if store.events(USER, after=0, limit=1000)[-1].event_type == "WorkoutCompleted":
            trainee.start()
    assert codes[-1] == 0, "it has more steps than were tried"
    assert len(codes) > 3
    assert set(codes[:-1]) == {-signal.SIGKILL}
    assert store.rebuild(USER).equal


def _settled(place: StorePlace) -> None:
    """Wait for the backends of killed clients: what they were sent they still do."""
    busy = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND state <> 'idle'"
    )
    deadline = time.monotonic() + 60
    while place.run(USER, busy):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_at_some_steps_of_an_append(place: StorePlace) -> None:
    _killed_at(place, range(1, 100, 1 if place.postgres else 5))


def test_killed_while_the_answer_is_on_its_way(postgres: StorePlace) -> None:
    _killed_at(postgres, range(1, 100), during=True)


@pytest.mark.long
def test_killed_at_every_step_of_an_append(any_place: StorePlace) -> None:
    _killed_at(any_place, range(1, 100))


def test_the_backend_dies_between_insert_and_projections(any_postgres: StorePlace) -> None:
    """Both go in one message; a trigger makes the server sleep between them, and an administrator ends it."""
    store = any_postgres.open()
    trainee = Trainee(store, USER)
    trainee.start()
    before = any_postgres.dump(USER)
    _sleep_in_between(any_postgres)
    child = _processes.Process(
        target=_append, args=(any_postgres.database, trainee.workout, event_id(1), 999)
    )
    child.start()
    pid = _sleeping(any_postgres)
    os.kill(child.pid or 0, signal.SIGKILL)  # so that it does not try again
    child.join()
    any_postgres.run(USER, "SELECT pg_terminate_backend(?::int, 5000)", pid)
    assert len(store.events(USER, after=0, limit=10)) == 1
    assert any_postgres.dump(USER) == before
    any_postgres.run(USER, "DROP TRIGGER slow ON projections")
    trainee.log()
    assert store.rebuild(USER).equal


def test_a_session_ended_in_the_middle_of_an_append_is_made_up_for(any_postgres: StorePlace) -> None:
    """The store tries again on another session: the event's id tells what became of the first try."""
    store = any_postgres.open()
    trainee = Trainee(store, USER)
    trainee.start()
    _sleep_in_between(any_postgres)

    def end() -> None:
        pid = _sleeping(any_postgres)
        any_postgres.run(USER, "UPDATE patience SET seconds = 0")
        any_postgres.run(USER, "SELECT pg_terminate_backend(?::int, 5000)", pid)

    ending = threading.Thread(target=end)
    ending.start()
    trainee.log()
    ending.join()
    assert len(store.events(USER, after=0, limit=10)) == 2
    assert store.rebuild(USER).equal


def _sleep_in_between(place: StorePlace) -> None:
    place.run(USER, "CREATE TABLE patience AS SELECT 30.0::float8 AS seconds")
    place.run(
        USER,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(seconds) FROM patience; RETURN NEW; END $$",
    )
    place.run(
        USER,
        "CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON projections FOR EACH ROW EXECUTE FUNCTION slow()",
    )


def _sleeping(place: StorePlace) -> int:
    """The backend that has inserted the event and sleeps before the projections."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = place.run(
            USER,
            "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()",
        )
        if found:
            return int(found[0][0])
        time.sleep(0.02)
    raise AssertionError("nothing sleeps")


def test_a_session_ended_by_an_administrator_while_it_waited(any_postgres: StorePlace) -> None:
    store = any_postgres.open()
    trainee = Trainee(store, USER)
    trainee.start()
    calls: list[Callable[[], Any]] = [
        trainee.log,
        lambda: trainee.hold(60),
        lambda: store.rebuild(USER),
        store.readiness,
        lambda: list(store.users()),
    ]
    for call in calls:
        any_postgres.run(
            USER,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        call()
    assert len(store.events(USER, after=0, limit=10)) == 3


# Rebuilding


def _killed_rebuilding(place: StorePlace, steps: range) -> None:
    long_log(place, USER, 120)
    store = place.open()
    store.build(USER)
    right = place.dump(USER)
    place.run(USER, "DELETE FROM sets")
    place.run(USER, "UPDATE aggregates SET data = '{}'")
    wrong = place.dump(USER)
    for step in steps:
        code = run(_rebuild, place.database, step)
        assert place.dump(USER) == (right if code == 0 else wrong)
        if code == 0:
            break
        assert code == -signal.SIGKILL
    told: list[int] = []
    found = store.rebuild(USER, told.append)
    assert found.equal == (code == 0)
    assert place.dump(USER) == right
    assert store.rebuild(USER).equal


@pytest.mark.parametrize("first", [4, 9, 14])
def test_a_rebuild_killed_at_several_places_goes_on(place: StorePlace, first: int) -> None:
    _killed_rebuilding(place, range(first, first + 60, 20 if place.postgres else 250))


@pytest.mark.long
def test_a_rebuild_killed_at_many_places_goes_on(any_place: StorePlace) -> None:
    _killed_rebuilding(any_place, range(2, 100, 2) if any_place.postgres else range(2, 2500, 61))


def test_what_a_killed_rebuild_has_folded_is_not_folded_again(any_place: StorePlace) -> None:
    long_log(any_place, USER, 120)
    store = any_place.open()
    store.build(USER)
    table = "shadow_sets" if any_place.postgres else "shadow_folds"
    for step in range(2, 3000, 5 if any_place.postgres else 97):
        assert run(_rebuild, any_place.database, step) == -signal.SIGKILL
        tables = any_place.postgres or any_place.run(
            USER, "SELECT 1 FROM sqlite_master WHERE name = 'shadow_folds'"
        )
        if tables and any_place.of(USER, "1", table):
            break
    told: list[int] = []
    assert store.rebuild(USER, told.append).equal
    assert sum(told) < 120


# The server


@pytest.fixture
def own_server(servers: Servers) -> Iterator[embedded.Server]:
    """One that may be stopped."""
    with embedded.temporary(clock=SystemClock(), settings={"fsync": "off"}) as server:
        yield server


def _kill_server(server: embedded.Server) -> None:
    pid = embedded.status(server).pid
    assert pid
    os.kill(pid, signal.SIGKILL)


def _start_again(server: embedded.Server) -> None:
    deadline = time.monotonic() + 60
    while embedded.status(server).running:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    embedded.start(server, clock=SystemClock(), tied_to_parent=True, settings={"fsync": "off"})


def test_the_server_is_killed_between_insert_and_projections(own_server: embedded.Server) -> None:
    place = StorePlace("embedded", upgraded(own_server.url("gymops")))
    store = place.open()
    trainee = Trainee(store, USER)
    trainee.start()
    before = place.dump(USER)
    one = new("SetLogged", workout_id=trainee.workout, exercise_id="row", reps=5)
    _sleep_in_between(place)
    with ThreadPoolExecutor(1) as pool:
        appending = pool.submit(store.append, USER, [one])
        _sleeping(place)
        _kill_server(own_server)
        with pytest.raises(StoreUnavailable):
            appending.result(60)
    _start_again(own_server)
    assert place.dump(USER) == before
    assert len(store.events(USER, after=0, limit=10)) == 1
    place.run(USER, "DROP TRIGGER slow ON projections")
    assert [done.repeated for done in store.append(USER, [one])] == [False]
    assert store.rebuild(USER).equal
    place.close()


def test_the_server_is_restarted_between_two_appends(own_server: embedded.Server) -> None:
    place = StorePlace("embedded", upgraded(own_server.url("gymops")))
    store = place.open()
    trainee = Trainee(store, USER)
    trainee.start()
    embedded.stop(own_server, clock=SystemClock())
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as refused:
            trainee.log()
        assert refused.value.hint
    _start_again(own_server)
    trainee.log()
    _kill_server(own_server)
    _start_again(own_server)
    trainee.log()
    assert len(store.events(USER, after=0, limit=10)) == 3
    assert store.rebuild(USER).equal
    place.close()
