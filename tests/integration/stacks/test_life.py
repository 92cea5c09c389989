"""titan-trakr's stacks from their creation to their end; what they say is there is asked of each service."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from gymops.deploy.template import architecture, names
from tests.integration.stacks.environment import Environment, Held, composed, titan
from tests.integration.stacks.services import LOOK, find
from tests.integration.stacks.updates import SINGLE, UPDATES, updated

pytestmark = pytest.mark.long

REPLACED = {("app", "PublicRoute")}
"""What is another after its update: a route is known by where it leads."""

Make = Callable[[str], Environment]


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_what_is_made_exists_changes_and_goes(name: str, make: Make) -> None:
    env = make(name)
    held = env.held()
    assert missing(env, held) == []
    update(env)
    assert unchanged(env) == []
    if name == "prod":
        refuse_to_go(env)
    env.delete()
    kept = {(one.stack, one.name) for one in held if find(env, one)}
    assert kept == {(one.stack, one.name) for one in held if one.policy == "RetainExceptOnCreate"}
    snapshots = env.client("rds").describe_db_snapshots()["DBSnapshots"]
    assert [one["DBInstanceIdentifier"] for one in snapshots] == [f"{name}-gym-app-db"]


def test_every_type_has_its_service_and_its_update() -> None:
    for stack in titan().stacks:
        kinds = {resource.kind for resource in composed(stack.name).resources()}
        assert kinds <= set(LOOK)
        assert kinds <= set(SINGLE) | {one.kind for changes in UPDATES.values() for one in changes}


def test_these_are_all_architectures() -> None:
    """Another one needs a test like these."""
    assert [architecture(name) for name in names()] == [titan()]


def missing(env: Environment, held: list[Held]) -> list[str]:
    return [f"{one.stack}/{one.name}" for one in held if find(env, one) is None]


def update(env: Environment) -> None:
    """One update of each stack, in which every kind has a change."""
    for stack in env.stacks:
        env.send(stack, "update", updated(stack.name))
        env.rest(stack, "UPDATE_COMPLETE")


def unchanged(env: Environment) -> list[str]:
    """The changes that a service does not show, and what was replaced without need."""
    there = {(one.stack, one.name): one for one in env.held()}
    wrong = []
    for stack in env.stacks:
        for change in UPDATES[stack.name]:
            one = there.get((stack.name, change.resource))
            if one is None:
                continue
            found = change.seen(find(env, one))
            if found != change.wanted(env):
                wrong.append(f"{stack.name}/{one.name}: {found!r} and not {change.wanted(env)!r}")
    for place, one in there.items():
        if (one.physical != env.physical(*place)) is not (place in REPLACED):
            wrong.append(f"{place}: {one.physical}, before {env.physical(*place)}")
    return wrong


def refuse_to_go(env: Environment) -> None:
    """A protected database stops the deletion, and nothing of it is lost."""
    app = titan().stack("app")
    client = env.client("cloudformation")
    client.delete_stack(StackName=env.stack_name(app))
    env.rest(app, "DELETE_FAILED")
    identifier = env.outputs["app"]["DatabaseIdentifier"]
    rds = env.client("rds")
    assert rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    with pytest.raises(ClientError, match="Cannot delete protected DB Instance"):
        rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
    rds.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True)
