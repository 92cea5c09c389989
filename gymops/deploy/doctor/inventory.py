"""What an environment's templates make, with its parameters, before any of it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gymops.deploy.environment import Deployment
from gymops.deploy.evaluate import evaluate
from gymops.deploy.template import Stack, Template, compose


@dataclass(frozen=True)
class Made:
    """A resource that a deploy makes."""

    stack: str
    """The stack's full name."""
    region: str
    name: str
    """Its logical id."""
    kind: str
    properties: Mapping[str, Any]
    """As far as they are known: ``UNKNOWN`` where only AWS can say."""


class FromStack(str):
    """A parameter that an earlier stack gives: not empty, and no more is known."""

    __slots__ = ()


def inventory(deployment: Deployment, brought: Mapping[str, str]) -> list[Made]:
    """Every resource of every stack; ``brought`` are parameters that a release brings.

    What a condition only AWS can decide may leave out is listed.

    Raises:
        ConfigError: a template cannot be read.
    """
    found: dict[str, str] = {}
    made: list[Made] = []
    for stack in deployment.stacks():
        template = compose(stack.template)
        made += _of(deployment, stack, template, {**deployment.parameters, **brought, **found})
        given = template.body.get("Outputs") or {}
        found |= {name: FromStack(f"{name}-of-{deployment.stack_name(stack)}") for name in given}
    return made


def _of(deployment: Deployment, stack: Stack, template: Template, known: Mapping[str, str]) -> Iterator[Made]:
    values = {
        name: known.get(name, _text(one.get("Default", "")))
        for name, one in template.parameters.items()
        if name in known or "Default" in one
    }
    for one in template.resources():
        condition = one.body.get("Condition")
        if condition and evaluate({"Condition": condition}, template, values) is False:
            continue
        yield Made(
            deployment.stack_name(stack), deployment.region_of(stack), one.name, one.kind,
            evaluate(one.properties, template, values),
        )  # fmt: skip


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def texts(value: Any) -> list[str]:
    """The texts of a list that are known."""
    found = value if isinstance(value, list) else []
    return [one for one in found if isinstance(one, str) and not isinstance(one, FromStack)]
