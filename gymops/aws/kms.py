"""KMS: what a key wraps, only who may use that key unwraps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import translated


@dataclass(frozen=True)
class WrappingKey:
    """A symmetric key of KMS: its ARN, or ``alias/...`` of the account's region."""

    account: Account
    name: str

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        """Encrypt up to 4 KB, bound to a context, which CloudTrail shows; what it became, and the key's ARN.

        Raises:
            AwsError: KMS refuses.
        """
        with translated(f"the key {self.name}"):
            done = self._client.encrypt(KeyId=self.name, Plaintext=secret, EncryptionContext=dict(context))
        return bytes(done["CiphertextBlob"]), str(done["KeyId"])

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Decrypt what this very key wrapped, in the same context.

        Raises:
            AwsError: KMS refuses; another key wrapped it, or in another context.
        """
        with translated(f"the key {self.name}"):
            # Without the key's name KMS takes any that the caller may use, also one of somebody else's.
            done = self._client.decrypt(
                KeyId=self.name, CiphertextBlob=wrapped, EncryptionContext=dict(context)
            )
        return bytes(done["Plaintext"])

    @property
    def _client(self) -> Any:
        region = self.name.split(":")[3] if self.name.startswith("arn:") else None
        return self.account.client("kms", region)
