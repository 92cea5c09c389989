"""Why an operation failed: the first failure that is none of CloudFormation's own consequences.

CloudFormation reports a failed resource, then every resource it cancelled because of that, then the stack,
and a nested stack's failure once more in the stack around it. Only the first of these is a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gymops.deploy.stack.port import Event
from gymops.deploy.stack.remedies import remedy

_CONSEQUENCE = re.compile(
    r"(?:Resource )?(?:creation|update|deletion|import|operation)s? (?:was )?cancell?ed"
    r"|Embedded stack .* was not successful|The following resource\(s\) failed to"
    r"|Validation failure detected|Call DescribeEvents|rollback (?:skipped|cancell?ed)",
    re.IGNORECASE,
)

_STARTS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"})

_ROLLING_BACK = re.compile(r"(?:UPDATE_|IMPORT_)?ROLLBACK_IN_PROGRESS")


@dataclass(frozen=True)
class Failure:
    """Something that failed; ``path`` is its logical id, with the nested stacks it is in."""

    path: str
    kind: str
    status: str
    reason: str
    at: datetime
    physical: str = ""

    def __str__(self) -> str:
        return f"{self.path} ({self.kind}): {self.reason or self.status}"


@dataclass(frozen=True)
class Diagnosis:
    """Why an operation failed."""

    cause: Failure
    remedy: str
    followers: tuple[Failure, ...] = ()
    findings: tuple[str, ...] = ()
    """What looking at the failed resource itself showed."""

    def masked(self, mask: Callable[[str], str]) -> Diagnosis:
        """The same without what is secret."""

        def hide(failure: Failure) -> Failure:
            return replace(failure, reason=mask(failure.reason))

        return replace(
            self,
            cause=hide(self.cause),
            followers=tuple(map(hide, self.followers)),
            findings=tuple(map(mask, self.findings)),
        )


@dataclass(frozen=True)
class Log:
    """The events of one stack in one operation, the oldest first, and of the stacks nested in it."""

    events: Sequence[Event]
    nested: Mapping[str, Log] = field(default_factory=dict)
    """By logical id."""


def of_operation(newest_first: Iterable[Event], *, token: str = "", after: str = "") -> list[Event]:
    """The events of the latest operation, the oldest first; no more are read than that.

    ``after`` is the id of the last event before it. Where that is not known, the operation begins with the
    stack's own event. With a ``token``, events of operations that had another one are left out.
    """
    found: list[Event] = []
    for event in newest_first:
        if after and event.id == after:
            break
        if token and event.token and event.token != token:
            if not after:
                break
            continue
        found.append(event)
        if not after and event.of_stack and event.status in _STARTS:
            break
    return found[::-1]


def states(events: Iterable[Event]) -> dict[str, Event]:
    """The last event of each resource; ``events`` are the oldest first."""
    return {event.name: event for event in events if not event.of_stack}


def stuck(events: Sequence[Event]) -> tuple[Event, ...]:
    """The resources that the last rollback could not bring back: only these can be skipped in the next.

    Those that failed before it, and so caused it, cannot.
    """
    begun = [n for n, one in enumerate(events) if one.of_stack and _ROLLING_BACK.fullmatch(one.status)]
    rollback = states(events[begun[-1] :]) if begun else {}
    return tuple(event for event in rollback.values() if event.status == "UPDATE_FAILED")


def since(newest_first: Iterable[Event], moment: datetime) -> list[Event]:
    """A nested stack's events from this moment on, the oldest first. (It has tokens of its own.)"""
    found = []
    for event in newest_first:
        if event.at < moment:
            break
        found.append(event)
    return found[::-1]


def diagnose(log: Log, apart: Iterable[Event] = ()) -> Diagnosis | None:
    """The cause of what failed; None if nothing in the log says that anything did.

    ``apart`` are failures that are no stack events: validations before the first resource, and hooks.
    """
    failures = [_failure(event, "") for event in apart] + list(_failures(log))
    failures.sort(key=lambda one: one.at)
    stacks = set(_stacks(log))
    causes = [one for one in failures if not _consequence(one)]
    # A stack's own failure repeats a resource's, or is all there is: an alarm, somebody who cancelled.
    chosen = [one for one in causes if one.physical not in stacks] or causes or failures
    if not chosen:
        return None
    cause = chosen[0]
    followers = [one for one in failures if one is not cause and one.physical not in stacks]
    return Diagnosis(cause, remedy(f"{cause.reason} {cause.status}"), tuple(followers))


def _failures(log: Log, within: str = "") -> Iterator[Failure]:
    """What failed, in the stack and in those nested in it."""
    for name, inner in log.nested.items():
        yield from _failures(inner, f"{within}{name}/")
    for event in log.events:
        rolling_back = event.of_stack and event.reason and _ROLLING_BACK.fullmatch(event.status)
        if rolling_back or event.status.endswith("_FAILED"):
            yield _failure(event, within)


def _failure(event: Event, within: str) -> Failure:
    return Failure(f"{within}{event.name}", event.kind, event.status, event.reason, event.at, event.physical)


def _consequence(failure: Failure) -> bool:
    return bool(_CONSEQUENCE.search(failure.reason)) or not failure.reason


def _stacks(log: Log) -> Iterator[str]:
    """The ids of the stack and of all nested in it."""
    yield from (event.stack for event in log.events[:1])
    for inner in log.nested.values():
        yield from _stacks(inner)
