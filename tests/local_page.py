"""Write the generated tables of docs/local-aws.md: ``make tables``."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from gymops.deploy.template import architecture, compose, names
from gymops.local.coverage import PARTS, Kind, resource_type
from tests import generated

PAGE = Path(__file__).parents[1] / "docs" / "local-aws.md"


def parts() -> str:
    """What is real, emulated and absent, as ``gymops local status`` says it."""
    rows = ["| part of AWS | | |", "|---|---|---|"]
    rows += [f"| {part.name} | {part.kind.value} | {part.note} |" for part in PARTS]
    return "\n".join(rows)


def types() -> str:
    """Every resource type of the architectures, with those that have it and how far it is there."""
    users: dict[str, list[str]] = defaultdict(list)
    for name in names():
        templates = [compose(stack.template) for stack in architecture(name).stacks]
        for kind in sorted({resource.kind for one in templates for resource in one.resources()}):
            users[kind].append(name)
    found = [resource_type(name) for name in sorted(users)]
    real, ours = sum(one.kind is Kind.REAL for one in found), sum(one.ours for one in found)
    counts = f"{len(found)} types: {real} real, {len(found) - real} emulated; {ours} registered by gymops."
    rows = [
        counts,
        "",
        "| resource type | architectures | | registered by gymops |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| `{one.name}` | {', '.join(users[one.name])} | {one.kind.value} | {'yes' if one.ours else ''} |"
        for one in found
    ]
    return "\n".join(rows)


def written(text: str) -> str:
    """The page with its tables as they are now."""
    return generated.written(text, {"parts": parts(), "types": types()})


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
