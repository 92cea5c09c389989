"""Records as bytes and back: JSON with one spelling, its own digest in it, read strictly."""

from __future__ import annotations

import json
import types
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from gymops.deploy.artefact import canonical, sha256
from gymops.deploy.build.secrets import looks_secret
from gymops.deploy.stack.masking import MASK, Masker
from gymops.errors import GateRefused, GymopsError

R = TypeVar("R")

_DIGEST = "sha256"


class RecordError(GymopsError):
    """A record is damaged, or was written by a later gymops."""

    code: ClassVar[str] = "record"


class SecretInRecord(GateRefused):
    """Something of the shape of a secret was about to be written where many read, for years."""

    code: ClassVar[str] = "secret"


def shown(parameters: Mapping[str, str], secret: Collection[str] = ()) -> dict[str, str]:
    """The parameters that may be recorded: neither those declared NoEcho nor what looks like a secret."""
    masker = Masker(frozenset(secret))
    return {
        name: value for name, value in sorted(parameters.items()) if MASK not in masker.value(name, value)
    }


def dump(record: Any) -> bytes:
    """A record as it is stored.

    Raises:
        SecretInRecord: there is a secret in it. It is named by its place, and not repeated.
    """
    document = plain(record)
    _refuse_secrets(document, "")
    document[_DIGEST] = sha256(canonical(document))
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def load(kind: type[R], data: bytes, key: str) -> R:
    """Read a record; ``kind`` has its latest form under ``schema``.

    Raises:
        RecordError: it is damaged, or of a later form; the message names it.
    """
    try:
        document = json.loads(data)
        digest = document.pop(_DIGEST, None)
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise _damaged(key, "it is no JSON object") from None
    latest: int = getattr(kind, "SCHEMA")  # noqa: B009 - every record has one; there is no common base
    if isinstance(schema := document.get("schema"), int) and schema > latest:
        raise RecordError(
            f"{key} was written by a later gymops (form {schema}; this one knows {latest})",
            hint="pip install --upgrade gymops",
        )
    if digest != sha256(canonical(document)):
        raise _damaged(key, "its digest is another")
    try:
        found: R = read(kind, document)
    except (TypeError, ValueError, KeyError) as error:
        raise _damaged(key, str(error)) from None
    return found


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


def _refuse_secrets(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_secrets(name, where)
            _refuse_secrets(item, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for item in value:
            _refuse_secrets(item, where)
    elif isinstance(value, str) and looks_secret(value):
        raise SecretInRecord(
            f"{where or 'a record'}: this looks like a secret, and records are kept for years",
            hint="name where the secret is kept, not the secret: arn:aws:secretsmanager:...",
        )


def _damaged(key: str, why: str) -> RecordError:
    return RecordError(
        f"{key} is damaged: {why}",
        hint="the bucket keeps its former versions: restore that object's last one",
    )
