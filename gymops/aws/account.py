"""An account of AWS: whose credentials, which region, which endpoint; clients of it are made here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gymops.aws.session import AwsError, translated


@dataclass(frozen=True)
class Account:
    """Where calls go."""

    region: str
    profile: str | None = None
    """The profile whose credentials are taken; None: those of the process."""
    endpoint: str | None = None
    """The local AWS; then ``number`` is the access key, as it is the account there."""
    number: str | None = None

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return self.endpoint is not None

    def client(
        self, service: str, region: str | None = None, *, timeout: float = 60.0, attempts: int = 6
    ) -> Any:
        """A client. ``timeout``: seconds for each answer; ``attempts``: how often a throttled call is made.

        Raises:
            AwsError: there is no such profile.
        """
        return _client(self, service, region or self.region, timeout, attempts)

    def identity(self) -> tuple[str, str]:
        """The account's number and the ARN of whoever calls.

        Raises:
            AwsError: no credentials, expired ones, or AWS is not reached.
        """
        with translated("credentials"):
            found = self.client("sts").get_caller_identity()
        return str(found["Account"]), str(found["Arn"])


@lru_cache(maxsize=64)
def _client(account: Account, service: str, region: str, timeout: float, attempts: int) -> Any:
    from botocore.config import Config

    config = Config(
        connect_timeout=10,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        s3={"addressing_style": "path"} if account.local else None,
    )
    local = {"aws_access_key_id": account.number, "aws_secret_access_key": "local"} if account.local else {}
    with translated(service):
        return _session(account.profile).client(
            service, region_name=region, endpoint_url=account.endpoint, config=config, **local
        )


@lru_cache(maxsize=8)  # it reads the services' models, and each of its own would read them again
def _session(profile: str | None) -> Any:
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        return boto3.session.Session(profile_name=profile)
    except ProfileNotFound:
        raise AwsError(
            f"there is no AWS profile {profile!r}",
            reason="ProfileNotFound",
            hint=f"aws configure --profile {profile}",
        ) from None
