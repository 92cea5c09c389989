"""S3: files under keys that hold their digest, written once and read back by it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated


@dataclass(frozen=True)
class Bucket:
    """A bucket of an account."""

    account: Account
    name: str

    def url(self, key: str) -> str:
        """Where CloudFormation reads an object; with the bucket in the path, which every endpoint takes."""
        endpoint = self.account.endpoint or f"https://s3.{self.account.region}.amazonaws.com"
        return f"{endpoint}/{self.name}/{key}"

    def put(self, key: str, content: Path | bytes, digest: str) -> bool:
        """Store a file whose ``sha256:...`` this is, unless it is there; False if it was.

        S3 compares what arrives with the digest.

        Raises:
            AwsError: it is there with other content, or cannot be stored.
        """
        client = self.account.client("s3")
        checksum = base64.b64encode(bytes.fromhex(digest.removeprefix("sha256:"))).decode()
        with translated(f"s3://{self.name}/{key}"):
            try:
                found = client.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
            except client.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
            else:
                self._same(found.get("ChecksumSHA256"), checksum, key)
                return False
            body = content if isinstance(content, bytes) else content.read_bytes()
            client.put_object(Bucket=self.name, Key=key, Body=body, ChecksumSHA256=checksum)
        return True

    def has(self, key: str) -> bool:
        """Whether a file is there.

        Raises:
            AwsError: it cannot be told.
        """
        client = self.account.client("s3")
        with translated(f"s3://{self.name}/{key}"):
            try:
                client.head_object(Bucket=self.name, Key=key)
            except client.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
                return False
        return True

    def get(self, key: str, digest: str) -> bytes:
        """The file, whose digest must be this.

        Raises:
            AwsError: it is not there, or is another file.
        """
        client = self.account.client("s3")
        with translated(f"s3://{self.name}/{key}"):
            try:
                content: bytes = client.get_object(Bucket=self.name, Key=key)["Body"].read()
            except client.exceptions.NoSuchKey:
                raise AwsError(
                    f"s3://{self.name}/{key} is gone (NoSuchKey)",
                    reason="NoSuchKey",
                    hint="the bucket keeps its former versions: restore it, or release anew what made it",
                ) from None
        found = hashlib.sha256(content).hexdigest()
        self._same(f"sha256:{found}", digest, key)
        return content

    def _same(self, found: str | None, wanted: str, key: str) -> None:
        if found is not None and found != wanted:
            raise AwsError(
                f"s3://{self.name}/{key} holds other content than its name says",
                reason="DigestMismatch",
                hint="nobody but gymops writes there; look who did: aws s3api list-object-versions",
            )
