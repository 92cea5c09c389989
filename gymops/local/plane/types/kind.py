"""What a resource type of ours is."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from gymops.local.plane import ministack
from gymops.local.plane.calls import Calls
from gymops.local.plane.faults import Fault

Props = dict[str, Any]
Made = tuple[str, dict[str, Any]]
"""The physical id, which ``Ref`` gives, and the attributes that ``GetAtt`` gives."""


class Kind(ABC):
    """One type; every method works through the type's own service."""

    name: ClassVar[str]
    gone: ClassVar[frozenset[str]] = frozenset()
    """The service's codes for something that does not exist: deleting it is no failure."""
    in_place: ClassVar[frozenset[str]] = frozenset()
    """Properties whose change keeps the resource; any other makes a new one."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    @abstractmethod
    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        """Make it."""

    @abstractmethod
    def remove(self, physical_id: str, props: Props) -> None:
        """Delete it."""

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        """Change it where it is; for types that have ``in_place`` properties."""
        raise NotImplementedError

    def update(
        self, physical_id: str, old: Props, new: Props, stack: str, logical_id: str | None = None
    ) -> Made:
        """Change it in place where its type allows that, else make another and delete this one."""
        changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        if changed <= self.in_place:
            return self.change(physical_id, old, new)
        made = self.create(logical_id or physical_id, new, stack)
        if made[0] != physical_id:
            self.delete(physical_id, old)
        return made

    def delete(self, physical_id: str, props: Props) -> None:
        """Delete it; something that is gone already is no failure."""
        try:
            self.remove(physical_id, props)
        except Exception as error:
            if self.calls.code_of(error) not in self.gone:
                raise

    def handlers(self) -> dict[str, Any]:
        """As CloudFormation's provisioner wants them."""
        return {
            "create": _speaking(self.create), "update": _speaking(self.update),
            "update_with_logical_id": True, "delete": _speaking(self.delete),
        }  # fmt: skip


def tags_of(props: Props, kind: str) -> dict[str, Any]:
    """EC2's way to give tags when something is made."""
    tags = props.get("Tags") or []
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def typed(value: Any) -> Any:
    """A template's text as what a client wants: numbers and booleans often come as text."""
    if isinstance(value, dict):
        return {key: typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [typed(one) for one in value]
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    with contextlib.suppress(ValueError):
        if isinstance(value, str) and value.lstrip("-").isdecimal():
            return int(value)
    return value


def _speaking(method: Any) -> Any:
    """A client's error as a fault with AWS's code."""

    def handle(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        except ministack.module("botocore.exceptions").ClientError as error:
            found = error.response["Error"]
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
            raise Fault(found["Code"], found["Message"], status) from error
        except ministack.module("botocore.exceptions").ParamValidationError as error:
            raise Fault("ValidationException", str(error)) from error

    return handle
