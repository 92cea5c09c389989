"""Files in S3 whose answers are lost, and whose bytes come in pieces."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from gymops.aws.blobs import S3Blobs
from gymops.aws.session import AwsError
from gymops.errors import Exists
from gymops.store.blobs import NoBlob
from tests.unit.clocks import FakeClock

HEAD = {"ContentLength": 10, "ETag": '"e"', "LastModified": datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.fixture
def s3() -> Iterator[tuple[Stubber, S3Blobs, Any]]:
    client: Any = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        yield stub, S3Blobs(client, "bucket", "p/", FakeClock()), client
        stub.assert_no_pending_responses()


def _absent(stub: Stubber) -> None:
    stub.add_client_error("head_object", "404", http_status_code=404)


def _uploaded(stub: Stubber) -> Any:
    """An upload whose parts are there; what marks it as ours, once it is known."""
    _absent(stub)
    writer: dict[str, str] = {}

    class Writer:
        def __eq__(self, given: object) -> bool:
            if isinstance(given, dict):
                writer.update(given)
            return isinstance(given, dict)

        __hash__ = None  # type: ignore[assignment]

    asked = {"Bucket": "bucket", "Key": "p/k", "ChecksumAlgorithm": "SHA256", "ContentType": ANY}
    stub.add_response("create_multipart_upload", {"UploadId": "u"}, {**asked, "Metadata": Writer()})
    stub.add_response("upload_part", {"ETag": '"1"'})
    return writer


def _write(blobs: S3Blobs) -> None:
    with blobs.write("k") as sink:
        sink.write(b"0123456789")


@pytest.mark.parametrize("code", ["InternalError", "NoSuchUpload", "PreconditionFailed"])
def test_an_upload_whose_answer_was_lost_is_found_to_be_ours(
    s3: tuple[Stubber, S3Blobs, Any], code: str
) -> None:
    stub, blobs, _ = s3
    writer = _uploaded(stub)
    stub.add_client_error("complete_multipart_upload", code, http_status_code=400)
    stub.add_response("head_object", {**HEAD, "Metadata": writer})
    _write(blobs)


def test_another_s_file_is_left_and_ours_given_up(s3: tuple[Stubber, S3Blobs, Any]) -> None:
    stub, blobs, _ = s3
    _uploaded(stub)
    stub.add_client_error("complete_multipart_upload", "PreconditionFailed", http_status_code=412)
    stub.add_response("head_object", {**HEAD, "Metadata": {"writer": "another"}})
    stub.add_response("abort_multipart_upload", {}, {"Bucket": "bucket", "Key": "p/k", "UploadId": "u"})
    with pytest.raises(Exists):
        _write(blobs)


def test_a_part_that_is_refused_ends_the_upload(s3: tuple[Stubber, S3Blobs, Any]) -> None:
    stub, blobs, _ = s3
    _absent(stub)
    stub.add_response("create_multipart_upload", {"UploadId": "u"})
    stub.add_client_error("upload_part", "ExpiredToken", http_status_code=400)
    stub.add_response("abort_multipart_upload", {})
    with pytest.raises(AwsError) as told:
        _write(blobs)
    assert told.value.unknown


def _body(stub: Stubber, data: bytes, length: int, asked: str) -> None:
    stub.add_response(
        "get_object",
        {"Body": StreamingBody(io.BytesIO(data), length)},
        {"Bucket": "bucket", "Key": "p/k", "IfMatch": '"e"', "Range": asked},
    )


def test_a_broken_connection_goes_on_where_it_ended(s3: tuple[Stubber, S3Blobs, Any]) -> None:
    stub, blobs, _ = s3
    stub.add_response("head_object", HEAD)
    _body(stub, b"0123", 10, "bytes=0-")
    _body(stub, b"456", 6, "bytes=4-")
    _body(stub, b"789", 3, "bytes=7-")
    with blobs.read("k") as source:
        assert b"".join(iter(lambda: source.read(4), b"")) == b"0123456789"


def test_one_that_is_replaced_or_gone_meanwhile_is_told(s3: tuple[Stubber, S3Blobs, Any]) -> None:
    stub, blobs, _ = s3
    stub.add_response("head_object", HEAD)
    stub.add_client_error("get_object", "PreconditionFailed", http_status_code=412)
    with blobs.read("k") as source, pytest.raises(NoBlob, match="is gone"):
        source.read(4)


def test_one_that_always_ends_early_is_told(s3: tuple[Stubber, S3Blobs, Any]) -> None:
    stub, blobs, _ = s3
    stub.add_response("head_object", HEAD)
    for _ in range(5):
        _body(stub, b"", 0, "bytes=0-")
    with blobs.read("k") as source, pytest.raises(AwsError, match="ends early"):
        source.read(4)
