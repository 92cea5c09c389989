"""Services that CodeDeploy releases to: the tasks that serve, and beside them those that are to.

The emulator knows one set of tasks for a service. The other one is a service of its own there, under a name
that no request can have, and changes places with the first when all requests go to it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.faults import Fault

Handler = Callable[[dict[str, Any]], Any]
_MARK = "~"
_PLACES = ("taskDefinition", "loadBalancers", "deployments", "runningCount", "pendingCount")
_NOT_HERE = {
    "taskDefinition": "Unable to update task definition on services with a CODE_DEPLOY deployment controller."
    " Use AWS CodeDeploy to trigger a new deployment.",
    "forceNewDeployment": "Cannot force a new deployment on services with a CODE_DEPLOY deployment"
    " controller. Use AWS CodeDeploy to trigger a new deployment.",
}  # fmt: skip


class TaskSets:
    """The two sets of each service; a service is named ``CLUSTER/SERVICE``."""

    def __init__(self) -> None:
        self._shares: dict[str, tuple[str, int]] = {}
        """Of a target group's requests a share, in percent, goes to another."""
        self._turns = itertools.count()

    def install(self) -> None:
        """Show both as AWS does, and send them their shares."""
        ecs = ministack.service("ecs")
        actions = ecs._ACTION_MAP
        for name, make in {
            "DescribeServices": self._describing, "ListServices": self._listing, "ListTasks": self._tasks,
            "DescribeTasks": self._describing_tasks, "UpdateService": self._updating,
            "DeleteService": self._deleting,
        }.items():  # fmt: skip
            actions[name] = make(actions[name])
        ministack.wrap(ministack.service("alb"), "_forward_to_tg", self._sharing)

    def serving(self, service: str) -> dict[str, Any]:
        """The set that serves.

        Raises:
            Fault: there is no such service.
        """
        found: dict[str, Any] | None = ministack.service("ecs")._services.get(service)
        if found is None or found["status"] != "ACTIVE":
            raise Fault("InvalidECSServiceException", f"The ECS service {service} cannot be found.")
        return found

    def begin(self, service: str, deployment: str, definition: str, group: str) -> None:
        """Start the tasks of a task definition, in a target group of their own."""
        ecs, old = ministack.service("ecs"), self.serving(service)
        cluster = service.partition("/")[0]
        asked = {
            "cluster": cluster, "serviceName": f"{old['serviceName']}{_MARK}{deployment}",
            "taskDefinition": definition, "desiredCount": old["desiredCount"],
            "launchType": old["launchType"], "platformVersion": old["platformVersion"],
            "networkConfiguration": old["networkConfiguration"],
            "loadBalancers": [{**one, "targetGroupArn": group} for one in old["loadBalancers"]],
            "healthCheckGracePeriodSeconds": old["healthCheckGracePeriodSeconds"],
            "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
        }  # fmt: skip
        status, _, body = ecs._create_service(asked)
        if status >= 300:
            raise Fault("InvalidRevisionException", json.loads(body).get("message", "it cannot be started"))

    def healthy(self, service: str, deployment: str) -> bool:
        """Whether all tasks of the other set pass their health check."""
        found = ministack.service("ecs")._services.get(f"{service}{_MARK}{deployment}")
        if found is None:
            return False
        state = next(one for one in found["deployments"] if one["status"] == "PRIMARY")
        return bool(state["rolloutState"] == "COMPLETED" and found["runningCount"] >= found["desiredCount"])

    def share(self, group: str, other: str, percent: int) -> None:
        """Send a share of a target group's requests to another one's targets."""
        self._shares[group] = (other, percent)

    def move(self, listener: str, group: str, other: str) -> None:
        """What a listener sends to one target group it sends to another from now on."""
        alb = ministack.service("alb")
        rules = [one for one in alb._rules.values() if one["ListenerArn"] == listener]
        for action in [one for rule in rules for one in rule["Actions"]]:
            if action.get("TargetGroupArn") == group:
                action["TargetGroupArn"] = other
        arns = alb._tgs[other]["LoadBalancerArns"]
        arns += [one for one in alb._tgs[group]["LoadBalancerArns"] if one not in arns]
        self._shares.pop(group, None)

    def swap(self, service: str, deployment: str) -> None:
        """The two sets change places; no task and no target is touched."""
        ecs = ministack.service("ecs")
        one, other = ecs._services[service], ecs._services[f"{service}{_MARK}{deployment}"]
        for key in (*_PLACES, "_published_targets"):
            one[key], other[key] = other.get(key), one.get(key)
        groups = {f"service:{one['serviceName']}": f"service:{other['serviceName']}"}
        groups |= {new: old for old, new in groups.items()}
        for task in list(ecs._tasks.values()):
            if task["clusterArn"] == one["clusterArn"] and task["group"] in groups:
                task["group"] = groups[task["group"]]

    def end(self, service: str, deployment: str) -> None:
        """End the tasks of the set that does not serve."""
        ecs, name = ministack.service("ecs"), f"{service}{_MARK}{deployment}"
        if name in ecs._services:
            cluster, _, rest = name.partition("/")
            ecs._delete_service({"cluster": cluster, "service": rest, "force": True})
            for task in list(ecs._tasks.values()):
                if task["group"] == f"service:{rest}":
                    task["group"] = task["group"].partition(_MARK)[0]
            ecs._services.pop(name, None)

    def _sharing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def forward(tg_arn: str, *arguments: Any) -> Any:
            other, percent = self._shares.get(tg_arn, (tg_arn, 0))
            turn = next(self._turns) if percent else 0
            diverted = (turn + 1) * percent // 100 > turn * percent // 100
            return await original(other if diverted else tg_arn, *arguments)

        return forward

    def _describing(self, original: Handler) -> Handler:
        def describe(data: dict[str, Any]) -> Any:
            status, headers, body = original(data)
            told = json.loads(body)
            for one in told.get("services", []):
                if _codedeploy(one):
                    one["taskSets"] = self._shown(one)
                    one["deployments"] = []
            return status, headers, json.dumps(told).encode()

        return describe

    def _shown(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        ecs = ministack.service("ecs")
        cluster = service["clusterArn"].rpartition("/")[2]
        name = f"{cluster}/{service['serviceName']}"
        shown = []
        for key, one in sorted(ecs._services.items(), key=lambda pair: len(pair[0])):
            if key != name and not key.startswith(f"{name}{_MARK}"):
                continue
            state = next(each for each in one["deployments"] if each["status"] == "PRIMARY")
            steady = state["rolloutState"] == "COMPLETED" and one["runningCount"] == one["desiredCount"]
            shown.append({
                "id": state["id"], "serviceArn": service["serviceArn"], "clusterArn": service["clusterArn"],
                "taskSetArn": f"{service['serviceArn'].replace(':service/', ':task-set/')}/{state['id']}",
                "status": "PRIMARY" if key == name else "ACTIVE", "taskDefinition": one["taskDefinition"],
                "computedDesiredCount": one["desiredCount"], "pendingCount": one["pendingCount"],
                "runningCount": one["runningCount"], "launchType": one["launchType"],
                "loadBalancers": one["loadBalancers"], "networkConfiguration": one["networkConfiguration"],
                "createdAt": state["createdAt"], "updatedAt": state["updatedAt"],
                "scale": {"value": 100.0, "unit": "PERCENT"},
                "stabilityStatus": "STEADY_STATE" if steady else "STABILIZING",
            })  # fmt: skip
        return shown

    def _listing(self, original: Handler) -> Handler:
        def list_(data: dict[str, Any]) -> Any:
            status, headers, body = original(data)
            told = json.loads(body)
            told["serviceArns"] = [one for one in told.get("serviceArns", []) if _MARK not in one]
            return status, headers, json.dumps(told).encode()

        return list_

    def _tasks(self, original: Handler) -> Handler:
        def list_(data: dict[str, Any]) -> Any:
            status, headers, body = original(data)
            name = data.get("serviceName", "")
            if status < 300 and name:
                told, ecs = json.loads(body), ministack.service("ecs")
                for key in list(ecs._services):
                    if key.partition("/")[2].startswith(f"{name}{_MARK}"):
                        _, _, more = original({**data, "serviceName": key.partition("/")[2]})
                        told["taskArns"] += [
                            one for one in json.loads(more)["taskArns"] if one not in told["taskArns"]
                        ]
                body = json.dumps(told).encode()
            return status, headers, body

        return list_

    def _describing_tasks(self, original: Handler) -> Handler:
        def describe(data: dict[str, Any]) -> Any:
            status, headers, body = original(data)
            told = json.loads(body)
            for one in told.get("tasks", []):
                one["group"] = one.get("group", "").partition(_MARK)[0]
            return status, headers, json.dumps(told).encode()

        return describe

    def _updating(self, original: Handler) -> Handler:
        def update(data: dict[str, Any]) -> Any:
            cluster, name = (str(data.get(key) or "").rpartition("/")[2] for key in ("cluster", "service"))
            found = ministack.service("ecs")._services.get(f"{cluster}/{name}")
            if found and _codedeploy(found):
                for key, why in _NOT_HERE.items():
                    if data.get(key):
                        body = {"__type": "InvalidParameterException", "message": why}
                        head = {"Content-Type": "application/x-amz-json-1.1"}
                        return 400, head, json.dumps(body).encode()
            return original(data)

        return update

    def _deleting(self, original: Handler) -> Handler:
        def delete(data: dict[str, Any]) -> Any:
            cluster, name = (str(data.get(key) or "").rpartition("/")[2] for key in ("cluster", "service"))
            for key in list(ministack.service("ecs")._services):
                if key.startswith(f"{cluster}/{name}{_MARK}"):
                    self.end(f"{cluster}/{name}", key.rpartition(_MARK)[2])
            return original(data)

        return delete


def _codedeploy(service: dict[str, Any]) -> bool:
    return bool((service.get("deploymentController") or {}).get("type") == "CODE_DEPLOY")
