"""Conditional writes to S3 whose answers are lost, refused or late."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from gymops.aws.s3 import S3Objects
from gymops.aws.session import AwsError
from gymops.errors import Changed, Exists, GymopsError
from tests.unit.clocks import FakeClock

OURS, THEIRS = b'{"id": "ours"}', b'{"id": "theirs"}'
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


class Answers:
    """What S3 answers, in order."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
        )
        self.stub = Stubber(self.client)
        self.clock = FakeClock()
        self.objects = S3Objects(self.client, "bucket", self.clock)

    def put(self, condition: dict[str, str], code: str | None = None, status: int = 500) -> None:
        asked = {"Bucket": "bucket", "Key": "k", "Body": OURS, "ContentType": ANY, **condition}
        if code:
            self.stub.add_client_error("put_object", code, http_status_code=status, expected_params=asked)
        else:
            self.stub.add_response("put_object", {"ETag": '"ours"'}, asked)

    def there(self, data: bytes | None, etag: str = "", date: str | None = None) -> None:
        if data is None:
            self.stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
            return
        headers = {"HTTPHeaders": {"date": date} if date else {}}
        self.stub.add_response(
            "get_object",
            {"Body": io.BytesIO(data), "ETag": etag, "LastModified": WRITTEN, "ResponseMetadata": headers},
        )


@pytest.fixture
def s3() -> Iterator[Answers]:
    answers = Answers()
    with answers.stub:
        yield answers
        answers.stub.assert_no_pending_responses()


NEW, OVER = {"IfNoneMatch": "*"}, {"IfMatch": '"old"'}


def test_a_creation_whose_answer_was_lost_is_found_done(s3: Answers) -> None:
    s3.put(NEW, "InternalError")
    s3.there(OURS, '"ours"')
    assert s3.objects.create("k", OURS) == '"ours"'


def test_a_creation_refused_because_its_first_request_was_carried_out_is_done(s3: Answers) -> None:
    s3.put(NEW, "PreconditionFailed", 412)
    s3.there(OURS, '"ours"')
    assert s3.objects.create("k", OURS) == '"ours"'


def test_a_creation_that_another_won_is_refused(s3: Answers) -> None:
    s3.put(NEW, "PreconditionFailed", 412)
    s3.there(THEIRS, '"theirs"')
    with pytest.raises(Exists, match="s3://bucket/k"):
        s3.objects.create("k", OURS)


def test_a_creation_refused_by_what_is_gone_again_is_refused(s3: Answers) -> None:
    s3.put(NEW, "PreconditionFailed", 412)
    s3.there(None)
    with pytest.raises(Exists):
        s3.objects.create("k", OURS)


@pytest.mark.parametrize(
    ("code", "status"), [("ServiceUnavailable", 503), ("ConditionalRequestConflict", 409)]
)
def test_a_creation_that_did_not_happen_is_asked_for_again(s3: Answers, code: str, status: int) -> None:
    for _ in range(3):
        s3.put(NEW, code, status)
        s3.there(None)
    s3.put(NEW)
    assert s3.objects.create("k", OURS) == '"ours"'
    assert s3.clock.monotonic() == pytest.approx(0.2 + 0.4 + 0.8)


def test_a_creation_that_is_lost_to_another_meanwhile_is_refused(s3: Answers) -> None:
    s3.put(NEW, "InternalError")
    s3.there(THEIRS, '"theirs"')
    with pytest.raises(Exists):
        s3.objects.create("k", OURS)


def test_a_service_that_stays_away_leaves_it_unknown(s3: Answers) -> None:
    for _ in range(5):
        s3.put(NEW, "InternalError")
        s3.there(None)
    with pytest.raises(AwsError) as told:
        s3.objects.create("k", OURS)
    assert told.value.unknown


def test_missing_rights_are_told_at_once(s3: Answers) -> None:
    s3.put(NEW, "AccessDenied", 403)
    s3.there(None)
    with pytest.raises(AwsError, match="AccessDenied") as told:
        s3.objects.create("k", OURS)
    assert not told.value.unknown


def test_a_replacement_whose_answer_was_lost_is_found_done(s3: Answers) -> None:
    s3.put(OVER, "InternalError")
    s3.there(OURS, '"ours"')
    assert s3.objects.replace("k", OURS, '"old"') == '"ours"'


def test_a_replacement_that_did_not_happen_is_asked_for_again(s3: Answers) -> None:
    s3.put(OVER, "InternalError")
    s3.there(THEIRS, '"old"')
    s3.put(OVER)
    assert s3.objects.replace("k", OURS, '"old"') == '"ours"'


@pytest.mark.parametrize(
    ("code", "status", "found"),
    [
        ("PreconditionFailed", 412, THEIRS), ("NoSuchKey", 404, None), ("InternalError", 500, THEIRS),
        ("InternalError", 500, None),
    ],
)  # fmt: skip
def test_what_another_changed_is_not_replaced(s3: Answers, code: str, status: int, found: bytes) -> None:
    s3.put(OVER, code, status)
    s3.there(found, '"theirs"')
    with pytest.raises(Changed):
        s3.objects.replace("k", OURS, '"old"')


@pytest.mark.parametrize(
    ("codes", "found", "raised"),
    [
        (["InternalError"], None, None), (["PreconditionFailed"], THEIRS, Changed),
        (["NoSuchKey"], None, Changed), (["AccessDenied"], OURS, AwsError),
    ],
)  # fmt: skip
def test_a_deletion(
    s3: Answers, codes: list[str], found: bytes | None, raised: type[GymopsError] | None
) -> None:
    for code in codes:
        s3.stub.add_client_error("delete_object", code, http_status_code=500 if "Internal" in code else 400)
        s3.there(found, '"ours"' if found == OURS else '"theirs"')
    if raised is None:
        s3.objects.delete("k", '"ours"')
        return
    with pytest.raises(raised):
        s3.objects.delete("k", '"ours"')


def test_a_read_is_asked_for_again_while_no_whole_answer_comes(s3: Answers) -> None:
    for code in "InternalError", "SlowDown", "InternalError":
        s3.stub.add_client_error("get_object", code, http_status_code=503)
    s3.there(OURS, '"ours"')
    assert s3.objects.get("k") == (OURS, '"ours"', ANY)
    s3.stub.add_client_error("list_objects_v2", "SlowDown", http_status_code=503)
    s3.stub.add_response("list_objects_v2", {"Contents": [{"Key": "a"}]}, {"Bucket": "bucket", "Prefix": ""})
    assert s3.objects.keys("") == ["a"]


def test_a_read_ends_when_asking_again_does_not_help(s3: Answers) -> None:
    s3.stub.add_client_error("get_object", "ExpiredToken", http_status_code=400)
    with pytest.raises(AwsError) as told:
        s3.objects.get("k")
    assert told.value.unknown
    for _ in range(5):
        s3.stub.add_client_error("list_objects_v2", "InternalError", http_status_code=500)
    with pytest.raises(AwsError) as told:
        s3.objects.keys("")
    assert told.value.unknown


def test_an_age_is_the_difference_of_the_stores_own_times(s3: Answers) -> None:
    s3.clock.sleep(1e6)  # a clock of ours that is wrong
    s3.there(OURS, '"ours"', date="Thu, 01 Jan 2026 00:01:30 GMT")
    assert s3.objects.get("k") == (OURS, '"ours"', 90.0)


def test_without_the_stores_time_ours_has_to_do(s3: Answers) -> None:
    s3.clock.sleep(5)
    s3.there(OURS, '"ours"')
    assert s3.objects.get("k") == (OURS, '"ours"', 5.0)


def test_all_pages_are_listed(s3: Answers) -> None:
    page: dict[str, Any] = {"Contents": [{"Key": "a/2"}], "IsTruncated": True, "NextContinuationToken": "t"}
    s3.stub.add_response("list_objects_v2", page, {"Bucket": "bucket", "Prefix": "a/"})
    s3.stub.add_response(
        "list_objects_v2",
        {"Contents": [{"Key": "a/10"}], "IsTruncated": False},
        {"Bucket": "bucket", "Prefix": "a/", "ContinuationToken": "t"},
    )
    assert list(s3.objects.keys("a/")) == ["a/10", "a/2"]


def test_a_bucket_of_another_account_is_not_taken_for_ours(s3: Answers) -> None:
    owned = S3Objects(s3.client, "bucket", s3.clock, owner="111111111111")
    s3.stub.add_response(
        "list_objects_v2", {}, {"Bucket": "bucket", "Prefix": "", "ExpectedBucketOwner": "111111111111"}
    )
    assert list(owned.keys("")) == []
