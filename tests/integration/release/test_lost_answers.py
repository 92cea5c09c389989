"""Writes to S3 that were carried out, and whose answers never came."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.awsrequest import AWSHTTPConnection

from gymops.aws.account import Account
from gymops.aws.s3 import S3Objects
from gymops.errors import Changed, Exists
from tests.integration.release.plans import CLOCK
from tests.local_aws import ACCOUNT, Aws, unique


class Bucket:
    """A versioned bucket, so that every write that was carried out is seen."""

    def __init__(self, aws: Aws, attempts: int) -> None:
        self.name = unique("releases")
        self.client: Any = aws.client("s3")
        self.client.create_bucket(Bucket=self.name)
        self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
        account = Account("us-east-1", endpoint=aws.settings.url, number=ACCOUNT)
        self.objects = S3Objects(account.client("s3", attempts=attempts), self.name, CLOCK)

    def versions(self) -> int:
        return len(self.client.list_object_versions(Bucket=self.name).get("Versions", ()))


@pytest.fixture(params=[1, 3], ids=["botocore asks once", "botocore asks again"])
def bucket(request: pytest.FixtureRequest, aws: Aws) -> Bucket:
    return Bucket(aws, request.param)


def lose(monkeypatch: pytest.MonkeyPatch, answers: int) -> None:
    """The next answers are read from the server and lost."""
    read = AWSHTTPConnection.getresponse
    left = [answers]

    def getresponse(self: Any, *given: Any, **named: Any) -> Any:
        answer = read(self, *given, **named)
        if left[0]:
            left[0] -= 1
            answer.read()
            raise ConnectionResetError("the answer is lost")
        return answer

    monkeypatch.setattr(AWSHTTPConnection, "getresponse", getresponse)


def test_a_creation_is_made_once(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(monkeypatch, 1)
    etag = bucket.objects.create("a", b"ours")
    assert (bucket.objects.get("a") or ())[:2] == (b"ours", etag)
    assert bucket.versions() == 1
    with pytest.raises(Exists):
        bucket.objects.create("a", b"theirs")


def test_a_replacement_is_made_once(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bucket.objects.create("a", b"one")
    lose(monkeypatch, 1)
    second = bucket.objects.replace("a", b"two", first)
    assert (bucket.objects.get("a") or ())[:2] == (b"two", second)
    assert bucket.versions() == 2
    with pytest.raises(Changed):
        bucket.objects.replace("a", b"three", first)


def test_a_refusal_that_was_lost_stays_one(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bucket.objects.create("a", b"one")
    bucket.objects.replace("a", b"two", first)
    lose(monkeypatch, 1)
    with pytest.raises(Changed):
        bucket.objects.replace("a", b"three", first)
    lose(monkeypatch, 1)
    with pytest.raises(Exists):
        bucket.objects.create("a", b"three")
    assert bucket.versions() == 2
