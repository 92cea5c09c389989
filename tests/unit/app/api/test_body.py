"""JSON as the standard has it."""

from __future__ import annotations

from typing import Any

import pytest

from gymops.app.body import parse
from gymops.app.problems import Problem


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'["\\ud83d\\udcaa", "\xf0\x9f\x92\xaa"]', ["\U0001f4aa"] * 2),
        (b"1e2", 100.0),
        (b" null ", None),
    ],
)
def test_what_is_json(body: bytes, document: Any) -> None:
    assert parse(body) == document


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": [1, "\\u0000"]}', "holds a NUL character"),
        (b'{"\\u0000": 1}', "holds a NUL character"),
        (b'{"a": {"b": "\\ud800"}}', "holds half a surrogate pair"),
        (b'{"\\udfff": 1}', "holds half a surrogate pair"),
        (b'["\\udcaa\\ud83d"]', "holds half a surrogate pair"),
        (b"[NaN]", "holds NaN, which is no number in JSON"),
        (b"-Infinity", "holds -Infinity, which is no number in JSON"),
        (b"9" * 4301, "holds a number of too many digits"),
        (b"[" * 60_000, "is nested too deeply"),
        (b'"\xff"', "is not UTF-8"),
        (b'{"a": 1,}', "is not valid JSON: Expecting property name enclosed in double quotes (character 9)"),
    ],
)
def test_what_is_not(body: bytes, reason: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(body)
    assert (caught.value.status_code, caught.value.errors) == (422, [{"loc": "body", "msg": reason}])
