"""Back to a release that is recorded: what reaches users, when, and what is written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.deploy.release.journal import Journal
from gymops.deploy.release.plan import Outcome
from gymops.deploy.smoke import SmokeFailed
from gymops.deploy.stack.errors import RolledBack
from gymops.deploy.verbs.failures import Declined, NothingToReturnTo
from gymops.deploy.verbs.rollback import rollback
from tests.unit.deploy.verbs.releasing import OWNER, ledger, release
from tests.unit.deploy.verbs.world import World, built, code


def test_rolling_back_is_a_release_of_what_was_there_before(staging: World, tmp_path: Path) -> None:
    first = release(staging, tmp_path, "one")
    release(staging, tmp_path, "two")
    done = len(staging.effects)
    back = rollback(staging.site(), OWNER)
    assert staging.effects[done:] == ["serve 1", "stack staging-gym-app"]
    assert staging.serves == code(built(tmp_path, "one"))
    assert back.content == first.content
    assert (back.number, back.verb, back.version) == (3, "rollback", "1")
    assert back.source
    assert back.source.number == 1
    assert (back.schema_after, back.accepts) == ("0002", "0002")
    again = rollback(staging.site(), OWNER, number=2)
    assert again.version == "2"
    assert staging.serves == code(built(tmp_path, "two"))


def test_what_serves_and_does_not_answer_is_not_said_to_have_reached_nobody(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    staging.bad.add(code(built(tmp_path, "one")))
    with pytest.raises(SmokeFailed) as failed:
        release(staging, tmp_path, "one")
    assert failed.value.hint == "gymops logs staging shows what it wrote"


def test_a_version_that_is_gone_is_published_anew(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    release(staging, tmp_path, "two")
    staging.versions["1"] = {"code": "another's"}
    back = rollback(staging.site(), OWNER)
    assert back.version == "3"
    assert staging.serves == code(built(tmp_path, "one"))


def test_a_rollback_whose_stack_cannot_follow_leaves_the_version_of_then_serving(
    staging: World, tmp_path: Path
) -> None:
    """CloudFormation's own rollback brings the alias to where the stack had it: to the bad version."""
    release(staging, tmp_path, "one")
    release(staging, tmp_path, "two")
    before = dict(staging.app)
    staging.refused.add("staging-gym-app")
    with pytest.raises(RolledBack) as failed:
        rollback(staging.site(), OWNER)
    assert failed.value.exit_code == 5
    assert staging.serves == code(built(tmp_path, "one"))
    assert staging.app == before
    assert ledger(staging)[-1].outcome is Outcome.ROLLED_BACK
    assert rollback(staging.site(), OWNER).version == "1"
    assert staging.app["parameters"]["LiveVersion"] == "1"


def test_a_rollback_the_long_way_that_does_not_answer_leaves_what_ran(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    release(staging, tmp_path, "two")
    before = dict(staging.app)
    staging.versions["1"] = {"code": "another's"}
    staging.bad.add(code(built(tmp_path, "one")))
    with pytest.raises(SmokeFailed) as failed:
        rollback(staging.site(), OWNER)
    assert failed.value.exit_code == 5
    assert staging.serves == code(built(tmp_path, "two"))
    assert staging.app == before


@pytest.mark.parametrize(
    ("number", "told"),
    [(None, "no earlier release"), (1, "release 1 is what runs$"), (9, "release 9 cannot be")],
)
def test_there_is_nothing_to_return_to(staging: World, tmp_path: Path, number: int | None, told: str) -> None:
    release(staging, tmp_path, "one")
    with pytest.raises(NothingToReturnTo, match=told) as refused:
        rollback(staging.site(), OWNER, number=number)
    assert refused.value.exit_code == 4


def test_before_the_first_release_too(staging: World) -> None:
    with pytest.raises(NothingToReturnTo, match="nothing was released to staging yet"):
        rollback(staging.site(), OWNER)


def test_code_that_does_not_accept_the_schema_of_now_is_not_returned_to(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    staging.demands[code(built(tmp_path, "one"))] = "0002"
    staging.revisions.append("0003")
    release(staging, tmp_path, "two")
    done = len(staging.effects)
    with pytest.raises(NothingToReturnTo, match="does not work any more: version 1: /api/ready answered 503"):
        rollback(staging.site(), OWNER)
    assert staging.effects[done:] == []
    assert staging.serves == code(built(tmp_path, "two"))


def test_a_rollback_is_asked_for_before_the_alias_moves(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    release(staging, tmp_path, "two")
    done = len(staging.effects)
    staging.yes = False
    with pytest.raises(Declined, match="staging stays as it is"):
        rollback(staging.site(), OWNER)
    assert staging.said[-1] == "Return staging to release 1?"
    assert staging.effects[done:] == []
    assert Journal(staging.store, "staging", staging.clock).unfinished() is None
