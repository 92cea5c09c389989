"""S3 on moto: files under keys that hold their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from gymops.aws.account import Account
from gymops.aws.bucket import Bucket
from gymops.aws.session import AwsError

DIGEST = f"sha256:{hashlib.sha256(b'content').hexdigest()}"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        made = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
        )
        made.create_bucket(Bucket="releases")
        monkeypatch.setattr(Account, "client", lambda *_, **__: made)
        yield made


@pytest.fixture
def bucket(s3: Any) -> Bucket:
    return Bucket(Account("us-east-1"), "releases")


def test_what_is_there_is_not_sent_again(bucket: Bucket) -> None:
    assert bucket.put("a", b"content", DIGEST)
    assert not bucket.put("a", b"content", DIGEST)
    assert (bucket.has("a"), bucket.has("b")) == (True, False)
    assert bucket.get("a", DIGEST) == b"content"


def test_other_content_under_its_name_is_not_taken(bucket: Bucket, s3: Any) -> None:
    s3.put_object(Bucket="releases", Key="a", Body=b"other", ChecksumAlgorithm="SHA256")
    with pytest.raises(AwsError, match="holds other content than its name says"):
        bucket.get("a", DIGEST)
    with pytest.raises(AwsError, match="holds other content than its name says"):
        bucket.put("a", b"content", DIGEST)


def test_what_somebody_deleted_says_where_it_may_be(bucket: Bucket) -> None:
    with pytest.raises(AwsError, match="s3://releases/a is gone") as gone:
        bucket.get("a", DIGEST)
    assert "former versions" in str(gone.value.hint)


def test_a_bucket_that_is_not_there_is_said(s3: Any) -> None:
    with pytest.raises(AwsError, match="NoSuchBucket"):
        Bucket(Account("us-east-1"), "nowhere").get("a", DIGEST)
