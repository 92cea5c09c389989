"""Why an operation on a stack failed, asked of AWS: its events, those of nested stacks, and a probe."""

from __future__ import annotations

from datetime import datetime

from gymops.aws.session import AwsError
from gymops.deploy.stack import status
from gymops.deploy.stack.errors import RollbackFailed, RolledBack, StackFailed
from gymops.deploy.stack.events import Diagnosis, Log, diagnose, of_operation, since
from gymops.deploy.stack.masking import Masker
from gymops.deploy.stack.port import NESTED, Event, Reader, Stack
from gymops.deploy.stack.probe import Probes

_DEEPEST = 5

_ERRORS: dict[status.Ending, type[StackFailed]] = {
    status.Ending.FAILED: StackFailed,
    status.Ending.ROLLED_BACK: RolledBack,
    status.Ending.ROLLBACK_FAILED: RollbackFailed,
}
_AND_NOW = {
    status.Ending.FAILED: "it is {status}",
    status.Ending.ROLLED_BACK: "it was rolled back",
    status.Ending.ROLLBACK_FAILED: "rolling it back failed too",
}


def failed(
    reader: Reader, stack: Stack, ending: status.Ending, probes: Probes, masker: Masker, *, after: str = ""
) -> StackFailed:
    """The error for an operation that ended badly, with the cause and one remedy."""
    try:
        found = explain(reader, stack, after=after)
    except AwsError:
        found = None  # how it ended is known all the same
    diagnosis = probes.look(found).masked(masker.text) if found else None
    now = _AND_NOW[ending].format(status=stack.status)
    why = str(diagnosis.cause) if diagnosis else masker.text(stack.reason) or "AWS does not say why"
    return _ERRORS[ending](
        f"{stack.name}: {now}. {why}",
        hint=diagnosis.remedy
        if diagnosis
        else f"aws cloudformation describe-stack-events --stack-name {stack.id}",
        status=stack.status,
        diagnosis=diagnosis,
    )


def explain(reader: Reader, stack: Stack, *, after: str = "") -> Diagnosis | None:
    """Why the stack's last operation failed; ``after`` is the last event before it, if that is known."""
    events = of_operation(reader.events(stack.id), after=after)
    begun = events[0].at if events else None
    return diagnose(Log(events, _nested(reader, events, begun)), _apart(reader, stack, begun))


def _nested(reader: Reader, events: list[Event], begun: datetime | None, depth: int = 0) -> dict[str, Log]:
    if begun is None or depth >= _DEEPEST:
        return {}
    nested = [one for one in events if one.kind == NESTED and one.physical and not one.of_stack]
    stacks = {one.name: one.physical for one in nested}
    found: dict[str, Log] = {}
    for name in {one.name for one in events if one.status.endswith("_FAILED")} & stacks.keys():
        try:
            inner = since(reader.events(stacks[name]), begun)
        except AwsError:
            continue  # what the stack around says of it still counts
        found[name] = Log(inner, _nested(reader, inner, begun, depth + 1))
    return found


def _apart(reader: Reader, stack: Stack, begun: datetime | None) -> list[Event]:
    try:
        failures = reader.failures(stack=stack.id)
    except AwsError:
        return []  # not offered there, or not allowed: the stack events are what there is
    return [event for event in failures if begun is None or event.at >= begun]
