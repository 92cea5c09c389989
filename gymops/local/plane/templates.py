"""What CloudFormation refuses in a template or its parameters, and the emulator lets pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gymops.local.plane import ministack


def install() -> None:
    """Refuse it before anything is made. A ``ValueError`` becomes AWS's ``ValidationError``."""
    stacks = ministack.module("ministack.services.cloudformation.handlers")
    changes = ministack.module("ministack.services.cloudformation.changesets")
    ministack.wrap(stacks, "validate_template_support", _whole)
    ministack.wrap(stacks, "_resolve_parameters", _known)
    ministack.wrap(changes, "validate_template_support", _whole)
    ministack.wrap(changes, "_resolve_parameters", _known)
    # Without its own check of permissions the emulator does not ask for these either.
    ministack.wrap(stacks, "_capabilities_enforced", lambda _: lambda: True)


def _known(original: Callable[..., Any]) -> Callable[..., Any]:
    def resolve(template: Any, provided_params: list[Any], previous_params: Any = None) -> Any:
        declared = template.get("Parameters") or {}
        if unknown := sorted({one["Key"] for one in provided_params if one.get("Key") not in declared}):
            raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        return original(template, provided_params, previous_params)

    return resolve


def _whole(original: Callable[..., Any]) -> Callable[..., Any]:
    def validate(template: Any, conditions: Any, params: Any = None) -> None:
        resources = template.get("Resources")
        if not resources or not isinstance(resources, dict):
            raise ValueError("Template format error: At least one Resources member must be defined.")
        original(template, conditions, params)
        for block in ("Resources", "Outputs"):
            if missing := sorted(set(_unresolved(template, block))):
                raise ValueError(
                    f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] in the"
                    f" {block} block of the template"
                )
        # It knows a circle when it is asked for the order.
        ministack.module("ministack.services.cloudformation.engine")._topological_sort(resources, conditions)

    return validate


def _unresolved(template: Any, block: str) -> Iterator[str]:
    engine = ministack.module("ministack.services.cloudformation.engine")
    there = {*(template.get("Parameters") or {}), *template["Resources"]}
    for entry in (template.get(block) or {}).values():
        named = [name for name, _ in engine._intrinsic_references(entry)]
        after = entry.get("DependsOn", []) if block == "Resources" else []
        named += [after] if isinstance(after, str) else after
        yield from (name for name in named if name not in there and not name.startswith("AWS::"))
