"""CloudFront: what its edges are told to forget."""

from __future__ import annotations

from collections.abc import Sequence

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

_REGION = "us-east-1"
"""CloudFront is everywhere, and answers there."""
_BUSY = "TooManyInvalidationsInProgress"
_DONE = "Completed"


class Cdn:
    """The distributions of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def forget(self, distribution: str, paths: Sequence[str], reference: str) -> str | None:
        """Begin an invalidation, or find the one of this reference; its id. None: too many are running.

        Raises:
            AwsError: it was not begun.
        """
        batch = {"CallerReference": reference, "Paths": {"Quantity": len(paths), "Items": list(paths)}}
        try:
            with translated(f"clearing the cache of {distribution}"):
                begun = self._account.client("cloudfront", _REGION).create_invalidation(
                    DistributionId=distribution, InvalidationBatch=batch
                )
        except AwsError as error:
            if error.reason == _BUSY:
                return None
            raise
        return str(begun["Invalidation"]["Id"])

    def forgotten(self, distribution: str, invalidation: str) -> bool:
        """Whether an invalidation has reached every edge.

        Raises:
            AwsError: there is none of this id.
        """
        with translated(f"clearing the cache of {distribution}"):
            found = self._account.client("cloudfront", _REGION).get_invalidation(
                DistributionId=distribution, Id=invalidation
            )
        return bool(found["Invalidation"]["Status"] == _DONE)
