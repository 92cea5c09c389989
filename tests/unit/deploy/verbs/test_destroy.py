"""Destroy: what goes, what stays, what is asked before, and what is written down."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from gymops.config import Environment
from gymops.deploy.release.journal import Journal
from gymops.deploy.release.ledger import Ledger, last_good
from gymops.deploy.release.lock import Lock, Owner
from gymops.deploy.release.plan import Outcome
from gymops.deploy.release.records import RecordError
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.destroy import Destroyed, destroy
from gymops.deploy.verbs.failures import NothingToReturnTo, NotTested
from gymops.deploy.verbs.promote import promote
from gymops.deploy.verbs.remains import Fate, look
from gymops.deploy.verbs.rollback import rollback
from gymops.errors import Detached, GateRefused, GymopsError, LockHeld
from tests.unit.deploy.verbs.releasing import OWNER
from tests.unit.deploy.verbs.world import World, built, code, spoiled

APP = "staging-gym-app"
STACKS = [f"{APP}-edge", APP, f"{APP}-certificate"]


class Full:
    """What is inside of buckets and vaults, by their id."""

    def __init__(self, **held: str) -> None:
        self.held = held

    def holds(self, kind: str, name: str, region: str) -> str:
        return self.held.get(name, "")


@pytest.fixture
def staging(tmp_path: Path) -> World:
    world = World("staging")
    deploy(world.site(), built(tmp_path, "one"), OWNER, token="t")
    world.effects.clear()
    return world


def gone(world: World, name: str | None = "staging", **held: str) -> Destroyed:
    return destroy(world.site(), Full(**held), OWNER, name=name)


def test_a_snapshot_first_then_the_stacks_the_last_made_first(staging: World) -> None:
    done = gone(staging)
    assert staging.effects == ["snapshot", *(f"delete {name}" for name in STACKS)]
    assert list(staging.there) == ["gym-app-base"]
    assert done.deleted == STACKS
    assert done.snapshots == staging.snapshots == [f"{APP}-final-{done.operation}"]
    kept = {fate.name for fate in done.kept}
    assert {"PasscodeSecret", "SessionSecret", "DataKey", "BackupVault"} <= kept
    assert "Database" not in kept


def test_what_is_kept_under_a_name_of_its_own_comes_with_the_way_out(staging: World) -> None:
    kept = {fate.name: fate for fate in gone(staging, backupvault="recovery points").kept}
    assert kept["PasscodeSecret"].named
    assert kept["PasscodeSecret"].way.endswith("--secret-id passcodesecret")
    assert not kept["DataKey"].named
    assert kept["BackupVault"].holds == "recovery points"
    assert kept["BackupVault"].way.startswith("aws backup list-recovery-points")
    users = Fate("app", "us-east-1", "Users", "AWS::DynamoDB::Table", "staging-users", "RetainExceptOnCreate")
    assert users.way == "aws dynamodb delete-table --table-name staging-users"


def test_policies_are_those_of_the_deployed_template(staging: World) -> None:
    fates = {fate.name: fate for fate in look(staging.site(), Full()).fates}
    assert fates["Database"].policy == "Snapshot"
    assert fates["FunctionLogs"].policy == "Delete"
    staging.app["template"] = staging.app["template"].replace('"Snapshot"', '"Retain"')
    fates = {fate.name: fate for fate in look(staging.site(), Full()).fates}
    assert fates["Database"].kept


@pytest.mark.parametrize(
    ("name", "told"), [(None, "staging has data in it: .*Database"), ("prod", "--name prod is not staging")]
)
def test_data_goes_only_where_it_is_told_by_name(staging: World, name: str | None, told: str) -> None:
    with pytest.raises(GateRefused, match=told) as refused:
        gone(staging, name)
    assert refused.value.exit_code == 4
    assert "gymops destroy staging --name staging" in str(refused.value.hint)
    assert staging.effects == []


def test_a_protected_environment_stays_until_that_is_changed(staging: World) -> None:
    staging.app["parameters"]["Protection"] = "true"
    with pytest.raises(GateRefused, match="Protection") as refused:
        gone(staging)
    assert "gymops.toml" in str(refused.value.hint)
    staging.app["parameters"]["Protection"] = "false"
    staging.own = Environment(parameters={"Protection": "true"})
    del staging.__dict__["deployment"]
    with pytest.raises(GateRefused, match="Protection"):
        gone(staging)
    assert staging.effects == []


def test_what_is_not_empty_is_told_and_not_emptied(staging: World) -> None:
    text = staging.app["template"]
    staging.app["template"] = text.replace('"RetainExceptOnCreate"', '"Delete"')
    with pytest.raises(GateRefused, match=r"backupvault .* holds recovery points") as refused:
        gone(staging, backupvault="recovery points")
    assert "aws backup list-recovery-points-by-backup-vault" in str(refused.value.hint)
    assert staging.effects == []


def test_nothing_runs_afterwards_and_the_ledger_says_so(staging: World) -> None:
    done = gone(staging)
    found = Ledger(staging.store, "staging").releases()
    assert (found[-1].number, found[-1].verb, found[-1].outcome) == (2, "destroy", Outcome.SUCCEEDED)
    assert done.release == 2
    assert last_good(found) is None
    with pytest.raises(NothingToReturnTo):
        rollback(staging.site(), OWNER)
    with pytest.raises(NotTested, match="nothing was released to staging"):
        promote(staging.site(), World("prod", clock=staging.clock).site(), OWNER, token="t", approved_by="x")
    assert gone(staging).operation is None


def test_where_a_record_is_damaged_nothing_is_deleted(staging: World) -> None:
    spoiled(staging)
    with pytest.raises(RecordError, match="is damaged"):
        gone(staging)
    assert staging.effects == []
    assert APP in staging.there


def test_a_new_deploy_makes_it_anew(staging: World, tmp_path: Path) -> None:
    gone(staging)
    staging.versions.clear()
    staging.alias = ""
    done = deploy(staging.site(), built(tmp_path, "two"), OWNER, token="t")
    assert (done.number, done.outcome) == (3, Outcome.SUCCEEDED)
    assert staging.serves == code(built(tmp_path, "two"))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
def test_killed_at_any_effect_the_same_command_goes_on(staging: World, at: int, after: bool) -> None:
    staging.dies_at = (at, after)
    with pytest.raises(Detached) as left:
        gone(staging)
    assert "gymops destroy staging --name staging" in str(left.value.hint)
    staging.dies_at = None
    done = gone(staging)
    assert list(staging.there) == ["gym-app-base"]
    assert len(staging.snapshots) == 1
    assert done.deleted == STACKS
    assert {"PasscodeSecret", "DataKey"} <= {fate.name for fate in done.kept}
    assert [one.verb for one in Ledger(staging.store, "staging").releases()] == ["deploy", "destroy"]
    assert Journal(staging.store, "staging", staging.clock).unfinished() is None


def test_a_stack_that_is_not_deleted_is_recorded_and_tried_again(staging: World) -> None:
    site, left = staging.site(), [True]
    stacks = site.stacks

    def refusing(region: str, upload: object) -> object:
        found = stacks(region, None)
        whole = found.delete

        def delete(name: str, *, token: str) -> object:
            if name == APP and left:
                raise GymopsError("the vault is not empty")
            return whole(name, token=token)

        found.delete = delete  # type: ignore[method-assign, assignment]
        return found

    object.__setattr__(site, "stacks", refusing)
    with pytest.raises(GymopsError, match="not empty"):
        destroy(site, Full(), OWNER, name="staging")
    found = Ledger(staging.store, "staging").releases()[-1]
    assert (found.verb, found.outcome, found.why) == ("destroy", Outcome.FAILED, "the vault is not empty")
    left.clear()
    assert destroy(site, Full(), OWNER, name="staging").deleted == STACKS[1:]


def test_somebody_who_releases_is_not_disturbed(staging: World) -> None:
    lock = Lock(staging.store, "staging", Owner("olu", "desk", 1), staging.clock)
    with lock.take(lambda: True), pytest.raises(LockHeld, match="olu@desk"):
        gone(staging)
    with suppress(LockHeld):
        gone(staging)
    assert APP not in staging.there


def test_what_never_ran_has_no_record_but_the_journals(tmp_path: Path) -> None:
    world = World("staging")
    world.bad.add(code(built(tmp_path, "one")))
    with pytest.raises(GymopsError):
        deploy(world.site(), built(tmp_path, "one"), OWNER, token="t")
    done = gone(world)
    assert (done.release, done.deleted) == (None, STACKS[1:])
    found = Journal(world.store, "staging", world.clock).latest()
    assert found
    assert (found.id, found.request.verb, found.outcome) == (done.operation, "destroy", Outcome.SUCCEEDED)
