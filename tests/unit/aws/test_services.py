"""A service's deployments: what is waited for, and what is a failure."""

from __future__ import annotations

from typing import Any

import pytest

from gymops.aws.account import Account
from gymops.aws.deployments import UNHEALTHY
from gymops.aws.services import Services
from gymops.aws.session import AwsError
from tests.unit.clocks import FakeClock

TASK = "arn:aws:ecs:us-east-1:111111111111:task-definition/shop:"
NAME = "cluster/shop"


class Ecs:
    """A service whose next descriptions are these states of its deployment."""

    def __init__(self, serves: int, *states: str) -> None:
        self.serves = serves
        self.states = list(states)
        self.deployment = "first"
        self.updated: list[str] = []
        self.health = ["healthy"]
        self.runs = "sha256:2"

    def describe_services(self, **_: Any) -> Any:
        state = self.states.pop(0) if self.states else "COMPLETED"
        there = (
            [] if state == "gone" else [{"id": self.deployment, "status": "PRIMARY", "rolloutState": state}]
        )
        found = {
            "status": "ACTIVE", "taskDefinition": f"{TASK}{self.serves}", "deployments": there,
            "loadBalancers": [{"targetGroupArn": "targets"}],
        }  # fmt: skip
        return {"services": [found]}

    def update_service(self, **given: Any) -> Any:
        self.updated.append(given["taskDefinition"])
        self.serves, self.deployment = int(given["taskDefinition"].rpartition(":")[2]), "second"
        return {
            "service": {"deployments": [{"id": "second", "status": "PRIMARY", "rolloutState": "IN_PROGRESS"}]}
        }

    def describe_task_definition(self, **given: Any) -> Any:
        revision = int(given["taskDefinition"].partition(":")[2] or 9)
        container = {"image": f"repository@sha256:{revision}"}
        found = {"revision": revision, "status": "ACTIVE", "containerDefinitions": [container]}
        return {"taskDefinition": found}

    def list_tasks(self, **_: Any) -> Any:
        return {"taskArns": ["a", "b"]}

    def describe_tasks(self, **_: Any) -> Any:
        containers = [{"imageDigest": self.runs}, {"name": "beside it"}]
        crashed = {"createdAt": 2, "stoppedReason": "it crashed", "containers": containers}
        replaced = {"createdAt": 3, "stoppedReason": "Deployment completed", "containers": []}
        return {
            "tasks": [
                {"taskDefinitionArn": f"{TASK}2", **crashed}, {"taskDefinitionArn": f"{TASK}1", **replaced},
            ]
        }  # fmt: skip

    def describe_target_health(self, **_: Any) -> Any:
        told = [
            {"Target": {"Id": "10.0.20.1"}, "TargetHealth": {"State": one, "Description": "timed out"}}
            for one in self.health
        ]
        return {"TargetHealthDescriptions": told}


def services(monkeypatch: pytest.MonkeyPatch, ecs: Ecs) -> Services:
    monkeypatch.setattr(Account, "client", lambda *_, **__: ecs)
    return Services(Account("us-east-1"), FakeClock())


def test_it_serves_when_its_deployment_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(1, "COMPLETED", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED")
    services(monkeypatch, ecs).serve(NAME, "", "2")
    assert (ecs.updated, ecs.states) == (["shop:2"], [])


def test_what_was_begun_is_waited_for_and_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(2, "IN_PROGRESS", "IN_PROGRESS", "COMPLETED")
    services(monkeypatch, ecs).serve(NAME, "", "2")
    assert (ecs.updated, ecs.states) == ([], [])


def test_what_its_tasks_run_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(1, "COMPLETED", "COMPLETED")
    ecs.runs = "sha256:7"
    with pytest.raises(
        AwsError, match="the tasks of version 2 of cluster/shop run sha256:7, and not"
    ) as told:
        services(monkeypatch, ecs).serve(NAME, "", "2")
    assert told.value.reason == "CodeMismatch"


@pytest.mark.parametrize("end", ["FAILED", "gone"])
def test_what_ecs_took_back_says_why_its_tasks_ended(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    ecs = Ecs(1, "COMPLETED", "IN_PROGRESS", end)
    with pytest.raises(
        AwsError, match="version 2 of cluster/shop does not get healthy: it crashed"
    ) as caught:
        services(monkeypatch, ecs).serve(NAME, "", "2")
    assert caught.value.reason == UNHEALTHY


def test_an_endless_deployment_is_not_called_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(1, "COMPLETED", *["IN_PROGRESS"] * 2_000)
    with pytest.raises(AwsError, match="within an hour") as caught:
        services(monkeypatch, ecs).serve(NAME, "", "2")
    assert caught.value.reason != UNHEALTHY
    assert caught.value.unknown  # it goes on, and is taken back by nobody


def test_the_newest_task_definition_must_run_what_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    found = services(monkeypatch, Ecs(1))
    assert found.publish(NAME, "sha256:9") == "9"
    with pytest.raises(AwsError, match="runs sha256:9, and sha256:8 was released"):
        found.publish(NAME, "sha256:8")


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (["healthy", "draining"], 200),
        (["healthy", "initial"], 200),
        (["healthy", "unhealthy"], 503),
        (["initial"], 503),
        ([], 503),
    ],
)
def test_it_answers_when_every_task_passes_its_health_check(
    monkeypatch: pytest.MonkeyPatch, health: list[str], status: int
) -> None:
    ecs = Ecs(3)
    ecs.health = health
    told = services(monkeypatch, ecs).invoke(NAME, {"rawPath": "/"})
    assert (told.version, told.answer["statusCode"]) == ("3", status)
