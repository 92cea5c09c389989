"""Services: their tasks are processes, and a deployment has done its work when its tasks are healthy.

The emulator counts, replaces and rolls back; it takes a container that runs for one that works. Here the
health checks of the service's target groups say so, as on AWS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.context import Context
from gymops.local.plane.ecs.daemon import Daemon
from gymops.local.plane.ecs.health import HEALTHY, UNHEALTHY, Health
from gymops.local.plane.functions.artefact import Artefacts

_LOOK = 0.1


class Services:
    """The emulator's ECS, with our processes in the place of containers."""

    def __init__(self, context: Context, health: Health) -> None:
        self._daemon = Daemon(context, Artefacts(context))
        self._health = health

    def install(self) -> None:
        """Put it in."""
        ecs = ministack.service("ecs")
        ministack.wrap(ecs, "_get_docker", lambda _: lambda: self._daemon)
        ministack.wrap(ecs, "_build_run_kwargs", _with_entry)
        ministack.wrap(ecs, "_make_deployment", _unproved)
        ministack.wrap(ecs, "_schedule_service_deployment_completion", self._once_healthy)

    def _once_healthy(self, original: Callable[..., None]) -> Callable[..., None]:
        def schedule(
            cluster: str, service: str, account: str, region: str, healthy_task: dict[str, Any] | None = None
        ) -> None:
            found = ministack.service("ecs")._services.get(service) or {}
            if healthy_task is None or not found.get("loadBalancers"):
                original(cluster, service, account, region, healthy_task=healthy_task)
                return

            def done() -> None:
                original(cluster, service, account, region, healthy_task=healthy_task)

            ministack.background(lambda: self._watch(found, healthy_task, done), "task")

        return schedule

    def _watch(self, service: dict[str, Any], task: dict[str, Any], done: Callable[[], None]) -> None:
        """A task for as long as it lives: it proves itself once, and is replaced when it fails."""
        ecs = ministack.service("ecs")
        began, proved = time.monotonic(), False
        groups = [(one["targetGroupArn"], int(one["containerPort"])) for one in service["loadBalancers"]]
        while task["lastStatus"] == "RUNNING" and ecs._task_is_active(task["taskArn"], task):
            states = {arn: self._health.of((arn, ecs._task_ip(task), port)).state for arn, port in groups}
            task["healthStatus"] = "HEALTHY" if set(states.values()) == {HEALTHY} else "UNKNOWN"
            if not proved and task["healthStatus"] == "HEALTHY":
                proved = True
                done()
            grace = float(service.get("healthCheckGracePeriodSeconds") or 0)
            bad = [arn for arn, state in states.items() if state == UNHEALTHY]
            if bad and time.monotonic() - began >= grace:
                reason = f"Task failed ELB health checks in (target-group {bad[0]})"
                if ecs._mark_task_stopped(task["taskArn"], task, reason, "ServiceSchedulerInitiated"):
                    ecs._cleanup_task_resources(task, self._daemon)
                    ecs._record_service_task_failure(task)
                return
            time.sleep(_LOOK)


def _with_entry(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The emulator leaves a container's entry point to its image."""

    def build(cdef: dict[str, Any], *arguments: Any) -> dict[str, Any]:
        found = original(cdef, *arguments)
        found.pop("platform", None)  # nothing is emulated, and a second try would run on the same
        if "entryPoint" in cdef:
            found["entrypoint"] = cdef["entryPoint"]
        return {**found, "working_dir": cdef.get("workingDirectory", "")}

    return build


def _unproved(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A service's first deployment has not done its work before it began, and can fail as others do."""

    def make(*arguments: Any, **named: Any) -> dict[str, Any]:
        return {**original(*arguments, **named), "rolloutState": "IN_PROGRESS", "rolloutStateReason": ""}

    return make
