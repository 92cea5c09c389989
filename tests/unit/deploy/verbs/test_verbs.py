"""Deploy and promote: what reaches users, when, and what is written down."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gymops.config import Environment
from gymops.deploy.release.journal import Journal, Unfinished
from gymops.deploy.release.ledger import last_good
from gymops.deploy.release.lock import Lock, Owner
from gymops.deploy.release.plan import Outcome
from gymops.deploy.smoke import SmokeFailed
from gymops.deploy.traffic import Returned
from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.failures import Declined, NothingToReturnTo, NotTested, WorkFailed
from gymops.deploy.verbs.rollback import rollback
from gymops.errors import ConfigError, Detached, GateRefused, GymopsError, LockHeld, NobodyToAsk
from tests.unit.deploy.verbs.releasing import OWNER, ledger, promoted, release
from tests.unit.deploy.verbs.world import World, built, code

ROOT = Path(__file__).parents[4]


def test_a_first_release_makes_everything_in_order_and_is_recorded(staging: World, tmp_path: Path) -> None:
    done = release(staging, tmp_path, "one")
    assert [what for what in staging.effects if not what.startswith("file")] == [
        "stack gym-app-base",
        "stack staging-gym-app-certificate",
        "stack staging-gym-app",
        "version 1",
        "schema",
        "stack staging-gym-app",
        "stack staging-gym-app-edge",
    ]
    assert staging.serves == code(built(tmp_path, "one"))
    assert (done.number, done.outcome, done.version) == (1, Outcome.SUCCEEDED, "1")
    assert (done.schema_before, done.schema_after) == (None, "0002")
    assert (done.who, done.commit, done.dirty) == ("mara", "c0ffee", False)
    assert [one["status"] for one in done.smoke] == [200, 200]
    assert done.parameters["CodeKey"].endswith("/app.zip")
    assert "LiveVersion" not in done.parameters
    assert {"stack", "smoke", "traffic"} <= set(done.durations)
    assert staging.app["parameters"]["LiveVersion"] == "1"
    assert staging.snapshots == []


def test_the_same_again_changes_nothing_and_is_a_release_too(staging: World, tmp_path: Path) -> None:
    first = release(staging, tmp_path, "one")
    done = len(staging.effects)
    second = release(staging, tmp_path, "one")
    assert staging.effects[done:] == []
    assert (second.number, second.content) == (2, first.content)
    with pytest.raises(NothingToReturnTo, match="release 1 is what runs, as release 2 is"):
        rollback(staging.site(), OWNER, number=1)


def test_new_code_is_asked_by_its_number_before_it_serves(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    done = len(staging.effects)
    release(staging, tmp_path, "two")
    assert staging.effects[done:] == [
        "file app.zip", "stack staging-gym-app", "version 2", "serve 2", "stack staging-gym-app",
    ]  # fmt: skip
    assert staging.said.index("version 2 answers /api/health, /api/ready") < staging.said.index(
        "version 2 serves"
    )


def test_a_release_that_does_not_answer_never_serves_and_leaves_no_trace(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    before = dict(staging.app)
    staging.bad.add(code(built(tmp_path, "two")))
    with pytest.raises(SmokeFailed, match="version 2: /api/health answered 503") as refused:
        release(staging, tmp_path, "two")
    assert refused.value.exit_code == 5
    assert refused.value.hint == "no request of a user reached it; gymops logs staging shows what it wrote"
    assert "serve 2" not in staging.effects
    assert staging.serves == code(built(tmp_path, "one"))
    assert staging.app == before
    failed = ledger(staging)[-1]
    assert (failed.outcome, failed.version) == (Outcome.ROLLED_BACK, "2")
    assert failed.why
    assert "503" in failed.why
    with pytest.raises(NothingToReturnTo, match="no earlier release"):
        rollback(staging.site(), OWNER)
    release(staging, tmp_path, "three")
    assert staging.serves == code(built(tmp_path, "three"))


def test_an_alarm_during_the_canary_brings_everything_back(tmp_path: Path) -> None:
    world = World("staging", Environment(traffic="Canary10Percent5Minutes"))
    release(world, tmp_path, "one")
    world.site()
    ringing = world.rings

    def split(*_: object) -> None:
        ringing.append("staging-gym-app-duration")

    site = world.site()
    object.__setattr__(site.functions, "split", split)
    with pytest.raises(Returned, match="the alarm staging-gym-app-duration rings; version 1 serves again"):
        deploy(site, built(tmp_path, "two"), OWNER, token="t")
    assert world.serves == code(built(tmp_path, "one"))
    assert ledger(world)[-1].outcome is Outcome.ROLLED_BACK


def test_a_release_is_taken_back_by_the_alarms_that_its_template_names_and_by_no_others(
    staging: World, tmp_path: Path
) -> None:
    """A finding of an audit says nothing of a release; where no alarm is named, each one does."""
    world = staging
    release(world, tmp_path, "one")
    outputs, prefix = world.outputs, world.deployment.prefix
    world.rings += ["staging-gym-app-backup-audit", "staging-gym-app-errors"]
    assert App(world.site(), "releases").ringing() == world.rings

    def named(name: str) -> dict[str, str]:
        told = {"ReleaseAlarms": "staging-gym-app-errors,staging-gym-app-duration"}
        return outputs(name) | (told if name == prefix else {})

    object.__setattr__(world, "outputs", named)
    assert App(world.site(), "releases").ringing() == ["staging-gym-app-errors"]


def test_a_first_release_that_fails_is_recorded_and_can_be_followed_by_another(
    staging: World, tmp_path: Path
) -> None:
    staging.bad.add(code(built(tmp_path, "one")))
    with pytest.raises(SmokeFailed):
        release(staging, tmp_path, "one")
    assert last_good(ledger(staging)) is None
    assert release(staging, tmp_path, "two").number == 2


def test_prod_gets_nothing_but_what_was_tested_unless_the_glass_is_broken(
    prod: World, tmp_path: Path
) -> None:
    with pytest.raises(GateRefused, match="prod comes after staging") as refused:
        release(prod, tmp_path, "one")
    assert refused.value.hint
    assert "gymops promote staging prod" in refused.value.hint
    assert prod.effects == []
    assert release(prod, tmp_path, "one", break_glass="fire").break_glass == "fire"


def test_promotion_is_of_the_same_bytes_and_template_with_the_target_s_parameters(
    staging: World, prod: World, tmp_path: Path
) -> None:
    tested = release(staging, tmp_path, "one")
    done = promoted(staging, prod)
    assert done.artefact.digest == tested.artefact.digest
    assert done.artefact.uri == tested.artefact.uri.replace("releases-staging", "releases-prod")
    assert (done.template, done.schema_after) == (tested.template, tested.schema_after)
    assert done.source
    assert (done.source.environment, done.source.number) == ("staging", 1)
    assert (done.verb, done.approved_by, done.commit) == ("promote", "olu", "c0ffee")
    assert (done.parameters["Environment"], done.parameters["CodeBucket"]) == ("prod", "releases-prod")
    assert prod.serves == staging.serves
    assert len(prod.snapshots) == 1  # before the schema, in a protected environment


def test_before_what_holds_data_changes_a_protected_environment_gets_a_snapshot(
    staging: World, prod: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    promoted(staging, prod)
    before = len(prod.snapshots)
    staging.touched.add("staging-gym-app")
    prod.touched.add("prod-gym-app")
    release(staging, tmp_path, "two")
    assert staging.snapshots == []
    done = len(prod.effects)
    operation = promoted(staging, prod).operation
    new = [one for one in prod.effects[done:] if one in {"snapshot", "stack prod-gym-app"}]
    assert new[:2] == ["snapshot", "stack prod-gym-app"]
    assert prod.snapshots[before:] == [f"prod-gym-app-before-{operation}"]


def test_a_promotion_that_was_killed_goes_on_whatever_was_released_since(
    staging: World, prod: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    prod.dies_at = (7, False)
    with pytest.raises(Detached):
        promoted(staging, prod)
    prod.dies_at = None
    release(staging, tmp_path, "two")
    done = promoted(staging, prod)
    assert done.source
    assert done.source.number == 1
    assert prod.serves == code(built(tmp_path, "one"))
    assert promoted(staging, prod).source != done.source
    assert prod.serves == code(built(tmp_path, "two"))


def test_what_was_not_tested_is_not_promoted(staging: World, prod: World, tmp_path: Path) -> None:
    with pytest.raises(NotTested, match="nothing was released to staging yet"):
        promoted(staging, prod)
    staging.bad.add(code(built(tmp_path, "one")))
    with pytest.raises(SmokeFailed):
        release(staging, tmp_path, "one")
    with pytest.raises(NotTested, match="nothing was released to staging yet"):
        promoted(staging, prod)
    assert prod.effects == []


def test_what_passed_no_smoke_test_is_not_promoted(prod: World, tmp_path: Path) -> None:
    staging = World("staging", clock=prod.clock)
    site = staging.site()
    object.__setattr__(site.deployment, "smoke", ())
    deploy(site, built(tmp_path, "one"), OWNER, token="t")
    with pytest.raises(NotTested, match="passed no smoke test"):
        promoted(staging, prod)


def test_what_is_too_old_is_not_promoted(staging: World, prod: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    staging.clock.sleep(timedelta(days=14, seconds=-60).total_seconds())
    promoted(staging, prod)
    staging.clock.sleep(120)
    with pytest.raises(NotTested, match="is 14 days old, and 14 are allowed"):
        promoted(staging, prod)


def test_other_templates_around_it_than_the_tested_ones_are_not_promoted(
    staging: World, prod: World, tmp_path: Path
) -> None:
    folder = tmp_path / "infra"
    shutil.copytree(ROOT / "cloudformation", folder)
    staging.architecture = prod.architecture = str(folder / "titan-trakr")
    assert set(release(staging, tmp_path, "one").around) == {"base", "certificate", "edge"}
    edge = folder / "titan-trakr" / "edge.yaml"
    was = edge.read_text(encoding="utf-8")
    edge.write_text(f"{was}  Untried: {{Value: 'one'}}\n", encoding="utf-8")
    with pytest.raises(NotTested, match="tested with other templates than these of edge"):
        promoted(staging, prod)
    assert prod.effects == []
    edge.write_text(was, encoding="utf-8")
    assert set(promoted(staging, prod).around) == {"base", "certificate", "copies", "edge"}


def test_only_the_environment_before_is_promoted(staging: World, prod: World) -> None:
    with pytest.raises(ConfigError, match="staging does not come after prod"):
        promoted(prod, staging)


def test_another_schema_than_the_tested_one_stops_before_any_traffic(
    staging: World, prod: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    prod.revisions = ["0001", "0002", "0003"]
    with pytest.raises(WorkFailed, match="the schema is at 0003, and the release was tested with 0002"):
        promoted(staging, prod)
    assert not any(what.startswith("serve") for what in prod.effects)


def test_a_database_that_is_ahead_by_what_a_rollback_left_takes_the_promotion(
    staging: World, prod: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    prod.schema = ["0001", "0002", "0003"]
    done = promoted(staging, prod)
    assert (done.schema_before, done.schema_after, done.accepts) == ("0003", "0002", "0002")


def test_a_no_changes_nothing_and_is_no_release(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    staging.yes = False
    with pytest.raises(Declined, match="staging-gym-app stays as it is"):
        release(staging, tmp_path, "two")
    assert len(ledger(staging)) == 1
    staging.yes = True
    assert release(staging, tmp_path, "three").number == 2


def test_a_stack_that_nobody_can_be_asked_about_is_no_release(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")

    def nobody(_: object) -> bool:
        raise NobodyToAsk("Change the stack? Nobody can be asked here.")

    site = staging.site()
    silent = replace(site, talk=replace(site.talk, confirm=nobody))
    with pytest.raises(NobodyToAsk):
        deploy(silent, built(tmp_path, "two"), OWNER, token="t")
    assert len(ledger(staging)) == 1
    release(staging, tmp_path, "two")
    with pytest.raises(NobodyToAsk):
        rollback(silent, OWNER)
    assert staging.serves == code(built(tmp_path, "one"))
    assert len(ledger(staging)) == 3  # users are served by another version: that is written down


def test_two_at_once_the_second_is_told_who_the_first_is(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    with (
        Lock(staging.store, "staging", Owner("olu", "desk", 1), staging.clock).take(lambda: True),
        pytest.raises(LockHeld, match="olu@desk"),
    ):
        release(staging, tmp_path, "two")
    assert release(staging, tmp_path, "two").number == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 8))
def test_killed_at_any_effect_the_same_command_ends_the_same(
    staging: World, tmp_path: Path, at: int, after: bool
) -> None:
    """The effects of a release with a revision: upload, stack, schema, version, alias, the settled stack."""
    release(staging, tmp_path, "one")
    staging.revisions.append("0003")
    staging.dies_at = (len(staging.effects) + at, after)
    with (
        suppress(Detached)
        if at > 6
        else pytest.raises(Detached, match="detached from deploy staging") as left
    ):
        release(staging, tmp_path, "two")
    finished = at > 6
    if left:
        assert left.value.hint
        assert "gymops deploy staging" in left.value.hint
    staging.dies_at = None
    if not finished:
        with pytest.raises(Unfinished):
            release(staging, tmp_path, "three")
        release(staging, tmp_path, "two")
    assert staging.serves == code(built(tmp_path, "two"))
    assert staging.app["parameters"]["LiveVersion"] == "2"
    assert staging.schema == ["0001", "0002", "0003"]
    assert sorted(staging.versions) == ["1", "2"]
    assert [one.outcome for one in ledger(staging)] == [Outcome.SUCCEEDED] * 2
    assert Journal(staging.store, "staging", staging.clock).unfinished() is None


def test_an_error_nobody_names_is_recorded_with_what_it_said(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    site = staging.site()

    def refuse(*_: object) -> str:
        raise GymopsError("the function changed under our hands")

    object.__setattr__(site.functions, "publish", refuse)
    with pytest.raises(GymopsError, match="under our hands"):
        deploy(site, built(tmp_path, "two"), OWNER, token="t")
    assert ledger(staging)[-1].why == "the function changed under our hands"
    assert staging.serves == code(built(tmp_path, "one"))
