"""Every architecture's stacks from creation to end; what they say is there is asked of each service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gymops.deploy.template import names
from tests.integration.stacks.environment import Environment, Held, composed, shipped
from tests.integration.stacks.life import SINGLE, Life
from tests.integration.stacks.services import LOOK, find
from tests.integration.stacks.updates import LIVES

Make = Callable[..., Environment]


@pytest.mark.shows("each", "stacks")
@pytest.mark.parametrize("of", sorted(LIVES))
def test_it_is_made_and_goes(of: str, make: Make, hollow: Path) -> None:
    env = make(next(iter(LIVES[of].environments)), of, hollow)
    held = env.held()
    assert missing(env, held) == []
    env.delete()
    assert left(env, held) == retained(held)


@pytest.mark.long
@pytest.mark.shows("each", "stacks")
@pytest.mark.parametrize(
    ("of", "name"), [(life.architecture, name) for life in LIVES.values() for name in life.environments]
)
def test_what_is_made_exists_changes_and_goes(of: str, name: str, make: Make) -> None:
    life = LIVES[of]
    env = make(name, of)
    held = env.held()
    assert missing(env, held) == []
    update(env, life)
    assert unchanged(env, life) == []
    life.ends(env)
    env.delete()
    assert left(env, held) == retained(held) | life.leaves
    life.ended(env)


@pytest.mark.parametrize("of", names())
def test_every_type_has_its_service_and_its_update(of: str) -> None:
    life = LIVES[of]
    kinds = {resource.kind for one in shipped(of).stacks for resource in composed(of, one.name).resources()}
    assert kinds - set(LOOK) == set()
    changed = {one.kind for changes in life.updates.values() for one in changes}
    assert kinds - set(SINGLE) - set(life.single) == changed


def test_every_architecture_has_its_life() -> None:
    assert sorted(LIVES) == names()
    assert all(life.environments for life in LIVES.values())


def missing(env: Environment, held: list[Held]) -> list[str]:
    return [f"{one.stack}/{one.name}" for one in held if find(env, one) is None]


def left(env: Environment, held: list[Held]) -> set[tuple[str, str]]:
    return {(one.stack, one.name) for one in held if find(env, one)}


def retained(held: list[Held]) -> set[tuple[str, str]]:
    return {(one.stack, one.name) for one in held if one.policy == "RetainExceptOnCreate"}


def update(env: Environment, life: Life) -> None:
    """One update of each stack, in which every kind has a change."""
    for stack in env.stacks:
        env.send(stack, "update", life.updated(stack.name))
        env.rest(stack, "UPDATE_COMPLETE")


def unchanged(env: Environment, life: Life) -> list[str]:
    """The changes that a service does not show, and what was replaced without need."""
    there = {(one.stack, one.name): one for one in env.held()}
    wrong = []
    for stack in env.stacks:
        for change in life.updates.get(stack.name, ()):
            one = there.get((stack.name, change.resource))
            if one is None:
                continue
            found = change.seen(find(env, one))
            if found != change.wanted(env):
                wrong.append(f"{stack.name}/{one.name}: {found!r} and not {change.wanted(env)!r}")
    for place, one in there.items():
        if (one.physical != env.physical(*place)) is not (place in life.replaced):
            wrong.append(f"{place}: {one.physical}, before {env.physical(*place)}")
    return wrong
