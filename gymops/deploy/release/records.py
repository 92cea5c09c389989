"""Records as bytes and back: JSON with one spelling, its own digest in it, read strictly."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, TypeVar

from gymops.deploy.artefact import canonical, sha256
from gymops.deploy.build.secrets import looks_secret
from gymops.deploy.stack.masking import MASK, Masker
from gymops.errors import GateRefused, GymopsError
from gymops.store.records import plain, read

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
