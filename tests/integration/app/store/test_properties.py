"""After any sequence of commands the rows are what the log means, in every store, live and folded anew."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from tests.contract.stores import StillClock, StorePlace, StorePlaces
from tests.contract.strategies import FEW, many
from tests.integration.app.store.commands import BATCHES, Command, User, long_life
from tests.integration.app.store.reference import assert_meant


@pytest.fixture
def places(store_places: StorePlaces) -> Iterator[list[StorePlace]]:
    with store_places.new("sqlite") as sqlite, store_places.new("embedded") as postgres:
        yield [sqlite, postgres]


def _whatever_is_done(places: list[StorePlace], batches: list[list[Command]]) -> Counter[str]:
    clock = StillClock()
    stores = [place.open(clock) for place in places]
    user = User(stores, clock)
    outcomes = Counter(outcome for batch in batches for outcome in user.give(batch))

    logs = [store.events(user.id, after=0, limit=10_000) for store in stores]
    live = [place.dump(user.id) for place in places]
    assert logs[0] == logs[1]
    assert live[0] == live[1]
    if logs[0]:
        assert_meant(logs[0], live[0])
        for place, store in zip(places, stores, strict=True):
            assert store.rebuild(user.id).equal
            assert place.dump(user.id) == live[0]
            place.forget(user.id)
            assert store.build(user.id) == len(logs[0])
            assert place.dump(user.id) == live[0]
    for store in stores:
        store.close()
    return outcomes


@settings(FEW, max_examples=12)
@given(batches=BATCHES)
def test_live_rows_equal_their_meaning_and_a_rebuild_and_the_other_store(
    places: list[StorePlace], batches: list[list[Command]]
) -> None:
    _whatever_is_done(places, batches)


@many(250)
@given(batches=BATCHES)
def test_the_same_for_many_sequences(places: list[StorePlace], batches: list[list[Command]]) -> None:
    _whatever_is_done(places, batches)


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)]
)
def test_a_long_life(places: list[StorePlace], seed: int) -> None:
    outcomes = _whatever_is_done(places, long_life(random.Random(seed), 350))
    assert outcomes["appended"] > 150, outcomes


def test_the_sequences_reach_every_outcome(places: list[StorePlace]) -> None:
    """Else the property would be proven for nothing."""
    log = ("log", {"exercise": "row", "one": {"weight": 60.0, "reps": 5}})
    start = ("start", {"template": None, "exercise_ids": None, "exercise_plans": None})
    batches: list[list[Command]] = [
        [start, log, log],
        [("modify", {"which": 0, "changes": {"weight": 80.25}}), ("delete", {"which": 1})],
        [("finish", {"notes": None})],
        [("repeat", {"which": 0})],
        [("reuse", {"which": 0})],
        [("modify", {"which": 0, "changes": {"duration_seconds": 60}})],
        [("template", {"exercise_ids": ["row"], "exercises": None}), log],
    ]
    assert _whatever_is_done(places, batches) == Counter(
        {
            "appended": 6,
            "appended again": 1,
            "reused": 1,
            "conflict set_is_counted": 1,
            "conflict no_workout": 1,
        }
    )
