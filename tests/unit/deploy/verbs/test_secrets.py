"""New values through their stages: what is in force when, what is taken back, what a killed one leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gymops.aws.secrets import Secret
from gymops.aws.session import AwsError
from gymops.deploy.release.lock import Lock, Owner
from gymops.deploy.template import compose
from gymops.deploy.verbs import rotation, secrets
from gymops.deploy.verbs.rotation import NotReturned, NotTakenUp
from gymops.deploy.verbs.secrets import Way
from gymops.errors import ConfigError, GateRefused, GymopsError, LockHeld, Unknown
from tests.unit.clocks import START
from tests.unit.deploy.verbs.releasing import OWNER
from tests.unit.deploy.verbs.world import Died, World

LLM = "arn:aws:secretsmanager:us-west-1:123456789012:secret:llm-AbCdEf"
MASTER = "arn:aws:secretsmanager:us-west-1:123456789012:secret:rds!db-AbCdEf"

RESOURCES: dict[str, Any] = {
    "PasscodeSecret": {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"GenerateSecretString": {"PasswordLength": 24}},
    },
    "SessionSecret": {
        "Type": "AWS::SecretsManager::Secret",
        "Metadata": {"Rotation": {"Overlap": True}},
        "Properties": {"GenerateSecretString": {"PasswordLength": 64}},
    },
    "Database": {"Type": "AWS::RDS::DBInstance"},
    "Function": {"Type": "AWS::Lambda::Function"},
}


@dataclass
class MemoryKeeper:
    """Secrets in memory: stages move as on AWS, and each change is an effect of the world."""

    world: World
    there: dict[str, dict[str, str]] = field(default_factory=dict)
    """Secret -> stage -> version."""
    values: dict[str, str] = field(default_factory=dict)
    """Version -> its text."""
    function: str | None = None
    then: Callable[[str], None] = lambda _: None
    """What follows from a change: AWS or the app does something."""
    made: int = 0

    def find(self, name: str, region: str) -> Secret | None:
        if name not in self.there:
            return None
        owner = "rds" if name == MASTER else None
        return Secret(name, name, region, START, START, dict(self.there[name]), self.function, owner)

    def master(self, instance: str, region: str) -> str | None:
        return MASTER

    def named_by(self, function: str, region: str) -> Mapping[str, str]:
        return {"SIGNING": "sessionsecret"} if function == "function" else {}

    def pend(self, secret: Secret, rule: Mapping[str, Any] | None, text: str | None, token: str) -> str:
        self.made += 1
        version = f"v{self.made}"
        self.values[version] = text or f"made with {rule}"
        self._do(f"pend {version}", lambda: self.there[secret.arn].update(AWSPENDING=version))
        return version

    def move(self, secret: Secret, stage: str, to: str | None, away: str) -> None:
        stages = self.there[secret.arn]
        assert stages.get(stage) == away, (stage, stages, away)

        def do() -> None:
            if to is None:
                del stages[stage]
            else:
                stages[stage] = to
                if stage == "AWSCURRENT":
                    stages["AWSPREVIOUS"] = away

        self._do(f"{stage} {to}", do)

    def rotate(self, secret: Secret, token: str) -> None:
        self._do("rotate", lambda: None)

    def _do(self, what: str, do: Callable[[], None]) -> None:
        self.world.effect(what, do)
        self.then(what)


@pytest.fixture
def staging() -> World:
    """One version serves; the stack has what matters here."""
    world = World("staging")
    world.there["gym-app-base"] = {"template": "{}", "parameters": {}}
    world.there[world.deployment.prefix] = {
        "template": json.dumps({"Resources": RESOURCES}),
        "parameters": {},
    }
    world.versions, world.alias, world.schema = {"1": {"code": "one"}}, "1", ["0001", "0002"]
    return world


@pytest.fixture
def keeper(staging: World) -> MemoryKeeper:
    there = {name: {"AWSCURRENT": "old"} for name in ("sessionsecret", "passcodesecret", MASTER, LLM)}
    return MemoryKeeper(staging, there)


def rotate(world: World, keeper: MemoryKeeper, name: str = "SessionSecret", text: str | None = None) -> None:
    site = world.site()
    every = secrets.known(site, keeper)
    wanted = [secrets.settable(site, every, name)] if text else secrets.chosen(site, every, name)
    rotation.change(site, keeper, OWNER, wanted, text)


def breaks(world: World, when: str) -> Callable[[str], None]:
    """The app fails from some change on."""
    return lambda what: world.bad.add(world.versions[world.alias]["code"]) if what == when else None


def test_the_secrets_of_an_environment_and_how_each_is_renewed(staging: World, keeper: MemoryKeeper) -> None:
    staging.app["parameters"]["LlmKeySecretArn"] = LLM
    found = {one.name: one for one in secrets.known(staging.site(), keeper)}
    assert {name: one.way for name, one in found.items()} == {
        "PasscodeSecret": Way.CUT, "SessionSecret": Way.OVERLAP, "Database": Way.RDS,
        "LlmKeySecretArn": Way.GIVEN,
    }  # fmt: skip
    assert found["SessionSecret"].readers == ("Function (SIGNING)",)
    assert (found["SessionSecret"].rule or {})["PasswordLength"] == 64
    every = list(found.values())
    unasked = secrets.chosen(staging.site(), every, None)
    assert [one.name for one in unasked] == ["Database", "SessionSecret"]
    with pytest.raises(ConfigError) as told:
        secrets.chosen(staging.site(), every, "LlmKeySecretArn")
    assert told.value.hint == "gymops secrets set staging LlmKeySecretArn"
    with pytest.raises(ConfigError, match="is set by RDS"):
        secrets.settable(staging.site(), every, "Database")
    with pytest.raises(ConfigError, match="no secret 'Session'"):
        secrets.chosen(staging.site(), every, "Session")


def test_what_the_stack_handed_on_is_never_renewed(staging: World, keeper: MemoryKeeper) -> None:
    body = {"Metadata": {"Rotation": {"Stack": True}}, "Properties": {"GenerateSecretString": {}}}
    one = next(one for one in secrets.known(staging.site(), keeper) if one.name == "PasscodeSecret")
    held = replace(one, way=secrets._way(one.secret, body))
    for refused in (secrets.chosen, secrets.settable):
        with pytest.raises(ConfigError, match="PasscodeSecret is in what the stack made with it"):
            refused(staging.site(), [held], "PasscodeSecret")
    assert secrets.chosen(staging.site(), [held], None) == []


def test_a_new_value_is_known_to_all_before_it_is_in_force(staging: World, keeper: MemoryKeeper) -> None:
    at: dict[str, float] = {}
    keeper.then = lambda what: at.update({what: staging.clock.monotonic()})
    rotate(staging, keeper)
    assert staging.effects == ["pend v1", "AWSCURRENT v1", "AWSPENDING None"]
    assert at["AWSCURRENT v1"] - at["pend v1"] >= 20
    assert at["AWSPENDING None"] - at["AWSCURRENT v1"] >= 20
    assert keeper.there["sessionsecret"] == {"AWSCURRENT": "v1", "AWSPREVIOUS": "old"}
    assert "64" in keeper.values["v1"]


def test_a_value_that_is_not_taken_is_never_in_force(staging: World, keeper: MemoryKeeper) -> None:
    keeper.then = breaks(staging, "pend v1")
    with pytest.raises(NotTakenUp, match="never in force") as told:
        rotate(staging, keeper)
    assert told.value.exit_code == 5
    assert keeper.there["sessionsecret"] == {"AWSCURRENT": "old"}


def test_a_value_that_fails_when_it_is_in_force_is_taken_back(staging: World, keeper: MemoryKeeper) -> None:
    keeper.then = breaks(staging, "AWSCURRENT v1")
    with pytest.raises(NotTakenUp, match="the one before is back") as told:
        rotate(staging, keeper)
    assert told.value.exit_code == 5
    assert keeper.there["sessionsecret"] == {"AWSCURRENT": "old", "AWSPREVIOUS": "v1"}


def test_what_cannot_be_taken_back_is_said(
    staging: World, keeper: MemoryKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def then(what: str) -> None:
        breaks(staging, "AWSCURRENT v1")(what)
        if what == "AWSCURRENT v1":
            monkeypatch.setattr(keeper, "move", refused)

    def refused(*_: object) -> None:
        raise AwsError("not allowed", reason="AccessDeniedException")

    keeper.then = then
    with pytest.raises(NotReturned, match="not allowed") as told:
        rotate(staging, keeper)
    assert told.value.exit_code == 6


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_anywhere_the_same_command_ends_it(
    staging: World, keeper: MemoryKeeper, at: int, after: bool
) -> None:
    """And does not begin another: what was in force before is the previous one."""
    staging.dies_at = (at, after)
    with pytest.raises(Died):
        rotate(staging, keeper)
    staging.clock.sleep(120)
    staging.dies_at = None
    if (at, after) != (3, True):  # there it was done
        rotate(staging, keeper)
    made = keeper.there["sessionsecret"].pop("AWSCURRENT")
    assert made in keeper.values
    assert keeper.there["sessionsecret"] == {"AWSPREVIOUS": "old"}


def test_one_that_is_gone_on_with_can_be_taken_back_too(
    staging: World, keeper: MemoryKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the new value was in force, and not yet found good."""
    keeper.there["sessionsecret"] = {"AWSCURRENT": "new", "AWSPENDING": "new", "AWSPREVIOUS": "old"}
    sleep = staging.clock.sleep

    def breaking(seconds: float) -> None:
        staging.bad.add(staging.serves)
        sleep(seconds)

    monkeypatch.setattr(staging.clock, "sleep", breaking)
    with pytest.raises(NotTakenUp, match="the one before is back"):
        rotate(staging, keeper)
    assert keeper.there["sessionsecret"] == {"AWSCURRENT": "old", "AWSPREVIOUS": "new"}


def test_a_value_that_somebody_gives_takes_the_place_of_a_pending_one(
    staging: World, keeper: MemoryKeeper
) -> None:
    keeper.there["passcodesecret"]["AWSPENDING"] = "half"
    rotate(staging, keeper, "PasscodeSecret", "correct horse")
    assert keeper.there["passcodesecret"] == {"AWSCURRENT": "v1", "AWSPREVIOUS": "old"}
    assert keeper.values["v1"] == "correct horse"
    assert not [line for line in staging.said if "horse" in line]


def test_no_release_and_no_other_rotation_runs_at_once(staging: World, keeper: MemoryKeeper) -> None:
    other = Owner("ben", "desktop", 8)
    with (
        Lock(staging.store, "staging", other, staging.clock).take(lambda: True),
        pytest.raises(LockHeld, match="ben@desktop"),
    ):
        rotate(staging, keeper)
    assert staging.effects == []


def test_an_app_that_does_not_answer_before_is_left_alone(staging: World, keeper: MemoryKeeper) -> None:
    staging.bad.add(staging.serves)
    with pytest.raises(GateRefused, match="nobody could tell"):
        rotate(staging, keeper)
    assert staging.effects == []
    with pytest.raises(GateRefused, match="nothing was released to prod"):
        rotation.change(World("prod").site(), keeper, OWNER, [])


def test_an_app_that_does_not_say_when_it_reads_again_is_not_waited_for(
    staging: World, keeper: MemoryKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = staging.outputs(staging.deployment.prefix)
    del given["SecretSeconds"]
    there = staging.outputs
    name = staging.deployment.prefix
    monkeypatch.setattr(staging, "outputs", lambda stack: given if stack == name else there(stack))
    with pytest.raises(GateRefused, match="no output SecretSeconds"):
        rotate(staging, keeper)
    assert staging.effects == []


def test_what_aws_does_not_answer_is_no_failure(staging: World, keeper: MemoryKeeper) -> None:
    def lost(what: str) -> None:
        raise AwsError("the service does not answer", reason="Unreachable", unknown=True)

    keeper.then = lost
    with pytest.raises(Unknown, match="not known how far") as told:
        rotate(staging, keeper)
    assert told.value.exit_code == 8
    assert "AWSPENDING" in keeper.there["sessionsecret"]


def test_rds_is_waited_for_and_the_database_asked_with_its_new_password(
    staging: World, keeper: MemoryKeeper
) -> None:
    keeper.then = lambda what: keeper.there[MASTER].update(AWSCURRENT="new") if what == "rotate" else None
    rotate(staging, keeper, "Database")
    assert staging.effects == ["rotate"]

    def breaking(_: str) -> None:
        keeper.there[MASTER].update(AWSCURRENT="newer")
        staging.bad.add(staging.serves)

    keeper.then = breaking
    with pytest.raises(GymopsError, match="there is a new value, and staging does not answer") as told:
        rotate(staging, keeper, "Database")
    assert told.value.exit_code == 1


def test_rds_that_takes_its_time_may_still_be_at_it(
    staging: World, keeper: MemoryKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_PATIENCE", 30.0)  # nobody gives signs of life by this clock
    with pytest.raises(Unknown, match="RDS may still be at it"):
        rotate(staging, keeper, "Database")
    assert staging.clock.monotonic() >= 30


def test_a_rotation_function_that_fails_leaves_the_old_value(staging: World, keeper: MemoryKeeper) -> None:
    keeper.function = "arn:aws:lambda:us-west-1:123456789012:function:rotate"
    with pytest.raises(NotTakenUp, match="its rotation function failed"):
        rotate(staging, keeper)
    assert keeper.there["sessionsecret"] == {"AWSCURRENT": "old"}


def test_the_trackers_own_are_renewed_as_they_are_meant_to_be() -> None:
    """By its template: the one in RESOURCES is made up."""
    architecture = World("staging").deployment.architecture
    declared = compose(architecture.stack("app").template).body["Resources"]
    overlap = {name for name, one in declared.items() if "Rotation" in (one.get("Metadata") or {})}
    assert overlap == {"SessionSecret"}
    assert all(
        "GenerateSecretString" in declared[name]["Properties"] for name in ("SessionSecret", "PasscodeSecret")
    )


def test_what_is_listed_holds_no_value(staging: World, keeper: MemoryKeeper) -> None:
    (one,) = [one for one in secrets.known(staging.site(), keeper) if one.name == "SessionSecret"]
    pending = replace(one, secret=replace(one.secret, stages={"AWSCURRENT": "v", "AWSPENDING": "w"}))
    assert (one.as_dict()["unfinished"], pending.as_dict()["unfinished"]) == (False, True)
    assert json.loads(json.dumps(one.as_dict()))["changed"] == "2026-01-01T00:00:00+00:00"
