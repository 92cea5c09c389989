"""Metrics, against the specification of CloudWatch's embedded metric format.

docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from gymops.app.activity import Activity
from gymops.app.events import TYPES
from gymops.app.metrics import Metrics
from gymops.errors import ConfigError
from tests.unit.app.handler.lines import Clock, written

LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "prod-titan-trakr", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}
UNITS = {"Milliseconds", "Count"}  # of the list in the specification


def conforms(document: dict[str, Any]) -> None:
    """Every MUST of the specification that a document can break."""
    meta = document["_aws"]
    assert set(meta) == {"Timestamp", "CloudWatchMetrics"}
    assert type(meta["Timestamp"]) is int
    assert meta["CloudWatchMetrics"]
    for directive in meta["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 255
        assert not directive["Namespace"].startswith("AWS/")
        assert directive["Dimensions"]
        for names in directive["Dimensions"]:
            assert len(names) == len(set(names)) <= 30
            for name in names:
                assert 1 <= len(name) <= 250
                assert not name.startswith(":")
                assert name.isascii()
                assert isinstance(document[name], str)
                assert 1 <= len(document[name]) <= 1024
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert set(metric) <= {"Name", "Unit", "StorageResolution"}
            assert 1 <= len(metric["Name"]) <= 1024
            assert metric["Unit"] in UNITS
            assert type(document[metric["Name"]]) in (int, float)


def documents(out: io.StringIO) -> list[dict[str, Any]]:
    found = [line for line in written(out) if "_aws" in line]
    for document in found:
        conforms(document)
    return found


def made(environ: Mapping[str, str], clock: Clock | None = None) -> Metrics | None:
    return Metrics.from_environment(environ, clock=clock or Clock())


def value(found: list[dict[str, Any]], metric: str) -> list[Any]:
    return [one[metric] for one in found if metric in one]


def test_a_request_tells_its_duration_and_whether_it_waited_for_a_start(logged: io.StringIO) -> None:
    metrics = made(LAMBDA, Clock(datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)))
    assert metrics
    metrics.request(Activity("r", "c"), 0.0123456)
    metrics.request(Activity("r", "c"), 0.5)
    first, second = documents(logged)
    assert first["_aws"]["Timestamp"] == 1767323045678
    assert first["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "TitanTrakr",
            "Dimensions": [["Service"]],
            "Metrics": [{"Name": "Duration", "Unit": "Milliseconds"}, {"Name": "ColdStart", "Unit": "Count"}],
        }
    ]
    assert (first["Service"], first["Duration"], first["ColdStart"]) == ("prod-titan-trakr", 12.346, 1)
    assert (second["Duration"], second["ColdStart"]) == (500.0, 0)


def test_events_are_counted_by_type(logged: io.StringIO) -> None:
    metrics = made(LAMBDA)
    assert metrics
    events = [("1", "WorkoutStarted"), ("2", "SetLogged"), ("3", "SetLogged")]
    metrics.request(Activity("r", "c", events=events), 0.1)
    counted = [one for one in documents(logged) if "EventsAppended" in one]
    assert {one["EventType"]: one["EventsAppended"] for one in counted} == {
        "WorkoutStarted": 1,
        "SetLogged": 2,
    }
    assert counted[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Service", "EventType"]]


def test_what_was_said_is_counted_by_its_outcome(logged: io.StringIO) -> None:
    metrics = made(LAMBDA)
    assert metrics
    metrics.request(Activity("r", "c", voice="clarify"), 0.1)
    (said,) = [one for one in documents(logged) if "VoiceRequests" in one]
    assert (said["VoiceRequests"], said["Outcome"]) == (1, "clarify")


def test_the_dimensions_do_not_grow_with_users_or_requests(logged: io.StringIO) -> None:
    metrics = made(LAMBDA)
    assert metrics
    for number in range(50):
        events = [(str(number), event_type) for event_type in TYPES]
        metrics.request(Activity(f"r{number}", "c", user=f"u{number}", voice="logged", events=events), number)
    series = {
        (metric["Name"], *(document[name] for name in directive["Dimensions"][0]))
        for document in documents(logged)
        for directive in document["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }
    assert len(series) == 2 + len(TYPES) + 1


def test_a_wake_up_takes_the_cold_start(logged: io.StringIO) -> None:
    metrics = made(LAMBDA)
    assert metrics
    metrics.woken()
    metrics.request(Activity("r", "c"), 0.1)
    assert value(documents(logged), "ColdStart") == [1, 0]


@pytest.mark.parametrize(
    ("kind", "cold"), [("on-demand", 1), ("snap-start", 1), ("provisioned-concurrency", 0)]
)
def test_nobody_waits_for_an_environment_made_ahead(logged: io.StringIO, kind: str, cold: int) -> None:
    metrics = made({**LAMBDA, "AWS_LAMBDA_INITIALIZATION_TYPE": kind})
    assert metrics
    metrics.request(Activity("r", "c"), 0.1)
    assert value(documents(logged), "ColdStart") == [cold]


def test_on_in_lambda_off_elsewhere_unless_set() -> None:
    assert made({}) is None
    assert made(LAMBDA)
    assert made({"GYMOPS_APP_METRICS": "on"})
    assert made({**LAMBDA, "GYMOPS_APP_METRICS": "Off"}) is None
    with pytest.raises(ConfigError, match="neither on nor off"):
        made({"GYMOPS_APP_METRICS": "maybe"})


def test_namespace_and_service_are_settings(logged: io.StringIO) -> None:
    metrics = made(
        {"GYMOPS_APP_METRICS": "on", "GYMOPS_APP_METRICS_NAMESPACE": "Gym", "GYMOPS_APP_SERVICE": "staging"}
    )
    assert metrics
    metrics.request(Activity("r", "c"), 0.1)
    (document,) = documents(logged)
    assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Gym"
    assert document["Service"] == "staging"
    assert json.dumps(document)
