"""DynamoDB and S3 as they answer right after something was asked of them."""

from __future__ import annotations

import pytest
from botocore.stub import Stubber

from gymops.aws.account import Account
from gymops.aws.buckets import AppBuckets
from gymops.aws.session import AwsError
from gymops.aws.tables import Tables


@pytest.fixture
def account() -> Account:
    return Account("us-west-1", endpoint="http://127.0.0.1:1", number="123456789013")


def test_a_table_that_is_restored_may_be_told_of_a_little_later_and_not_much_later(account: Account) -> None:
    tables = Tables(account)
    with Stubber(account.client("dynamodb")) as dynamodb:
        for _ in range(2):
            dynamodb.add_client_error("describe_table", "ResourceNotFoundException")
        for status in ("CREATING", "ACTIVE"):
            dynamodb.add_response("describe_table", {"Table": {"TableStatus": status}})
        assert [tables.restoring("new").state for _ in range(4)] == ["RUNNING"] * 3 + ["COMPLETED"]
        for _ in range(13):
            dynamodb.add_client_error("describe_table", "ResourceNotFoundException")
        with pytest.raises(AwsError, match="ResourceNotFound"):
            [tables.restoring("new") for _ in range(13)]
        dynamodb.add_client_error("describe_table", "AccessDeniedException")
        with pytest.raises(AwsError, match="AccessDenied"):
            tables.restoring("other")


@pytest.mark.parametrize(
    ("region", "arn"), [("us-west-1", "arn:aws:s3:::a"), ("cn-north-1", "arn:aws-cn:s3:::a")]
)
def test_the_arn_of_a_bucket_is_of_its_partition(region: str, arn: str) -> None:
    assert AppBuckets(Account(region, endpoint="http://127.0.0.1:1", number="123456789013")).arn("a") == arn


def test_a_bucket_is_emptied_by_the_page_and_what_is_denied_is_said(account: Account) -> None:
    one, other = ({"Key": key, "VersionId": "1"} for key in "ab")
    with Stubber(account.client("s3")) as s3:
        s3.add_response("list_object_versions", {"Versions": [one], "DeleteMarkers": [other]})
        asked = {"Bucket": "photos", "Delete": {"Objects": [one, other], "Quiet": True}}
        s3.add_response("delete_objects", {}, asked)
        s3.add_response("delete_bucket", {})
        assert not AppBuckets(account).delete("photos")
        s3.add_response("list_object_versions", {"Versions": [one]})
        s3.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "SlowDown"}]})
        s3.add_client_error("delete_bucket", "BucketNotEmpty")
        assert AppBuckets(account).delete("photos")
        s3.add_response("list_object_versions", {"Versions": [one]})
        s3.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "AccessDenied"}]})
        with pytest.raises(AwsError, match="AccessDenied"):
            AppBuckets(account).delete("photos")
