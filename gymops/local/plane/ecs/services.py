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
_AT_ONCE, _RECENT, _LONGEST = 3, 60.0, 60.0
_KEPT = 100
"""Stopped tasks of a service that are remembered; AWS forgets them after an hour."""


class Restarts:
    """How long a service waits before another task is started in the place of one that failed."""

    def __init__(self) -> None:
        self._failed: dict[str, list[float]] = {}

    def wait(self, service: str, now: float) -> float:
        """Seconds: none for the first few failures in a minute, then twice as long each time."""
        recent = [one for one in self._failed.get(service, ()) if now - one < _RECENT]
        self._failed[service] = [*recent, now]
        return 0.0 if len(recent) < _AT_ONCE else min(_LONGEST, 2.0 ** (len(recent) - _AT_ONCE + 1))


class Services:
    """The emulator's ECS, with our processes in the place of containers."""

    def __init__(self, context: Context, health: Health) -> None:
        self._daemon = Daemon(context, Artefacts(context))
        self._health = health
        self._restarts = Restarts()

    def install(self) -> None:
        """Put it in."""
        ecs = ministack.service("ecs")
        ministack.wrap(ecs, "_get_docker", lambda _: lambda: self._daemon)
        ministack.wrap(ecs, "_build_run_kwargs", _with_entry)
        ministack.wrap(ecs, "_make_deployment", _unproved)
        ministack.wrap(ecs, "_schedule_service_deployment_completion", self._once_healthy)
        ministack.wrap(ecs, "_record_service_task_failure", self._patiently)

    def _patiently(self, original: Callable[..., None]) -> Callable[..., None]:
        """A task that fails again and again is not started again and again without a pause."""

        def record(task: dict[str, Any], digest_resolution_failed: bool = False) -> None:
            _forget(task)
            seconds = self._restarts.wait(f"{task['clusterArn']}/{task['group']}", time.monotonic())
            if not seconds:
                original(task, digest_resolution_failed)
                return

            def later() -> None:
                time.sleep(seconds)
                original(task, digest_resolution_failed)

            ministack.background(later, "restart")

        return record

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


def _forget(task: dict[str, Any]) -> None:
    """The service's oldest stopped tasks."""
    tasks = ministack.service("ecs")._tasks
    stopped = [
        one
        for one in list(tasks.values())
        if one["lastStatus"] == "STOPPED"
        and (one.get("group"), one["clusterArn"]) == (task.get("group"), task["clusterArn"])
    ]
    for one in sorted(stopped, key=lambda one: str(one.get("stoppedAt")))[:-_KEPT]:
        tasks.pop(one["taskArn"], None)


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
