"""Keys that KMS wraps: they lie beside the backups, and who may use the key that wraps them opens them.

Not an asymmetric key of KMS that signs: what is stored is a stream, which has to be decrypted here, so a key
is needed in this process anyway; and a restore would need another call for each record. Once opened they are
the same two keys as ever. What is gained: no file to lose, who may is a matter of IAM, each opening is in
CloudTrail, and a right that is taken away is gone with the next process. What is not: who may open them may
also copy them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from gymops.backup import envelope
from gymops.backup.keys import Keys, Secrets, new_secrets, parsed
from gymops.backup.pinned import BACKUP, BY, PUBLIC, SIGNING, KeyRecord, Unwrapping
from gymops.backup.signature import KeyProblem
from gymops.errors import ConfigError, Exists
from gymops.store.objects import Objects

PREFIX = "kms:"
"""How gymops.toml says it: ``key = "kms:alias/..."`` or ``"kms:arn:aws:kms:..."``."""


class Wrapping(Unwrapping, Protocol):
    """A key that wraps others."""

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        """What it became, and the ARN of the key."""
        ...


class WrappedKeys:
    """An environment's keys in its store: ``keys/ENV.json``."""

    def __init__(self, objects: Objects, environment: str) -> None:
        self._objects, self._environment = objects, environment
        self._record = KeyRecord(objects, environment)

    @property
    def arn(self) -> str | None:
        """By which key they are wrapped, as the record says; None: there is no record."""
        found = self._record.read()
        return str(found[BY]) if found else None

    def open(self, by: Wrapping, here: Callable[[], Secrets | None] = lambda: None) -> Keys:
        """Both; where there are none, those that are kept ``here`` if they signed what is there, else new.

        Raises:
            KeyProblem: what is there was signed by keys that are not here; or the record is damaged.
            AwsError: KMS refuses.
        """
        found = self._record.read()
        if found is None:
            with suppress(Exists):  # another was faster
                self._write(by, self._first(here))
            found = self._record.read()
        if found is None:
            raise KeyProblem(f"{self._record.key} is gone", hint="run the same again")
        secrets = Secrets(
            self._record.unwrapped(by, found, SIGNING), self._record.unwrapped(by, found, BACKUP)
        )
        try:
            return parsed(secrets, self._record.key)
        except ConfigError:
            raise self._record.damaged() from None

    def _first(self, here: Callable[[], Secrets | None]) -> Secrets:
        signed = self._signed()
        if signed is None:
            return new_secrets()
        there = here()
        if there is not None:
            with suppress(envelope.Forged):
                envelope.open_(*signed, {parsed(there, "here").public})
                return there
        raise KeyProblem(
            f"the records of {self._environment} are signed by keys that are neither wrapped by KMS nor here",
            hint="run the same once where those keys are kept: they are wrapped then, and stay what they are",
        )

    def _signed(self) -> tuple[bytes, str] | None:
        """Any record that was signed before."""
        for kind in "seals", "points", "sources":
            prefix = f"{kind}/{self._environment}" + (".json" if kind == "sources" else "/")
            for key in self._objects.keys(prefix)[-1:]:
                if found := self._objects.get(key):
                    return found[0], key
        return None

    def _write(self, by: Wrapping, secrets: Secrets) -> None:
        record, public = {}, parsed(secrets, self._record.key).public
        for which, text in (SIGNING, secrets.signing), (BACKUP, secrets.backup), (PUBLIC, public):
            wrapped, record[BY] = by.wrap(text.encode(), self._record.context(which))
            record[which] = base64.b64encode(wrapped).decode()
        self._objects.create(self._record.key, json.dumps(record, indent=1).encode() + b"\n")
