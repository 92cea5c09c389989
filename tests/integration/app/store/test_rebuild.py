"""Folding anew: under writes, over rows that were changed by hand, beside rows of others, again and again."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gymops.app import fold
from gymops.app.store import NotReady, Store, rebuild
from gymops.app.store.base import Rebuilt
from tests.contract.stores import StorePlace, Trainee, long_log
from tests.integration.app.store.reference import assert_meant

USER = "auth0|000001"


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "BATCH", 50)


def meant(place: StorePlace, store: Store, user: str = USER) -> None:
    assert_meant(store.events(user, after=0, limit=1_000_000), place.dump(user))


def owned(place: StorePlace, query: str) -> list[tuple[Any, ...]]:
    """Run SQL on one user's rows; ``$`` is the condition that says whose."""
    return place.run(USER, query.replace("$", f"user_id = '{USER}'" if place.postgres else "true"))


# Under writes


def _writing(store: Store, done: threading.Event) -> int:
    trainee = Trainee(store, USER)
    count = 0
    while not done.is_set() or count < 3:
        trainee.train(2, "dip")
        count += 4
    return count


@pytest.mark.usefixtures("small_batches")
def test_nothing_is_lost_while_the_app_goes_on_writing(any_place: StorePlace) -> None:
    long_log(any_place, USER, 600)
    store, other = any_place.open(), any_place.open()
    store.build(USER)
    owned(any_place, "DELETE FROM sets WHERE $")  # there is something to mend
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(_writing, other, stop)
        try:
            results = [store.rebuild(USER) for _ in range(3)]
        finally:
            stop.set()
        written = writer.result()
    assert results[0].changed["sets"] >= 500
    assert results[1].equal
    assert results[2].equal
    assert len(store.events(USER, after=0, limit=100_000)) == 600 + written
    assert store.readiness().ready
    meant(any_place, store)


@pytest.mark.usefixtures("small_batches")
def test_two_rebuilds_at_once_help_each_other(any_place: StorePlace) -> None:
    long_log(any_place, USER, 600)
    stores = [any_place.open() for _ in range(3)]
    for _ in range(3):
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda store: store.rebuild(USER), stores))
        assert all(one.events == 600 for one in found)
    meant(any_place, stores[0])


@pytest.mark.usefixtures("small_batches")
def test_servers_that_start_together_build_together(any_place: StorePlace) -> None:
    long_log(any_place, USER, 600)
    any_place.forget(USER)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda store: store.build(USER), [any_place.open() for _ in range(3)]))
    store = any_place.open()
    assert store.readiness().ready
    assert store.rebuild(USER).equal
    meant(any_place, store)


# Rows that are not what the log folds to


def test_rows_changed_by_hand_are_found_counted_and_mended(any_place: StorePlace) -> None:
    store = any_place.open()
    trainee = Trainee(store, USER)
    trainee.train(4)
    trainee.train(4, "dip")
    right = any_place.dump(USER)
    for statement, changed in (
        ("UPDATE projections SET data = '{\"count\": 7}' WHERE $ AND key = 'workout_history'", "projections"),
        ("DELETE FROM projections WHERE $ AND key LIKE 'exercise_history:dip:%'", "projections"),
        (
            "UPDATE projections SET key = 'personal_records:x' WHERE $ AND key = 'personal_records:row'",
            "projections",
        ),
        ("UPDATE aggregates SET data = '{}' WHERE $ AND period_type = 'week'", "aggregates"),
        ("DELETE FROM aggregates WHERE $ AND period_type = 'all'", "aggregates"),
        ("UPDATE aggregates SET period_key = '1999' WHERE $ AND period_type = 'year'", "aggregates"),
        ("UPDATE sets SET weight_kg = 999 WHERE $ AND exercise_id = 'row' AND reps = 8", "sets"),
        ("DELETE FROM sets WHERE $ AND exercise_id = 'row' AND reps = 8", "sets"),
    ):
        owned(any_place, statement)
        assert any_place.dump(USER) != right
        expected = {"projections": 0, "aggregates": 0, "sets": 0, changed: 1}
        assert store.rebuild(USER) == Rebuilt(12, expected), statement
        assert any_place.dump(USER) == right
        assert store.rebuild(USER).equal
    owned(any_place, "DELETE FROM sets WHERE $")
    owned(any_place, "DELETE FROM aggregates WHERE $ AND period_type <> 'all'")
    assert store.rebuild(USER).changed == {"projections": 0, "aggregates": 3, "sets": 8}
    assert any_place.dump(USER) == right


def test_rows_of_other_programs_stay(any_place: StorePlace) -> None:
    store = any_place.open()
    Trainee(store, USER).train()
    at = "2026-01-01T00:00:00.000000Z"
    who, mark, values = ("user_id, ", "?, ", [USER]) if any_place.postgres else ("", "", [])
    projections = [("mood", '{"n": 1}'), ("current workout", "1"), ("settings", "null"), ("~", "[]")]
    for key, data in projections:
        any_place.run(
            USER,
            f"INSERT INTO projections ({who}key, data, updated_at) VALUES ({mark}?, ?, ?)",
            *values,
            key,
            data,
            at,
        )
    for kind in ("day", "decade"):
        any_place.run(
            USER,
            f"INSERT INTO aggregates ({who}period_type, period_key, data, updated_at)"
            f" VALUES ({mark}?, ?, ?, ?)",
            *values, kind, "2026", '{"x": 1}', at,
        )  # fmt: skip
    before = any_place.dump(USER)
    assert store.rebuild(USER).equal
    assert any_place.dump(USER) == before
    any_place.run(USER, "DELETE FROM sets")
    assert not store.rebuild(USER).equal
    assert any_place.dump(USER) == before
    assert {key: before["projections"][key][0] for key, _ in projections} == {
        key: json.loads(data) for key, data in projections
    }


# An older release, a newer one


def test_rows_of_an_older_fold_are_folded_anew(any_place: StorePlace) -> None:
    store = any_place.open()
    trainee = Trainee(store, USER)
    trainee.train()
    right = any_place.dump(USER)
    owned(any_place, f"UPDATE folds SET version = {fold.VERSION - 1} WHERE $")
    owned(any_place, "UPDATE projections SET data = '{\"count\": 7}' WHERE $ AND key = 'workout_history'")
    assert store.readiness().lag == 5
    with pytest.raises(NotReady) as refused:
        trainee.start()
    assert refused.value.hint == "gymops projections rebuild"
    assert store.build(USER) == 5
    assert any_place.dump(USER) == right
    assert store.readiness().ready
    trainee.start()


def test_a_shadow_of_an_older_fold_is_thrown_away(
    any_place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuild was interrupted, then another release was installed."""
    store = any_place.open()
    Trainee(store, USER).train()
    right = any_place.dump(USER)
    _interrupt(store, monkeypatch, batch=2)
    shadow = "UPDATE shadow_projections SET data = '{\"count\": 7}' WHERE $"
    owned(any_place, shadow)
    owned(any_place, f"UPDATE shadow_folds SET version = {fold.VERSION - 1} WHERE $")
    assert store.rebuild(USER).equal
    assert any_place.dump(USER) == right


def _interrupt(store: Store, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "BATCH", batch)
        with pytest.raises(KeyboardInterrupt):
            store.rebuild(USER, stop)


def test_an_interrupted_rebuild_goes_on_where_it_was(
    any_place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = any_place.open()
    Trainee(store, USER).train(20)
    right = any_place.dump(USER)
    _interrupt(store, monkeypatch, batch=10)
    assert any_place.dump(USER) == right  # the live rows know nothing of it
    Trainee(store, USER).train(1, "dip")
    told: list[int] = []
    assert store.rebuild(USER, told.append).equal
    assert sum(told) == 25 - 10
    tables = ("projections", "aggregates", "sets", "folds") if any_place.postgres else ()
    left = [any_place.of(USER, "1", f"shadow_{table}") for table in tables]
    assert not any(left)
