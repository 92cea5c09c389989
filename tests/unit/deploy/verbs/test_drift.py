"""Drift: every stack is looked at, what differs is shown without secrets, not knowing is no 'nothing'."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.aws.drift import Detection, Drifted
from gymops.aws.session import AwsError
from gymops.aws.stack import Detail
from gymops.deploy.stack.masking import MASK
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.drift import drift
from gymops.deploy.verbs.look import status
from gymops.deploy.verbs.promote import promote
from gymops.errors import Detached, GateRefused, GymopsError
from tests.unit.deploy.verbs import world as worlds
from tests.unit.deploy.verbs.releasing import OWNER
from tests.unit.deploy.verbs.world import World, built

APP = "staging-gym-app"


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World("staging")
    deploy(found.site(), built(tmp_path, "one"), OWNER, token="t")
    return found


def changed(path: str, before: str, after: str) -> Detail:
    return Detail(
        "Properties", path.split("/")[1], f"/Properties{path}", before=before, after=after
    )  # fmt: skip


def test_what_is_as_deployed_is_no_drift_and_what_was_not_looked_at_is_named(world: World) -> None:
    world.drifted[APP] = [Drifted("Function", "AWS::Lambda::Function", "app", "IN_SYNC")]
    before = world.clock.monotonic()
    found = drift(world.site())
    assert not found.found
    assert [stack.stack for stack in found.stacks] == [
        "gym-app-base", "staging-gym-app-certificate", APP, "staging-gym-app-edge",
    ]  # fmt: skip
    app = found.stacks[2]
    assert (app.checked, app.resources) == (1, ())
    assert "AWS::Lambda::Function" in app.unchecked  # there are two of them
    assert "AWS::RDS::DBInstance" in app.unchecked
    assert world.clock.monotonic() - before == 4 * 4.0  # each detection is asked for three times


def test_each_property_is_shown_and_no_secret(world: World) -> None:
    world.drifted[APP] = [
        Drifted(
            "Function", "AWS::Lambda::Function", "app", "MODIFIED",
            (
                changed("/Timeout", "30", "900"),
                changed("/Environment/Variables/SESSION_SECRET", "arn-of-it", "hunter2-hunter2"),
            ),
        ),
        Drifted("Topic", "AWS::SNS::Topic", "arn:topic", "DELETED"),
        Drifted("Odd", "AWS::SNS::Topic", "arn:odd", "UNKNOWN"),
    ]  # fmt: skip
    found = drift(world.site())
    assert found.found
    function, topic = found.as_dict()["stacks"][2]["resources"]
    assert function["status"] == "modified"
    assert function["properties"] == [
        {"path": "/Timeout", "expected": "30", "actual": "900"},
        {"path": "/Environment/Variables/SESSION_SECRET", "expected": MASK, "actual": MASK},
    ]
    assert (topic["resource"], topic["status"], topic["properties"]) == ("Topic", "deleted", [])
    assert found.stacks[2].checked == 2
    assert "hunter2" not in str(found)


def test_before_the_first_release_there_is_nothing_to_look_at() -> None:
    assert drift(World("staging").site()).stacks == ()


def test_what_could_not_be_looked_at_is_never_called_as_deployed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Detection(complete=False, reason="no rights to read the table")
    monkeypatch.setattr(worlds._Drift, "ended", lambda *_: failed)
    with pytest.raises(GymopsError, match="cannot be told whether it drifted: no rights") as unknown:
        drift(world.site())
    assert unknown.value.exit_code == 1
    world.drifted[APP] = [Drifted("Topic", "AWS::SNS::Topic", "arn:topic", "DELETED")]
    assert drift(world.site()).found  # what is known is told


def test_a_detection_that_does_not_end_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds._Drift, "ended", lambda *_: None)
    with pytest.raises(Detached, match="not ended after half an hour"):
        drift(world.site())


def test_what_drifted_is_not_promoted_unless_it_is_said_why(world: World) -> None:
    prod = World("prod", clock=world.clock)
    world.drifted[APP] = [Drifted("Topic", "AWS::SNS::Topic", "arn:topic", "DELETED")]
    with pytest.raises(GateRefused, match="staging was changed since it was tested: Topic") as no:
        promote(world.site(), prod.site(), OWNER, token="t", approved_by="olu")
    assert no.value.exit_code == 4
    assert prod.effects == []
    done = promote(
        world.site(), prod.site(), OWNER, token="t", approved_by="olu", accept_drift="it was a trial"
    )  # fmt: skip
    assert done.break_glass == "drift accepted: it was a trial"
    world.drifted.clear()
    again = promote(world.site(), prod.site(), OWNER, token="t", approved_by="olu")
    assert again.break_glass is None


def test_what_serves_is_looked_at_too(world: World, tmp_path: Path) -> None:
    """An alias that somebody moves, or a stack that somebody deletes, is known to no drift detection."""
    prod = World("prod", clock=world.clock)
    deploy(world.site(), built(tmp_path, "two"), OWNER, token="t")
    world.alias = "1"
    assert "version 1 serves, and release 2 is version 2" in drift(world.site()).serving
    with pytest.raises(GateRefused, match="version 1 serves, and release 2 is version 2"):
        promote(world.site(), prod.site(), OWNER, token="t", approved_by="olu")
    world.alias = "2"
    assert not drift(world.site()).found
    there = dict(world.versions)
    world.versions.clear()
    assert drift(world.site()).serving == ("nothing serves, and release 2 did",)
    assert status(world.site()).serving is None
    with pytest.raises(AwsError, match="somebody deleted it by hand") as gone:
        deploy(world.site(), built(tmp_path, "two"), OWNER, token="t")
    assert "gymops destroy staging" in str(gone.value.hint)
    world.versions |= there
    del world.there[APP]
    with pytest.raises(GateRefused, match="nothing serves, and release 2 did"):
        promote(world.site(), prod.site(), OWNER, token="t", approved_by="olu")
    assert prod.effects == []
