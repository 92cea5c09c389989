"""The gymops.toml of an architecture: its environments, and every parameter with what it is for."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from gymops.deploy.template import Architecture, Stack, compose

_WIDTH = 108

_ENVIRONMENTS = ("local", "staging", "prod")
"""The usual ones first; others after them, by name."""


def settings(architecture: Architecture) -> str:
    """What an architecture adds to the commented gymops.toml.

    Parameters that the architecture sets for an environment stand there; all others are comments, with their
    defaults. A value in this file wins over the architecture's own. What only an earlier stack can give is
    left out.
    """
    template = compose(architecture.stack("app").template)
    given = {name for one in architecture.stacks if one.name != "app" for name in _outputs(one)}
    asked = {
        name: declared
        for name, declared in template.parameters.items()
        if "Default" in declared or name not in given
    }
    set_there = {name for values in architecture.environments.values() for name in values}
    for one in architecture.stacks:  # another stack's, where an environment sets it
        others = compose(one.template).parameters
        asked |= {name: others[name] for name in others if name in set_there and name not in asked}
    named = [name for name in _ENVIRONMENTS if name in architecture.environments]
    rest = sorted(set(architecture.environments) - set(named))
    blocks = [_environment(name, architecture.environments[name], asked) for name in [*named, *rest]]
    return "\n".join(blocks)


def _outputs(stack: Stack) -> Mapping[str, Any]:
    return compose(stack.template).body.get("Outputs") or {}


def _environment(name: str, values: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    lines = [f"[environments.{name}.parameters]"]
    for parameter, declared in parameters.items():
        lines += _comment(declared)
        if parameter in values:
            lines.append(f"{parameter} = {json.dumps(values[parameter])}")
        else:
            lines.append(f"#{parameter} = {json.dumps(str(declared.get('Default', '')))}")
    return "\n".join(lines) + "\n"


def _comment(declared: Mapping[str, Any]) -> Iterator[str]:
    text = str(declared.get("Description", ""))
    if limits := _limits(declared):
        text += f" [{limits}]"
    yield from textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _limits(declared: Mapping[str, Any]) -> str:
    if "AllowedValues" in declared:
        return ", ".join(str(one) or "empty" for one in declared["AllowedValues"])
    if "MinValue" in declared or "MaxValue" in declared:
        return f"{declared.get('MinValue', '-')} to {declared.get('MaxValue', '-')}"
    return ""
