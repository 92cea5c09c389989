"""DynamoDB and SNS in memory, as far as the coach's scheduled functions ask them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Item = dict[str, Any]


class Failed(Exception):
    """A condition that does not hold."""


def holds(condition: Any, item: Item) -> bool:
    """Whether an item meets one of boto3's conditions."""
    found = condition.get_expression()
    operator, values = found["operator"], found["values"]
    if operator in {"AND", "OR"}:
        both = [holds(one, item) for one in values]
        return all(both) if operator == "AND" else any(both)
    name, given = values[0].name, values[1:]
    if operator.startswith("attribute_"):
        return bool((name in item) == (operator == "attribute_exists"))
    if name not in item:
        return bool(operator == "<>")
    here = item[name]
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: here == given[0], "<>": lambda: here != given[0], "<": lambda: here < given[0],
        "<=": lambda: here <= given[0], "begins_with": lambda: str(here).startswith(given[0]),
        "BETWEEN": lambda: given[0] <= here <= given[1],
    }  # fmt: skip
    return bool(tests[operator]())


class Table:
    """One table; ``before`` runs once ahead of the next write, as somebody else might come between."""

    def __init__(self, key: tuple[str, ...]) -> None:
        self.key = key
        self.items: list[Item] = []
        self.before: Callable[[], None] = lambda: None

    def update_item(self, **asked: Any) -> Item:
        before, self.before = self.before, lambda: None
        before()
        item = next(one for one in self.items if all(one[name] == asked["Key"][name] for name in self.key))
        if "ConditionExpression" in asked and not holds(asked["ConditionExpression"], item):
            raise Failed
        values, old = asked.get("ExpressionAttributeValues", {}), {}
        for name, value in re.findall(r"(\w+) = (:\w+)", asked["UpdateExpression"]):
            old[name] = item.get(name)
            item[name] = values[value]
        for name in re.findall(r"REMOVE (\w+)", asked["UpdateExpression"]):
            item.pop(name, None)
        return {"Attributes": {name: value for name, value in old.items() if value is not None}}

    def put_item(self, **asked: Any) -> None:
        key = {name: asked["Item"][name] for name in self.key}
        self.items = [one for one in self.items if any(one[name] != key[name] for name in self.key)]
        self.items.append(dict(asked["Item"]))


class World:
    """What ``boto3.resource`` and ``boto3.client`` give: its own client, too."""

    def __init__(self) -> None:
        self.tables = {
            "USERS": Table(("user_id",)), "REMINDERS": Table(("user_id", "reminder_id")),
            "HABITS": Table(("user_id", "habit_id")), "WORKOUTS": Table(("user_id", "workout_id")),
            "NUTRITION": Table(("user_id", "meal_id")),
        }  # fmt: skip
        self.sent: list[str] = []
        self.down = False
        self.meta = self.client = self
        self.exceptions = type("Known", (), {"ConditionalCheckFailedException": Failed})

    def Table(self, name: str) -> Table:  # noqa: N802 - boto3's own name
        return self.tables[name]

    def get_paginator(self, kind: str) -> Any:
        self.kind = kind
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, list[Item]]]:
        """Pages of one item each, as they stood when they were asked for."""
        conditions = [asked[one] for one in ("KeyConditionExpression", "FilterExpression") if one in asked]
        for item in list(self.tables[asked["TableName"]].items):
            yield {"Items": [dict(item)] if all(holds(one, item) for one in conditions) else []}

    def publish(self, **asked: Any) -> None:
        if self.down:
            raise RuntimeError("no answer")
        self.sent.append(asked["Message"])
