"""What is different about the life of each architecture: what is given, what changes, what is left."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gymops.deploy.template import Template
from tests.integration.stacks.environment import Environment, composed

SINGLE = {
    "AWS::Backup::BackupSelection": "each of its properties makes another",
    "AWS::EC2::SubnetRouteTableAssociation": "each of its properties makes another",
    "AWS::EC2::VPCGatewayAttachment": "a VPC has one gateway, and there is no second to attach",
    "AWS::Lambda::LayerVersion": "a version never changes",
    "AWS::Lambda::Permission": "each of its properties makes another",
    "AWS::Lambda::Version": "a version never changes",
}
"""Types that are not updated, and why not."""


@dataclass(frozen=True)
class Update:
    """A change of one property."""

    kind: str
    resource: str
    path: tuple[str | int, ...]
    value: Any
    seen: Callable[[Any], Any]
    """Where the description has the value."""
    shows: Any = None
    """What it is there, or a function of the environment that tells it; the value itself if None."""

    def wanted(self, env: Environment) -> Any:
        """What the description has to show."""
        if self.shows is None:
            return self.value
        return self.shows(env) if callable(self.shows) else self.shows


TAGS = [{"Key": "Name", "Value": "renamed"}]


def tags(found: Any) -> Any:
    """Where most descriptions have the change of ``TAGS``."""
    return [one for one in found["Tags"] if one["Key"] == "Name"]


def nothing(env: Environment) -> None:
    """Nothing more holds at the end of this architecture."""


@dataclass(frozen=True)
class Life:
    """The life of an architecture's stacks, from their creation to their end."""

    architecture: str
    updates: Mapping[str, tuple[Update, ...]]
    """Stack -> one change of each type that it has; a type may have its change in another stack."""
    environments: Mapping[str, Mapping[str, str]]
    """Those that are made, and the parameters that an operator adds to those that are shipped."""
    single: Mapping[str, str] = field(default_factory=dict)
    """Types that are not updated here, beside ``SINGLE``, and why not."""
    replaced: frozenset[tuple[str, str]] = frozenset()
    """(stack, resource) that is another after its change."""
    leaves: frozenset[tuple[str, str]] = frozenset()
    """(stack, resource) of which what was replaced stays, as its UpdateReplacePolicy says."""
    zipped: bool = True
    """Whether the tracker's zip and layer run in it; else ``environments`` names all that it runs."""
    begins: Callable[[Environment], Mapping[str, str]] = lambda env: {}  # noqa: ARG005 - nobody asks it
    """What has to be there before, and the parameters that follow from it."""
    ends: Callable[[Environment], None] = nothing
    """What holds before it can be deleted."""
    ended: Callable[[Environment], None] = nothing
    """What holds when it is gone, beside that nothing is left but what is retained."""

    def updated(self, stack: str) -> Template:
        """The stack's template with every one of its changes."""
        template = composed(self.architecture, stack)
        body = copy.deepcopy(template.body)
        for one in self.updates.get(stack, ()):
            here: Any = body["Resources"][one.resource]["Properties"]
            for step in one.path[:-1]:
                here = here[step]
            here[one.path[-1]] = one.value
        return Template(template.name, body, template.origin)
