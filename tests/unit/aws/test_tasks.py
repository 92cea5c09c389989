"""One-shot tasks: begun once, waited for, heard."""

from __future__ import annotations

from typing import Any

import pytest

from gymops.aws.account import Account
from gymops.aws.session import AwsError
from gymops.aws.tasks import Ran, Tasks
from tests.unit.clocks import FakeClock

TASK = "arn:aws:ecs:us-east-1:111111111111:task/cluster/abc"
OPTIONS = {"awslogs-group": "/shop", "awslogs-stream-prefix": "task"}
DEFINITION = {
    "taskDefinitionArn": "shop:2",
    "containerDefinitions": [{"name": "app", "logConfiguration": {"options": OPTIONS}}],
}
SERVICE = {"clusterArn": "cluster", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"]}}}


class Ecs:
    """A task that goes through these states; then it has ended."""

    def __init__(self, *states: str, code: int | None = 0) -> None:
        self.states = list(states)
        self.code = code
        self.began: list[dict[str, Any]] = []
        self.there: list[str] = []
        self.silent = 1
        self.stopped = False

    def list_tasks(self, **given: Any) -> Any:
        return {"taskArns": self.there if given["desiredStatus"] == "STOPPED" else []}

    def run_task(self, **given: Any) -> Any:
        self.began.append(given)
        return {"tasks": [{"taskArn": TASK}]}

    def describe_tasks(self, **_: Any) -> Any:
        state = self.states.pop(0) if self.states else "STOPPED"
        container = {"exitCode": self.code} if self.code is not None else {"reason": "CannotPull"}
        return {"tasks": [{"lastStatus": state, "containers": [container], "stoppedReason": "it ended"}]}

    def stop_task(self, **_: Any) -> None:
        self.stopped = True

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **given: Any) -> Any:
        assert given == {"logGroupName": "/shop", "logStreamNames": ["task/app/abc"]}
        self.silent -= 1
        yield {"events": [] if self.silent >= 0 else [{"message": "one\n"}, {"message": "two"}]}


def run(monkeypatch: pytest.MonkeyPatch, ecs: Ecs) -> Ran:
    monkeypatch.setattr(Account, "client", lambda *_, **__: ecs)
    return Tasks(Account("us-east-1"), FakeClock(), 5.0).run(SERVICE, DEFINITION, "npx 'a b'", "op-1-schema")


def test_it_is_in_the_services_place_with_a_command_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs("PENDING", "RUNNING")
    assert run(monkeypatch, ecs) == Ran(0, "it ended", ("one", "two"))
    (began,) = ecs.began
    assert began["overrides"] == {"containerOverrides": [{"name": "app", "command": ["npx", "a b"]}]}
    assert (began["networkConfiguration"], began["startedBy"], began["clientToken"]) == (
        SERVICE["networkConfiguration"], "op-1-schema", "op-1-schema",
    )  # fmt: skip


def test_one_that_was_begun_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(code=3)
    ecs.there = [TASK]
    assert run(monkeypatch, ecs).code == 3
    assert ecs.began == []


def test_one_that_never_ran_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Ecs(code=None)) == Ran(None, "CannotPull", ())


def test_one_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(*["RUNNING"] * 2_000)
    with pytest.raises(AwsError, match="not done within an hour, and stopped"):
        run(monkeypatch, ecs)
    assert ecs.stopped
