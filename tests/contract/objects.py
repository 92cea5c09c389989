"""The stores of the contract suite: in memory, in a directory, in moto's S3, in the local AWS's S3."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
from moto import mock_aws

from gymops.clock import Clock
from gymops.errors import Changed, Exists
from gymops.store.objects import Stored


class MemoryObjects:
    """Objects in a dictionary; what a test of something else stands on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._there: dict[str, tuple[bytes, float]] = {}
        self._one = threading.Lock()

    def get(self, key: str) -> Stored | None:
        with self._one:
            if key not in self._there:
                return None
            data, written = self._there[key]
            return data, _etag(data), self._clock.monotonic() - written

    def create(self, key: str, data: bytes) -> str:
        with self._one:
            if key in self._there and self._there[key][0] != data:
                raise Exists(f"{key}: exists already")
            return self._put(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> str:
        with self._one:
            there = self._there.get(key)
            if there is None or (there[0] != data and _etag(there[0]) != etag):
                raise Changed(f"{key}: has changed")
            return self._put(key, data)

    def keys(self, prefix: str) -> Sequence[str]:
        with self._one:
            return sorted((key for key in self._there if key.startswith(prefix)), key=str.encode)

    def delete(self, key: str, etag: str | None = None) -> None:
        with self._one:
            there = self._there.get(key)
            if etag is not None and (there is None or _etag(there[0]) != etag):
                raise Changed(f"{key}: has changed")
            self._there.pop(key, None)

    def _put(self, key: str, data: bytes) -> str:
        if key not in self._there or self._there[key][0] != data:
            self._there[key] = (data, self._clock.monotonic())
        return _etag(data)


class OneByOne:
    """moto answers one request at a time: its look and its write are two steps, which S3's are not."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._one = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def alone(*given: Any, **named: Any) -> Any:
            with self._one:
                return call(*given, **named)

        return alone


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def moto() -> Iterator[Any]:
    """A client of moto's S3."""
    with mock_aws():
        yield OneByOne(
            boto3.client("s3", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x")
        )
