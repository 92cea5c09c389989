"""S3: files of any size, uploaded in parts and there when all of them are."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

from gymops.aws.session import AwsError, translated
from gymops.clock import Clock
from gymops.errors import Exists
from gymops.store.blobs import NoBlob, Sink, Stream

PART = 16 << 20
"""Bytes of the first parts. There may be 10,000: they grow, and 10,000 of them are 5.5 TB."""
_GROWS = 1_000
_ATTEMPTS = 5
_ABSENT = frozenset({"NoSuchKey", "404"})
_REFUSED = frozenset({"PreconditionFailed", "412"})


class S3Blobs:
    """Files under a prefix of a bucket. ``owner``: the account that must own it."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str,
        clock: Clock,
        *,
        owner: str | None = None,
        part: int = PART,
    ) -> None:
        self._client, self._bucket, self._prefix, self._clock = client, bucket, prefix, clock
        self._whose = {"Bucket": bucket} | ({"ExpectedBucketOwner": owner} if owner else {})
        self._part = part

    @contextmanager
    def write(self, key: str) -> Iterator[Sink]:
        if self._head(key) is not None:
            raise Exists(f"{self._name(key)}: exists already")
        upload = _Upload(
            self._client, {**self._whose, "Key": self._prefix + key}, self._name(key), self._part
        )
        try:
            yield upload
            upload.finish()
        except BaseException:
            upload.abort()
            raise

    @contextmanager
    def read(self, key: str) -> Iterator[Stream]:
        found = self._head(key)
        if found is None:
            raise NoBlob(f"{self._name(key)}: is not there", hint="gymops backups lists what is")
        asked = {**self._whose, "Key": self._prefix + key, "IfMatch": found["ETag"]}
        yield _Body(self._client, asked, self._name(key), found["ContentLength"], self._clock)

    def size(self, key: str) -> int | None:
        found = self._head(key)
        return None if found is None else int(found["ContentLength"])

    def age(self, key: str) -> float | None:
        found = self._head(key)
        return None if found is None else self._since(found["LastModified"])

    def keys(self, prefix: str) -> Sequence[str]:
        with translated(self._name(prefix)):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                **self._whose, Prefix=self._prefix + prefix
            )
            found = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return sorted((key.removeprefix(self._prefix) for key in found), key=str.encode)

    def delete(self, key: str) -> None:
        with translated(self._name(key)):
            self._client.delete_object(**self._whose, Key=self._prefix + key)

    def sweep(self, seconds: float) -> None:
        with translated(self._name("")):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                **self._whose, Prefix=self._prefix
            )
            for upload in (one for page in pages for one in page.get("Uploads", ())):
                if self._since(upload["Initiated"]) > seconds:
                    self._client.abort_multipart_upload(
                        **self._whose, Key=upload["Key"], UploadId=upload["UploadId"]
                    )

    def _head(self, key: str) -> Any:
        try:
            with translated(self._name(key)):
                return self._client.head_object(**self._whose, Key=self._prefix + key)
        except AwsError as error:
            if error.reason in _ABSENT:
                return None
            raise

    def _since(self, written: datetime) -> float:
        return max(0.0, (self._clock.now() - written).total_seconds())

    def _name(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"


class _Upload:
    """A file on its way: each part carries its checksum, and the whole is there only if nothing was."""

    def __init__(self, client: Any, place: dict[str, Any], name: str, part: int) -> None:
        self._client, self._place, self._name, self._size = client, place, name, part
        self._writer = uuid4().hex
        self._id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._buffer = bytearray()

    def write(self, data: bytes, /) -> None:
        self._buffer += data
        while len(self._buffer) >= self._next:
            part = bytes(self._buffer[: self._next])
            del self._buffer[: len(part)]
            self._upload(part)

    def finish(self) -> None:
        """Put the parts together.

        Raises:
            Exists: another was faster.
        """
        if self._buffer or not self._parts:
            self._upload(bytes(self._buffer))
        try:
            with translated(self._name):
                self._client.complete_multipart_upload(
                    **self._place, UploadId=self._id, MultipartUpload={"Parts": self._parts}, IfNoneMatch="*"
                )
        except AwsError as error:
            # botocore asks again by itself, and then its second request finds its first one's work.
            if self._is_ours():
                return
            if error.reason in _REFUSED:
                raise Exists(f"{self._name}: exists already") from None
            raise

    def abort(self) -> None:
        """What was uploaded costs nothing more; if that fails, a sweep does it."""
        if self._id:
            with suppress(AwsError), translated(self._name):
                self._client.abort_multipart_upload(**self._place, UploadId=self._id)

    @property
    def _next(self) -> int:
        return self._size * (1 + len(self._parts) // _GROWS)

    def _upload(self, part: bytes) -> None:
        with translated(self._name):
            if self._id is None:
                made = self._client.create_multipart_upload(
                    **self._place, ChecksumAlgorithm="SHA256", Metadata={"writer": self._writer},
                    ContentType="application/octet-stream",
                )  # fmt: skip
                self._id = made["UploadId"]
            number = len(self._parts) + 1
            checksum = b64encode(hashlib.sha256(part).digest()).decode()
            done = self._client.upload_part(
                **self._place, UploadId=self._id, PartNumber=number, Body=part, ChecksumSHA256=checksum
            )
        self._parts.append({"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": checksum})

    def _is_ours(self) -> bool:
        try:
            with translated(self._name):
                found = self._client.head_object(**self._place)
        except AwsError:
            return False
        return bool(found.get("Metadata", {}).get("writer") == self._writer)


class _Body:
    """A file on its way back; where the connection breaks, it goes on from there."""

    def __init__(self, client: Any, asked: dict[str, Any], name: str, size: int, clock: Clock) -> None:
        self._client, self._asked, self._name, self._size = client, asked, name, size
        self._clock = clock
        self._at = 0
        self._body: Any = None

    def read(self, size: int = -1, /) -> bytes:
        for attempt in range(_ATTEMPTS):
            if self._at >= self._size:
                return b""
            try:
                with translated(self._name):
                    if self._body is None:
                        self._body = self._client.get_object(**self._asked, Range=f"bytes={self._at}-")[
                            "Body"
                        ]
                    data: bytes = self._body.read(None if size < 0 else size)
            except AwsError as error:
                self._body = None
                if error.reason in _ABSENT | _REFUSED:
                    raise NoBlob(f"{self._name}: is gone", hint="gymops backups lists what is") from None
                if not error.passing or attempt == _ATTEMPTS - 1:
                    raise
                self._clock.sleep(0.2 * 2**attempt)
                continue
            if data:
                self._at += len(data)
                return data
            self._body = None  # it ended early
        raise AwsError(f"{self._name}: ends early", reason="IncompleteRead", unknown=True)
