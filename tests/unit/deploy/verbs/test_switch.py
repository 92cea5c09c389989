"""An environment on a restored database: as a release, killed anywhere, put back where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gymops.deploy.release.journal import Unfinished
from gymops.deploy.release.ledger import Release, last_good
from gymops.deploy.release.plan import Outcome
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.switch import RESTORED, ready, switch
from gymops.errors import Detached, GateRefused, GymopsError
from tests.unit.deploy.verbs.releasing import OWNER, ledger
from tests.unit.deploy.verbs.world import World, built, code

CHANGE = {"restore": "r-1", "name": "staging-gym-app-db", "kept": "staging-gym-app-db-before-r-1"}


class Places:
    """Which database has the name, and what stands before it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.here = "old"
        self.seals: list[str] = []
        self.broken = ""

    def fronts(self) -> list[str]:
        return ["proxy"]

    def forth(self, fronts: Any) -> None:
        assert fronts == ["proxy"]
        if self.here != "new":
            self.world.effect("forth", lambda: setattr(self, "here", "new"))

    def back(self, fronts: Any) -> None:
        assert fronts == ["proxy"]
        if self.here != "old":
            self.world.effect("back", lambda: setattr(self, "here", "old"))

    def goes_on(self) -> dict[str, Any]:
        assert self.here == "new"
        if self.broken:
            raise GymopsError(self.broken)
        if not self.seals:
            self.world.effect("seal", lambda: self.seals.append("seal"))
        return {"seal": 7}


@pytest.fixture
def staging(tmp_path: Path) -> World:
    world = World("staging")
    deploy(world.site(), built(tmp_path, "one"), OWNER, token="t")
    world.effects.clear()
    return world


def switched(world: World, places: Places) -> Release:
    return switch(world.site(), OWNER, places, CHANGE, "r-1", "gymops restore staging --switch")


def test_what_runs_stays_and_reads_the_database_anew_before_it_is_asked(staging: World) -> None:
    first, before, places = ledger(staging)[0], dict(staging.app), Places(staging)
    done = switched(staging, places)
    assert staging.effects == ["forth", "stack staging-gym-app", "stack staging-gym-app", "seal"]
    assert (done.number, done.verb, done.outcome, done.version) == (2, "restore", Outcome.SUCCEEDED, "1")
    assert done.restore == {**CHANGE, "seal": 7}
    assert done.content == first.content
    assert staging.app == before
    assert last_good(ledger(staging)) == done


@pytest.mark.parametrize("fault", ["smoke", "stack", "seal"])
def test_what_fails_puts_the_one_before_back_and_lets_it_be_read_anew(
    staging: World, tmp_path: Path, fault: str
) -> None:
    places = Places(staging)
    if fault == "smoke":
        staging.bad.add(code(built(tmp_path, "one")))
    if fault == "stack":
        staging.refused.add("staging-gym-app")
    if fault == "seal":
        places.broken = "in its place it is not what was sealed"
    with pytest.raises(GymopsError) as failed:
        switched(staging, places)
    assert failed.value.exit_code == 5
    assert places.here == "old"
    assert staging.effects[-2:] == ["back", "stack staging-gym-app"]
    assert staging.app["parameters"][RESTORED] == "r-1-back"
    assert staging.alias == staging.app["parameters"]["LiveVersion"] == "1"
    assert [one.outcome for one in ledger(staging)] == [Outcome.SUCCEEDED, Outcome.ROLLED_BACK]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
def test_killed_at_every_effect_the_same_command_goes_on(
    staging: World, tmp_path: Path, at: int, *, after: bool
) -> None:
    places = Places(staging)
    staging.dies_at = (at, after)
    with pytest.raises(Detached):
        switched(staging, places)
    staging.dies_at = None
    with pytest.raises(Unfinished, match="restore"):
        deploy(staging.site(), built(tmp_path, "two"), OWNER, token="t")
    done = switched(staging, places)
    assert (done.number, done.outcome, places.here, places.seals) == (2, Outcome.SUCCEEDED, "new", ["seal"])
    assert [one.verb for one in ledger(staging)] == ["deploy", "restore"]


def test_an_environment_where_nothing_runs_is_not_switched() -> None:
    with pytest.raises(GateRefused, match="nothing runs in staging"):
        ready(World("staging").site())
