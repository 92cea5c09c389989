"""ECR: who we are to its registries."""

from __future__ import annotations

import base64

from gymops.aws.session import AwsError, client, translated


def login(region: str) -> tuple[str, str]:
    """User and password for the region's registries, good for twelve hours.

    Raises:
        AwsError: no credentials, or they may not.
    """
    with translated("signing in to ECR"):
        told = client("ecr", region=region, timeout=10.0).get_authorization_token()
    try:
        token = base64.b64decode(told["authorizationData"][0]["authorizationToken"]).decode()
        user, _, password = token.partition(":")
    except (LookupError, ValueError):
        raise AwsError("signing in to ECR: an answer without a token", reason="NoToken") from None
    return user, password
