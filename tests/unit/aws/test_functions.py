"""Calls of a function to which no answer comes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from gymops.aws.account import Account
from gymops.aws.functions import Functions
from gymops.aws.session import AwsError
from tests.unit.clocks import FakeClock


class Answers:
    """What Lambda answers, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made: Any = boto3.client(
            "lambda", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
        )
        monkeypatch.setattr(Account, "client", lambda *_, **__: made)
        self.stub = Stubber(made)
        self.clock = FakeClock()
        self.functions = Functions(Account("us-east-1"), self.clock)

    def lost(self, times: int, code: str = "ServiceException", status: int = 500) -> None:
        for _ in range(times):
            self.stub.add_client_error("invoke", code, http_status_code=status)

    def answer(self) -> None:
        self.stub.add_response("invoke", {"Payload": io.BytesIO(b'{"statusCode": 200}'), "StatusCode": 200})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    answers = Answers(monkeypatch)
    with answers.stub:
        yield answers
        answers.stub.assert_no_pending_responses()


def test_who_only_looks_is_called_again(told: Answers) -> None:
    told.lost(4)
    told.lost(1, "TooManyRequestsException", 429)
    told.answer()
    found = told.functions.invoke("app", {}, again=True)
    assert found.answer == {"statusCode": 200}
    assert told.clock.monotonic() == pytest.approx(0.25 + 0.5 + 1 + 2 + 4)


def test_not_for_ever(told: Answers) -> None:
    told.lost(6)
    with pytest.raises(AwsError) as error:
        told.functions.invoke("app", {}, again=True)
    assert error.value.unknown


def test_who_works_is_called_once(told: Answers) -> None:
    told.lost(1)
    with pytest.raises(AwsError) as error:
        told.functions.invoke("app", {})
    assert error.value.unknown


def test_a_refusal_is_not_asked_for_again(told: Answers) -> None:
    told.lost(1, "AccessDeniedException", 403)
    with pytest.raises(AwsError) as error:
        told.functions.invoke("app", {}, again=True)
    assert not error.value.unknown
