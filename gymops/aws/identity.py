"""Who calls, how long they may, and what time AWS says it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import translated


@dataclass(frozen=True)
class Caller:
    """Whose the credentials are."""

    account: str
    arn: str
    expires: datetime | None
    """When a session's credentials end, if that can be known; long-lived ones do not."""
    temporary: bool
    """They are a session's."""
    renewed: bool
    """botocore fetches new ones by itself."""

    @property
    def root(self) -> bool:
        """The account's owner, whom no policy binds."""
        return self.arn.endswith(":root")


class Identity:
    """The credentials of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def caller(self) -> Caller:
        """Who calls.

        Raises:
            AwsError: no credentials, expired ones, or AWS is not reached.
        """
        with translated("credentials"):
            found = self._client.get_caller_identity()
        credentials = getattr(getattr(self._client, "_request_signer", None), "_credentials", None)
        # botocore tells neither of them: a session's end is known to the credentials alone.
        ends = getattr(credentials, "_expiry_time", None)
        return Caller(
            str(found["Account"]),
            str(found["Arn"]),
            ends.astimezone(UTC) if isinstance(ends, datetime) else None,
            temporary=bool(getattr(credentials, "token", None)),
            renewed=hasattr(credentials, "refresh_needed") and getattr(credentials, "method", "") != "env",
        )

    def now(self) -> datetime:
        """The time by the head of an answer, which also a refusal has: a wrong clock is refused.

        Raises:
            AwsError: there is no answer.
        """
        from botocore.exceptions import ClientError

        with translated("the clock"):
            try:
                told: Any = self._client.get_caller_identity()
            except ClientError as error:
                told = error.response
                if "date" not in told.get("ResponseMetadata", {}).get("HTTPHeaders", {}):
                    raise
        return parsedate_to_datetime(told["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)

    @property
    def _client(self) -> Any:
        return self._account.client("sts", timeout=5.0, attempts=2)
