"""A repository's lifecycle policy, read for one question: may it take a released image away?

The grammar is ECR's. A rule that is not understood counts as one that may.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Threat:
    """A rule that may take a released image away."""

    rule: str
    """By its priority and description."""
    why: str


def threats(policy: str, images: Collection[frozenset[str]]) -> Sequence[Threat]:
    """The rules that may select one of the images, each given as its tags, of which it has at least one.

    Counts and ages are no help: they come about. What is archived cannot be started either.
    """
    try:
        rules = json.loads(policy)["rules"]
        found = [(_name(rule), _why(rule, images)) for rule in rules]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Threat("the policy", "it is not understood")]
    return [Threat(name, why) for name, why in found if why]


def _why(rule: dict[str, Any], images: Collection[frozenset[str]]) -> str | None:
    selection = rule["selection"]
    status = selection["tagStatus"]
    if status == "untagged":
        return None
    if status == "any":
        return "tagStatus any selects them too"
    patterns = [f"{one}*" for one in selection.get("tagPrefixList") or ()]
    patterns += selection.get("tagPatternList") or ()
    if status != "tagged" or not patterns:
        return f"its selection is not understood: tagStatus {status}"
    for tags in images:
        # ECR selects an image that has a tag for each of them.
        hit = [next((tag for tag in sorted(tags) if _matches(one, tag)), None) for one in patterns]
        if all(hit):
            return f"{', '.join(patterns)} selects {', '.join(dict.fromkeys(filter(None, hit)))}"
    return None


def _matches(pattern: str, tag: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tag) is not None


def _name(rule: dict[str, Any]) -> str:
    described = rule.get("description")
    return f"rule {rule['rulePriority']}" + (f" ({described})" if described else "")
