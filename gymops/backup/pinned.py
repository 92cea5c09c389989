"""The record of keys that KMS wraps, and the public key that it pins: all that checking records takes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Protocol

from gymops.backup.signature import KeyProblem, PublicKey
from gymops.errors import GymopsError
from gymops.store.objects import Objects, named

SIGNING, BACKUP, PUBLIC = "signing", "backup", "public"
BY = "wrapped_by"
_OTHERS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class Unwrapping(Protocol):
    """A key that wrapped others."""

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """What was wrapped by this key in this context, and nothing else."""
        ...


class KeyRecord:
    """The record of an environment's wrapped keys: ``keys/ENV.json``."""

    def __init__(self, objects: Objects, environment: str) -> None:
        self.objects = objects
        self.environment = environment
        self.key = f"keys/{named(environment)}.json"

    def read(self) -> Mapping[str, Any] | None:
        """As it is; None: there is none.

        Raises:
            KeyProblem: it is damaged.
        """
        found = self.objects.get(self.key)
        if found is None:
            return None
        try:
            record = json.loads(found[0])
            if all(isinstance(record[name], str) for name in (BY, SIGNING, BACKUP, PUBLIC)):
                return dict(record)
        except (ValueError, KeyError, TypeError):
            pass
        raise self.damaged()

    def unwrapped(self, by: Unwrapping, record: Mapping[str, Any], which: str) -> str:
        """One of its keys.

        Raises:
            KeyProblem: another key wrapped it, or it is another one.
            AwsError: KMS refuses.
        """
        try:
            wrapped = base64.b64decode(record[which], validate=True)
            return by.unwrap(wrapped, self.context(which)).decode("ascii")
        except ValueError:
            raise self.damaged() from None
        except GymopsError as error:
            if getattr(error, "reason", "") in _OTHERS:
                raise self.damaged() from None
            raise

    def context(self, which: str) -> dict[str, str]:
        """What a wrapped key is bound to: it opens as no other key, and for no other environment."""
        return {"gymops:environment": self.environment, "gymops:key": which}

    def damaged(self) -> KeyProblem:
        """The record is not what was written."""
        return KeyProblem(
            f"{self.key} is damaged, or another key of KMS wrapped what is in it",
            hint="put it back from where the backups are copied to; versions of the bucket hold it too",
        )


def public_key(objects: Objects, environment: str, by: Unwrapping) -> PublicKey:
    """Whose records are believed: who wrote it there could use the key that wraps, and nobody else.

    Raises:
        KeyProblem: there is none, or it is damaged.
        AwsError: KMS refuses.
    """
    record = KeyRecord(objects, environment)
    found = record.read()
    if found is None:
        raise KeyProblem(
            f"the keys of {environment} are not wrapped by KMS",
            hint=f"gymops backup {environment}, once, from where they are kept",
        )
    return PublicKey(record.unwrapped(by, found, PUBLIC))
