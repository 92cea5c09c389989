"""Where these names were; see tests/local_aws.py."""

from tests.local_aws import ACCOUNT, PASSWORD, Aws, unique, until

__all__ = ["ACCOUNT", "PASSWORD", "Aws", "unique", "until"]
