"""What would change, found by comparing templates here: nothing is written, not even a change set.

It sees what the templates and the parameters say. It cannot see:

- whether a property whose value only AWS knows (an ARN, a dynamic reference, a secret parameter, a parameter
  that names an SSM parameter) comes to another value;
- what a replaced resource does to those that refer to it;
- what macros and transforms make of a template, and what is inside a nested stack;
- what was changed by hand (``drift`` tells), and whether AWS would accept the change at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gymops.deploy.evaluate import UNKNOWN, evaluate
from gymops.deploy.parameters import SECRETIVE
from gymops.deploy.stack.masking import MASK, references
from gymops.deploy.stack.port import Change, Detail
from gymops.deploy.template import Resource, Template

LIMITS = (
    "values that only AWS knows are not compared: ARNs, dynamic references, secret and SSM parameters",
    "what refers to a replaced resource, and what is inside macros and nested stacks, is not followed",
    "whether AWS accepts the change is not asked",
)

_ATTRIBUTES = ("Metadata", "CreationPolicy", "UpdatePolicy", "DeletionPolicy", "UpdateReplacePolicy")


@dataclass(frozen=True)
class Side:
    """A template with its parameters' values."""

    template: Template
    parameters: Mapping[str, str]

    def known(self) -> dict[str, str]:
        """The parameters whose values count: neither secret nor looked up by AWS."""
        return {
            name: value for name, value in self.parameters.items()
            if value != MASK and not self._hidden(name)
        }  # fmt: skip

    def resources(self) -> dict[str, Resource]:
        """The resources whose condition holds, or may hold."""
        known = self.known()
        return {
            one.name: one for one in self.template.resources()
            if "Condition" not in one.body
            or evaluate({"Condition": one.body["Condition"]}, self.template, known) is not False
        }  # fmt: skip

    def value(self, value: Any) -> Any:
        """What a piece of the template comes to."""
        return evaluate(value, self.template, self.known())

    def _hidden(self, name: str) -> bool:
        declared = self.template.parameters.get(name, {})
        return str(declared.get(SECRETIVE, "")).lower() == "true" or "SSM::Parameter" in str(
            declared.get("Type", "")
        )


def compare(present: Side, wanted: Side) -> tuple[Change, ...]:
    """The changes from one to the other; ``Replacement`` is left for the schemas to tell."""
    old, new = present.resources(), wanted.resources()
    changed = _differing(present.known(), wanted.known())
    found = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            found.append(Change("Add", name, new[name].kind))
        elif name not in new:
            policy = str(old[name].body.get("DeletionPolicy", ""))
            found.append(Change("Remove", name, old[name].kind, policy=policy))
        elif details := tuple(_details(present, old[name], wanted, new[name], changed)):
            found.append(Change("Modify", name, new[name].kind, details=details))
        elif old[name].kind != new[name].kind:
            found.append(Change("Modify", name, new[name].kind, replacement="True"))
    return tuple(found)


def _details(
    present: Side, old: Resource, wanted: Side, new: Resource, changed: set[str]
) -> Iterator[Detail]:
    for name in sorted(old.properties.keys() | new.properties.keys()):
        raw = old.properties.get(name), new.properties.get(name)
        before, after = present.value(raw[0]), wanted.value(raw[1])
        vague = _has_unknown(before) or _has_unknown(after)
        if before != after or (vague and (raw[0] != raw[1] or changed & set(references(raw[1])))):
            yield Detail(
                "Properties", name, f"/Properties/{name}", before=_shown(before), after=_shown(after),
                evaluation="Dynamic" if vague else "Static",
            )  # fmt: skip
    for attribute in _ATTRIBUTES:
        if old.body.get(attribute) != new.body.get(attribute):
            yield Detail(
                attribute,
                before=_shown(old.body.get(attribute)),
                after=_shown(new.body.get(attribute)),
                recreation="Never",
            )


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(_has_unknown, value))
    return value is UNKNOWN or (isinstance(value, str) and "{{resolve:" in value)


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=_unknown)


def _unknown(_: Any) -> str:
    return "known after deploying"
