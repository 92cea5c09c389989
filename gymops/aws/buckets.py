"""S3: what is in buckets of an app, as far as lists tell."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

_GONE = frozenset({"NoSuchBucket", "NoSuchKey", "404", "NotFound"})
_LATER = frozenset({"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "NoSuchVersion"})
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Listed:
    """An object as a list tells it."""

    key: str
    bytes: int
    etag: str
    """Of what was written at once and is encrypted by S3's own key, the MD5; else an opaque text."""


class AppBuckets:
    """The buckets of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def versioned(self, name: str) -> bool | None:
        """Whether it keeps what is overwritten and deleted; None: there is no such bucket."""
        try:
            with translated(f"the bucket {name}"):
                return bool(self._client.get_bucket_versioning(Bucket=name).get("Status") == "Enabled")
        except AwsError as error:
            if error.reason in _GONE:
                return None
            raise

    def arn(self, name: str) -> str:
        """Of a bucket, whether there is one or not."""
        return f"arn:{self._client.meta.partition}:s3:::{name}"

    def objects(self, name: str) -> Iterator[Listed]:
        """The objects there are now; former versions are not among them."""
        with translated(f"the bucket {name}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=name):
                for one in page.get("Contents", []):
                    yield Listed(one["Key"], one["Size"], one["ETag"].strip('"'))

    def digests(self, name: str, key: str, etag: str) -> tuple[str, str] | None:
        """The MD5 and the SHA-256 of an object as it is read; None: it is not there, or another by now."""
        md5, sha = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        try:
            with translated(f"the bucket {name}"):
                told = self._client.get_object(Bucket=name, Key=key, IfMatch=f'"{etag}"')
                while data := told["Body"].read(_BLOCK):
                    md5.update(data)
                    sha.update(data)
        except AwsError as error:
            if error.reason in {*_GONE, "PreconditionFailed", "412"}:
                return None
            raise
        return md5.hexdigest(), sha.hexdigest()

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Say what a bucket is for."""
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        with translated(f"the bucket {name}"):
            self._client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": given})

    def delete(self, name: str) -> bool:
        """Delete a bucket with all that is in it; whether it is still there."""
        try:
            with translated(f"the bucket {name}"):
                for page in self._client.get_paginator("list_object_versions").paginate(Bucket=name):
                    held = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                    if held:
                        self._delete(name, held)
                self._client.delete_bucket(Bucket=name)
        except AwsError as error:
            if error.reason == "BucketNotEmpty":
                return True
            if error.reason not in _GONE:
                raise
        return False

    def put(self, name: str, key: str, data: bytes) -> None:
        """Write an object."""
        with translated(f"the bucket {name}"):
            self._client.put_object(Bucket=name, Key=key, Body=data)

    def remove(self, name: str, key: str) -> None:
        """Delete an object; its versions stay."""
        with translated(f"the bucket {name}"):
            self._client.delete_object(Bucket=name, Key=key)

    def _delete(self, name: str, held: list[Any]) -> None:
        """Versions, as many as one page lists."""
        given = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in held]
        told = self._client.delete_objects(Bucket=name, Delete={"Objects": given, "Quiet": True})
        for one in told.get("Errors", []):
            if one["Code"] not in _LATER:  # what stays for now is listed again
                why = one.get("Message") or one["Code"]
                raise AwsError(f"the bucket {name}: {one['Key']}: {why}", reason=one["Code"])

    @property
    def _client(self) -> Any:
        return self._account.client("s3")
