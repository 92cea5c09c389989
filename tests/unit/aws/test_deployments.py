"""Deployments by CodeDeploy: what is begun, gone on with, stopped, and what is a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gymops.aws.account import Account
from gymops.aws.deployments import UNHEALTHY, Deployments, Revision
from gymops.aws.session import AwsError
from tests.unit.clocks import FakeClock

WANTED = Revision("cluster/shop", "2", "arn:task-definition/shop:2", "app", 3000)


class CodeDeploy:
    """Each look at a deployment that goes on is the next of its states; the last one stays."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.there: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.serves = "1"
        self.before = ""
        """What serves again where a deployment is stopped."""
        self.ignored: list[bool] = []
        """Of each deployment that was asked for, whether the group's alarms do not stop it."""
        self.late = 0
        """Looks until a deployment is seen that was made, and whose answer was lost."""

    def begin(self, version: str, reference: str, status: str = "InProgress") -> dict[str, Any]:
        made = {
            "deploymentId": f"d-{len(self.there)}", "status": status, "createTime": datetime.now(UTC),
            "description": f"gymops: version {version} for {reference}",
        }  # fmt: skip
        self.there.append(made)
        return made

    def create_deployment(self, **given: Any) -> Any:
        version, _, reference = given["description"].removeprefix("gymops: version ").partition(" for ")
        spec = json.loads(given["revision"]["appSpecContent"]["content"])
        target = spec["Resources"][0]["TargetService"]["Properties"]
        assert target["TaskDefinition"] == WANTED.definition
        self.asked.append(f"create {given['deploymentConfigName']}")
        self.ignored.append(given.get("overrideAlarmConfiguration") == {"enabled": False})
        made = self.begin(version, reference, "Created")
        if self.late:
            error = {"Error": {"Code": "DeploymentLimitExceededException", "Message": "one goes on"}}
            raise ClientError(error, "CreateDeployment")
        return made

    def get_paginator(self, name: str) -> Any:
        assert name == "list_deployments"
        return self

    def paginate(self, **given: Any) -> Iterator[Any]:
        wanted = given.get("includeOnlyStatuses")
        found = [one for one in self.there if not wanted or one["status"] in wanted]
        if found and self.late:
            self.late -= 1
            found = []
        yield {"deployments": [one["deploymentId"] for one in found]}

    def batch_get_deployments(self, **given: Any) -> Any:
        found = [one for one in self.there if one["deploymentId"] in given["deploymentIds"]]
        for one in found:
            if one["status"] in ("Created", "InProgress") and self.states:
                one["status"], _, flag = self.states.pop(0).partition("+")
                one["instanceTerminationWaitTimeStarted"] = bool(flag)
                self.serves = "2" if flag or one["status"] == "Succeeded" else self.serves
        return {"deploymentsInfo": found}

    def stop_deployment(self, **given: Any) -> None:
        assert given["autoRollbackEnabled"]
        self.asked.append(f"stop {given['deploymentId']}")
        self.serves = self.before or self.serves
        self._end(given["deploymentId"], "Stopped")

    def continue_deployment(self, **given: Any) -> None:
        self.asked.append(f"continue {given['deploymentWaitType']}")
        self._end(given["deploymentId"], "Succeeded")

    def _end(self, identifier: str, status: str) -> None:
        self.states = []
        next(one for one in self.there if one["deploymentId"] == identifier)["status"] = status


def serve(
    monkeypatch: pytest.MonkeyPatch, codedeploy: CodeDeploy, *, why: str = "", shape: str = "AllAtOnce"
) -> None:
    monkeypatch.setattr(Account, "client", lambda *_, **__: codedeploy)
    deployments = Deployments(Account("us-east-1"), "shop/group", FakeClock(), 5.0)
    deployments.serve(WANTED, lambda: codedeploy.serves, lambda _: why, reference="op-1-traffic", shape=shape)


def test_it_serves_when_the_tasks_before_are_not_kept_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy("InProgress", "InProgress+kept", "InProgress+kept", "Succeeded")
    serve(monkeypatch, found, shape="Canary10Percent5Minutes")
    assert (found.asked, found.states) == (["create CodeDeployDefault.ECSCanary10Percent5Minutes"], [])


def test_a_return_is_at_once_and_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy("InProgress", "InProgress+kept")
    serve(monkeypatch, found, shape="")
    assert found.asked == ["create CodeDeployDefault.ECSAllAtOnce", "continue TERMINATION_WAIT"]


def test_a_return_is_not_stopped_by_the_alarm_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy("Succeeded", "Succeeded")
    serve(monkeypatch, found)
    assert found.ignored == [False]
    found = CodeDeploy("Succeeded")
    serve(monkeypatch, found, shape="")
    assert found.ignored == [True]


def test_tasks_that_are_still_kept_are_returned_to_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody goes back to version 2 while version 3 serves, and 2 is still there."""
    found = CodeDeploy()
    found.serves, found.before = "3", "2"
    found.begin("3", "op-0-traffic")["instanceTerminationWaitTimeStarted"] = True
    serve(monkeypatch, found, shape="")
    assert (found.asked, found.serves) == (["stop d-0"], "2")


def test_a_return_that_only_keeps_is_not_itself_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy()
    one = found.begin("1", "op-0-alias")
    one |= {"instanceTerminationWaitTimeStarted": True, "overrideAlarmConfiguration": {"enabled": False}}
    with pytest.raises(AwsError, match="it crashed"):
        serve(monkeypatch, found, why="it crashed", shape="")
    assert found.asked == ["continue TERMINATION_WAIT", "create CodeDeployDefault.ECSAllAtOnce", "stop d-1"]


def test_one_whose_answer_was_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy("InProgress", "Succeeded")
    found.late = 3
    serve(monkeypatch, found)
    assert (len(found.asked), found.serves) == (1, "2")
    found = CodeDeploy("InProgress")
    found.late = 50
    with pytest.raises(AwsError, match="one goes on"):
        serve(monkeypatch, found)


def test_an_endless_one_is_not_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy(*["InProgress"] * 5_000)
    with pytest.raises(AwsError, match="not over after six hours") as caught:
        serve(monkeypatch, found)
    assert caught.value.unknown


@pytest.mark.parametrize(
    ("reference", "status"),
    [("op-1-traffic", "InProgress"), ("op-0-alias", "InProgress"), ("op-1-traffic", "Succeeded")],
)
def test_what_was_begun_is_gone_on_with(monkeypatch: pytest.MonkeyPatch, reference: str, status: str) -> None:
    found = CodeDeploy("InProgress", "Succeeded")
    found.begin("2", reference, status)
    found.serves = "2" if status == "Succeeded" else "1"
    serve(monkeypatch, found)
    assert found.asked == []


def test_what_failed_while_nobody_looked_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy()
    found.begin("2", "op-1-traffic", "Stopped")["errorInformation"] = {"message": "an alarm"}
    with pytest.raises(AwsError, match="does not get healthy: an alarm") as caught:
        serve(monkeypatch, found)
    assert (caught.value.reason, found.asked) == (UNHEALTHY, [])


def test_a_return_that_failed_is_no_more_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """The new tasks serve all the same: it is not called a return."""
    found = CodeDeploy("Failed")
    found.serves = "2"
    found.begin("2", "op-1-traffic")
    with pytest.raises(AwsError, match="it is Failed") as caught:
        serve(monkeypatch, found)
    assert caught.value.reason == "Failed"


def test_tasks_that_crash_end_it_long_before_codedeploy_does(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy("InProgress", "InProgress")
    with pytest.raises(AwsError, match="does not get healthy: the disk is full") as caught:
        serve(monkeypatch, found, why="the disk is full")
    assert (caught.value.reason, found.asked[1:]) == (UNHEALTHY, ["stop d-0"])


def test_somebody_elses_is_left_alone_unless_one_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy()
    found.begin("7", "by hand")
    with pytest.raises(AwsError, match="d-0 goes on, and nobody here began it") as caught:
        serve(monkeypatch, found)
    assert "aws deploy stop-deployment --deployment-id d-0" in str(caught.value.hint)
    assert found.asked == []
    found.serves = "2"
    serve(monkeypatch, found, shape="")
    assert found.asked == ["stop d-0"]


def test_tasks_that_are_only_kept_make_room_for_the_next_release(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CodeDeploy()
    found.begin("1", "an older one")["instanceTerminationWaitTimeStarted"] = True
    with pytest.raises(AwsError, match="does not get healthy: it crashed"):
        serve(monkeypatch, found, why="it crashed")
    assert found.asked == ["continue TERMINATION_WAIT", "create CodeDeployDefault.ECSAllAtOnce", "stop d-1"]
