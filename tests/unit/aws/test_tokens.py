"""Tokens, as RDS reads them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from gymops.aws import tokens
from gymops.aws.session import AwsError

HOST = "prod-gym-app.proxy-abc.us-west-1.rds.amazonaws.com"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials it once found
    tokens._rds.cache_clear()
    yield
    tokens._rds.cache_clear()


def test_a_token_is_for_one_user_at_one_address_and_a_quarter_of_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # nobody is asked
    token = tokens.sign(HOST, 6432, "gymops_app")
    parts = urlsplit(f"https://{token}")
    told = parse_qs(parts.query)
    assert (parts.hostname, parts.port) == (HOST, 6432)
    assert (told["Action"], told["DBUser"], told["X-Amz-Expires"]) == (["connect"], ["gymops_app"], ["900"])
    assert "/us-west-1/rds-db/aws4_request" in told["X-Amz-Credential"][0]
    assert "hunter2" not in token


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(AwsError, match=f"gymops_app at {HOST}: no credentials") as told:
        tokens.sign(HOST, 5432, "gymops_app")
    assert told.value.reason == "NoCredentials"


def test_without_a_region_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AwsError, match="region") as told:
        tokens.sign(HOST, 5432, "gymops_app")
    assert told.value.reason == "NoRegionError"
