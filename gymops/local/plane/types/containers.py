"""ECS task definitions and services, by the API: the emulator's own types pass over much of them."""

from __future__ import annotations

import time
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.faults import Fault
from gymops.local.plane.types.kind import Kind, Made, Props, typed

_STABLE_SECONDS = 900.0
_LOOK = 0.1
_AS_IT_IS = frozenset(
    {"options", "dockerLabels", "labels", "name", "value", "valueFrom", "image", "family", "user"}
)
"""What is the user's: maps with keys of their own, and texts that may look like numbers."""
_TRIGGERED = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."


class TaskDefinition(Kind):
    """A revision of a family; any change makes the next one."""

    name = "AWS::ECS::TaskDefinition"
    gone = frozenset({"ClientException"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        given = cased({"Family": f"{stack}-{logical_id}", **props})
        given |= {one: str(given[one]) for one in ("cpu", "memory") if one in given}
        found = self.calls.client("ecs").register_task_definition(**given)["taskDefinition"]
        arn = found["taskDefinitionArn"]
        kept = ministack.service("ecs")._task_defs[f"{found['family']}:{found['revision']}"]
        kept.setdefault("runtimePlatform", given.get("runtimePlatform"))
        return arn, {"TaskDefinitionArn": arn}

    def update(
        self, physical_id: str, old: Props, new: Props, stack: str, logical_id: str | None = None
    ) -> Made:
        """The service goes on with the one before until it has this one: it is deleted last, by the stack."""
        del old, physical_id
        return self.create(logical_id or "", new, stack)

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("ecs").deregister_task_definition(taskDefinition=physical_id)


class Service(Kind):
    """A service, which is there when its deployment has done its work."""

    name = "AWS::ECS::Service"
    gone = frozenset({"ServiceNotFoundException", "ClusterNotFoundException"})
    in_place = frozenset({
        "TaskDefinition", "DesiredCount", "NetworkConfiguration", "LoadBalancers", "PlatformVersion",
        "HealthCheckGracePeriodSeconds", "EnableExecuteCommand", "DeploymentConfiguration",
        "CapacityProviderStrategy", "EnableECSManagedTags", "PropagateTags", "Tags",
    })  # fmt: skip
    _not_updated = frozenset({"Tags", "ServiceName", "LaunchType", "Cluster", "DeploymentController"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        name = props.get("ServiceName") or ministack.physical_name(stack, logical_id, lowercase=False)
        given = cased({**props, "ServiceName": name})
        found = self.calls.client("ecs").create_service(**given)["service"]
        return self._stable(found["serviceArn"], found["clusterArn"])

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        given = cased({key: value for key, value in new.items() if key not in self._not_updated})
        if new.get("DeploymentController", {}).get("Type") == "CODE_DEPLOY":
            kept = ("desiredCount", "healthCheckGracePeriodSeconds")  # the rest is CodeDeploy's business
            given = {key: given[key] for key in kept if key in given}
        cluster, name = _cluster(physical_id), physical_id.rpartition("/")[2]
        ecs = self.calls.client("ecs")
        found = ecs.update_service(cluster=cluster, service=name, **given)["service"]
        if new.get("Tags"):
            ecs.tag_resource(resourceArn=physical_id, tags=cased(new["Tags"]))
        return self._stable(physical_id, found["clusterArn"])

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        cluster, name = _cluster(physical_id), physical_id.rpartition("/")[2]
        self.calls.client("ecs").delete_service(cluster=cluster, service=name, force=True)

    def _stable(self, arn: str, cluster: str) -> Made:
        """Wait until what was deployed just now is what runs.

        Raises:
            Fault: the circuit breaker ended it; or it takes too long.
        """
        ecs, name = self.calls.client("ecs"), arn.rpartition("/")[2]
        wanted, end = None, time.monotonic() + _STABLE_SECONDS
        while time.monotonic() < end:
            found = ecs.describe_services(cluster=cluster, services=[name])["services"][0]
            if sets := found.get("taskSets"):  # CodeDeploy's: the one that serves is here to stay
                primary = next(one for one in sets if one["status"] == "PRIMARY")
                if primary["stabilityStatus"] == "STEADY_STATE":
                    return arn, {"ServiceArn": arn, "Name": name}
                time.sleep(_LOOK)
                continue
            by_id = {one["id"]: one for one in found["deployments"]}
            wanted = wanted or found["deployments"][0]["id"]
            state = by_id.get(wanted, {}).get("rolloutState")
            if state == "FAILED" or wanted not in by_id:
                raise Fault("GeneralServiceException", _TRIGGERED)
            if state == "COMPLETED" and found["runningCount"] == found["desiredCount"]:
                return arn, {"ServiceArn": arn, "Name": name}
            time.sleep(_LOOK)
        raise Fault("NotStabilized", f"Exceeded attempts to wait: service {name} did not stabilize")


def cased(value: Any) -> Any:
    """A template's names and texts as the API has them."""
    if isinstance(value, list):
        return [cased(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, one in value.items():
        name = key[0].lower() + key[1:]
        if name in _AS_IT_IS:
            found[name] = one
        else:
            found[name] = cased(one) if isinstance(one, dict | list) else typed(one)
    return found


def _cluster(service: str) -> str:
    """A service's cluster, out of its ARN."""
    return service.split(":service/")[1].partition("/")[0]
