"""Two instances that change names, on real servers: from anywhere, back again, and the seals go on."""

from __future__ import annotations

import pytest

from gymops.aws.proxies import Proxies
from gymops.backup.managed import tags
from gymops.backup.managed.switching import Switching, change, need_names
from gymops.backup.port import Wanted
from gymops.errors import GateRefused
from tests.integration.backup.managed.world import World, restored

pytestmark = pytest.mark.long


def test_the_restored_one_takes_the_name_and_what_is_sealed_goes_on_from_there(own: World) -> None:
    own.log("ada", 1500)
    own.backups.seal()
    at = own.now()
    own.covered(at)
    own.log("ada", 500)
    own.backups.seal()  # of a history that is given up
    given_up = own.now()
    own.covered(given_up)
    plan, made, proof = restored(own, Wanted(at=at, to=f"{own.name}-was"))
    assert proof.passed
    changed = change(own.backups, plan)
    switching = Switching(own.backups, Proxies(own.account), changed)

    for _ in range(2):  # as one that was killed
        switching.forth([])
    assert (own.events(own.name), own.events(changed.kept)) == (1500, 2000)
    assert own.aws.instance(changed.kept)["DeletionProtection"]
    secret = own.aws.instance(own.name)["MasterUserSecret"]["SecretArn"]
    own.function.environ = {**own.function.environ, "GYMOPS_APP_DATABASE_SECRET_ARN": secret}
    told = switching.goes_on()
    assert switching.goes_on() == told
    assert (told["proved"], told["seal"], told["events"]) == (1, 3, 1500)
    there = own.backups.aws.databases.find(own.name)
    assert there is not None
    assert not set(tags.ALL) & set(there.tags)
    with pytest.raises(GateRefused, match="no restore"):
        own.backups.drop(made.__class__(own.name, "", 0, None))

    # What was given up is still there, up to then, and held to what was sealed of it.
    (aside,) = (one for one in own.backups.listing().windows if one.aside)
    assert (aside.source, aside.id, aside.gone) == (changed.kept, changed.old, True)
    assert aside.earliest <= at < given_up <= aside.latest <= own.backups.seals.read()[-1].taken
    plan, made, proof = restored(own, Wanted(at=given_up, to=f"{own.name}-given-up"))
    assert (plan.source, proof.passed, proof.restored_events) == (changed.kept, True, 2000)
    own.backups.drop(made)

    own.log("ada", 10)
    sealed = own.backups.seal()
    assert sealed is not None
    assert sealed.events == 1510
    own.covered(own.now())
    _, _, proof = restored(own, Wanted())
    assert (proof.passed, proof.restored_events) == (True, 1510)


def test_it_is_taken_back_from_wherever_it_is(own: World) -> None:
    own.log("ada", 10)
    own.backups.seal()
    at = own.now()
    own.covered(at)
    before = own.aws.instance(own.name)
    plan, made, _ = restored(own, Wanted(at=at, to=f"{own.name}-was"))
    changed = change(own.backups, plan)
    switching = Switching(own.backups, Proxies(own.account), changed)
    databases = own.backups.aws.databases
    need_names(databases, "prod", changed)
    databases.rename(own.name, changed.kept)  # killed between the two
    with pytest.raises(GateRefused, match=f"is called {changed.kept} now") as told:
        need_names(databases, "prod", changed)
    assert f"gymops restore prod --to {made.name} --switch" in (told.value.hint or "")
    switching.back([])
    need_names(databases, "prod", changed)
    switching.forth([])
    for _ in range(2):
        switching.back([])
    after = own.aws.instance(own.name)
    assert after["DbiResourceId"] == before["DbiResourceId"]
    assert after["Endpoint"]["Port"] == before["Endpoint"]["Port"]
    assert own.aws.instance(made.name)["DbiResourceId"] == changed.new
