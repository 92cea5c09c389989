"""The cause is the earliest failure that is nobody's consequence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gymops.deploy.stack.events import Log, diagnose, of_operation, since, stuck
from gymops.deploy.stack.port import NESTED, Event
from gymops.deploy.stack.remedies import OTHERWISE, TABLE, remedy
from tests.unit.deploy.stack.fakes import ID, START, event

CANCELLED = "Resource creation cancelled"
FAILED = "The following resource(s) failed to create: [{}]."
TAKEN = "gym already exists (Service: S3, Status Code: 409)"


def test_the_earliest_failure_that_was_not_cancelled_is_the_cause() -> None:
    log = Log([
        event("app", "CREATE_IN_PROGRESS", "User Initiated"),
        event("Slow", "CREATE_FAILED", CANCELLED, at=2),
        event("Store", "CREATE_FAILED", TAKEN, at=3),
        event("Late", "CREATE_FAILED", "Rate exceeded", at=4),
        event("app", "ROLLBACK_IN_PROGRESS", FAILED.format("Slow, Store"), at=5),
    ])  # fmt: skip
    found = diagnose(log)
    assert found
    assert found.cause.path == "Store"
    assert "another name" in found.remedy
    assert [one.path for one in found.followers] == ["Slow", "Late"]


def test_a_nested_stack_s_own_failure_comes_before_what_the_stack_around_says() -> None:
    inner_id = ID.replace("app", "inner")
    inner = Log([
        event("Bad", "CREATE_FAILED", TAKEN, at=3, stack=inner_id),
        event("app-Inner-X", "CREATE_FAILED", FAILED.format("Bad"), at=3,
              kind=NESTED, physical=inner_id, stack=inner_id),
    ])  # fmt: skip
    outer = Log(
        [
            event("app", "CREATE_IN_PROGRESS"),
            event("Other", "CREATE_FAILED", CANCELLED, at=3),
            event("Inner", "CREATE_FAILED", f"Embedded stack {inner_id} was not successfully created", at=3,
                  kind=NESTED, physical=inner_id),
        ],
        {"Inner": inner},
    )  # fmt: skip
    found = diagnose(outer)
    assert found
    assert found.cause.path == "Inner/Bad"
    assert [one.path for one in found.followers] == ["Other"]


def test_without_the_nested_events_what_the_stack_around_says_must_do() -> None:
    log = Log([event("Inner", "CREATE_FAILED", "Embedded stack x was not successfully created", kind=NESTED,
                     physical="arn:x")])  # fmt: skip
    found = diagnose(log)
    assert found
    assert found.cause.path == "Inner"


def test_an_alarm_and_a_person_are_causes_when_no_resource_failed() -> None:
    alarm = "Rollback triggered: the alarm app-errors went into ALARM"
    found = diagnose(
        Log([event("app", "UPDATE_IN_PROGRESS"), event("app", "UPDATE_ROLLBACK_IN_PROGRESS", alarm)])
    )
    assert found
    assert found.cause.reason == alarm
    assert "alarm" in found.remedy
    cancelled = diagnose(Log([event("app", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")]))
    assert cancelled
    assert "cancelled it" in cancelled.remedy


def test_a_resource_that_could_not_be_rolled_back_counts_more_than_who_cancelled() -> None:
    log = Log([
        event("app", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", at=1),
        event("Queue", "UPDATE_FAILED", TAKEN, at=2),
    ])  # fmt: skip
    found = diagnose(log)
    assert found
    assert found.cause.path == "Queue"


def test_a_validation_before_the_first_resource_is_the_cause() -> None:
    reason = "Bucket gym already exists (NAME_CONFLICT_VALIDATION at /Resources/Store)"
    log = Log([
        event("app", "CREATE_IN_PROGRESS"),
        event("app", "CREATE_FAILED", "Validation failed with 1 error(s). Call DescribeEvents to ...", at=1),
        event("app", "ROLLBACK_IN_PROGRESS", "Validation failure detected. See ...", at=1),
    ])  # fmt: skip
    found = diagnose(log, [event("Store", "VALIDATION_FAILED", reason, at=1)])
    assert found
    assert found.cause.path == "Store"
    assert found.followers == ()


def test_where_nothing_failed_there_is_no_cause() -> None:
    assert diagnose(Log([event("Queue", "CREATE_COMPLETE"), event("app", "CREATE_COMPLETE")])) is None


def test_only_the_last_operation_s_events_count() -> None:
    newest_first = [
        event("Bad", "UPDATE_FAILED", TAKEN, at=12, token="two"),
        event("app", "UPDATE_IN_PROGRESS", at=11, token="two"),
        event("app", "UPDATE_ROLLBACK_COMPLETE", at=5, token="one"),
        event("Older", "UPDATE_FAILED", "Access Denied", at=4, token="one"),
        event("app", "UPDATE_IN_PROGRESS", at=3, token="one"),
    ]
    assert [one.at.second for one in of_operation(newest_first)] == [11, 12]
    assert [one.name for one in of_operation(newest_first, after="Older-UPDATE_FAILED-4")] == [
        "app", "app", "Bad",
    ]  # fmt: skip
    assert of_operation(newest_first, token="one") == []
    assert len(of_operation(newest_first, token="two")) == 2


def test_only_what_the_last_rollback_could_not_bring_back_can_be_skipped() -> None:
    log = [
        event("app", "UPDATE_IN_PROGRESS"),
        event("Bad", "UPDATE_FAILED", TAKEN, at=1),
        event("app", "UPDATE_ROLLBACK_IN_PROGRESS", at=2),
        event("Queue", "UPDATE_FAILED", "gone", at=3),
        event("Bell", "UPDATE_FAILED", "busy", at=3),
        event("app", "UPDATE_ROLLBACK_FAILED", at=4),
    ]
    assert [one.name for one in stuck(log)] == ["Queue", "Bell"]
    again = [
        *log,
        event("app", "UPDATE_ROLLBACK_IN_PROGRESS", at=5),
        event("Bell", "UPDATE_COMPLETE", at=6),
        event("Queue", "UPDATE_FAILED", "gone", at=6),
    ]
    assert [one.name for one in stuck(again)] == ["Queue"]
    assert stuck(log[:2]) == ()


def test_no_page_is_read_beyond_the_operation() -> None:
    def pages() -> Iterator[Event]:
        yield event("app", "UPDATE_IN_PROGRESS", at=2)
        raise AssertionError("the next page was read")

    assert len(of_operation(pages())) == 1
    with pytest.raises(AssertionError):
        since(pages(), START)


def _messages() -> list[tuple[str, str]]:
    lines = Path(__file__).with_name("messages.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.partition(" | ") for line in lines if not line.startswith("#"))
    return [(message, expected) for expected, _, message in rows]


@pytest.mark.parametrize(("message", "expected"), _messages(), ids=[one[:40] for one, _ in _messages()])
def test_each_message_has_its_remedy(message: str, expected: str) -> None:
    assert (OTHERWISE if expected == "(otherwise)" else expected) in remedy(message)


def test_every_remedy_is_one_sentence_that_says_what_to_do() -> None:
    for patterns, what in TABLE:
        assert patterns
        assert what[0].islower() or what.startswith(("AWS", "CloudFront"))
        assert not what.endswith(".")
