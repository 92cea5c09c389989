"""Calls to the local AWS's own APIs: what is made through them is seen through them."""

from __future__ import annotations

import functools
from typing import Any

from gymops.local.plane import ministack

_ANY = "local"
"""The emulator checks no signature: any key will do."""


class Calls:
    """Clients for the account and region being served. Only for threads off the emulator's event loop."""

    def __init__(self, url: str) -> None:
        self._client = functools.cache(functools.partial(_make, url))

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator's own environment."""
        return self._client(service, ministack.account(), ministack.region())

    def code_of(self, error: Exception) -> str:
        """The AWS code of a refused call; empty for anything else."""
        answer = getattr(error, "response", None) or {}
        return str(answer.get("Error", {}).get("Code", ""))


def _make(url: str, service: str, account: str, region: str) -> Any:
    config = ministack.module("botocore.config").Config(
        retries={"max_attempts": 0}, proxies={}, read_timeout=600
    )
    return ministack.module("boto3").client(
        service, endpoint_url=url, region_name=region, aws_access_key_id=account,
        aws_secret_access_key=_ANY, config=config,
    )  # fmt: skip
