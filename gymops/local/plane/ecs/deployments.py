"""CodeDeploy's deployments of services: tasks beside those that serve, their requests, and the way back.

1. The other set of tasks is started, and waited for until it is healthy (``Ready`` where somebody has to say
   that it goes on).
2. Requests move to it, in the steps of its configuration.
3. What served before is kept for a while, then ended.
4. An alarm that rings meanwhile, or somebody who stops it, gives the requests back, and the other set ends.

A deployment is a document; ``tick`` moves each one on, so that one goes on after a restart.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.added import Document
from gymops.local.plane.context import Context
from gymops.local.plane.ecs.task_sets import TaskSets
from gymops.local.plane.faults import Fault
from gymops.local.plane.store import Store, Table

_GOING = ("Created", "Queued", "InProgress", "Ready")
_INSTALL_SECONDS = 3600.0
_SHAPE = re.compile(
    r"CodeDeployDefault\.ECS(?:(AllAtOnce)|(Canary|Linear)([0-9]+)Percent(?:Every)?([0-9]+)Minutes)"
)
_TOO_LATE = (
    "The deployment timed out while waiting for the replacement task set to become healthy. This time out"
    " period is 60 minutes."
)
_RANG = (
    "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the"
    " affected deployments have been stopped. Activated alarms: <{}>"
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Deployments:
    """The deployments of all groups."""

    def __init__(self, context: Context, store: Store, group: Callable[[Document], Document]) -> None:
        self._clock = context.clock
        self._store = store
        self._group = group
        self._sets = TaskSets()
        self._lock = threading.RLock()
        self.actions = {
            "CreateDeployment": self._create,
            "GetDeployment": lambda asked: {"deploymentInfo": _shown(self._find(asked))},
            "BatchGetDeployments": lambda asked: {
                "deploymentsInfo": [
                    _shown(self._table()[one]) for one in asked["deploymentIds"] if one in self._table()
                ]
            },
            "ListDeployments": self._list,
            "StopDeployment": self._stop,
            "ContinueDeployment": self._continue,
        }

    def install(self) -> None:
        """Put the two sets in; what was going on is gone on with."""
        self._sets.install()

    def tick(self) -> None:
        """Move every deployment on by a step, where it is time."""
        for account, region in self._store.scopes():
            with ministack.scope(account, region), self._lock:
                for one in list(self._table().values()):
                    if one["status"] in _GOING:
                        self._move(one)

    def _create(self, asked: Document) -> Document:
        group = self._group(asked)
        with self._lock:
            for one in self._table().values():
                if one["status"] in _GOING and _of(one) == _of(asked):
                    raise Fault(
                        "DeploymentLimitExceededException",
                        f"The Deployment Group '{asked['deploymentGroupName']}' already has an active"
                        f" Deployment '{one['deploymentId']}'",
                    )
            made = {
                "deploymentConfigName": group.get("deploymentConfigName") or "CodeDeployDefault.ECSAllAtOnce",
                **asked,
                "deploymentId": "d-" + "".join(secrets.choice(_LETTERS) for _ in range(9)),
                "status": "Created", "createTime": time.time(), "creator": "user", "computePlatform": "ECS",
                "instanceTerminationWaitTimeStarted": False,
                "blueGreenDeploymentConfiguration": group.get("blueGreenDeploymentConfiguration") or {},
                "_phase": "begin", "_since": self._now(), **self._places(group, asked),
            }  # fmt: skip
            self._table()[made["deploymentId"]] = made
        return {"deploymentId": made["deploymentId"]}

    def _places(self, group: Document, asked: Document) -> Document:
        """The service, its task definition, the listener and the two target groups."""
        try:
            spec = json.loads(asked["revision"]["appSpecContent"]["content"])
            target = spec["Resources"][0]["TargetService"]["Properties"]
            definition = target["TaskDefinition"]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Fault("InvalidRevisionException", "The AppSpec file is not one of a service") from None
        if not _SHAPE.fullmatch(asked.get("deploymentConfigName") or "CodeDeployDefault.ECSAllAtOnce"):
            raise Fault("DeploymentConfigDoesNotExistException", "No deployment configuration of that name")
        where = group["ecsServices"][0]
        service = f"{where['clusterName']}/{where['serviceName']}"
        pair = group["loadBalancerInfo"]["targetGroupPairInfoList"][0]
        alb, names = ministack.service("alb"), [one["name"] for one in pair["targetGroups"]]
        arns = [arn for arn, one in alb._tgs.items() if one["TargetGroupName"] in names]
        blue = self._sets.serving(service)["loadBalancers"][0]["targetGroupArn"]
        green = next((one for one in arns if one != blue), None)
        if green is None or definition not in {
            one["taskDefinitionArn"] for one in ministack.service("ecs")._task_defs.values()
        }:
            raise Fault("InvalidRevisionException", f"{definition} cannot be deployed to {service}")
        watched = asked.get("overrideAlarmConfiguration") or group.get("alarmConfiguration") or {}
        alarms = watched.get("alarms") or () if watched.get("enabled", True) else ()
        return {
            "_service": service, "_definition": definition, "_blue": blue, "_green": green,
            "_listener": pair["prodTrafficRoute"]["listenerArns"][0],
            "_alarms": [one["name"] for one in alarms],
        }  # fmt: skip

    def _move(self, one: Document) -> None:
        """One look at one deployment."""
        phase, waited = one["_phase"], self._now() - one["_since"]
        if phase != "back" and (ringing := self._ringing(one)):
            self._return(one, "Stopped", "ALARM_ACTIVE", _RANG.format(ringing))
        elif phase == "begin":
            one.update(status="InProgress", startTime=time.time())
            self._sets.begin(one["_service"], one["deploymentId"], one["_definition"], one["_green"])
            self._turn(one, "install")
        elif phase == "install":
            if self._sets.healthy(one["_service"], one["deploymentId"]):
                self._installed(one)
            elif waited > _INSTALL_SECONDS:
                self._return(one, "Failed", "TIMEOUT", _TOO_LATE)
        elif phase == "ready" and waited >= 60 * _minutes(one, "deploymentReadyOption", "waitTimeInMinutes"):
            self._return(one, "Stopped", "MANUAL_STOP", "The wait for somebody to continue timed out")
        elif phase == "traffic":
            self._shift(one, waited)
        elif phase == "wait":
            key = "terminateBlueInstancesOnDeploymentSuccess"
            if waited >= 60 * _minutes(one, key, "terminationWaitTimeInMinutes"):
                self._sets.end(one["_service"], one["deploymentId"])
                one.update(status="Succeeded", completeTime=time.time(), _phase="done")
        elif phase == "back":
            self._sets.end(one["_service"], one["deploymentId"])
            self._returned(one)

    def _installed(self, one: Document) -> None:
        option = one["blueGreenDeploymentConfiguration"].get("deploymentReadyOption") or {}
        if option.get("actionOnTimeout") == "STOP_DEPLOYMENT":
            one["status"] = "Ready"
            self._turn(one, "ready")
        else:
            self._turn(one, "traffic")
            self._shift(one, 0.0)

    def _shift(self, one: Document, waited: float) -> None:
        """The share that is due; all of it: the sets change places."""
        found = _SHAPE.fullmatch(one["deploymentConfigName"])
        share = 100
        if found and not found[1]:
            percent, steps = int(found[3]), int(waited // (60 * int(found[4])))
            share = (100 if steps else percent) if found[2] == "Canary" else min(100, percent * (steps + 1))
        if share < 100:
            self._sets.share(one["_blue"], one["_green"], share)
            return
        self._sets.move(one["_listener"], one["_blue"], one["_green"])
        self._sets.swap(one["_service"], one["deploymentId"])
        one["instanceTerminationWaitTimeStarted"] = True
        self._turn(one, "wait")

    def _return(self, one: Document, status: str, code: str, message: str) -> None:
        """Everything back to the tasks before; their deployment is over when the others have ended."""
        if one["_phase"] == "wait":
            self._sets.move(one["_listener"], one["_green"], one["_blue"])
            self._sets.swap(one["_service"], one["deploymentId"])
        else:
            self._sets.move(one["_listener"], one["_blue"], one["_blue"])
        one["errorInformation"] = {"code": code, "message": message}
        one["_ends"] = status
        self._turn(one, "back")

    def _returned(self, one: Document) -> None:
        """As AWS has it: a deployment of its own brought them back."""
        now = time.time()
        back = {
            **one, "deploymentId": "d-" + "".join(secrets.choice(_LETTERS) for _ in range(9)),
            "status": "Succeeded", "creator": "codeDeployRollback", "createTime": now, "completeTime": now,
            "description": f"CodeDeploy rolled back deployment {one['deploymentId']}", "_phase": "done",
            "rollbackInfo": {"rollbackTriggeringDeploymentId": one["deploymentId"]},
        }  # fmt: skip
        back.pop("errorInformation")
        self._table()[back["deploymentId"]] = back
        one["rollbackInfo"] = {
            "rollbackDeploymentId": back["deploymentId"],
            "rollbackMessage": f"Deployment {one['deploymentId']} has been rolled back",
        }
        one.update(status=one.pop("_ends"), completeTime=now, _phase="done")

    def _ringing(self, one: Document) -> str:
        alarms = ministack.service("cloudwatch")._alarms
        rang = [name for name in one["_alarms"] if (alarms.get(name) or {}).get("StateValue") == "ALARM"]
        return ", ".join(rang)

    def _list(self, asked: Document) -> Document:
        wanted = asked.get("includeOnlyStatuses") or ()
        found = [
            one
            for one in self._table().values()
            if (not wanted or one["status"] in wanted)
            and all(not asked.get(key) or one[key] == asked[key] for key in _KEYS)
        ]
        newest = sorted(found, key=lambda one: float(one["createTime"]), reverse=True)
        return {"deployments": [one["deploymentId"] for one in newest]}

    def _stop(self, asked: Document) -> Document:
        with self._lock:
            one = self._find(asked)
            if one["status"] not in _GOING:
                raise Fault("DeploymentAlreadyCompletedException", "The deployment is over")
            if one["_phase"] != "back":
                self._return(one, "Stopped", "MANUAL_STOP", "Deployment was stopped by a user")
        return {"status": "Pending", "statusMessage": "The deployment is being stopped"}

    def _continue(self, asked: Document) -> Document:
        with self._lock:
            one = self._find(asked)
            kind = asked.get("deploymentWaitType") or "READY_WAIT"
            if (kind, one["_phase"]) == ("READY_WAIT", "ready"):
                one["status"] = "InProgress"
                self._turn(one, "traffic")
            elif (kind, one["_phase"]) == ("TERMINATION_WAIT", "wait"):
                one["_since"] = 0.0
            else:
                raise Fault("DeploymentIsNotInReadyStateException", "The deployment does not wait for that")
        return {}

    def _turn(self, one: Document, phase: str) -> None:
        one["_phase"], one["_since"] = phase, self._now()

    def _find(self, asked: Document) -> Document:
        found: Document | None = self._table().get(asked["deploymentId"])
        if found is None:
            raise Fault("DeploymentDoesNotExistException", f"No deployment {asked['deploymentId']}")
        return found

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _table(self) -> Table:
        return self._store.table("codedeploy-deployments")


_KEYS = ("applicationName", "deploymentGroupName")


def _of(one: Document) -> tuple[Any, ...]:
    return tuple(one[key] for key in _KEYS)


def _minutes(one: Document, option: str, key: str) -> float:
    found = one["blueGreenDeploymentConfiguration"].get(option) or {}
    return float(found.get(key) or 0)


def _shown(one: Document) -> Document:
    return {key: value for key, value in one.items() if not key.startswith("_")}
