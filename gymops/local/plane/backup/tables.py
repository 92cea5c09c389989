"""Point-in-time recovery of DynamoDB's tables: what each write put an end to is kept, and undone in a copy.

The emulator itself brings back what is in a table now, whatever time is asked for.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.context import Context

_KEPT = "gymops:overwritten"
"""In a table's record, which is saved with all else and goes with the table: since when, and of each write
its time, the two parts of the key, and the item there was before."""
_MOST = 5_000
"""Writes: an older one is forgotten, and nothing before it can be restored any more."""
_DAYS = 35

Document = dict[str, Any]


class Overwritten:
    """What tables held before."""

    def __init__(self, context: Context, most: int = _MOST) -> None:
        self._clock, self._most = context.clock, most

    def install(self) -> None:
        """Put it into the emulator's DynamoDB."""
        dynamodb = ministack.service("dynamodb")
        ministack.wrap(dynamodb, "_set_item", self._written)
        ministack.wrap(dynamodb, "_remove_item", self._written)
        ministack.wrap(dynamodb, "_describe_continuous_backups", self._describing)
        ministack.wrap(dynamodb, "_update_continuous_backups", self._updating)
        ministack.wrap(dynamodb, "_restore_table_to_point_in_time", self._restoring)

    def _written(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def write(table: Document, pk_val: Any, sk_val: Any, *item: Any) -> Any:
            before = original(table, pk_val, sk_val, *item)
            if (kept := table.get(_KEPT)) is not None:
                kept["writes"].append([self._now(), pk_val, sk_val, before])
                if len(kept["writes"]) > self._most:
                    kept["since"] = kept["writes"].pop(0)[0]
            return before

        return write

    def _describing(self, original: Callable[[Document], Any]) -> Callable[[Document], Any]:
        def describe(asked: Document) -> Any:
            status, head, body = original(asked)
            if status != 200 or (kept := self._kept(_name(asked["TableName"]))) is None:
                return status, head, body
            told = json.loads(body)
            told["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"] |= {
                "RecoveryPeriodInDays": kept["days"],
                "EarliestRestorableDateTime": self._earliest(kept),
                "LatestRestorableDateTime": self._now(),
            }
            return status, head, json.dumps(told).encode()

        return describe

    def _updating(self, original: Callable[[Document], Any]) -> Callable[[Document], Any]:
        def update(asked: Document) -> Any:
            done = original(asked)
            if done[0] == 200:
                name = _name(asked["TableName"])
                table, kept = _tables()[name], self._kept(name)
                if kept is None:  # what was before is forgotten for good, as on AWS
                    table.pop(_KEPT, None)
                else:
                    spec = asked.get("PointInTimeRecoverySpecification") or {}
                    kept["days"] = int(spec.get("RecoveryPeriodInDays") or _DAYS)
            return done

        return update

    def _restoring(self, original: Callable[[Document], Any]) -> Callable[[Document], Any]:
        def restore(asked: Document) -> Any:
            source = asked.get("SourceTableName") or _name(asked.get("SourceTableArn") or "")
            if source not in _tables() or not asked.get("TargetTableName"):
                return original(asked)
            kept = self._kept(source)
            if kept is None:
                return _refusal(
                    "PointInTimeRecoveryUnavailableException",
                    f"Point in time recovery is not enabled for table '{source}'",
                )
            now = self._now()
            latest = bool(asked.get("UseLatestRestorableTime"))
            if not latest and asked.get("RestoreDateTime") is None:
                return _refusal(
                    "ValidationException",
                    "Either UseLatestRestorableTime or RestoreDateTime must be given",
                )
            at = now if latest else float(asked["RestoreDateTime"])
            if not self._earliest(kept) <= at <= now:
                return _refusal(
                    "InvalidRestoreTimeException",
                    "RestoreDateTime must be between EarliestRestorableDateTime and LatestRestorableDateTime",
                )
            done = original(asked)
            if done[0] == 200:
                _undo(_tables()[asked["TargetTableName"]], kept["writes"], at)
            return done

        return restore

    def _kept(self, name: str) -> Document | None:
        """Of a table; None: it is off. One that was on before any of this was kept begins now."""
        if not ministack.service("dynamodb")._pitr_settings.get(name, False):
            return None
        found: Document = _tables()[name].setdefault(
            _KEPT, {"since": self._now(), "days": _DAYS, "writes": []}
        )
        return found

    def _earliest(self, kept: Document) -> float:
        """Whatever is older than the table's period is forgotten here."""
        oldest = self._now() - timedelta(days=kept["days"]).total_seconds()
        while kept["writes"] and kept["writes"][0][0] < oldest:
            kept["since"] = kept["writes"].pop(0)[0]
        return max(float(kept["since"]), oldest)

    def _now(self) -> float:
        return round(self._clock.now().timestamp(), 3)


def _undo(table: Document, writes: list[Any], at: float) -> None:
    """A copy of what is there now, as it was at a time."""
    items = table["items"]
    for when, partition, sort, before in reversed(writes):
        if when <= at:
            break
        if before is None:
            items.get(partition, {}).pop(sort, None)
            if not items.get(partition):
                items.pop(partition, None)
        else:
            items.setdefault(partition, {})[sort] = copy.deepcopy(before)
    ministack.service("dynamodb")._items_replaced(table)


def _refusal(code: str, message: str) -> Any:
    body = json.dumps({"__type": code, "message": message}).encode()
    return 400, {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": code}, body


def _name(given: str) -> str:
    return str(ministack.service("dynamodb")._normalize_table_name(given))


def _tables() -> Any:
    return ministack.service("dynamodb")._tables
