"""Releases of a service: its tasks are asked by their health check while they take over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gymops.aws.deployments import UNHEALTHY
from gymops.aws.drift import Drifted
from gymops.aws.session import AwsError
from gymops.aws.stack import Detail
from gymops.aws.tasks import Ran
from gymops.config import Environment
from gymops.deploy.release.ledger import Release
from gymops.deploy.release.plan import Outcome
from gymops.deploy.traffic import Returned, Shape
from gymops.deploy.verbs import needs
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.drift import drift
from gymops.deploy.verbs.failures import NothingToReturnTo, WorkFailed
from gymops.deploy.verbs.promote import promote
from gymops.deploy.verbs.rollback import rollback
from gymops.deploy.verbs.serving import differing
from gymops.deploy.verbs.site import Site
from gymops.errors import ConfigError
from tests.unit.deploy.shipped import stack
from tests.unit.deploy.verbs.releasing import OWNER, ledger
from tests.unit.deploy.verbs.test_images import image
from tests.unit.deploy.verbs.world import World, _Functions

OF = "productivity-fargate"


class Services(_Functions):
    world: Fargate
    """Tasks that do not get healthy are not kept, and those before them serve on."""

    def serve(self, function: str, alias: str, version: str, *, reference: str = "", shape: str = "") -> None:
        assert (function, alias) == ("cluster/service", self.world.alias_of)
        self.world.shapes.append(shape)
        if self.world.versions[version]["code"] in self.world.bad:
            self.world.effect(f"return from {version}", lambda: None)
            raise AwsError(f"version {version} does not get healthy: exit 1", reason=UNHEALTHY)
        super().serve(function, alias, version)


@dataclass
class Fargate(World):
    architecture: str = OF
    shapes: list[str] = field(default_factory=list)
    """In which each version was served."""

    @property
    def by_codedeploy(self) -> bool:
        return self.deployment.parameters.get("BlueGreen") == "true"

    @property
    def alias_of(self) -> str:
        return "application/group" if self.by_codedeploy else ""

    def site(self) -> Site:
        return replace(super().site(), services=Services(self))

    def outputs(self, name: str) -> dict[str, str]:
        found = super().outputs(name)
        if name != self.deployment.prefix:
            return found
        given = {"ClusterName": "cluster", "ServiceName": "service", "HealthPath": "/api/health"}
        more = {"DeploymentApplication": "application", "DeploymentGroup": "group"}
        if command := self.deployment.parameters.get("SchemaCommand"):
            given["SchemaCommand"] = command
        return {**given, **more} if self.by_codedeploy else given


@pytest.fixture
def staging(monkeypatch: pytest.MonkeyPatch) -> Fargate:
    world = Fargate("staging")
    monkeypatch.setattr(_Functions, "invoke", _healthy)
    return world


def _healthy(self: _Functions, function: str, *_: object, **__: object) -> object:
    from gymops.aws.functions import Invocation

    assert function == "cluster/service"
    return Invocation(self.world.alias, {"statusCode": 200, "body": "2 healthy"}, False, 0.1)


def release(world: World, folder: Path, text: str) -> Release:
    return deploy(world.site(), image(folder, text), OWNER, token="t")


def test_its_health_path_is_what_is_asked_once_it_serves(staging: Fargate, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    before = len(staging.effects)
    done = release(staging, tmp_path, "two")
    changed = [what for what in staging.effects[before:] if not what.startswith(("blob", "tag"))]
    prefix = staging.deployment.prefix
    assert changed == [f"stack {prefix}", "version 2", "serve 2", f"stack {prefix}"]
    assert staging.said.index("version 2 serves") < staging.said.index("version 2 answers /api/health")
    assert [(one["path"], one["status"]) for one in done.smoke] == [("/api/health", 200)]
    assert (done.version, done.outcome) == ("2", Outcome.SUCCEEDED)
    assert not differing(staging.site(), done)


def test_tasks_that_do_not_get_healthy_leave_everything_as_it_was(staging: Fargate, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    before = dict(staging.app)
    staging.bad.add(image(tmp_path, "two").artefact.digest)
    with pytest.raises(
        Returned, match="version 2 does not get healthy: exit 1; the version before"
    ) as caught:
        release(staging, tmp_path, "two")
    assert caught.value.exit_code == 5
    assert staging.serves == image(tmp_path, "one").artefact.digest
    assert staging.app == before
    assert [one.outcome for one in ledger(staging)] == [Outcome.SUCCEEDED, Outcome.ROLLED_BACK]


def test_the_way_back_is_a_task_definition_of_then(staging: Fargate, tmp_path: Path) -> None:
    for text in ("one", "two"):
        release(staging, tmp_path, text)
    before = len(staging.effects)
    done = rollback(staging.site(), OWNER)
    assert (done.version, staging.effects[before]) == ("1", "serve 1")
    staging.bad.add(image(tmp_path, "two").artefact.digest)
    with pytest.raises(NothingToReturnTo, match="does not work any more: version 2 does not get healthy"):
        rollback(staging.site(), OWNER, number=2)
    assert staging.alias == "1"


def test_its_schema_is_brought_up_to_date_by_a_task_before_any_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = Fargate("staging", own=Environment(parameters={"SchemaCommand": "npx migrate"}))
    monkeypatch.setattr(_Functions, "invoke", _healthy)
    release(world, tmp_path, "one")
    before = len(world.effects)
    world.ran = Ran(1, "Essential container exited", ("migrating", "column name: there is none"))
    with pytest.raises(WorkFailed, match="npx migrate ended with 1: migrating; column name: there is none"):
        release(world, tmp_path, "two")
    done = [what for what in world.effects[before:] if not what.startswith(("blob", "tag"))]
    prefix = world.deployment.prefix
    assert done == [f"stack {prefix}", "version 2", "npx migrate by 2 for -schema", f"stack {prefix}"]
    world.ran = Ran(None, "CannotPullContainerError", ())
    with pytest.raises(WorkFailed, match="npx migrate did not run: CannotPullContainerError"):
        release(world, tmp_path, "two")
    assert world.alias == "1"


def by_codedeploy(traffic: str) -> Fargate:
    return Fargate("staging", own=Environment(parameters={"BlueGreen": "true"}, traffic=traffic))


def test_codedeploy_moves_the_requests_in_the_shape_that_is_set_and_back_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = by_codedeploy("Linear10PercentEvery1Minute")
    monkeypatch.setattr(_Functions, "invoke", _healthy)
    for text in ("one", "two"):
        done = release(world, tmp_path, text)
    assert (done.version, done.outcome) == ("2", Outcome.SUCCEEDED)
    rollback(world.site(), OWNER)
    assert (world.shapes[-3:], world.alias) == (
        ["Linear10PercentEvery1Minutes", "", "Linear10PercentEvery1Minutes"],
        "1",
    )


def test_a_shape_that_codedeploy_lacks_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    world = by_codedeploy("Canary20Percent5Minutes")
    with pytest.raises(ConfigError, match="CodeDeploy has no Canary20Percent5Minutes") as caught:
        release(world, tmp_path, "one")
    assert "Canary10Percent15Minutes" in str(caught.value.hint)
    assert world.effects == []


def test_it_is_refused_as_early_where_it_is_promoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What comes after would have run the schema's command by then."""
    monkeypatch.setattr(_Functions, "invoke", _healthy)
    source = by_codedeploy("AllAtOnce")
    release(source, tmp_path, "one")
    own = Environment(parameters={"BlueGreen": "true"}, traffic="Canary20Percent5Minutes")
    prod = Fargate("prod", clock=source.clock, own=own)
    with pytest.raises(ConfigError, match="CodeDeploy has no Canary20Percent5Minutes"):
        promote(source.site(), prod.site(), OWNER, token="t", approved_by="olu")
    assert f"stack {prod.deployment.prefix}" not in prod.effects


def test_what_codedeploy_exchanged_is_no_drift(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_Functions, "invoke", _healthy)
    world = by_codedeploy("AllAtOnce")
    release(world, tmp_path, "one")

    def looked(kind: str, *paths: str) -> Drifted:
        details = tuple(Detail("Properties", path=f"/Properties/{path}") for path in paths)
        return Drifted(kind.rpartition(":")[2], kind, "arn", "MODIFIED", details)

    rule, service = "AWS::ElasticLoadBalancingV2::ListenerRule", "AWS::ECS::Service"
    targets = ("Actions/0/TargetGroupArn", "Actions/0/ForwardConfig/TargetGroups/0/TargetGroupArn")
    exchanged = [looked(rule, *targets), looked(service, "TaskDefinition", "LoadBalancers/0/TargetGroupArn")]
    prefix = world.deployment.prefix
    world.drifted[prefix] = exchanged
    assert not drift(world.site()).found
    world.drifted[prefix] = [*exchanged, looked(service, "TaskDefinition", "DesiredCount")]
    (found,) = next(one for one in drift(world.site()).stacks if one.stack == prefix).resources
    assert [one.path for one in found.details] == ["/Properties/DesiredCount"]
    plain = Fargate("staging")
    release(plain, tmp_path, "one")
    plain.drifted[plain.deployment.prefix] = exchanged
    assert drift(plain.site()).found


def test_a_share_of_requests_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    world = Fargate("staging", own=Environment(traffic="Canary10Percent5Minutes"))
    with pytest.raises(ConfigError, match="a service has no shares"):
        release(world, tmp_path, "one")
    assert world.effects == []
    plain = replace(world.deployment, traffic=Shape.parse("AllAtOnce"))
    needs.check(plain, stack("app", OF), "image")
