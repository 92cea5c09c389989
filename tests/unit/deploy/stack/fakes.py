"""A CloudFormation that answers what a test wrote down, and a clock that moves when somebody waits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gymops.aws.session import AwsError
from gymops.deploy.stack.port import (
    NESTED,
    ChangeSet,
    Event,
    Request,
    Stack,
    StackResource,
    StackTarget,
)
from gymops.deploy.syntax import Lines, parse
from gymops.deploy.template import Template

ID = "arn:aws:cloudformation:us-east-1:111111111111:stack/app/1"
CHANGE_SET = "arn:aws:cloudformation:us-east-1:111111111111:changeSet/gymops-op-1/1"
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

WRITES = frozenset({"create_change_set", "execute", "delete_change_set", "delete", "roll_back"})


class FakeClock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.sleeps.append(seconds)
        self.seconds += seconds


class Recorded:
    """Plays answers back in turn; the last one of each kind stays. An error among them is raised."""

    def __init__(
        self,
        *stacks: Stack | str | Exception | None,
        events: Sequence[Sequence[Event] | Exception] = ((),),
        resources: Sequence[StackResource] = (),
        change_sets: Sequence[ChangeSet | None] = (),
        others: Mapping[str, Sequence[Event]] | None = None,
        failures: Sequence[Event] = (),
        template: str = '{"Resources": {}}',
        inner: Mapping[str, ChangeSet] | None = None,
    ) -> None:
        self._stacks = [stack(one) if isinstance(one, str) else one for one in stacks]
        self._events = [list(one) if not isinstance(one, Exception) else one for one in events]
        self._resources = resources
        self._change_sets = list(change_sets)
        self._others = others or {}
        self._failures = failures
        self._template = template
        self._inner = inner or {}
        self.calls: list[tuple[str, Any]] = []
        self.on_execute: Exception | None = None
        self.on_create: list[Exception] = []

    @property
    def written(self) -> list[str]:
        return [name for name, _ in self.calls if name in WRITES]

    def stack(self, stack: str) -> Stack | None:
        self.calls.append(("stack", stack))
        found: Stack | None = _next(self._stacks)
        return found

    def resources(self, stack: str) -> Sequence[StackResource]:
        self.calls.append(("resources", stack))
        return self._resources

    def events(self, stack: str) -> Iterator[Event]:
        self.calls.append(("events", stack))
        if stack in self._others:
            yield from reversed(self._others[stack])
            return
        found = _next(self._events)
        yield from reversed(found)

    def failures(self, *, stack: str = "", change_set: str = "") -> Sequence[Event]:
        self.calls.append(("failures", stack or change_set))
        return self._failures

    def template(self, stack: str) -> str:
        self.calls.append(("template", stack))
        return self._template

    def change_set(self, change_set: str, stack: str = "") -> ChangeSet | None:
        self.calls.append(("change_set", change_set))
        if change_set in self._inner:
            return self._inner[change_set]
        found: ChangeSet | None = _next(self._change_sets)
        return found

    def create_change_set(self, request: Request) -> str:
        self.calls.append(("create_change_set", request))
        if self.on_create:
            raise self.on_create.pop(0)
        return CHANGE_SET

    def execute(self, change_set: str, token: str) -> None:
        self.calls.append(("execute", (change_set, token)))
        if self.on_execute:
            raise self.on_execute

    def delete_change_set(self, change_set: str) -> None:
        self.calls.append(("delete_change_set", change_set))

    def delete(self, stack: str, token: str, *, retain: Sequence[str] = ()) -> None:
        self.calls.append(("delete", (stack, token, tuple(retain))))

    def roll_back(self, stack: str, token: str, *, skip: Sequence[str] | None = None) -> None:
        self.calls.append(("roll_back", (token, None if skip is None else tuple(skip))))


def _next(answers: list[Any]) -> Any:
    found = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(found, Exception):
        raise found
    return found


def stack(status: str, **given: Any) -> Stack:
    return Stack(**{"id": ID, "name": "app", "status": status, **given})


def event(
    name: str, status: str, reason: str = "", *, at: float = 0, kind: str = "AWS::SQS::Queue", **given: Any
) -> Event:
    if name == "app":
        kind, given = NESTED, {"physical": ID, **given}
    moment = START + timedelta(seconds=at)
    return Event(
        **{"id": f"{name}-{status}-{at}", "stack": ID, "name": name, "kind": kind, "status": status,
           "at": moment, "reason": reason, **given}
    )  # fmt: skip


def aws(reason: str, message: str = "no") -> AwsError:
    return AwsError(message, reason=reason)


def lost(reason: str, message: str = "no") -> AwsError:
    """Nobody knows whether it was done."""
    return AwsError(message, reason=reason, unknown=True)


def body(resources: Mapping[str, Any], **sections: Any) -> Lines:
    return parse(json.dumps({"Resources": resources, **sections}), "test.yaml")


def target(resources: Mapping[str, Any] | None = None, **given: Any) -> StackTarget:
    found = body(resources or {"Queue": {"Type": "AWS::SQS::Queue"}}, **given.pop("sections", {}))
    return StackTarget("app", "us-east-1", Template("test.yaml", found), **given)


def never(_: object) -> bool:
    raise AssertionError("nobody was to be asked")


def always(_: object) -> bool:
    return True
