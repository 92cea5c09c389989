"""DynamoDB tables: as their service makes them, with what the emulator's own type passes over."""

from __future__ import annotations

from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.calls import Calls
from gymops.local.plane.types.kind import Kind, Made, Props, typed

_AS_TEXT = ("TableName", "BillingMode", "TableClass", "KeySchema", "AttributeDefinitions", "Tags")
_TYPED = (
    "DeletionProtectionEnabled", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "OnDemandThroughput",
    "ProvisionedThroughput", "StreamSpecification",
)  # fmt: skip
_RECOVERY, _EXPIRY = "PointInTimeRecoverySpecification", "TimeToLiveSpecification"
_ENCRYPTION = "SSESpecification"
_TOLD = {*_AS_TEXT, *_TYPED, _ENCRYPTION}
"""What the API's call to make one takes."""


class Table(Kind):
    """A table; its key, point-in-time recovery and expiry are properties of it, and protected it stays."""

    name = "AWS::DynamoDB::Table"
    gone = frozenset({"ResourceNotFoundException"})

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls)
        self._change = ministack.handlers()[self.name]["update"]

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        given = {key: value for key, value in _told(props).items() if key in _TOLD}
        given.setdefault(
            "TableName", ministack.physical_name(stack, logical_id, max_len=255, lowercase=False)
        )
        if stream := given.get("StreamSpecification"):
            given["StreamSpecification"] = {"StreamEnabled": True, **stream}
        found = self.calls.client("dynamodb").create_table(**given)["TableDescription"]
        self._around(found["TableName"], {}, props)
        attributes = {"Arn": found["TableArn"]}
        if "LatestStreamArn" in found:
            attributes["StreamArn"] = found["LatestStreamArn"]
        return found["TableName"], attributes

    def update(
        self, physical_id: str, old: Props, new: Props, stack: str, logical_id: str | None = None
    ) -> Made:
        """By the emulator's own way, which keeps the items; then what it passes over."""
        made: Made = self._change(physical_id, _told(old), _told(new), stack, logical_id)
        self._around(made[0], old if made[0] == physical_id else {}, new)
        return made

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("dynamodb").delete_table(TableName=physical_id)

    def _around(self, table: str, old: Props, new: Props) -> None:
        """What has calls of its own."""
        client = self.calls.client("dynamodb")
        if old.get(_RECOVERY) != new.get(_RECOVERY):
            wanted = typed(new.get(_RECOVERY) or {"PointInTimeRecoveryEnabled": False})
            client.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)
        if old.get(_EXPIRY) != new.get(_EXPIRY):
            expiry: dict[str, Any] = {**(new.get(_EXPIRY) or {**old[_EXPIRY], "Enabled": False})}
            expiry["Enabled"] = typed(expiry.get("Enabled", True))
            client.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)


def _told(props: Props) -> Props:
    """As the API has them; whether it is encrypted has another name there."""
    told = {key: typed(value) if key in _TYPED else value for key, value in props.items()}
    if _ENCRYPTION in told:
        found = dict(told[_ENCRYPTION])
        told[_ENCRYPTION] = {"Enabled": typed(found.pop("SSEEnabled", False)), **found}
    return told
