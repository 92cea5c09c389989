"""What goes through compression and encryption comes back, and whatever happens to it is told."""

from __future__ import annotations

import hashlib
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.backup import stream
from gymops.backup.keys import KeyProblem, Keys
from gymops.backup.stream import Damaged
from gymops.errors import GymopsError
from gymops.store.objects import StoreError
from tests.contract.strategies import FEW


def _stored(data: bytes, keys: Keys) -> bytes:
    sink = io.BytesIO()
    written = stream.store(io.BytesIO(data), sink, keys)
    assert (written.plain, written.bytes) == (len(data), len(sink.getvalue()))
    assert written.sha256 == hashlib.sha256(sink.getvalue()).hexdigest()
    return sink.getvalue()


def _loaded(stored: bytes, keys: Keys) -> bytes:
    sink = io.BytesIO()
    stream.load(io.BytesIO(stored), sink, keys, name="it")
    return sink.getvalue()


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (3 << 20) + 17])
def test_what_was_stored_comes_back(keys: Keys, size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert _loaded(_stored(data, keys), keys) == data


@given(st.binary(max_size=300))
@FEW
def test_any_bytes_come_back(keys: Keys, data: bytes) -> None:
    assert _loaded(_stored(data, keys), keys) == data


def test_it_is_compressed_and_not_readable(keys: Keys) -> None:
    stored = _stored(b"the same again " * 100_000, keys)
    assert len(stored) < 10_000
    assert b"the same" not in stored


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -20, -70_000])
def test_a_part_of_it_is_told(keys: Keys, cut: int) -> None:
    stored = _stored(random.Random(1).randbytes(200_000), keys)
    with pytest.raises(Damaged, match="it is damaged"):
        _loaded(stored[:cut], keys)


@pytest.mark.parametrize("at", [3, 60, 400, 150_000, -1])
def test_a_flipped_bit_is_told(keys: Keys, at: int) -> None:
    stored = bytearray(_stored(random.Random(1).randbytes(200_000), keys))
    stored[at] ^= 1
    with pytest.raises(GymopsError):
        _loaded(bytes(stored), keys)


def test_another_key_is_told(keys: Keys, other_keys: Keys) -> None:
    with pytest.raises(KeyProblem, match="encrypted to another key"):
        _loaded(_stored(b"x", other_keys), keys)


class _Broken:
    def __init__(self, after: int) -> None:
        self._left = after

    def _use(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise StoreError("the disk is full", hint="make room")

    def read(self, size: int = -1, /) -> bytes:
        self._use()
        return random.Random(self._left).randbytes(1 << 20)

    def write(self, data: bytes, /) -> int:
        self._use()
        return len(data)


@pytest.mark.parametrize("after", [0, 2])
def test_what_the_source_says_is_passed_on(keys: Keys, after: int) -> None:
    with pytest.raises(StoreError, match="the disk is full"):
        stream.store(_Broken(after), io.BytesIO(), keys)
    with pytest.raises(StoreError, match="the disk is full"):
        stream.load(_Broken(0), io.BytesIO(), keys, name="it")


@pytest.mark.parametrize("after", [0, 1, 5])
def test_what_the_target_says_is_passed_on(keys: Keys, after: int) -> None:
    data = random.Random(2).randbytes(8 << 20)
    with pytest.raises(StoreError, match="the disk is full"):
        stream.store(io.BytesIO(data), _Broken(after), keys)
    with pytest.raises(StoreError, match="the disk is full"):
        stream.load(io.BytesIO(_stored(data, keys)), _Broken(after), keys, name="it")


def test_what_is_read_is_held_to_what_was_stored() -> None:
    data = b"abc" * 1_000
    right = hashlib.sha256(data).hexdigest()
    stream.Checked(io.BytesIO(data), "it", 3_000, right).finish()
    for changed in (data[:-1], data + b"x", b"x" + data[1:]):
        with pytest.raises(Damaged, match="it is not what was stored"):
            stream.Checked(io.BytesIO(changed), "it", 3_000, right).finish()


def test_progress_is_told_of_every_byte() -> None:
    told: list[int] = []
    source = stream.Told(io.BytesIO(b"x" * 1_000), told.append)
    while source.read(300):
        pass
    assert sum(told) == 1_000
    assert stream.digest(io.BytesIO(b"x" * 5)) == hashlib.sha256(b"xxxxx").hexdigest()
