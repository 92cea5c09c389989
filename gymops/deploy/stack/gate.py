"""The data-loss gate: what would remove or replace something that holds data needs a person who names it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gymops.deploy.stack import kinds
from gymops.deploy.stack.port import NESTED, Change
from gymops.errors import GateRefused

FLAG = "--allow-replace"

_HARMLESS = frozenset({"Add", "Import"})
_OPAQUE = frozenset({NESTED, "AWS::CloudFormation::CustomResource"})
"""Types that stand for something else, which cannot be judged by the type."""

_KEPT = {
    "Retain": "the old one is left behind, outside the stack, and nothing uses it any more",
    "Snapshot": "the old one is deleted after a snapshot, and what replaces it begins empty",
}


@dataclass(frozen=True)
class Danger:
    """A change that can lose data."""

    name: str
    """The logical id, with the nested stacks it is in: what ``--allow-replace`` must say."""
    kind: str
    what: str
    """``would be removed``, ``would be replaced``, ``may be replaced``, ..."""
    because: tuple[str, ...] = ()
    """The properties that cause it."""
    kept: str = ""
    """What a DeletionPolicy or UpdateReplacePolicy leaves; it does not make the change harmless."""

    def __str__(self) -> str:
        cause = f" because of {', '.join(self.because)}" if self.because else ""
        return f"{self.name} ({self.kind}) {self.what}{cause}{f'; {self.kept}' if self.kept else ''}"


def dangers(changes: Iterable[Change], present: Mapping[str, Any] | None = None) -> tuple[Danger, ...]:
    """The changes that can lose data, nested stacks' included.

    ``present`` is the body of the template the stack has now: it tells the old type of a resource whose type
    changes, and the policies where the change set does not.
    """
    resources: Mapping[str, Any] = (present or {}).get("Resources") or {}
    found = (_danger(change, resources if not change.within else {}) for change in changes)
    return tuple(danger for danger in found if danger is not None)


def check(found: Iterable[Danger], allowed: Collection[str]) -> None:
    """Refuse what nobody has named.

    Raises:
        GateRefused: with every such resource, and the flags that would allow it.
    """
    refused = [danger for danger in found if danger.name not in allowed]
    if refused:
        flags = " ".join(f"{FLAG} {danger.name}" for danger in refused)
        raise GateRefused(
            "this could lose data: " + "; ".join(map(str, refused)),
            hint=f"make a snapshot or backup, then run the same with {flags} (--yes is no answer to this)",
        )


def touched(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Every change, however small, to what holds data: before that, in prod, a snapshot is taken."""
    return tuple(change for change in changes if change.kind in kinds.DATA and change.action not in _HARMLESS)


def _danger(change: Change, resources: Mapping[str, Any]) -> Danger | None:
    if change.action in _HARMLESS:
        return None
    old = resources.get(change.name)
    old = old if isinstance(old, dict) else {}
    what, because = _what(change, str(old.get("Type", change.kind)))
    if not what:
        return None
    concerned = {change.kind, str(old.get("Type", change.kind))}
    if not any(_can_lose(kind) for kind in concerned):
        return None
    return Danger(change.path, change.kind or "type unknown", what, because, _kept(change, old))


def _what(change: Change, old_kind: str) -> tuple[str, tuple[str, ...]]:
    """What would happen to it, empty if it stays; and the properties that are the reason."""
    if change.action == "Remove":
        return "would be removed", ()
    if change.action != "Modify":
        return f"would be changed in a way not known here ({change.action or 'no action told'})", ()
    if old_kind != change.kind:
        return f"would be replaced by a {change.kind}", (f"its type, now {old_kind}",)
    if change.kind == NESTED and not change.change_set and change.replacement != "True":
        return "would be changed inside, and CloudFormation does not say how", ()
    always, perhaps = _causes(change)
    if change.replacement == "True":
        return "would be replaced", always or perhaps
    if change.replacement == "Conditional":
        return "may be replaced", always + perhaps
    if change.replacement == "False":
        return "", ()
    return _by_schema(change)


def _causes(change: Change) -> tuple[tuple[str, ...], tuple[str, ...]]:
    always = {one.name: None for one in change.details if one.name and one.recreation == "Always"}
    perhaps = {one.name: None for one in change.details if one.name and one.recreation == "Conditionally"}
    return tuple(always), tuple(name for name in perhaps if name not in always)


def _by_schema(change: Change) -> tuple[str, tuple[str, ...]]:
    """The change set does not say whether it replaces: the type's schema does."""
    names = {one.name for one in change.details if one.attribute == "Properties" and one.name}
    always, perhaps = kinds.create_only(change.kind)
    if found := names & always:
        return "would be replaced", tuple(sorted(found))
    if found := names & perhaps:
        return "may be replaced", tuple(sorted(found))
    if not change.details or not kinds.known(change.kind):
        return "may be replaced: nothing says that it would not", ()
    return "", ()


def _can_lose(kind: str) -> bool:
    return kind in kinds.DATA or kind in _OPAQUE or not kinds.known(kind)


def _kept(change: Change, old: Mapping[str, Any]) -> str:
    attribute = "DeletionPolicy" if change.action == "Remove" else "UpdateReplacePolicy"
    policy = change.policy.removeprefix("ReplaceAnd") or str(old.get(attribute, ""))
    return _KEPT.get("Retain" if policy == "RetainExceptOnCreate" else policy, "")
