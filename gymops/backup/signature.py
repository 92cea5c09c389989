"""Signatures of records: made by whoever has the key, checked by anybody."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Protocol

from gymops.errors import GymopsError


class KeyProblem(GymopsError):
    """A key is missing, or another one is needed."""

    code = "key"


class Signer(Protocol):
    """Whose records are believed, and who signs new ones."""

    @property
    def public(self) -> str:
        """The public half, in base64."""
        ...

    def sign(self, data: bytes) -> str:
        """A signature, in base64.

        Raises:
            KeyProblem: it can only check.
        """
        ...


@dataclass(frozen=True)
class PublicKey:
    """The public half, for whoever only checks."""

    public: str

    def sign(self, data: bytes) -> str:  # noqa: ARG002
        raise KeyProblem("the key that signs is not here", hint="run it where the keys are")


def verified(public: str, data: bytes, signature: str) -> bool:
    """Whether ``data`` was signed by the owner of a public key."""
    # Here, for an app's artefact may lack it: its audit by the clock goes without what is signed.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(base64.b64decode(signature), data)
    except (ValueError, InvalidSignature):
        return False
    return True
