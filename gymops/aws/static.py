"""S3: a bucket of files that are served as they are, each with its type and how long it may be kept."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

T = TypeVar("T")

_AT_ONCE = 8
_BATCH = 1000
"""Objects that S3 deletes in one call."""
_NOT_FOUND = 404


class File(Protocol):
    """What is to be served."""

    @property
    def path(self) -> str:
        """Its name."""

    @property
    def digest(self) -> str:
        """``sha256:...``."""

    @property
    def type(self) -> str:
        """Content-Type."""

    @property
    def cache(self) -> str:
        """Cache-Control."""


@dataclass(frozen=True)
class Served:
    """What is served under a name."""

    path: str
    digest: str
    """``sha256:...``; empty where S3 was not told it: an ETag is no digest of a file in parts."""
    type: str
    cache: str


class StaticBucket:
    """A bucket of an account and region."""

    def __init__(self, account: Account, name: str) -> None:
        self._account = account
        self._name = name

    def names(self) -> dict[str, int]:
        """Everything in it, with its size.

        Raises:
            AwsError: it is not there, or may not be read.
        """
        with translated(f"s3://{self._name}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name)
            return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", ())}

    def look(self, wanted: Mapping[str, int]) -> dict[str, Served]:
        """What is served under these names; what has another size than this is not looked at closely.

        Raises:
            AwsError: it cannot be told.
        """
        there = self.names()
        other = [Served(path, "", "", "") for path in wanted if there.get(path, wanted[path]) != wanted[path]]
        same = [path for path in wanted if there.get(path) == wanted[path]]
        found = [*other, *filter(None, self._each(self._head, same))]
        return {one.path: one for one in found}

    def put(self, files: Sequence[File], read: Callable[[str], bytes]) -> None:
        """Serve files, several at once; S3 compares what arrives with the digests.

        Raises:
            AwsError: one could not be stored; others may have been.
        """

        def send(file: File) -> None:
            with translated(self._where(file.path)):
                self._client.put_object(
                    Bucket=self._name,
                    Key=file.path,
                    Body=read(file.path),
                    ContentType=file.type,
                    CacheControl=file.cache,
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=base64.b64encode(
                        bytes.fromhex(file.digest.removeprefix("sha256:"))
                    ).decode(),
                )

        self._each(send, files)

    def remove(self, paths: Sequence[str]) -> None:
        """Serve these no more.

        Raises:
            AwsError: some are still there.
        """
        for at in range(0, len(paths), _BATCH):
            batch = [{"Key": path} for path in paths[at : at + _BATCH]]
            with translated(f"s3://{self._name}"):
                done = self._client.delete_objects(
                    Bucket=self._name, Delete={"Objects": batch, "Quiet": True}
                )
            for error in done.get("Errors", ()):
                reason = str(error.get("Code"))
                raise AwsError(
                    f"{self._where(error['Key'])}: {error.get('Message') or reason}", reason=reason
                )

    def _head(self, path: str) -> Served | None:
        with translated(self._where(path)):
            try:
                found = self._client.head_object(Bucket=self._name, Key=path, ChecksumMode="ENABLED")
            except self._client.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != _NOT_FOUND:
                    raise
                return None
        told = found.get("ChecksumSHA256", "") if found.get("ChecksumType") != "COMPOSITE" else ""
        digest = f"sha256:{base64.b64decode(told).hex()}" if told else ""
        return Served(path, digest, found.get("ContentType", ""), found.get("CacheControl", ""))

    def _each(self, work: Callable[[Any], T], things: Iterable[Any]) -> list[T]:
        """The first that fails ends it: what was not begun is left."""
        workers = ThreadPoolExecutor(_AT_ONCE)
        try:
            return list(workers.map(work, things))
        finally:
            workers.shutdown(cancel_futures=True)

    def _where(self, path: str) -> str:
        return f"s3://{self._name}/{path}"

    @property
    def _client(self) -> Any:
        return self._account.client("s3")
