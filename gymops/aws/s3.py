"""S3: small objects in one bucket, each written under a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from gymops.aws.object_lock import ObjectLock
from gymops.aws.session import AwsError, translated
from gymops.clock import Clock
from gymops.errors import Changed, Exists, GymopsError

T = TypeVar("T")

SECONDS = 30.0
"""Nobody is asked again after this time: the lock would be lost meanwhile."""
_ATTEMPTS = 5
_PAUSE = 0.2
"""Seconds before the second attempt, doubled with each."""
_REFUSED = frozenset({"PreconditionFailed", "412"})
_ABSENT = frozenset({"NoSuchKey", "404"})
_AT_ONCE = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})


class S3Objects:
    """Objects under their keys in a bucket. ``owner``: the account that must own it, so that a bucket of the
    same name in another's account is not taken for ours. ``lock``: by which what is created is held.

    After every answer but a plain yes the object is read back: botocore asks again by itself, and then its
    second request is refused because its first was carried out; or the answer was lost on its way. If what
    is there is ours, it was written, and no second time: the condition holds for one of our requests only.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        clock: Clock,
        *,
        owner: str | None = None,
        lock: ObjectLock | None = None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._clock = clock
        self._whose = {"Bucket": bucket} | ({"ExpectedBucketOwner": owner} if owner else {})
        self._lock = lock

    def get(self, key: str) -> tuple[bytes, str, float] | None:
        def read() -> tuple[bytes, str, float]:
            found = self._client.get_object(**self._whose, Key=key)
            return found["Body"].read(), found["ETag"], self._age(found)

        try:
            return self._patiently(key, read)
        except AwsError as error:
            if error.reason in _ABSENT:
                return None
            raise

    def create(self, key: str, data: bytes) -> str:
        return self._put(key, data, None, Exists(f"{self._name(key)}: exists already"))

    def replace(self, key: str, data: bytes, etag: str) -> str:
        return self._put(key, data, etag, Changed(f"{self._name(key)}: has changed"))

    def keys(self, prefix: str) -> Sequence[str]:
        def read() -> Sequence[str]:
            pages = self._client.get_paginator("list_objects_v2").paginate(**self._whose, Prefix=prefix)
            return sorted((one["Key"] for page in pages for one in page.get("Contents", ())), key=str.encode)

        return self._patiently(prefix, read)

    def delete(self, key: str, etag: str | None = None) -> None:
        condition = {} if etag is None else {"IfMatch": etag}
        for refused in self._attempts():
            try:
                with translated(self._name(key)):
                    self._client.delete_object(**self._whose, Key=key, **condition)
                return
            except AwsError as error:
                refused.append(error)
            there = self.get(key)
            if there is None and refused[-1].unknown:
                return
            if etag is not None and (there and there[1]) != etag:
                raise Changed(f"{self._name(key)}: has changed")
            _go_on(refused[-1])

    def _put(self, key: str, data: bytes, etag: str | None, conflict: GymopsError) -> str:
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        condition |= self._lock.held(key) if self._lock else {}
        for refused in self._attempts():
            try:
                with translated(self._name(key)):
                    done = self._client.put_object(
                        **self._whose, Key=key, Body=data, ContentType="application/json", **condition
                    )
                    return str(done["ETag"])
            except AwsError as error:
                refused.append(error)
            there = self.get(key)
            if there is not None and there[0] == data:
                return there[1]
            if refused[-1].reason in _REFUSED | _ABSENT or (there and there[1]) != etag:
                raise conflict
            _go_on(refused[-1])
        raise AssertionError  # the last attempt returned or raised

    def _patiently(self, key: str, read: Callable[[], T]) -> T:
        """botocore asks again when no answer comes, and not when half of one came."""
        for refused in self._attempts():
            try:
                with translated(self._name(key)):
                    return read()
            except AwsError as error:
                if not error.passing:
                    raise
                refused.append(error)
        raise AssertionError  # the last attempt returned or raised

    def _attempts(self) -> Iterator[list[AwsError]]:
        """The list of refusals so far, once for each attempt; there is none after SECONDS."""
        refused: list[AwsError] = []
        began = self._clock.monotonic()
        for attempt in range(_ATTEMPTS):
            if attempt:
                if self._clock.monotonic() - began > SECONDS:
                    break
                self._clock.sleep(_PAUSE * 2 ** (attempt - 1))
            yield refused
        raise refused[-1]

    def _age(self, found: Any) -> float:
        """Both times are the store's, so that a wrong clock here does no harm; they have whole seconds."""
        told = found.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        now = parsedate_to_datetime(told) if told else self._clock.now()
        written: datetime = found["LastModified"]
        return max(0.0, (now - written).total_seconds())

    def _name(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


def _go_on(error: AwsError) -> None:
    """Asking again helps against a conflict with another writer, and where no answer came."""
    if not error.unknown and error.reason not in _AT_ONCE:
        raise error
