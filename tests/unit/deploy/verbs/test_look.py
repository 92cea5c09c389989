"""Status and diff: what is said of an environment, and that looking changes nothing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gymops.aws.session import AwsError
from gymops.config import Environment
from gymops.deploy.release.lock import Lock, Owner
from gymops.deploy.smoke import SmokeFailed
from gymops.deploy.verbs.failures import NotTested
from gymops.deploy.verbs.look import Difference, diff, of_build, of_promotion, status
from gymops.deploy.verbs.promote import promote
from gymops.errors import ConfigError, Detached
from tests.unit.deploy.verbs.releasing import OWNER, release
from tests.unit.deploy.verbs.world import World, built, code, spoiled


def differs(world: World, folder: Path, text: str) -> Difference:
    site = world.site()
    return diff(site, of_build(site, built(folder, text).artefact), "gymops deploy staging")


def test_before_the_first_release_there_is_nothing_and_that_is_said(staging: World) -> None:
    found = status(staging.site())
    assert {one.status for one in found.stacks} == {"does not exist"}
    assert (found.serving, found.running, found.last, found.unfinished, found.holder) == (None,) * 5
    assert found.as_dict()["last_release"] is None
    assert staging.effects == []


def test_what_serves_is_read_back_and_compared_with_the_ledger(staging: World, tmp_path: Path) -> None:
    first = release(staging, tmp_path, "one")
    found = status(staging.site())
    assert found.serving
    assert (found.serving.version, found.serving.code) == ("1", code(built(tmp_path, "one")))
    assert found.serving.differs == ()
    assert found.running == found.last == first
    assert found.holder is None
    staging.versions["2"] = {"code": "by hand"}
    staging.alias = "2"
    found = status(staging.site())
    assert found.serving
    code_differs, version_differs = found.serving.differs
    assert code_differs == f"it runs the code by hand, and release 1 is {code(built(tmp_path, 'one'))}"
    assert version_differs == "version 2 serves, and release 1 is version 1"


def test_a_failed_release_is_the_last_and_another_runs(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    staging.bad.add(code(built(tmp_path, "two")))
    with suppress(SmokeFailed):
        release(staging, tmp_path, "two")
    found = status(staging.site())
    assert found.running
    assert found.last
    assert found.serving
    assert (found.running.number, found.last.number, found.serving.differs) == (1, 2, ())


def test_what_is_unfinished_who_holds_the_lock_and_what_rings(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    staging.dies_at = (len(staging.effects) + 2, False)
    with suppress(Detached):
        release(staging, tmp_path, "two")
    staging.rings.append("staging-gym-app-errors")
    with Lock(staging.store, "staging", Owner("olu", "desk", 1), staging.clock).take(lambda: True) as held:
        held.working_on("op-9")
        staging.clock.sleep(7)
        found = status(staging.site()).as_dict()
    assert found["unfinished"]["command"] == "gymops deploy staging"
    assert (found["unfinished"]["step"], found["unfinished"]["state"]) == ("stack", "begun")
    assert found["lock"]["owner"] == "olu@desk (process 1)"
    assert (found["lock"]["seconds_since_sign_of_life"], found["lock"]["operation"]) == (7.0, "op-9")
    assert found["lock"]["expired"] is False
    assert found["alarms"] == ["staging-gym-app-errors"]
    assert "error" not in found


def test_what_was_just_released_is_no_difference(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    done = len(staging.effects)
    found = differs(staging, tmp_path, "one")
    assert not found.found
    assert [preview.empty for preview in found.previews] == [True] * 4
    assert staging.effects[done:] == []


def test_other_code_differs_in_the_functions_and_nothing_is_written(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    done, held = len(staging.effects), staging.store.keys("")
    found = differs(staging, tmp_path, "two")
    assert found.found
    (app,) = [preview for preview in found.previews if not preview.empty]
    assert app.target.name == "staging-gym-app"
    assert {change.kind for change in app.changes} == {"AWS::Lambda::Function"}
    assert [one.name for one in app.parameters] == ["CodeKey"]
    assert any("the database is not asked" in limit for limit in found.limits)
    assert (staging.effects[done:], staging.store.keys("")) == ([], held)


def test_before_the_first_release_everything_would_be_made(staging: World, tmp_path: Path) -> None:
    found = differs(staging, tmp_path, "one")
    assert found.found
    assert [preview.create for preview in found.previews] == [True] * 4
    assert staging.effects == []


def test_a_wrong_parameter_is_told_as_the_release_would(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    wrong = {**staging.deployment.parameters, "Protection": "perhaps"}
    staging.deployment = replace(staging.deployment, parameters=wrong)
    with pytest.raises(ConfigError, match="Protection"):
        differs(staging, tmp_path, "one")


def test_a_promotion_is_compared_with_what_the_target_has(staging: World, tmp_path: Path) -> None:
    prod = World("prod", Environment(), clock=staging.clock)
    with pytest.raises(NotTested):
        of_promotion(staging.site(), prod.site())
    release(staging, tmp_path, "one")

    def differs() -> Difference:
        return diff(prod.site(), of_promotion(staging.site(), prod.site()), "gymops promote staging prod")

    assert differs().found
    assert prod.effects == []
    promote(staging.site(), prod.site(), OWNER, token="t", approved_by="olu")
    assert not differs().found
    release(staging, tmp_path, "two")
    assert differs().found


def test_alarms_that_cannot_be_read_hide_nothing_else(staging: World, tmp_path: Path) -> None:
    first = release(staging, tmp_path, "one")

    def refused() -> list[str]:
        raise AwsError("the alarms: not for you (AccessDenied)", reason="AccessDenied")

    found = status(replace(staging.site(), ringing=refused))
    assert (found.running, found.alarms) == (first, None)
    told = found.as_dict()
    assert (told["alarms"], told["unknown"]) == (None, {"alarms": "the alarms: not for you (AccessDenied)"})
    assert status(staging.site()).as_dict()["unknown"] == {}
    assert status(replace(World("staging").site(), ringing=refused)).untold


def test_a_damaged_record_hides_nothing_else(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    spoiled(staging)
    found = status(staging.site())
    assert "releases/staging/00000001.json is damaged" in found.untold["releases"]
    assert found.serving
    assert found.serving.version == "1"
    assert {one.status for one in found.stacks} == {"UPDATE_COMPLETE"}
    assert (found.running, found.last, found.unfinished, found.holder) == (None,) * 4
