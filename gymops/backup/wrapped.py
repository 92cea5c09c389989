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
from dataclasses import dataclass
from typing import Any, Protocol

from gymops.backup import envelope
from gymops.backup.keys import KeyProblem, Keys, Secrets, new_secrets, parsed, seeded
from gymops.errors import ConfigError, Exists, GymopsError
from gymops.store.objects import Objects, named

PREFIX = "kms:"
"""How gymops.toml says it: ``key = "kms:alias/..."`` or ``"kms:arn:aws:kms:..."``."""
_SIGNING, _BACKUP = "signing", "backup"


class Wrapping(Protocol):
    """A key that wraps others."""

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        """What it became, and the ARN of the key."""
        ...

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """What was wrapped by this key in this context, and nothing else."""
        ...


@dataclass(frozen=True)
class WrappedKeys:
    """An environment's keys in its store: ``keys/ENV.json``."""

    objects: Objects
    environment: str

    @property
    def arn(self) -> str | None:
        """By which key they are wrapped, as the record says; None: there is no record."""
        found = self._read()
        return str(found["wrapped_by"]) if found else None

    def open(self, by: Wrapping, here: Callable[[], Secrets | None] = lambda: None) -> Keys:
        """Both; where there are none, those that are kept ``here`` if they signed what is there, else new.

        Raises:
            KeyProblem: what is there was signed by keys that are not here; or the record is damaged.
            AwsError: KMS refuses.
        """
        found = self._read()
        if found is None:
            with suppress(Exists):  # another was faster
                self._write(by, self._first(here))
            found = self._read()
        if found is None:
            raise KeyProblem(f"{self._key} is gone", hint="run the same again")
        secrets = Secrets(self._unwrapped(by, found, _SIGNING), self._unwrapped(by, found, _BACKUP))
        try:
            return parsed(secrets, self._key)
        except ConfigError:
            raise self._damaged() from None

    def signing(self, by: Wrapping) -> Keys:
        """The one that signs, for whoever has to do with records only.

        Raises:
            KeyProblem: there is none, or it is damaged.
            AwsError: KMS refuses.
        """
        found = self._read()
        if found is None:
            raise KeyProblem(
                f"the keys of {self.environment} are not wrapped by KMS",
                hint=f"gymops backup {self.environment}, once, from where they are kept",
            )
        try:
            return Keys(seeded(self._unwrapped(by, found, _SIGNING)), None)
        except ValueError:
            raise self._damaged() from None

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
            f"the records of {self.environment} are signed by keys that are neither wrapped by KMS nor here",
            hint="run the same once where those keys are kept: they are wrapped then, and stay what they are",
        )

    def _signed(self) -> tuple[bytes, str] | None:
        """Any record that was signed before."""
        for kind in "seals", "points", "sources":
            prefix = f"{kind}/{self.environment}" + (".json" if kind == "sources" else "/")
            for key in self.objects.keys(prefix)[-1:]:
                if found := self.objects.get(key):
                    return found[0], key
        return None

    def _write(self, by: Wrapping, secrets: Secrets) -> None:
        signing, arn = by.wrap(secrets.signing.encode(), self._context(_SIGNING))
        backup, _ = by.wrap(secrets.backup.encode(), self._context(_BACKUP))
        record = {
            "wrapped_by": arn,
            _SIGNING: base64.b64encode(signing).decode(),
            _BACKUP: base64.b64encode(backup).decode(),
        }
        self.objects.create(self._key, json.dumps(record, indent=1).encode() + b"\n")

    def _read(self) -> Mapping[str, Any] | None:
        found = self.objects.get(self._key)
        if found is None:
            return None
        try:
            record = json.loads(found[0])
            if all(isinstance(record[name], str) for name in ("wrapped_by", _SIGNING, _BACKUP)):
                return dict(record)
        except (ValueError, KeyError, TypeError):
            pass
        raise self._damaged()

    def _unwrapped(self, by: Wrapping, record: Mapping[str, Any], which: str) -> str:
        try:
            wrapped = base64.b64decode(record[which], validate=True)
            return by.unwrap(wrapped, self._context(which)).decode("ascii")
        except ValueError:
            raise self._damaged() from None
        except GymopsError as error:
            if getattr(error, "reason", "") in _OTHERS:
                raise self._damaged() from None
            raise

    def _context(self, which: str) -> dict[str, str]:
        """What a wrapped key is bound to: it opens as no other key, and for no other environment."""
        return {"gymops:environment": self.environment, "gymops:key": which}

    def _damaged(self) -> KeyProblem:
        return KeyProblem(
            f"{self._key} is damaged, or another key of KMS wrapped what is in it",
            hint="put it back from where the backups are copied to; versions of the bucket hold it too",
        )

    @property
    def _key(self) -> str:
        return f"keys/{named(self.environment)}.json"


_OTHERS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
