"""What this package asks of CloudFormation: what it reads, and what it writes.

``Reader`` has no method that changes anything, so a dry run is given one and can write nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gymops.aws.stack import NESTED, Change, ChangeSet, Detail, Event, Request, Stack, StackResource
from gymops.deploy.template import Template

__all__ = [
    "NESTED", "Change", "ChangeSet", "CloudFormation", "Detail", "Event", "Reader", "Request", "Stack",
    "StackResource", "StackTarget",
]  # fmt: skip


@dataclass(frozen=True)
class StackTarget:
    """The stack that is wanted."""

    name: str
    region: str
    template: Template
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Some may be secret (NoEcho), so they are in no representation."""
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: Sequence[str] = ("CAPABILITY_NAMED_IAM",)


class Reader(Protocol):
    """What is read."""

    def stack(self, stack: str) -> Stack | None:
        """The stack of this name or id; None if it does not exist. By name, a deleted one does not exist."""
        ...

    def resources(self, stack: str) -> Sequence[StackResource]:
        """All resources of a stack."""
        ...

    def events(self, stack: str) -> Iterator[Event]:
        """The stack's events, the newest first; a page is fetched when it is needed."""
        ...

    def failures(self, *, stack: str = "", change_set: str = "") -> Sequence[Event]:
        """The failed events of the operations of a stack, or of making a change set; none if not offered."""
        ...

    def template(self, stack: str) -> str:
        """The template the stack has now, as it was given."""
        ...

    def change_set(self, change_set: str, stack: str = "") -> ChangeSet | None:
        """A change set with all its pages, by ARN, or by name and stack; None if it does not exist."""
        ...


class CloudFormation(Reader, Protocol):
    """What is read and written."""

    def create_change_set(self, request: Request) -> str:
        """Begin to make it; returns its ARN. One of this name that is there already is an AwsError."""
        ...

    def execute(self, change_set: str, token: str) -> None:
        """Begin to execute it."""
        ...

    def delete_change_set(self, change_set: str) -> None:
        """Delete it; one that is gone already is fine."""
        ...

    def delete(self, stack: str, token: str, *, retain: Sequence[str] = ()) -> None:
        """Begin to delete the stack; ``retain`` leaves resources alone that could not be deleted."""
        ...

    def roll_back(self, stack: str, token: str, *, skip: Sequence[str] | None = None) -> None:
        """Begin to roll a failed update back; with ``skip``, even an empty one, a failed rollback goes on."""
        ...
