"""What would happen, before it does: the changes with their values, what they need and what they endanger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gymops.deploy.stack.gate import Danger
from gymops.deploy.stack.masking import Masker
from gymops.deploy.stack.port import Change, StackTarget


@dataclass(frozen=True)
class Moment:
    """A stack at one moment: two that are equal have nothing between them."""

    id: str
    status: str
    updated: str
    event: str
    """The id of its last event."""


@dataclass(frozen=True)
class ParameterChange:
    """A parameter that comes to another value; masked."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Preview:
    """What deploying a target would do. Everything in it can be shown: what is secret is masked."""

    target: StackTarget
    create: bool
    """Whether the stack is new."""
    changes: tuple[Change, ...]
    """Those of nested stacks included."""
    parameters: tuple[ParameterChange, ...]
    capabilities: Mapping[str, tuple[str, ...]]
    """What must be acknowledged, and the resources it is for."""
    dangers: tuple[Danger, ...]
    touched: tuple[Change, ...]
    """The changes to what holds data, however small: in prod a snapshot comes first."""
    change_set: str = ""
    """The change set's ARN; empty in a dry run."""
    moment: Moment | None = None
    """The stack that was previewed; None in a dry run."""
    made: bool = False
    """Whether the stack is there only for this change set."""
    limits: tuple[str, ...] = ()
    """What this preview cannot tell."""
    masker: Masker = field(default_factory=Masker, repr=False, compare=False)

    @property
    def empty(self) -> bool:
        """Whether it would change nothing that can be seen."""
        return not self.changes and not self.parameters and not self.change_set


def parameter_changes(
    before: Mapping[str, str], after: Mapping[str, str], masker: Masker
) -> tuple[ParameterChange, ...]:
    """The parameters whose values differ; those that AWS keeps secret cannot be compared and are left out."""
    old, new = masker.parameters(before), masker.parameters(after)
    return tuple(
        ParameterChange(name, old.get(name), new.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name) and not (name in masker.names and name in before)
    )
