"""A change set's whole life: made under a name of its own, described, executed on the stack it was made for.

Or declined, and then nothing of it is left: neither the change set nor a stack that was there only for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from gymops.aws.session import AwsError
from gymops.clock import Clock
from gymops.deploy.stack.errors import ChangeSetFailed, StackMoved
from gymops.deploy.stack.port import (
    NESTED,
    Change,
    ChangeSet,
    CloudFormation,
    Reader,
    Request,
    Stack,
    StackTarget,
)
from gymops.deploy.stack.preview import Moment
from gymops.deploy.stack.remedies import remedy
from gymops.deploy.template import LARGEST_INLINE
from gymops.errors import ConfigError

Upload = Callable[[str], str]
"""Puts a template's text where CloudFormation can read it, and returns its URL."""

NO_CHANGES = re.compile(
    r"didn't contain changes|did not contain changes|No updates are to be performed|no changes to deploy",
    re.IGNORECASE,
)

_MADE_SECONDS = 900.0
_ROUNDS = 20
"""Runs of one token that can each have executed a change set."""
_EXISTS = "AlreadyExistsException"
_BEGUN = frozenset({"EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE", "EXECUTE_FAILED"})
_EXECUTED = _BEGUN | {"OBSOLETE"}


@dataclass(frozen=True)
class Made:
    """A change set that can be executed, and the stack at that moment."""

    change_set: ChangeSet
    changes: tuple[Change, ...]
    """Those of nested stacks included."""
    moment: Moment
    made_stack: bool


def moment(reader: Reader, stack: str) -> Moment | None:
    """The stack as it is now; None if it does not exist."""
    return _pinned(reader, reader.stack(stack))


def _pinned(reader: Reader, found: Stack | None) -> Moment | None:
    if found is None:
        return None
    event = next(reader.events(found.id), None)
    return Moment(
        found.id, found.status, str(found.updated or found.created or ""), event.id if event else ""
    )


def make(
    client: CloudFormation,
    target: StackTarget,
    stack: Stack | None,
    *,
    create: bool,
    token: str,
    clock: Clock,
    upload: Upload | None,
) -> Made | None:
    """Make a change set of the stack as it was seen, and wait for it; None if there is nothing to change.

    Raises:
        ChangeSetFailed: CloudFormation cannot do what is asked; why, and what to do about it.
        StackMoved: somebody else worked on the stack meanwhile.
    """
    before = _pinned(client, stack)
    arn, again = _create(client, target, create, token, upload)
    made_stack = create and (before is None or again)
    try:
        change_set = _await(client, arn, clock)
        if change_set.status != "FAILED":
            now = moment(client, change_set.stack)
            if now is None or not (now.status == "REVIEW_IN_PROGRESS" if create else now == before):
                raise _moved(target.name, before, now)
            return Made(change_set, tuple(_all(client, change_set)), now, made_stack)
        nothing = NO_CHANGES.search(change_set.reason)
        failures = [] if nothing else client.failures(change_set=arn)
    except BaseException:
        decline(client, arn, made_stack)
        raise
    decline(client, arn, made_stack)
    if nothing:
        return None
    reason = "; ".join([change_set.reason, *(event.reason for event in failures if event.reason)])
    raise ChangeSetFailed(f"{target.name}: CloudFormation refuses the change: {reason}", hint=remedy(reason))


def execute(client: CloudFormation, change_set: str, pinned: Moment, token: str) -> None:
    """Begin to execute it, if the stack has not moved since. Asked again with the same token it is fine.

    Raises:
        StackMoved: the stack is not the one that was previewed; nothing was changed.
    """
    now = moment(client, pinned.id)
    if now != pinned:
        if now is not None and _is_ours(client, pinned.id, pinned.event, token):
            return
        raise _moved(pinned.id, pinned, now)
    try:
        client.execute(change_set, token)
    except AwsError as error:
        # An answer that was lost, and the call was made again: what runs is ours.
        if error.reason == "TokenAlreadyExistsException" or _is_ours(client, pinned.id, pinned.event, token):
            return
        if error.reason in {"InvalidChangeSetStatus", "ChangeSetNotFound"}:
            there = client.change_set(change_set)  # the events may lag behind it
            if there is not None and there.execution in _BEGUN:
                return
            raise _moved(pinned.id, pinned, moment(client, pinned.id)) from None
        raise


def decline(client: CloudFormation, change_set: str, made_stack: bool) -> None:
    """Delete the change set, and the stack if it was there only for this."""
    if not made_stack:
        client.delete_change_set(change_set)
        return
    found = client.change_set(change_set)
    if found is None:
        return
    client.delete_change_set(change_set)
    stack = client.stack(found.stack)
    if stack is not None and stack.status == "REVIEW_IN_PROGRESS" and not client.resources(stack.id):
        client.delete(stack.id, "")


def _create(
    client: CloudFormation, target: StackTarget, create: bool, token: str, upload: Upload | None
) -> tuple[str, bool]:
    """Begin to make one; returns its ARN, and whether an interrupted run with this token made one before.

    What such a run left is deleted and not used: it may have been made of something else.
    """
    body, url = _where(target, upload)
    again = False
    for number in range(1, _ROUNDS + 1):
        name = f"gymops-{re.sub(r'[^A-Za-z0-9-]', '-', token)[:100]}-{number}"
        request = Request(
            stack=target.name, name=name, create=create, body=body, url=url,
            parameters=target.parameters, tags=target.tags, capabilities=target.capabilities, token=name,
        )  # fmt: skip
        try:
            return client.create_change_set(request), again
        except AwsError as error:
            if error.reason == "InsufficientCapabilitiesException":
                why = "look at what it is for (gymops lint), then give the capability"
                raise ConfigError(error.message, hint=why) from None
            there = client.change_set(name, target.name) if error.reason == _EXISTS else None
            if there is None:
                raise
            again = True
            if there.execution not in _EXECUTED:
                client.delete_change_set(there.arn)
    raise ChangeSetFailed(f"{target.name}: {_ROUNDS} change sets of one operation", hint="begin a new one")


def _where(target: StackTarget, upload: Upload | None) -> tuple[str | None, str | None]:
    """The template itself, or its URL when it is too large."""
    text = target.template.text
    size = len(text.encode())
    if size <= LARGEST_INLINE:
        return text, None
    if upload is None:
        raise ConfigError(
            f"{target.template.name}: {size:,} bytes, and without a bucket CloudFormation takes"
            f" {LARGEST_INLINE:,}",
            hint="deploy the base stack first: its bucket takes larger ones",
        )
    return None, upload(text)


def _await(client: CloudFormation, arn: str, clock: Clock) -> ChangeSet:
    interval = 0.2
    deadline = clock.monotonic() + _MADE_SECONDS
    while True:
        found = client.change_set(arn)
        if found is None:
            raise ChangeSetFailed(
                "somebody deleted the change set while it was being made", hint="run the same again"
            )
        if found.status not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
            return found
        if clock.monotonic() >= deadline:
            raise ChangeSetFailed(
                f"the change set was not ready after {_MADE_SECONDS / 60:.0f} minutes",
                hint="run the same again",
            )
        clock.sleep(interval)
        interval = min(interval * 1.5, 5.0)


def _all(reader: Reader, change_set: ChangeSet, within: str = "") -> Iterator[Change]:
    for change in change_set.changes:
        found = replace(change, within=within)
        inner = reader.change_set(change.change_set) if change.kind == NESTED and change.change_set else None
        # Without the inner one the nested stack stays opaque, and the gate treats it so.
        yield found if inner else replace(found, change_set="")
        if inner:
            yield from _all(reader, inner, found.path)


def _is_ours(reader: Reader, stack: str, after: str, token: str) -> bool:
    for event in reader.events(stack):
        if event.id == after:
            return False
        if event.token == token:
            return True
    return False


def _moved(stack: str, before: Moment | None, now: Moment | None) -> StackMoved:
    name = stack.partition(":stack/")[2].partition("/")[0] or stack
    was = before.status if before else "not there"
    return StackMoved(
        f"somebody else has worked on {name} since it was looked at: it was {was}, and is now"
        f" {now.status if now else 'gone'}; this command changed nothing",
        hint="run the same again: it previews what is there now",
    )
