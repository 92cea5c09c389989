"""What takes something away from the schema: when it waits, for whom, when it is applied, and what then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gymops.config import Environment
from gymops.deploy.release.journal import Journal
from gymops.deploy.release.ledger import Ledger
from gymops.deploy.release.plan import Outcome
from gymops.deploy.verbs.failures import NothingToReturnTo, WorkFailed
from gymops.deploy.verbs.look import status
from gymops.deploy.verbs.rollback import rollback
from gymops.errors import Detached
from tests.unit.deploy.verbs.releasing import OWNER, promoted, release
from tests.unit.deploy.verbs.world import World, built, code

ALL = ["0001", "0002", "0003"]


@pytest.fixture
def staging() -> World:
    """One may always return to one release."""
    return World("staging", Environment(returns=1))


@pytest.fixture
def prod(staging: World) -> World:
    return World("prod", Environment(returns=1), clock=staging.clock)


def contract(*worlds: World, revision: str = "0003") -> None:
    for world in worlds:
        world.revisions = [*world.revisions, revision]
        world.contracts.add(revision)


def waiting(world: World) -> Any:
    return status(world.site()).as_dict()["waiting"]


def knows(world: World, folder: Path, *texts: str) -> None:
    """Release code that knows the contract, until it is applied."""
    release(world, folder, "one")
    contract(world)
    for text in texts:
        release(world, folder, text)


def test_it_waits_for_whom_one_may_return_to_and_is_applied_before_the_traffic_of_a_later_one(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    contract(staging)
    done = release(staging, tmp_path, "two")
    assert staging.said.count(
        "schema revision 0003 waits: release 1 serves or may be returned to, and does not know it"
    )
    assert (done.schema_after, done.accepts, done.waiting) == ("0002", "0003", ("0003",))
    assert waiting(staging) == {"0003": [1]}
    assert release(staging, tmp_path, "three").waiting == ("0003",)  # it could fail, and 1 be returned to
    assert waiting(staging) == {"0003": []}
    assert staging.schema == ALL[:2]
    done = release(staging, tmp_path, "four")
    assert (done.schema_before, done.schema_after, done.waiting) == ("0002", "0003", ())
    assert staging.schema == ALL
    assert staging.effects.index("serve 4") > len(staging.effects) - staging.effects[::-1].index("schema") - 1
    assert waiting(staging) == {}


def test_what_was_released_again_is_not_another_release_to_return_to(tmp_path: Path) -> None:
    staging = World("staging", Environment(returns=2))
    knows(staging, tmp_path, "two", "two", "three", "four")
    assert staging.schema == ALL[:2]
    assert waiting(staging) == {"0003": []}
    release(staging, tmp_path, "five")
    assert staging.schema == ALL


def test_after_it_a_release_that_does_not_know_it_is_refused_before_anything_is_changed(
    staging: World, tmp_path: Path
) -> None:
    knows(staging, tmp_path, "two", "three", "four")
    before = len(staging.effects)
    with pytest.raises(NothingToReturnTo) as refused:
        rollback(staging.site(), OWNER, number=1)
    assert refused.value.exit_code == 4
    assert refused.value.message == (
        "release 1 knows the schema up to 0002, and 0003 has taken away what it may need"
    )
    assert refused.value.hint == "gymops rollback staging NUMBER; of these the code knows it: 3, 2"
    assert len(staging.effects) == before
    back = rollback(staging.site(), OWNER)
    assert (back.source and back.source.number, back.waiting) == (3, ())
    assert staging.schema == ALL  # never downwards


def test_before_it_a_rollback_goes_there_and_back_again(staging: World, tmp_path: Path) -> None:
    knows(staging, tmp_path, "two")
    assert rollback(staging.site(), OWNER).waiting == ()
    assert waiting(staging) == {}
    assert rollback(staging.site(), OWNER, number=2).waiting == ("0003",)
    assert waiting(staging) == {"0003": [3]}  # which is release 1 again
    assert staging.schema == ALL[:2]


def test_where_the_schema_cannot_be_asked_the_code_of_then_tells(staging: World, tmp_path: Path) -> None:
    knows(staging, tmp_path, "two", "three", "four")
    staging.errors["schema-history"] = "nothing listens there"
    staging.demands[code(built(tmp_path, "one"))] = "0002"
    with pytest.raises(NothingToReturnTo, match="does not work any more"):
        rollback(staging.site(), OWNER, number=1)
    assert "what the schema lacks is not known: schema-history: nothing listens there" in staging.said
    assert rollback(staging.site(), OWNER).version == "3"


def test_code_that_no_release_tells_of_may_need_anything(staging: World, tmp_path: Path) -> None:
    knows(staging, tmp_path, "two", "three")
    staging.alias = "1"
    release(staging, tmp_path, "four")
    assert staging.schema == ALL[:2]
    assert "schema revision 0003 waits: version 1 serves, and not that of release 3" in staging.said


def test_a_first_release_has_nobody_to_wait_for(staging: World, tmp_path: Path) -> None:
    contract(staging)
    staging.revisions.append("0004")
    done = release(staging, tmp_path, "one")
    assert (done.schema_after, done.waiting) == ("0004", ())
    assert staging.effects.count("schema") == 3


def test_what_comes_behind_it_waits_with_it(staging: World, tmp_path: Path) -> None:
    knows(staging, tmp_path)
    staging.revisions.append("0004")
    staging.wrong = "this gymops works on 0004"
    with pytest.raises(WorkFailed, match="the schema is not what its revisions say: columns: this") as failed:
        release(staging, tmp_path, "two")
    assert "0003 and what comes after it waits: release 1 serves" in (failed.value.hint or "")
    assert staging.serves == code(built(tmp_path, "one"))


def test_a_schema_that_is_other_than_its_revisions_say_stops_before_the_traffic(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    staging.revisions.append("0003")
    staging.wrong = "events: xid is missing"
    with pytest.raises(WorkFailed, match="columns: events: xid is missing") as failed:
        release(staging, tmp_path, "two")
    assert failed.value.exit_code == 1
    assert not any(what.startswith("version 2") for what in staging.effects)
    assert staging.serves == code(built(tmp_path, "one"))


def test_one_that_fails_stops_before_the_traffic_and_what_served_goes_on(
    staging: World, tmp_path: Path
) -> None:
    knows(staging, tmp_path, "two", "three")
    staging.errors["contract"] = "revision 0003 gave way"
    with pytest.raises(WorkFailed, match="schema-upgrade: revision 0003 gave way"):
        release(staging, tmp_path, "four")
    assert staging.serves == code(built(tmp_path, "three"))
    assert (staging.schema, waiting(staging)) == (ALL[:2], {"0003": []})
    staging.errors.clear()
    assert release(staging, tmp_path, "four").schema_after == "0003"


def test_it_goes_to_prod_after_it_was_tested_and_waits_there_for_prod_s_own(
    staging: World, prod: World, tmp_path: Path
) -> None:
    knows(staging, tmp_path)
    contract(prod)
    assert promoted(staging, prod).schema_after == "0002"  # the first one there, and tested without it
    assert "schema revision 0003 waits: the release was tested at 0002" in prod.said
    assert (prod.schema, len(prod.snapshots)) == (ALL[:2], 1)
    for text in "two", "three":
        release(staging, tmp_path, text)
        promoted(staging, prod)
    assert (prod.schema, len(prod.snapshots)) == (ALL[:2], 1)
    release(staging, tmp_path, "four")
    done = promoted(staging, prod)
    assert (staging.schema, prod.schema, done.schema_after) == (ALL, ALL, "0003")
    assert len(prod.snapshots) == 2  # in a protected environment, before it


def test_a_release_that_was_tested_with_it_runs_without_it_too(
    staging: World, prod: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    promoted(staging, prod)
    contract(staging, prod)
    for text in "two", "three", "four":
        release(staging, tmp_path, text)
    done = promoted(staging, prod)
    assert (staging.schema, prod.schema) == (ALL, ALL[:2])
    assert (done.schema_after, done.waiting) == ("0002", ("0003",))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
def test_killed_at_any_effect_the_same_command_ends_the_same(
    staging: World, tmp_path: Path, at: int, after: bool
) -> None:
    """The effects of a release that applies it: upload, stack, schema, version, alias, the settled stack."""
    knows(staging, tmp_path, "two", "three")
    staging.dies_at = (len(staging.effects) + at, after)
    with pytest.raises(Detached):
        release(staging, tmp_path, "four")
    staging.dies_at = None
    release(staging, tmp_path, "four")
    assert staging.effects.count("schema") == (3 if at == 3 and not after else 2)
    assert (staging.schema, staging.serves) == (ALL, code(built(tmp_path, "four")))
    recorded = Ledger(staging.store, "staging").releases()
    assert [one.outcome for one in recorded] == [Outcome.SUCCEEDED] * 4
    assert recorded[-1].schema_after == "0003"
    assert Journal(staging.store, "staging", staging.clock).unfinished() is None
