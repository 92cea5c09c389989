"""CodeDeploy: a service's tasks replaced by others beside them, and the requests given back where that fails.

A deployment says in its description for which version it is and who asked for it, so that whoever asks again
finds it: while it goes on, and when it is over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated
from gymops.clock import Clock

UNHEALTHY = "DeploymentFailed"
"""The reason of an ``AwsError``: the new tasks did not get healthy, and the version before serves."""
AT_ONCE = "AllAtOnce"
_GOING = ["Created", "Queued", "InProgress", "Ready", "Baking"]
_LONGEST = 6 * 3600.0
_TRIES = 6
"""Looks for a deployment that was asked for, and whose answer was lost."""
_MOST = 100
"""Deployments that are looked through for one that was asked for before."""


@dataclass(frozen=True)
class Revision:
    """What is to serve."""

    service: str
    version: str
    definition: str
    """The task definition's ARN."""
    container: str
    port: int

    @property
    def spec(self) -> str:
        """The AppSpec."""
        target = {
            "TaskDefinition": self.definition,
            "LoadBalancerInfo": {"ContainerName": self.container, "ContainerPort": self.port},
        }
        resource = {"TargetService": {"Type": "AWS::ECS::Service", "Properties": target}}
        return json.dumps({"version": 0.0, "Resources": [resource]}, sort_keys=True)


class Deployments:
    """The deployments of one group, named ``APPLICATION/GROUP``."""

    def __init__(self, account: Account, where: str, clock: Clock, every: float) -> None:
        self._account = account
        self._clock = clock
        self._every = every
        application, _, group = where.partition("/")
        self._where = {"applicationName": application, "deploymentGroupName": group}
        self._name = where

    def serve(
        self,
        wanted: Revision,
        serving: Callable[[], str],
        crashed: Callable[[datetime], str],
        *,
        reference: str,
        shape: str,
    ) -> None:
        """Have a version serve; asked for again with the same reference, it is the same deployment.

        Without a shape it is a return: at once, and what served before is not kept. ``crashed`` says why the
        tasks of the version do not stay, if that is so.

        Raises:
            AwsError: the requests were given back (``UNHEALTHY``); or it is not known how it stands.
        """
        mine = self._begun(wanted, reference)
        if mine is None:
            self._free(returning=not shape)
            if serving() == wanted.version:
                return
            mine = self._create(wanted, reference, shape)
        self._follow(mine, wanted, serving, crashed, returning=not shape)

    def _begun(self, wanted: Revision, reference: str) -> str | None:
        """The deployment of this version that goes on, or that this reference asked for."""
        about = _about(wanted, reference)
        for one in self._told(self._ids(_GOING)):
            if (one.get("description") or "").startswith(_about(wanted, "")):
                return str(one["deploymentId"])
        if reference:
            for one in self._told(self._ids(None)):
                if one.get("description") == about:
                    return str(one["deploymentId"])
        return None

    def _free(self, *, returning: bool) -> None:
        """End what goes on: what is only kept is not kept longer, and whoever goes back stops the rest.

        Who goes back stops a release also while what served before it is kept: its healthy tasks get the
        requests again within seconds, and what follows is done from there.

        Raises:
            AwsError: somebody else deploys.
        """
        for one in self._told(self._ids(_GOING)):
            identifier = str(one["deploymentId"])
            if one.get("instanceTerminationWaitTimeStarted") and (not returning or _goes_back(one)):
                self._no_longer_kept(identifier)
            elif returning:
                self._stop(identifier)
            else:
                raise AwsError(
                    f"{self._name}: the deployment {identifier} goes on, and nobody here began it",
                    reason="DeploymentLimitExceededException",
                    hint=f"wait for it, or aws deploy stop-deployment --deployment-id {identifier}",
                )
        self._until_free()

    def _create(self, wanted: Revision, reference: str, shape: str) -> str:
        content = {"content": wanted.spec, "sha256": sha256(wanted.spec.encode()).hexdigest()}
        # A return is the answer to an alarm, and must not be stopped by it.
        given = {} if shape else {"overrideAlarmConfiguration": {"enabled": False}}
        try:
            with translated(f"a deployment of version {wanted.version} of {wanted.service}"):
                made = self._client.create_deployment(
                    **self._where,
                    **given,
                    deploymentConfigName=f"CodeDeployDefault.ECS{shape or AT_ONCE}",
                    description=_about(wanted, reference),
                    revision={"revisionType": "AppSpecContent", "appSpecContent": content},
                )
        except AwsError as error:
            if error.reason != "DeploymentLimitExceededException":
                raise
            # It may be ours: the answer was lost, and the client asked a second time.
            for _ in range(_TRIES):
                if mine := self._begun(wanted, reference):
                    return mine
                self._clock.sleep(self._every)
            raise
        return str(made["deploymentId"])

    def _follow(
        self,
        identifier: str,
        wanted: Revision,
        serving: Callable[[], str],
        crashed: Callable[[datetime], str],
        *,
        returning: bool,
    ) -> None:
        why, asked = "", False
        for one in self._looks(identifier):
            if one["status"] not in _GOING:
                break
            if returning and one.get("instanceTerminationWaitTimeStarted") and not asked:
                self._no_longer_kept(identifier)
                asked = True
            # CodeDeploy itself would start them for an hour.
            elif not why and (why := crashed(one["createTime"])):
                self._stop(identifier)
        self._until_free()
        if one["status"] == "Succeeded" and serving() == wanted.version:
            return
        told = why or (one.get("errorInformation") or {}).get("message") or f"it is {one['status']}"
        back = serving() != wanted.version
        raise AwsError(
            f"version {wanted.version} of {wanted.service} does not get healthy: {told} ({identifier})",
            reason=UNHEALTHY if back else str(one["status"]),
            hint="gymops logs shows what its tasks wrote",
        )

    def _looks(self, identifier: str) -> Iterator[dict[str, Any]]:
        deadline = self._clock.monotonic() + _LONGEST
        while self._clock.monotonic() < deadline:
            yield self._told([identifier])[0]
            self._clock.sleep(self._every)
        raise AwsError(
            f"the deployment {identifier} of {self._name} is not over after six hours",
            reason="Timeout",
            hint="the same command waits on",
            unknown=True,
        )

    def _until_free(self) -> None:
        """A deployment that failed is followed by another one, which brings back what was before."""
        deadline = self._clock.monotonic() + _LONGEST
        while going := self._ids(_GOING):
            if self._clock.monotonic() > deadline:
                raise AwsError(
                    f"the deployment {going[0]} of {self._name} does not end",
                    reason="Timeout",
                    hint="the same command waits on",
                    unknown=True,
                )
            self._clock.sleep(self._every)

    def _stop(self, identifier: str) -> None:
        try:
            with translated(f"stopping the deployment {identifier}"):
                self._client.stop_deployment(deploymentId=identifier, autoRollbackEnabled=True)
        except AwsError as error:
            if error.reason != "DeploymentAlreadyCompletedException":
                raise

    def _no_longer_kept(self, identifier: str) -> None:
        try:
            with translated(f"ending the deployment {identifier}"):
                self._client.continue_deployment(
                    deploymentId=identifier, deploymentWaitType="TERMINATION_WAIT"
                )
        except AwsError as error:
            if error.reason not in {
                "DeploymentAlreadyCompletedException", "DeploymentIsNotInReadyStateException",
            }:  # fmt: skip
                raise

    def _ids(self, statuses: list[str] | None) -> list[str]:
        given = {"includeOnlyStatuses": statuses} if statuses else {}
        found: list[str] = []
        with translated(f"the deployments of {self._name}"):
            for page in self._client.get_paginator("list_deployments").paginate(**self._where, **given):
                found += page["deployments"]
                if len(found) >= _MOST:
                    break
        return found[:_MOST]

    def _told(self, identifiers: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for some in _batched(identifiers, 25):
            with translated(f"the deployments of {self._name}"):
                found += self._client.batch_get_deployments(deploymentIds=some)["deploymentsInfo"]
        return found

    @property
    def _client(self) -> Any:
        return self._account.client("codedeploy")


def _about(wanted: Revision, reference: str) -> str:
    return f"gymops: version {wanted.version} for {reference}"


def _goes_back(one: dict[str, Any]) -> bool:
    """Whether a deployment is a return itself: stopped, it would give the requests to what was left."""
    ignores = (one.get("overrideAlarmConfiguration") or {}).get("enabled") is False
    return ignores or one.get("creator") == "codeDeployRollback"


def _batched(found: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(found), size):
        yield found[start : start + size]
