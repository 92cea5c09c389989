"""Which of AWS's errors say that nothing happened, and which say nothing."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as errors
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ProtocolError

from gymops.aws.session import AwsError, translated


def refused(code: str, status: int = 400) -> errors.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return errors.ClientError(answer, "ExecuteChangeSet")


URL = {"endpoint_url": "https://cloudformation.us-east-1.amazonaws.com"}


@pytest.mark.parametrize(
    "error",
    [
        refused("ExpiredToken", 403), refused("Throttling"), refused("RequestLimitExceeded", 503),
        refused("InternalFailure", 500), refused("Whatever", 502), errors.NoCredentialsError(),
        errors.ConnectTimeoutError(**URL), errors.ReadTimeoutError(**URL),
        errors.ConnectionClosedError(**URL), errors.EndpointConnectionError(**URL),
        errors.SSLError(**URL, error="eof"), errors.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ResponseParserError("half an answer"), ProtocolError("Connection broken"),
        errors.UnauthorizedSSOTokenError(), errors.TokenRetrievalError(provider="sso", error_msg="expired"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_no_answer_is_no_failure(error: Exception) -> None:
    with pytest.raises(AwsError) as told, translated("the stack"):
        raise error
    assert told.value.unknown
    assert told.value.message.startswith("the stack: ")


@pytest.mark.parametrize(
    "error",
    [
        refused("ValidationError"), refused("AccessDenied", 403), refused("AlreadyExistsException"),
        errors.ParamValidationError(report="no such parameter"), errors.NoRegionError(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_refusal_is_one(error: Exception) -> None:
    with pytest.raises(AwsError) as told, translated("the stack"):
        raise error
    assert not told.value.unknown


def test_what_a_sign_in_would_mend_does_not_pass_by_itself() -> None:
    for error in (
        refused("ExpiredToken", 403),
        errors.NoCredentialsError(),
        errors.UnauthorizedSSOTokenError(),
    ):
        with pytest.raises(AwsError) as told, translated("the stack"):
            raise error
        assert (told.value.unknown, told.value.passing) == (True, False)
    with pytest.raises(AwsError) as told, translated("the stack"):
        raise refused("Throttling")
    assert told.value.passing
