"""ECS tasks that do one thing and end: begun once, waited for, and heard."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated
from gymops.clock import Clock

_LONGEST = 3600.0
_HEARD = 20
_LATE = 5
"""Looks for the lines of a task that has ended: its log comes after it."""


@dataclass(frozen=True)
class Ran:
    """How a task ended."""

    code: int | None
    """None: its container never ran."""
    reason: str
    lines: tuple[str, ...]
    """The last ones that it wrote."""


class Tasks:
    """One-shot tasks in a service's place: its subnets, its security groups."""

    def __init__(self, account: Account, clock: Clock, every: float) -> None:
        self._account = account
        self._clock = clock
        self._every = every

    def run(
        self, service: Mapping[str, Any], definition: Mapping[str, Any], command: str, reference: str
    ) -> Ran:
        """Run a definition's first container with another command; with the same reference, that very task.

        Raises:
            AwsError: it cannot be started; or it has not ended within an hour, and was stopped.
        """
        cluster = str(service["clusterArn"])
        task = self._begun(cluster, reference) or self._begin(service, definition, command, reference)
        deadline = self._clock.monotonic() + _LONGEST
        while (found := self._look(cluster, task))["lastStatus"] != "STOPPED":
            if self._clock.monotonic() > deadline:
                with translated(f"stopping {task}"):
                    self._ecs.stop_task(cluster=cluster, task=task, reason="gymops: not done within an hour")
                raise AwsError(
                    f"{command}: not done within an hour, and stopped ({task})",
                    reason="Timeout",
                    hint="gymops logs shows what it wrote",
                )
            self._clock.sleep(self._every)
        container = found["containers"][0]
        reason = str(container.get("reason") or found.get("stoppedReason") or "")
        code = container.get("exitCode")
        return Ran(code, reason, self._lines(definition, task) if code is not None else ())

    def _begun(self, cluster: str, reference: str) -> str | None:
        """The task of this reference; ECS forgets one an hour after it has ended."""
        for status in ("RUNNING", "STOPPED"):
            with translated(f"the tasks of {cluster}"):
                found = self._ecs.list_tasks(cluster=cluster, startedBy=reference, desiredStatus=status)
            if found["taskArns"]:
                return str(found["taskArns"][0])
        return None

    def _begin(
        self, service: Mapping[str, Any], definition: Mapping[str, Any], command: str, reference: str
    ) -> str:
        name = definition["containerDefinitions"][0]["name"]
        with translated(f"a task of {definition['taskDefinitionArn']}"):
            made = self._ecs.run_task(
                cluster=service["clusterArn"],
                taskDefinition=definition["taskDefinitionArn"],
                launchType="FARGATE",
                networkConfiguration=service["networkConfiguration"],
                overrides={"containerOverrides": [{"name": name, "command": shlex.split(command)}]},
                startedBy=reference,
                clientToken=reference,
                propagateTags="TASK_DEFINITION",
            )
        if not made["tasks"]:
            why = ", ".join(one.get("reason", "") for one in made.get("failures", ())) or "no reason is given"
            raise AwsError(f"{command}: the task does not start: {why}", reason="TaskFailedToStart")
        return str(made["tasks"][0]["taskArn"])

    def _look(self, cluster: str, task: str) -> dict[str, Any]:
        with translated(task):
            found = self._ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"]
        if not found:
            raise AwsError(f"{task} is not there any more", reason="MISSING")
        return dict(found[0])

    def _lines(self, definition: Mapping[str, Any], task: str) -> tuple[str, ...]:
        container = definition["containerDefinitions"][0]
        options = (container.get("logConfiguration") or {}).get("options") or {}
        group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
        if not group or not prefix:
            return ()
        stream = f"{prefix}/{container['name']}/{task.rpartition('/')[2]}"
        for _ in range(_LATE):
            try:
                with translated(f"the log {group}"):
                    pages = self._account.client("logs").get_paginator("filter_log_events")
                    told = [
                        str(one["message"]).rstrip()
                        for page in pages.paginate(logGroupName=group, logStreamNames=[stream])
                        for one in page["events"]
                    ]
            except AwsError as error:
                if error.reason != "ResourceNotFoundException":
                    raise
                told = []
            if told:
                return tuple(told[-_HEARD:])
            self._clock.sleep(self._every)
        return ()

    @property
    def _ecs(self) -> Any:
        return self._account.client("ecs")
