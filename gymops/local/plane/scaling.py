"""Application Auto Scaling, which the emulator has not: what is put there is kept and shown."""

from __future__ import annotations

import time

from gymops.local.plane import ministack
from gymops.local.plane.added import Added, Document
from gymops.local.plane.faults import Fault
from gymops.local.plane.store import Store

_TARGET = "AnyScaleFrontendService."
_ID = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class Scaling(Added):
    """The service."""

    media = "application/x-amz-json-1.1"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.actions = {
            "RegisterScalableTarget": self._register,
            "DescribeScalableTargets": lambda asked: {"ScalableTargets": self._list("targets", asked)},
            "DeregisterScalableTarget": self._deregister,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": lambda asked: {"ScalingPolicies": self._list("policies", asked)},
            "DeleteScalingPolicy": lambda asked: self._delete("policies", "PolicyName", asked),
            "PutScheduledAction": self._put_action,
            "DescribeScheduledActions": lambda asked: {"ScheduledActions": self._list("actions", asked)},
            "DeleteScheduledAction": lambda asked: self._delete("actions", "ScheduledActionName", asked),
            "ListTagsForResource": lambda _: {"Tags": {}},
        }

    def action(self, path: str, target: str, service: str) -> str | None:
        """Its requests are told by their target."""
        del path, service
        return target.removeprefix(_TARGET) if target.startswith(_TARGET) else None

    def _register(self, asked: Document) -> Document:
        key = _key(asked)
        arn = f"arn:aws:application-autoscaling:{ministack.region()}:{ministack.account()}:scalable-target/"
        there = self._table("targets").setdefault(
            key, {"CreationTime": time.time(), "ScalableTargetARN": arn + f"{abs(hash(key)):x}"[:20]}
        )
        there.update({name: value for name, value in asked.items() if name != "Tags"})
        return {"ScalableTargetARN": there["ScalableTargetARN"]}

    def _deregister(self, asked: Document) -> Document:
        key = _key(asked)
        if self._table("targets").pop(key, None) is None:
            raise Fault("ObjectNotFoundException", f"No scalable target found for {key}")
        for kind in ("policies", "actions"):
            for name in [name for name in self._table(kind) if name.startswith(f"{key}|")]:
                self._table(kind).pop(name)
        return {}

    def _put_policy(self, asked: Document) -> Document:
        self._need_target(asked)
        arn = f"arn:aws:autoscaling:{ministack.region()}:{ministack.account()}:scalingPolicy:"
        arn += f"{asked['ServiceNamespace']}:policyName/{asked['PolicyName']}"
        self._table("policies")[f"{_key(asked)}|{asked['PolicyName']}"] = {
            "PolicyType": "StepScaling", **asked, "PolicyARN": arn, "CreationTime": time.time(), "Alarms": [],
        }  # fmt: skip
        return {"PolicyARN": arn, "Alarms": []}

    def _put_action(self, asked: Document) -> Document:
        self._need_target(asked)
        name = asked["ScheduledActionName"]
        arn = f"arn:aws:autoscaling:{ministack.region()}:{ministack.account()}:scheduledAction:{name}"
        self._table("actions")[f"{_key(asked)}|{name}"] = {
            **asked, "ScheduledActionARN": arn, "CreationTime": time.time(),
        }  # fmt: skip
        return {}

    def _delete(self, kind: str, name: str, asked: Document) -> Document:
        if self._table(kind).pop(f"{_key(asked)}|{asked[name]}", None) is None:
            raise Fault("ObjectNotFoundException", f"{asked[name]} does not exist")
        return {}

    def _need_target(self, asked: Document) -> None:
        if _key(asked) not in self._table("targets"):
            raise Fault("ObjectNotFoundException", f"No scalable target registered for {_key(asked)}")

    def _list(self, kind: str, asked: Document) -> list[Document]:
        wanted = asked.get("ResourceIds") or ([asked["ResourceId"]] if asked.get("ResourceId") else [])
        return [
            one
            for one in self._table(kind).values()
            if one["ServiceNamespace"] == asked.get("ServiceNamespace")
            and (not wanted or one["ResourceId"] in wanted)
        ]

    def _table(self, kind: str) -> dict[str, Document]:
        return self.store.table(f"scaling-{kind}")


def _key(asked: Document) -> str:
    return "|".join(str(asked[name]) for name in _ID)
