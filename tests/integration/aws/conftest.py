"""The local AWS that the tests of one process share, as an account of ours."""

from __future__ import annotations

import pytest

from gymops.aws.account import Account
from tests.local_aws import ACCOUNT, Aws

__all__ = ["account"]


@pytest.fixture(scope="module")
def account(aws: Aws) -> Account:
    return Account("us-east-1", endpoint=aws.settings.url, number=ACCOUNT)
