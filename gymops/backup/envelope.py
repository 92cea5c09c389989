"""Signed records: a document, the public key of who signed it, and the signature."""

from __future__ import annotations

import json
from collections.abc import Collection

from gymops.backup.signature import Signer, verified
from gymops.errors import GymopsError


class Forged(GymopsError):
    """A record is damaged, or signed by nobody we trust."""

    code = "forged"


class OtherKey(Forged):
    """A record is signed by a key we do not know: its own, or somebody else's."""


def close(document: bytes, keys: Signer) -> bytes:
    """A document, signed; the text of it stays as it is, byte for byte."""
    record = {"signed": document.decode(), "key": keys.public, "signature": keys.sign(document)}
    return json.dumps(record, indent=1).encode() + b"\n"


def open_(data: bytes, name: str, trusted: Collection[str]) -> bytes:
    """The document in it, if one of these public keys signed it.

    Raises:
        Forged: none of them did, or something was changed since.
    """
    try:
        record = json.loads(data)
        document: bytes = record["signed"].encode()
        key, signature = str(record["key"]), str(record["signature"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Forged(f"{name} is damaged: it is no signed record", hint=_HINT) from None
    if key not in trusted:
        raise OtherKey(f"{name} is signed by another key ({key[:12]}...)", hint=_OTHER)
    if not verified(key, document, signature):
        raise Forged(f"{name} was changed after it was signed", hint=_HINT)
    return document


_HINT = "restore that file from where the backups are copied to"
_OTHER = "use the key it was made with: GYMOPS_SIGNING_KEY, or the file signing.key"
