"""The resources an environment has: its stacks' templates, with parameters and conditions put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from gymops.deploy.evaluate import NOTHING, UNKNOWN, evaluate
from gymops.deploy.template import Architecture, Resource, Stack, Template, compose

_OPEN: Mapping[str, str] = {"Environment": "prod", "AppName": "app", "Architecture": "arm64"}
"""For templates that declare these without a default; whatever else is open stays unknown."""


@dataclass(frozen=True, eq=False)
class Item:
    """One resource that is there: its properties as they come to, and as they are written."""

    name: str
    kind: str
    properties: Mapping[str, Any]
    raw: Mapping[str, Any]
    stack: str
    region: str

    def get(self, *path: str | int) -> Any:
        """A property; None where it is not there, or where only AWS knows it."""
        here: Any = self.properties
        for step in path:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return None
        return None if here is UNKNOWN or here is NOTHING else here

    def text(self, *path: str | int, default: str = "") -> str:
        """A property as text."""
        found = self.get(*path)
        return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else default

    def number(self, *path: str | int) -> Decimal | None:
        """A property as a number."""
        try:
            return Decimal(self.text(*path))
        except InvalidOperation:
            return None

    def on(self, *path: str | int) -> bool:
        """Whether a property is true, as a boolean or as a parameter's text."""
        return str(self.get(*path)).lower() == "true"

    def refers(self, name: str) -> str | None:
        """The resource of this template that a property names."""
        return referred(self.raw.get(name))


@dataclass(frozen=True)
class Inventory:
    """All resources of an environment, in the order of its stacks."""

    items: tuple[Item, ...]
    doubtful: tuple[Item, ...] = ()
    """Those whose condition only AWS can decide."""

    def of(self, *kinds: str) -> list[Item]:
        """The resources of some types."""
        return [item for item in self.items if item.kind in kinds]

    def named(self, name: str | None, stack: str) -> Item | None:
        """A resource of a stack."""
        return next((item for item in self.items if (item.name, item.stack) == (name, stack)), None)


def referred(value: Any) -> str | None:
    """The logical id behind ``Ref`` or ``Fn::GetAtt``."""
    if isinstance(value, dict) and len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref" and isinstance(argument, str):
            return argument
        if function == "Fn::GetAtt":
            return str(argument[0] if isinstance(argument, list) else argument).partition(".")[0]
    return None


def take(
    architecture: Architecture, environment: str, given: Mapping[str, str], region: str, *, last: bool
) -> Inventory:
    """Take the inventory of an environment.

    What an account has once (registry, zones) is in that of the environment nothing is promoted from.
    """
    known = dict(given)
    items: list[Item] = []
    doubtful: list[Item] = []
    for stack in architecture.stacks:
        if not stack.wanted(known) or (not last and (stack.optional or stack.scope == "account")):
            continue
        template = compose(stack.template)
        values = _values(template, {**_OPEN, "Environment": environment}, known)
        where = region if stack.region == architecture.region else stack.region
        for resource, certain in _present(template, values):
            (items if certain else doubtful).append(_item(resource, template, values, stack, where))
        known |= _outputs(template, values, known)
    return Inventory(tuple(items), tuple(doubtful))


def _values(template: Template, otherwise: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """A template's parameters: given, by default, or what every template is given; the others are unknown."""
    values = {}
    for name, declared in template.parameters.items():
        if name in known:
            values[name] = known[name]
        elif isinstance(declared, dict) and "Default" in declared:
            default = declared["Default"]
            values[name] = str(default).lower() if isinstance(default, bool) else str(default)
        elif name in otherwise:
            values[name] = otherwise[name]
    return values


def _present(template: Template, values: Mapping[str, str]) -> Iterator[tuple[Resource, bool]]:
    for resource in template.resources():
        condition = resource.body.get("Condition")
        there = True if condition is None else evaluate({"Condition": condition}, template, values)
        if there is UNKNOWN:
            yield resource, False
        elif there:
            yield resource, True


def _item(
    resource: Resource, template: Template, values: Mapping[str, str], stack: Stack, region: str
) -> Item:
    found = evaluate(resource.properties, template, values)
    properties = found if isinstance(found, dict) else {}
    return Item(resource.name, resource.kind, properties, resource.properties, stack.name, region)


def _outputs(template: Template, values: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """What later stacks are given: outputs have a value once the stack is there, whichever it is."""
    outputs = template.body.get("Outputs") or {}
    return {
        name: name
        for name, output in outputs.items()
        if name not in known
        and (
            "Condition" not in output
            or evaluate({"Condition": output["Condition"]}, template, values) is True
        )
    }
