"""Many at once: repeated events, rivals for one workout, users side by side, and a follower of the log."""

from __future__ import annotations

import multiprocessing
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
import pytest

from gymops.app.domain import Conflict
from gymops.app.store import IdReused, NewEvent, Store
from gymops.app.store.opening import open_store
from gymops.clock import SystemClock
from tests.contract.stores import StorePlace, Trainee, new
from tests.integration.app.store.reference import assert_meant

USER = "auth0|000001"
_T = TypeVar("_T")
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def at_once(calls: Sequence[Callable[[], _T]]) -> list[_T | Exception]:
    """Call all of them in the same moment, each in a thread of its own."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], _T]) -> _T | Exception:
        barrier.wait()
        try:
            return call()
        except (Conflict, IdReused) as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def appending(store: Store, event: NewEvent) -> Callable[[], Any]:
    return lambda: store.append(USER, [event])[0]


@pytest.mark.parametrize("shared", [True, False], ids=["one store", "a store each"])
def test_the_same_event_ten_times_in_parallel_is_one_row(any_place: StorePlace, shared: bool) -> None:
    first = any_place.open()
    trainee = Trainee(first, USER)
    trainee.start()
    for _ in range(3):
        event = new("SetLogged", workout_id=trainee.workout, exercise_id="row", reps=5)
        stores = [first if shared else any_place.open() for _ in range(10)]
        answers = at_once([appending(store, event) for store in stores])
        assert [getattr(one, "event", one) for one in answers] == [answers[0].event] * 10  # type: ignore[union-attr]
        assert sorted(one.repeated for one in answers) == [False] + [True] * 9  # type: ignore[union-attr]
    assert len(first.events(USER, after=0, limit=100)) == 4
    assert first.rebuild(USER).equal


def test_of_different_bodies_with_one_id_one_is_written(any_place: StorePlace) -> None:
    store = any_place.open()
    trainee = Trainee(store, USER)
    trainee.start()
    event_id = str(uuid.uuid4())
    bodies = [
        new("SetLogged", event_id=event_id, workout_id=trainee.workout, exercise_id="row", reps=1 + n)
        for n in range(10)
    ]
    answers = at_once([appending(store, event) for event in bodies])
    assert sum(isinstance(one, IdReused) for one in answers) == 9
    assert len(store.events(USER, after=0, limit=100)) == 2


@pytest.mark.parametrize("before", [False, True], ids=["a new user", "a user who trained"])
def test_of_twenty_who_start_a_workout_one_does(any_place: StorePlace, before: bool) -> None:
    stores = [any_place.open() for _ in range(4)]
    if before:
        Trainee(stores[0], USER).train(1)
    starts = [new("WorkoutStarted", workout_id=str(uuid.uuid4())) for _ in range(20)]
    answers = at_once([appending(stores[n % 4], event) for n, event in enumerate(starts)])
    refused = [one for one in answers if isinstance(one, Conflict)]
    assert len(refused) == 19
    assert {one.code for one in refused} == {"workout_in_progress"}
    (done,) = [one for one in answers if not isinstance(one, Exception)]
    assert (
        stores[1].rows(USER, ["current_workout"])["current_workout"].data["id"]
        == done.event.payload["workout_id"]
    )
    assert len(stores[0].events(USER, after=0, limit=100)) == 3 * before + 1


def _train(database: str, user: str, workouts: int, sets: int) -> None:
    store = open_store(database, user="", clock=SystemClock())
    trainee = Trainee(store, user)
    for _ in range(workouts):
        trainee.train(sets)
    store.close()


def run_processes(database: str, users: Sequence[str], workouts: int, sets: int) -> list[Any]:
    children = [_processes.Process(target=_train, args=(database, user, workouts, sets)) for user in users]
    for child in children:
        child.start()
    return children


def test_eight_users_in_eight_processes(any_place: StorePlace) -> None:
    users = [f"user {n}" for n in range(8)]
    for child in run_processes(any_place.database, users, 3, 4):
        child.join(60)
        assert child.exitcode == 0
    store = any_place.open()
    assert list(store.users()) == users
    for user in users:
        log = store.events(user, after=0, limit=1000)
        assert [one.position for one in log] == list(range(1, 19))
        assert_meant(log, any_place.dump(user))
        assert store.rebuild(user).equal


def test_one_user_on_many_devices(any_place: StorePlace) -> None:
    """Every set that was acknowledged is there, in one order, and counted."""
    stores = [any_place.open() for _ in range(4)]
    trainee = Trainee(stores[0], USER)
    trainee.start()

    def log(store: Store) -> list[str]:
        other = Trainee(store, USER)
        other.workout = trainee.workout
        return [other.log(reps=1 + n) for n in range(10)]

    with ThreadPoolExecutor(4) as pool:
        acknowledged = [one for ids in pool.map(log, stores) for one in ids]
    trainee.finish()
    found = stores[0].events(USER, after=0, limit=100)
    assert sorted(one.event_id for one in found[1:-1]) == sorted(acknowledged)
    assert [one.position for one in found] == list(range(1, 43))
    assert_meant(found, any_place.dump(USER))
    assert stores[1].rebuild(USER).equal


FEED = """
SELECT xid::text, user_id, position, event_id::text FROM events
WHERE (xid, user_id, position) > (%s::xid8, %s, %s) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY events.xid, user_id, position LIMIT 100
"""


def follow(database: str, writers: Sequence[Any]) -> tuple[list[tuple[str, int]], int]:
    """Read the log as it is written, always behind the last event seen; and how often that was meanwhile."""
    seen: list[tuple[str, int]] = []
    cursor: tuple[str, str, int] = ("0", "", 0)
    meanwhile = 0
    with psycopg.connect(database, autocommit=True) as connection:
        while True:
            running = any(writer.is_alive() for writer in writers)
            rows = connection.execute(FEED, cursor).fetchall()
            meanwhile += running and bool(rows)
            for xid, user, position, _ in rows:
                seen.append((user, position))
                cursor = (xid, user, position)
            if not running and not rows:
                return seen, meanwhile


def _followed(place: StorePlace, workouts: int) -> None:
    users = [f"user {n}" for n in range(4)]
    writers = run_processes(place.database, users, workouts, 23)
    wanted = 4 * workouts * 25
    seen, meanwhile = follow(place.database, writers)
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert meanwhile > 1
    assert len(seen) == len(set(seen)) == wanted
    for user in users:
        assert [position for one, position in seen if one == user] == list(range(1, wanted // 4 + 1))


def test_a_follower_misses_nothing_of_four_writers(postgres: StorePlace) -> None:
    _followed(postgres, 2)


@pytest.mark.long
def test_a_follower_misses_none_of_2000_events_of_four_writers(any_postgres: StorePlace) -> None:
    _followed(any_postgres, 20)


def test_a_follower_waits_for_a_slow_transaction(postgres: StorePlace) -> None:
    """An event that is written before and committed behind another one comes in its place."""
    store = postgres.open()
    with psycopg.connect(postgres.database) as slow:
        slow.execute(
            "INSERT INTO events (user_id, position, event_id, timestamp, event_type, payload)"
            " VALUES ('slow', 1, gen_random_uuid(), now(), 'MoodLogged', '{}')"
        )
        Trainee(store, "quick").train(1)
        assert follow(postgres.database, [])[0] == []
        slow.commit()
    assert follow(postgres.database, [])[0] == [("slow", 1), ("quick", 1), ("quick", 2), ("quick", 3)]
