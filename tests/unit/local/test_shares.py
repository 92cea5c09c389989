"""What an alarm's expression comes to: arithmetic of metrics, their sum, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gymops.local.plane.functions.shares import expression

VALUES = {"errors": 6.0, "calls": 120.0, "none": 0.0, "missing": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100 * errors / calls", 5.0),
        ("100*(errors/calls)", 5.0),
        ("calls - errors + 1", 115.0),
        ("errors / none", None),
        ("errors / (errors - errors)", None),
        ("missing + errors", None),
        ("SUM(METRICS())", 126.0),
    ],
)
def test_it_is_reckoned(text: str, value: float | None) -> None:
    assert expression(said(text), VALUES) == value


@pytest.mark.parametrize(
    "text",
    ["SUM(errors)", "IF(errors > 5, 1, 0)", "errors ** 2", "unknown", "errors +", ""],
)
def test_more_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="The local AWS reckons alarms by"):
        expression(said(text), VALUES)


def said(text: str) -> list[Mapping[str, object]]:
    return [{"Id": "errors", "MetricStat": {}}, {"Id": "share", "Expression": text}]


def test_of_metrics_without_a_number_there_is_no_sum() -> None:
    assert expression(said("SUM(METRICS())"), {"errors": None, "calls": None}) is None


def test_a_query_finds_nothing_here() -> None:
    query = {"Id": "refused", "Expression": 'SELECT SUM(ThrottledRequests) FROM SCHEMA("AWS/DynamoDB")'}
    assert expression([query], {}) is None
