"""What a template may only do when it is acknowledged: make IAM resources.

(The third capability, CAPABILITY_AUTO_EXPAND, is for macros, and has no meaning for change sets.)
"""

from __future__ import annotations

from collections.abc import Sequence

from gymops.deploy.template import Template
from gymops.errors import ConfigError

IAM = "CAPABILITY_IAM"
NAMED_IAM = "CAPABILITY_NAMED_IAM"

_TYPES = frozenset(
    f"AWS::IAM::{name}"
    for name in (
        "AccessKey", "Group", "InstanceProfile", "ManagedPolicy", "Policy", "Role", "User",
        "UserToGroupAddition",
    )
)  # fmt: skip
_NAMES = frozenset({"GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName"})


def needed(template: Template) -> dict[str, tuple[str, ...]]:
    """Each capability the template needs, and the resources it is needed for."""
    found: dict[str, list[str]] = {}
    for resource in template.resources(*_TYPES):
        named = resource.kind != "AWS::IAM::Policy" and _NAMES & resource.properties.keys()
        found.setdefault(NAMED_IAM if named else IAM, []).append(resource.name)
    if NAMED_IAM in found and IAM in found:
        found[NAMED_IAM] = sorted(found[NAMED_IAM] + found.pop(IAM))  # it includes the other
    return {name: tuple(whose) for name, whose in found.items()}


def check(template: Template, given: Sequence[str]) -> None:
    """Refuse what AWS would refuse, and say what it is for.

    Raises:
        ConfigError: a capability is missing.
    """
    for name, whose in needed(template).items():
        if name not in given and not (name == IAM and NAMED_IAM in given):
            raise ConfigError(
                f"this template needs {name} for {', '.join(whose)}, and it is not given",
                hint=f"look at what they may do (gymops lint), then give {name}",
            )
