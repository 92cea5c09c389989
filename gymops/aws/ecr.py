"""ECR: who we are to its registries, what a repository holds, and what it lets go."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated
from gymops.errors import ConfigError

_URI = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>.+)")


def login(account: Account, region: str) -> tuple[str, str]:
    """User and password for the registries of a region, good for twelve hours.

    Raises:
        AwsError: no credentials, or they may not.
    """
    with translated("signing in to ECR"):
        told = account.client("ecr", region, timeout=10.0).get_authorization_token()
    try:
        token = base64.b64decode(told["authorizationData"][0]["authorizationToken"]).decode()
        user, _, password = token.partition(":")
    except (LookupError, ValueError):
        raise AwsError("signing in to ECR: an answer without a token", reason="NoToken") from None
    return user, password


@dataclass(frozen=True)
class EcrRepository:
    """A repository of an account."""

    account: Account
    region: str
    name: str

    @classmethod
    def of(cls, account: Account, uri: str) -> EcrRepository:
        """The one of this ``RepositoryUri``.

        Raises:
            ConfigError: it is none of ECR, and Lambda takes images from there only.
        """
        match = _URI.fullmatch(uri)
        if match is None:
            raise ConfigError(
                f"{uri}: no repository of ECR",
                hint="the output RepositoryUri of the stack base: !GetAtt Repository.RepositoryUri",
            )
        return cls(account, match["region"], match["name"])

    def login(self) -> tuple[str, str]:
        """User and password for its registry."""
        return login(self.account, self.region)

    def policy(self) -> str | None:
        """The lifecycle policy, as JSON; None if there is none.

        Raises:
            AwsError: there is no such repository, or it may not be looked at.
        """
        client = self.account.client("ecr", self.region)
        with translated(f"the repository {self.name}"):
            try:
                return str(client.get_lifecycle_policy(repositoryName=self.name)["lifecyclePolicyText"])
            except client.exceptions.LifecyclePolicyNotFoundException:
                return None

    def tags(self) -> Mapping[str, frozenset[str]]:
        """Of each image that is there, by its digest, the tags.

        Raises:
            AwsError: there is no such repository, or it may not be looked at.
        """
        client = self.account.client("ecr", self.region)
        with translated(f"the repository {self.name}"):
            pages = client.get_paginator("describe_images").paginate(repositoryName=self.name)
            listed = [one for page in pages for one in page["imageDetails"]]
        return {one["imageDigest"]: frozenset(one.get("imageTags", ())) for one in listed}
