"""A signed record opens as it was closed, or not at all."""

from __future__ import annotations

import json

import pytest

from gymops.backup import envelope
from gymops.backup.envelope import Forged
from gymops.backup.keys import Keys


def test_what_was_closed_is_opened_byte_for_byte(keys: Keys) -> None:
    document = '{"é": "\\u00e9", "n": 1.50}'.encode()
    assert envelope.open_(envelope.close(document, keys), "it", {keys.public}) == document


def test_another_key_is_told(keys: Keys, other_keys: Keys) -> None:
    with pytest.raises(Forged, match="signed by another key"):
        envelope.open_(envelope.close(b"{}", other_keys), "it", {keys.public})


@pytest.mark.parametrize("field", ["signed", "signature"])
def test_what_was_changed_is_told(keys: Keys, field: str) -> None:
    record = json.loads(envelope.close(b"123", keys))
    record[field] = record[field][:-2] + "45"
    with pytest.raises(Forged, match="changed after it was signed"):
        envelope.open_(json.dumps(record).encode(), "it", {keys.public})


def test_another_s_key_over_what_we_signed_is_told(keys: Keys, other_keys: Keys) -> None:
    record = json.loads(envelope.close(b"{}", keys))
    record["key"] = other_keys.public
    with pytest.raises(Forged, match="changed after"):
        envelope.open_(json.dumps(record).encode(), "it", {keys.public, other_keys.public})


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"5", b"{}", b"[" * 100_000, b'{"signed": 5, "key": "", "signature": ""}']
)
def test_what_is_no_record_is_told(keys: Keys, data: bytes) -> None:
    with pytest.raises(Forged, match="it is damaged"):
        envelope.open_(data, "it", {keys.public})
