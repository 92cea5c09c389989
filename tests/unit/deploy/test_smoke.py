"""One version is asked by its number before anybody else may."""

from __future__ import annotations

from typing import Any

import pytest
from mangum import Mangum

from gymops.aws.functions import Invocation
from gymops.deploy import smoke


def calling(answer: Any, *, failed: bool = False) -> smoke.Call:
    return lambda _event: Invocation("7", answer, failed, 0.2)


def test_a_path_that_answers_200_is_good() -> None:
    asked = smoke.ask_all(calling({"statusCode": 200, "body": "fine"}), ["/api/health", "/api/ready"])
    assert [one.path for one in asked] == ["/api/health", "/api/ready"]
    smoke.refuse(asked, "staging")
    assert asked[0].as_dict() == {
        "path": "/api/health", "status": 200, "seconds": 0.2, "version": "7", "problem": None, "good": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "failed", "told"),
    [
        ({"statusCode": 503, "body": "no schema"}, False, "version 7: /x answered 503: no schema"),
        ({"statusCode": 302, "body": ""}, False, "version 7: /x answered 302"),
        (
            {"errorType": "KeyError", "errorMessage": "'a'"},
            True,
            "version 7: /x did not answer: KeyError: 'a'",
        ),
        ("hello", False, "version 7: /x did not answer: an answer that is no HTTP answer: hello"),
        (None, False, "version 7: /x did not answer: an answer that is no HTTP answer: None"),
        ({"statusCode": "200"}, False, "version 7: /x answered"),
    ],
)
def test_anything_else_is_refused_with_what_it_said(answer: Any, failed: bool, told: str) -> None:
    asked = smoke.ask_all(calling(answer, failed=failed), ["/x"])
    with pytest.raises(smoke.SmokeFailed) as refused:
        smoke.refuse(asked, "staging")
    if told.endswith("answered"):
        assert asked[0].status is None
    else:
        assert refused.value.message == told


def test_the_request_is_one_of_a_function_url() -> None:
    seen = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append((scope["method"], scope["path"], scope["query_string"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    answer = Mangum(app, lifespan="off")(smoke.request("/api/history?limit=1"), None)  # type: ignore[arg-type]
    assert seen == [("GET", "/api/history", b"limit=1")]
    assert answer["statusCode"] == 200
