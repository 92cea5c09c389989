"""A bucket of served files, on moto's S3, and in the cases it does not know."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from gymops.aws.account import Account
from gymops.aws.session import AwsError
from gymops.aws.static import Served, StaticBucket

NAME = "pages"
INDEX = b"<p>one"
PATH = "a b/\u00fc.html"


def served(path: str, data: bytes, **changed: str) -> Served:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return replace(Served(path, digest, "text/html; charset=utf-8", "no-cache"), **changed)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        made = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
        )
        made.create_bucket(Bucket=NAME)
        monkeypatch.setattr(Account, "client", lambda *_: made)
        yield made


@pytest.fixture
def bucket(s3: Any) -> StaticBucket:
    return StaticBucket(Account("us-east-1"), NAME)


def test_what_is_put_is_found_with_digest_type_and_cache(bucket: StaticBucket, s3: Any) -> None:
    file = served(PATH, INDEX)
    bucket.put([file], lambda _: INDEX)
    assert bucket.names() == {PATH: len(INDEX)}
    assert bucket.look({PATH: len(INDEX), "absent": 1}) == {PATH: file}
    found = s3.get_object(Bucket=NAME, Key=PATH)
    assert (found["Body"].read(), found["ContentType"], found["CacheControl"]) == (
        INDEX, "text/html; charset=utf-8", "no-cache",
    )  # fmt: skip


def test_what_has_another_size_or_no_digest_is_not_the_same(bucket: StaticBucket, s3: Any) -> None:
    s3.put_object(Bucket=NAME, Key="by-hand", Body=b"one")
    bucket.put([served("longer", b"xy")], lambda _: b"xy")
    found = bucket.look({"by-hand": 3, "longer": 3})
    assert (found["by-hand"].digest, found["longer"].digest) == ("", "")


def test_one_that_cannot_be_stored_ends_it(bucket: StaticBucket, s3: Any) -> None:
    sent: list[str] = []

    def refuse(**given: Any) -> None:
        sent.append(given["Key"])
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    s3.put_object = refuse
    with pytest.raises(AwsError, match=r"s3://pages/0\.html: no"):
        bucket.put([served(f"{number}.html", INDEX) for number in range(1000)], lambda _: INDEX)
    assert len(sent) < 1000


def test_more_than_a_page_of_them_are_found_and_removed(bucket: StaticBucket) -> None:
    files = [served(f"{number}.html", INDEX) for number in range(1010)]
    bucket.put(files, lambda _: INDEX)
    assert len(bucket.names()) == 1010
    bucket.remove([file.path for file in files[1:]])
    assert list(bucket.names()) == ["0.html"]
    bucket.remove([])


def test_what_could_not_be_removed_is_said(bucket: StaticBucket, s3: Any) -> None:
    denied = {"Errors": [{"Key": "x", "Code": "AccessDenied", "Message": "no"}]}
    s3.delete_objects = lambda **_: denied
    with pytest.raises(AwsError, match="s3://pages/x: no"):
        bucket.remove(["x"])


def test_a_bucket_that_is_not_there_is_said(s3: Any) -> None:
    with pytest.raises(AwsError, match="s3://absent"):
        StaticBucket(Account("us-east-1"), "absent").look({"x": 1})
