"""EventBridge Scheduler: the emulator's own type passes over what its service refuses, and time zones."""

from __future__ import annotations

from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.types.kind import Kind, Made, Props, typed


class Schedule(Kind):
    """What happens by the clock."""

    name = "AWS::Scheduler::Schedule"
    gone = frozenset({"ResourceNotFoundException"})
    in_place = frozenset({
        "Description", "EndDate", "FlexibleTimeWindow", "KmsKeyArn", "ScheduleExpression",
        "ScheduleExpressionTimezone", "StartDate", "State", "Target",
    })  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        name = props.get("Name") or ministack.physical_name(stack, logical_id, max_len=64, lowercase=False)
        found = self.calls.client("scheduler").create_schedule(Name=name, **self._given(props))
        return name, {"Arn": found["ScheduleArn"]}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        found = self.calls.client("scheduler").update_schedule(Name=physical_id, **self._given(new))
        return physical_id, {"Arn": found["ScheduleArn"]}

    def remove(self, physical_id: str, props: Props) -> None:
        group = {"GroupName": props["GroupName"]} if "GroupName" in props else {}
        self.calls.client("scheduler").delete_schedule(Name=physical_id, **group)

    def _given(self, props: Props) -> dict[str, Any]:
        given = {key: props[key] for key in (*self.in_place, "GroupName") if key in props}
        window, target = given["FlexibleTimeWindow"], dict(given["Target"])
        if "RetryPolicy" in target:
            target["RetryPolicy"] = typed(target["RetryPolicy"])
        return {**given, "FlexibleTimeWindow": typed(window), "Target": target}
