"""Records as JSON has them, and back, read strictly."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints


def plain(value: Any) -> Any:
    """What JSON has for it.

    Raises:
        TypeError: JSON has nothing for it.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a name that is no text")
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def read(kind: Any, value: Any) -> Any:
    """The reverse of ``plain``, for a type as it is annotated.

    Raises:
        TypeError, ValueError: it is something else.
    """
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = [one for one in get_args(kind) if one is not types.NoneType]
        return None if value is None else read(inner[0], value)
    if origin is tuple:
        return tuple(read(get_args(kind)[0], item) for item in _a(list, value))
    if origin is not None:
        return {name: read(get_args(kind)[1], item) for name, item in _a(dict, value).items()}
    if is_dataclass(kind):
        return _read_fields(kind, _a(dict, value))
    if issubclass(kind, datetime):
        at = datetime.fromisoformat(_a(str, value))
        if at.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return at
    if issubclass(kind, StrEnum):
        return kind(_a(str, value))
    return float(_a((int, float), value)) if kind is float else _a(kind, value)


def _read_fields(kind: Any, value: dict[str, Any]) -> Any:
    hints = _hints(kind)
    needed = {one.name for one in fields(kind) if one.default is one.default_factory is MISSING}
    if differing := (set(value) - set(hints)) | (needed - set(value)):
        raise TypeError(f"{min(differing)} is {'missing' if min(differing) in hints else 'unknown'}")
    # What an earlier gymops did not know of has its default.
    return kind(**{name: read(hints[name], item) for name, item in value.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _a(kind: Any, value: Any) -> Any:
    """JSON's true is no number, though Python's is."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"a value is of the wrong type: {type(value).__name__}")
    return value
