"""One-shot tasks: begun once, waited for, heard."""

from __future__ import annotations

from typing import Any

import pytest

from gymops.aws.account import Account
from gymops.aws.session import AwsError
from gymops.aws.tasks import Ran, Tasks
from gymops.errors import ConfigError
from tests.unit.clocks import FakeClock

TASK = "arn:aws:ecs:us-east-1:111111111111:task/cluster/abc"
OPTIONS = {"awslogs-group": "/shop", "awslogs-stream-prefix": "task"}
DEFINITION = {
    "taskDefinitionArn": "shop:2",
    "containerDefinitions": [{"name": "app", "logConfiguration": {"options": OPTIONS}}],
}
SERVICE = {"clusterArn": "cluster", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"]}}}


class Ecs:
    """A task that goes through these states; then it has ended. Of "" ECS knows nothing."""

    def __init__(self, *states: str, code: int | None = 0) -> None:
        self.states = list(states)
        self.code = code
        self.began: list[dict[str, Any]] = []
        self.there: list[str] = []
        """Of each task that was begun before, by whom."""
        self.others = ["RUNNING"]
        self.silent = 1
        self.stopped = False
        self.ends = True

    def run_task(self, **given: Any) -> Any:
        self.began.append(given)
        return {"tasks": [{"taskArn": TASK}]}

    def describe_tasks(self, **given: Any) -> Any:
        if given["tasks"] != [TASK]:
            return {"tasks": [self.other(arn) for arn in given["tasks"]]}
        state = self.states.pop(0) if self.states else "STOPPED"
        container = {"exitCode": self.code} if self.code is not None else {"reason": "CannotPull"}
        containers = [{"name": "beside it", "exitCode": 7}, {"name": "app", **container}]
        found = {"lastStatus": state, "containers": containers, "stoppedReason": "it ended"}
        return {"tasks": [found] if state else []}

    def other(self, arn: str) -> Any:
        by = arn.rpartition("/")[2]
        state = "STOPPED" if by == "op-1-schema" else self.others.pop(0) if self.others else "STOPPED"
        return {"taskArn": TASK if by == "op-1-schema" else arn, "startedBy": by, "lastStatus": state}

    def stop_task(self, **_: Any) -> None:
        self.stopped = True
        self.states = self.states[:3] if self.ends else self.states

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **given: Any) -> Any:
        if "family" in given:
            assert given["family"] == "shop"
            there = self.there if given["desiredStatus"] == "RUNNING" else []
            yield from ({"taskArns": [f"arn:task/cluster/{one}"]} for one in there)
            yield {"taskArns": []}
            return
        assert given == {"logGroupName": "/shop", "logStreamNames": ["task/app/abc"]}
        self.silent -= 1
        yield {"events": [] if self.silent >= 0 else [{"message": "one\n"}, {"message": "two"}]}


def run(
    monkeypatch: pytest.MonkeyPatch, ecs: Ecs, clock: FakeClock | None = None, command: str = "npx 'a b'"
) -> Ran:
    monkeypatch.setattr(Account, "client", lambda *_, **__: ecs)
    tasks = Tasks(Account("us-east-1"), clock or FakeClock(), 5.0)
    return tasks.run(SERVICE, DEFINITION, command, "op-1-schema")


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
    ecs.there = ["ecs-svc/1", "op-1-schema"]
    assert run(monkeypatch, ecs).code == 3
    assert ecs.began == []


def test_one_that_never_ran_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Ecs(code=None)) == Ran(None, "CannotPull", ())


def test_one_that_does_not_end_is_stopped_and_seen_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(*["RUNNING"] * 2_000)
    with pytest.raises(AwsError, match="not done within an hour, and stopped") as caught:
        run(monkeypatch, ecs)
    assert (ecs.stopped, ecs.states, caught.value.unknown) == (True, [], False)
    ecs = Ecs(*["RUNNING"] * 2_000)
    ecs.ends = False
    with pytest.raises(AwsError, match="does not stop") as caught:
        run(monkeypatch, ecs)
    assert caught.value.unknown


def test_what_ecs_does_not_know_yet_is_asked_again_for_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Ecs("", "", "PENDING", "")).code == 0
    clock = FakeClock()
    with pytest.raises(AwsError, match="ECS does not know it") as caught:
        run(monkeypatch, Ecs(*[""] * 2_000), clock)
    assert (caught.value.reason, caught.value.unknown) == ("MISSING", True)
    assert 300 <= clock.monotonic() <= 330


def test_another_operations_task_of_this_kind_ends_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs()
    ecs.there, ecs.others = ["op-0-schema"], ["RUNNING"] * 3
    assert run(monkeypatch, ecs).code == 0
    assert (len(ecs.began), ecs.others) == (1, [])
    ecs = Ecs()
    ecs.there, ecs.others = ["op-0-schema"], ["RUNNING"] * 2_000
    with pytest.raises(AwsError, match="begun by op-0-schema, has not ended") as caught:
        run(monkeypatch, ecs)
    assert (caught.value.unknown, ecs.began) == (True, [])


def test_the_services_own_tasks_are_nobodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs()
    ecs.there, ecs.others = ["ecs-svc/1", "op-0-other", "somebody"], ["RUNNING"] * 2_000
    assert run(monkeypatch, ecs).code == 0


@pytest.mark.parametrize("command", ["npx 'migrate", "   "])
def test_what_is_no_command_is_refused(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    with pytest.raises(ConfigError, match="is no command"):
        run(monkeypatch, Ecs(), command=command)
