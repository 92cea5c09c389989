"""IAM at the database's door: a token takes a password's place."""

from __future__ import annotations

from functools import cache
from typing import Any

from gymops.aws.session import client, translated


def sign(host: str, port: int, user: str, /) -> str:
    """A password for one user at one address, accepted for 15 minutes; AWS is not asked.

    Raises:
        AwsError: no credentials or no region are configured.
    """
    with translated(f"a token for {user} at {host}"):
        token: str = _rds().generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    return token


@cache  # making a client takes a hundred times as long as signing
def _rds() -> Any:
    return client("rds")
