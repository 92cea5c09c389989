"""ECS tasks that do one thing and end: begun once, waited for, and heard."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated
from gymops.clock import Clock
from gymops.errors import ConfigError

_LONGEST = 3600.0
_TOLD = 300.0
"""How long ECS may not know yet what it has begun, or not have ended yet what it was told to end."""
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


def words(command: str) -> list[str]:
    """A command as its words.

    Raises:
        ConfigError: it has none, or a quote is not closed.
    """
    try:
        found = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"{command!r} is no command: {error}", hint="quote it as a shell has it") from None
    if not found:
        raise ConfigError(f"{command!r} is no command: it has no word", hint="leave it empty for none")
    return found


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

        Another operation's task of this kind is waited for first.

        Raises:
            AwsError: it cannot be started; or it has not ended within an hour, and was stopped; or it is not
                known how it stands.
        """
        cluster = str(service["clusterArn"])
        task = self._begun(cluster, definition, reference)
        if task is None:
            task = self._begin(service, definition, command, reference)
        found = self._ended(cluster, task, _LONGEST)
        if found is None:
            with translated(f"stopping {task}"):
                self._ecs.stop_task(cluster=cluster, task=task, reason="gymops: not done within an hour")
            stopped = self._ended(cluster, task, _TOLD) is not None
            ended = "stopped" if stopped else "does not stop"
            raise AwsError(
                f"{command}: not done within an hour, and {ended} ({task})",
                reason="Timeout",
                hint="gymops logs shows what it wrote",
                unknown=not stopped,
            )
        name = definition["containerDefinitions"][0]["name"]
        container: dict[str, Any] = next((one for one in found["containers"] if one["name"] == name), {})
        reason = str(container.get("reason") or found.get("stoppedReason") or "")
        code = container.get("exitCode")
        return Ran(code, reason, self._lines(definition, task) if code is not None else ())

    def _begun(self, cluster: str, definition: Mapping[str, Any], reference: str) -> str | None:
        """The task of this reference, once no other operation's runs; ECS forgets one an hour after it has
        ended.

        Raises:
            AwsError: another one does not end.
        """
        family = str(definition["taskDefinitionArn"]).rpartition("/")[2].partition(":")[0]
        kind = reference.rpartition("-")[2]
        there = self._of(cluster, family)
        for one in there:
            if one.get("startedBy") == reference:
                return str(one["taskArn"])
        for one in there:
            by, task = str(one.get("startedBy") or ""), str(one["taskArn"])
            ours = by.startswith("op-") and by.endswith(f"-{kind}")
            if ours and one["lastStatus"] != "STOPPED" and self._ended(cluster, task, _LONGEST) is None:
                raise AwsError(
                    f"{task}, begun by {by}, has not ended within an hour",
                    reason="Timeout",
                    hint="the same command waits on",
                    unknown=True,
                )
        return None

    def _of(self, cluster: str, family: str) -> list[dict[str, Any]]:
        """A family's tasks: AWS lists those of one reference in no one state."""
        found: list[dict[str, Any]] = []
        for status in ("RUNNING", "STOPPED"):
            with translated(f"the tasks of {cluster}"):
                pages = self._ecs.get_paginator("list_tasks")
                for page in pages.paginate(cluster=cluster, family=family, desiredStatus=status):
                    if page["taskArns"]:
                        told = self._ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])
                        found += told["tasks"]
        return found

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
                overrides={"containerOverrides": [{"name": name, "command": words(command)}]},
                startedBy=reference,
                clientToken=reference,
                propagateTags="TASK_DEFINITION",
            )
        if not made["tasks"]:
            why = ", ".join(one.get("reason", "") for one in made.get("failures", ())) or "no reason is given"
            raise AwsError(f"{command}: the task does not start: {why}", reason="TaskFailedToStart")
        return str(made["tasks"][0]["taskArn"])

    def _ended(self, cluster: str, task: str, seconds: float) -> dict[str, Any] | None:
        """A task that has ended; None where it has not in time."""
        deadline = self._clock.monotonic() + seconds
        while (found := self._look(cluster, task))["lastStatus"] != "STOPPED":
            if self._clock.monotonic() > deadline:
                return None
            self._clock.sleep(self._every)
        return found

    def _look(self, cluster: str, task: str) -> dict[str, Any]:
        deadline = self._clock.monotonic() + _TOLD
        while True:
            with translated(task):
                found = self._ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"]
            if found:
                return dict(found[0])
            if self._clock.monotonic() > deadline:
                raise AwsError(
                    f"{task}: ECS does not know it", reason="MISSING", hint="the same command asks again",
                    unknown=True,
                )  # fmt: skip
            self._clock.sleep(self._every)

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
