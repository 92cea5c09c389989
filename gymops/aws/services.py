"""ECS: a service's task definitions as its versions, and its deployments.

A service is named ``CLUSTER/SERVICE``, a version by the revision of its task definition. The target group's
health check asks each new task before any request of a user does, and ECS itself returns to the version
before if the new tasks do not pass it. Where CodeDeploy replaces its tasks its alias is
``APPLICATION/GROUP``, and empty where ECS does.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.deployments import UNHEALTHY, Deployments, Revision
from gymops.aws.functions import Invocation, Version
from gymops.aws.session import AwsError, translated
from gymops.aws.tasks import Ran, Tasks
from gymops.clock import Clock, SystemClock

_EVERY = 5.0
_LONGEST = 3600.0
_MOVING = frozenset({"initial", "draining", "unused"})
"""Of targets that come or go, as where the service scales: they say nothing of those that serve."""
_CRASHED = frozenset({"EssentialContainerExited", "TaskFailedToStart"})
_CRASHES = 3
"""Tasks of a version that ended by themselves, after which a deployment by CodeDeploy is stopped."""


class Services:
    """The services of an account and region."""

    def __init__(self, account: Account, clock: Clock | None = None, every: float = _EVERY) -> None:
        self._account = account
        self._clock = clock or SystemClock()
        self._every = every

    def version(self, service: str, qualifier: str = "$LATEST") -> Version:
        """What a version runs, by its image's digest; ``$LATEST`` is the newest.

        Raises:
            AwsError: there is none.
        """
        family = _family(self._find(service)["taskDefinition"])
        wanted = family if qualifier == "$LATEST" else f"{family}:{qualifier}"
        with translated(f"the task definition {wanted}"):
            found = self._ecs.describe_task_definition(taskDefinition=wanted)["taskDefinition"]
        image = found["containerDefinitions"][0]["image"]
        return Version(str(found["revision"]), image.rpartition("@")[2], None, found["status"])

    def publish(self, service: str, code: str) -> str:
        """The newest version, which must run this code; its stack made it.

        Raises:
            AwsError: it runs other code.
        """
        found = self.version(service)
        if found.code != code:
            raise AwsError(
                f"version {found.number} of {service} runs {found.code}, and {code} was released",
                reason="CodeMismatch",
                hint="someone else changed the service; run the same again",
            )
        return found.number

    def serving(self, service: str, alias: str) -> str:
        """The version that serves, or that new tasks are started of."""
        del alias
        return _revision(_primary(self._find(service))["taskDefinition"])

    def split(self, service: str, alias: str, version: str, other: str, share: float) -> None:
        """No service does that.

        Raises:
            AwsError: always.
        """
        del alias, version, other
        raise AwsError(
            f"{service} is a service, and gives no version a share ({share:.0%}) of its requests",
            reason="NoShares",
            hint='traffic = "AllAtOnce" in gymops.toml: tasks are replaced as they pass their health check',
        )

    def serve(self, service: str, alias: str, version: str, *, reference: str = "", shape: str = "") -> None:
        """Replace its tasks by those of a version, and wait until they serve; repeated, it waits on.

        Raises:
            AwsError: they do not get healthy (``UNHEALTHY``); or it is not known whether they do.
        """
        cluster, name = service.split("/")
        found = self._find(service)
        if alias:
            container = found["loadBalancers"][0]
            Deployments(self._account, alias, self._clock, self._every).serve(
                Revision(
                    service, version, f"{found['taskDefinition'].rpartition(':')[0]}:{version}",
                    container["containerName"], container["containerPort"],
                ),
                lambda: self.serving(service, alias),
                lambda since: self._crashed(service, version, since),
                reference=reference,
                shape=shape,
            )  # fmt: skip
            self._read_back(service, version)
            return
        if _revision(found["taskDefinition"]) != version:
            wanted = f"{_family(found['taskDefinition'])}:{version}"
            with translated(f"version {version} of {service}"):
                found = self._ecs.update_service(cluster=cluster, service=name, taskDefinition=wanted)[
                    "service"
                ]
        deployment = next(one["id"] for one in found["deployments"] if one["status"] == "PRIMARY")
        deadline = self._clock.monotonic() + _LONGEST
        while not _done(found, deployment, service, version, self._why):
            if self._clock.monotonic() > deadline:
                raise AwsError(
                    f"version {version} of {service} does not replace the tasks before it within an hour",
                    reason="Timeout",
                    hint="the same command waits on",
                    unknown=True,
                )
            self._clock.sleep(self._every)
            found = self._find(service)
        self._read_back(service, version)

    def _read_back(self, service: str, version: str) -> None:
        """What its tasks run, by ECS's word on each, is what the version says.

        Raises:
            AwsError: it is something else.
        """
        wanted = self.version(service, version).code
        tasks = self._tasks(service, version, "RUNNING")
        there = {str(one.get("imageDigest") or "") for task in tasks for one in task["containers"]}
        if others := sorted(there - {wanted, ""}) if wanted not in there else []:
            raise AwsError(
                f"the tasks of version {version} of {service} run {', '.join(others)}, and not {wanted}",
                reason="CodeMismatch",
                hint="someone else changed the service; run the same again",
            )

    def run(self, service: str, version: str, command: str, reference: str) -> Ran:
        """Run a version with another command, as a task of its own in the service's place, to its end.

        Raises:
            AwsError: it cannot be started, or does not end.
        """
        found = self._find(service)
        wanted = f"{_family(found['taskDefinition'])}:{version}"
        with translated(f"the task definition {wanted}"):
            definition = self._ecs.describe_task_definition(taskDefinition=wanted)["taskDefinition"]
        return Tasks(self._account, self._clock, self._every).run(found, definition, command, reference)

    def invoke(
        self, service: str, event: dict[str, Any], qualifier: str | None = None, *, again: bool = False
    ) -> Invocation:
        """What the health check says of the tasks: 200 if all pass it. Nobody outside reaches them."""
        del event, qualifier, again
        began, found = time.monotonic(), self._find(service)
        bad, good = [], 0
        for one in _primary(found)["loadBalancers"]:
            with translated(f"the health of {service}"):
                told = self._balancers.describe_target_health(TargetGroupArn=one["targetGroupArn"])
            for target in told["TargetHealthDescriptions"]:
                health = target["TargetHealth"]
                good += health["State"] == "healthy"
                if health["State"] not in {"healthy", *_MOVING}:
                    bad.append(f"{target['Target']['Id']} {health['State']}: {health.get('Description', '')}")
        answer = {"statusCode": 200 if good and not bad else 503, "body": "; ".join(bad) or f"{good} healthy"}
        return Invocation(
            _revision(_primary(found)["taskDefinition"]), answer, False, time.monotonic() - began
        )

    def _find(self, service: str) -> dict[str, Any]:
        cluster, name = service.split("/")
        with translated(f"the service {service}"):
            found = self._ecs.describe_services(cluster=cluster, services=[name])["services"]
        for one in found:
            if one["status"] == "ACTIVE":
                return dict(one)
        raise AwsError(f"the service {service} is not there", reason="ResourceNotFoundException")

    def _why(self, service: str, version: str) -> str:
        """What ECS says of the last task of a version that it ended."""
        last = max(self._tasks(service, version, "STOPPED"), key=lambda one: one["createdAt"], default=None)
        return str(last.get("stoppedReason") or "") if last else ""

    def _crashed(self, service: str, version: str, since: datetime) -> str:
        """Why the tasks of a version do not stay, if several have ended since."""
        found = [
            one
            for one in self._tasks(service, version, "STOPPED")
            if one["createdAt"] >= since
            and (one.get("stopCode") in _CRASHED or "failed" in (one.get("stoppedReason") or ""))
        ]
        last = max(found, key=lambda one: one["createdAt"], default=None)
        return str(last.get("stoppedReason") or "its tasks end") if last and len(found) >= _CRASHES else ""

    def _tasks(self, service: str, version: str, status: str) -> list[dict[str, Any]]:
        cluster, name = service.split("/")
        with translated(f"the tasks of {service}"):
            found = self._ecs.list_tasks(cluster=cluster, serviceName=name, desiredStatus=status)["taskArns"]
            tasks = self._ecs.describe_tasks(cluster=cluster, tasks=found[:100])["tasks"] if found else []
        return [one for one in tasks if _revision(one["taskDefinitionArn"]) == version]

    @property
    def _ecs(self) -> Any:
        return self._account.client("ecs")

    @property
    def _balancers(self) -> Any:
        return self._account.client("elbv2")


def _done(found: dict[str, Any], deployment: str, service: str, version: str, why: Any) -> bool:
    """Whether a deployment is complete.

    Raises:
        AwsError: it failed, or another one took its place.
    """
    state = next((one for one in found["deployments"] if one["id"] == deployment), None)
    if state is None or state.get("rolloutState") == "FAILED":
        told = (
            why(service, version) or (state or {}).get("rolloutStateReason") or "another deployment took over"
        )
        raise AwsError(
            f"version {version} of {service} does not get healthy: {told}",
            reason=UNHEALTHY,
            hint="gymops logs shows what its tasks wrote",
        )
    return bool(state.get("rolloutState") == "COMPLETED")


def _primary(found: dict[str, Any]) -> dict[str, Any]:
    """The set of tasks that serves: CodeDeploy's services have several, and others are one."""
    return next((one for one in found.get("taskSets") or [] if one["status"] == "PRIMARY"), found)


def _family(arn: str) -> str:
    return arn.rpartition("/")[2].partition(":")[0]


def _revision(arn: str) -> str:
    return arn.rpartition(":")[2]
