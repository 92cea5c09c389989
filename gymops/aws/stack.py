"""CloudFormation's shapes, as far as anybody here asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

NESTED = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class Stack:
    """A stack as it is."""

    id: str
    name: str
    status: str
    reason: str = ""
    created: datetime | None = None
    updated: datetime | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    """Against deletion."""
    parent: str = ""
    """The id of the stack it is nested in."""

    @property
    def busy(self) -> bool:
        """Whether an operation runs. (A stack under review waits for a person, not for AWS.)"""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True)
class StackResource:
    """One resource of a stack as it is."""

    name: str
    kind: str
    physical: str = ""
    status: str = ""
    reason: str = ""

    @property
    def live(self) -> bool:
        """Whether there is something behind it that the stack still answers for."""
        gone = self.status in {"DELETE_COMPLETE", "DELETE_SKIPPED"}
        never = self.status.endswith("CREATE_FAILED") and not self.physical
        return not gone and not never


@dataclass(frozen=True)
class Event:
    """A stack event, or a failure that CloudFormation keeps apart from them (validations, hooks)."""

    id: str
    stack: str
    """The stack's id."""
    name: str
    kind: str
    status: str
    at: datetime
    reason: str = ""
    physical: str = ""
    token: str = ""
    """The client request token of the operation it belongs to."""
    operation: str = ""

    @property
    def of_stack(self) -> bool:
        """Whether it is about the stack as a whole."""
        return self.physical == self.stack


@dataclass(frozen=True)
class Detail:
    """One difference within a resource; before and after are None when CloudFormation does not tell."""

    attribute: str
    name: str = ""
    path: str = ""
    recreation: str = ""
    evaluation: str = ""
    source: str = ""
    cause: str = ""
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class Change:
    """What a change set would do to one resource."""

    action: str
    name: str
    kind: str
    physical: str = ""
    replacement: str = ""
    policy: str = ""
    """What becomes of the old one: Delete, Retain, Snapshot, ReplaceAndDelete, ...; empty if not told."""
    details: tuple[Detail, ...] = ()
    before: str | None = None
    """The whole resource as JSON."""
    after: str | None = None
    change_set: str = ""
    """For a nested stack: the ARN of the change set of its own."""
    within: str = ""
    """The nested stack it is in, as ``Outer/Inner``; empty in the stack itself."""

    @property
    def path(self) -> str:
        """The logical id, with the nested stacks it is in."""
        return f"{self.within}/{self.name}" if self.within else self.name

    @property
    def follows(self) -> bool:
        """Whether it is there only since it refers to what changes: whether it does, AWS will see then."""
        dynamic = all(one.evaluation == "Dynamic" for one in self.details)
        return self.action == "Modify" and bool(self.details) and dynamic and self.kind != NESTED


@dataclass(frozen=True)
class ChangeSet:
    """A change set as it is."""

    arn: str
    name: str
    stack: str
    """The stack's id."""
    status: str
    reason: str = ""
    execution: str = ""
    changes: tuple[Change, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Request:
    """A change set to be made."""

    stack: str
    name: str
    create: bool
    """Whether the stack is new."""
    body: str | None
    url: str | None
    parameters: Mapping[str, str] = field(repr=False)
    tags: Mapping[str, str]
    capabilities: Sequence[str]
    token: str
