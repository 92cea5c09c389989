"""Rules of our own: what cfn-lint does not look at, and what this project does not want.

A rule is a function of one ``Subject`` that yields findings. It registers itself under a code that starts
with G; G00x is IAM, G01x values, G02x what holds data, G03x the network, G04x backups, G05x how an app is
reached, G06x the suppressions themselves (they are in ``gymops.deploy.lint``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gymops.deploy.evaluate import evaluate
from gymops.deploy.template import Steps, Template


@dataclass(frozen=True)
class Found:
    """Something that should not be: where, why, and what within the resource (a statement, for one)."""

    path: Steps
    message: str
    what: str = ""
    """Narrows a suppression: ``G002 Logs`` is about the statement Logs only."""


@dataclass(frozen=True)
class Subject:
    """A template, and the values of its parameters in each environment it is meant for."""

    template: Template
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Never empty: without any, the defaults count as one environment."""

    def values(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Each environment and what ``value`` comes to in it."""
        for name, parameters in self.environments.items():
            yield name, evaluate(value, self.template, parameters)


Rule = Callable[[Subject], Iterator[Found]]

RULES: dict[str, Rule] = {}
"""Code -> rule; its docstring's first line says what it is for."""


def rule(code: str) -> Callable[[Rule], Rule]:
    """Register a rule."""

    def register(function: Rule) -> Rule:
        if code in RULES:
            raise AssertionError(f"two rules are called {code}")
        RULES[code] = function
        return function

    return register


def every() -> dict[str, Rule]:
    """All rules, imported when first asked for."""
    from gymops.deploy.rules import backup, iam, network, serving, stateful, values  # noqa: F401

    return RULES


def strings(value: Any) -> Iterator[str]:
    """Every text inside a value, whatever intrinsic functions it stands in."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def listed(value: Any) -> list[Any]:
    """A value that may be one or a list, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
