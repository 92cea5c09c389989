"""Waiting: what happens is told, what is slow is explained, and not knowing is never called failing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gymops.deploy.stack.port import Event, Stack
from gymops.deploy.stack.probe import Probes
from gymops.deploy.stack.waiting import Means, Pace, Progress, drain, follow
from gymops.errors import Unknown
from tests.unit.deploy.stack.fakes import ID, FakeClock, Recorded, aws, event, lost, stack

BEGUN = event("app", "UPDATE_IN_PROGRESS")
DONE = event("app", "UPDATE_COMPLETE", at=90)
CERTIFICATE = "AWS::CertificateManager::Certificate"
RECORD = "_a1.example.com CNAME _b2.acm-validations.aws"


def wait(client: Recorded, **given: Any) -> tuple[Stack, list[Progress], FakeClock]:
    clock = FakeClock()
    told: list[Progress] = []
    after = given.pop("after", "before")
    probes = given.pop("probes", Probes())
    means = Means(clock, probes=probes, attach="gymops attach staging")
    if usual := given.pop("usual", None):
        means = replace(means, usual=usual)
    means = replace(means, pace=Pace(**given))
    try:
        found = drain(follow(client, stack("UPDATE_IN_PROGRESS"), means, after=after), told.append)
    except Unknown:
        client.calls.append(("told", told))
        raise
    return found, told, clock


def grows(*events: Event) -> list[Sequence[Event]]:
    """What each look finds: one event more than the last."""
    return [[event("app", "CREATE_COMPLETE", at=-9), *events[: n + 1]] for n in range(len(events))]


def test_it_waits_until_the_stack_is_at_rest_and_tells_each_event_once() -> None:
    queue = event("Queue", "UPDATE_COMPLETE", at=5)
    client = Recorded(
        "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", events=grows(BEGUN, queue, DONE)
    )
    found, told, clock = wait(client, after="app-CREATE_COMPLETE--9")
    assert found.status == "UPDATE_COMPLETE"
    assert [one.event for one in told] == [BEGUN, queue, DONE]
    assert len(clock.sleeps) == 2
    assert client.written == []


def test_a_clean_up_that_still_runs_is_waited_for() -> None:
    client = Recorded("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", events=grows(BEGUN, DONE))
    found, _, clock = wait(client)
    assert found.status == "UPDATE_COMPLETE"
    assert len(clock.sleeps) == 1


def test_an_operation_that_has_not_begun_yet_has_not_ended() -> None:
    """ExecuteChangeSet answers before the stack shows it: the old state is not the end."""
    old = event("app", "CREATE_COMPLETE", at=-9)
    client = Recorded("CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE",
                      events=[[old], [old, BEGUN], [old, BEGUN, DONE]])  # fmt: skip
    found, _, _ = wait(client, after=old.id)
    assert found.status == "UPDATE_COMPLETE"


def test_one_that_never_begins_is_unknown() -> None:
    old = event("app", "CREATE_COMPLETE", at=-9)
    with pytest.raises(Unknown, match="has not begun"):
        wait(Recorded("CREATE_COMPLETE", events=[[old]]), after=old.id)


def test_it_asks_often_while_things_happen_and_seldom_while_not() -> None:
    client = Recorded(
        *["UPDATE_IN_PROGRESS"] * 12, "UPDATE_COMPLETE", events=[*[[BEGUN]] * 12, [BEGUN, DONE]]
    )
    _, _, clock = wait(client, first=1.0, most=10.0)
    assert clock.sleeps == sorted(clock.sleeps)
    assert clock.sleeps[0] == 1.0
    assert clock.sleeps[-1] == 10.0


def test_throttling_is_normal() -> None:
    client = Recorded(
        lost("Throttling", "Rate exceeded"), "UPDATE_IN_PROGRESS", lost("Throttling"), "UPDATE_COMPLETE",
        events=[[BEGUN], lost("ThrottlingException"), [BEGUN, DONE]],
    )  # fmt: skip
    found, told, _ = wait(client)
    assert found.status == "UPDATE_COMPLETE"
    assert [one.event for one in told if one.event] == [BEGUN, DONE]
    assert any("no answer" in one.note for one in told)


@pytest.mark.parametrize(
    "reason",
    ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "NoCredentials", "SSOTokenLoadError"],
)
def test_expired_credentials_mean_that_nobody_knows_and_not_that_it_failed(reason: str) -> None:
    client = Recorded("UPDATE_IN_PROGRESS", lost(reason, "the token has expired"), events=[[BEGUN]])
    with pytest.raises(Unknown, match="goes on at AWS") as unknown:
        wait(client)
    assert unknown.value.exit_code == 8
    assert "gymops attach staging" in str(unknown.value.hint)
    assert "UPDATE_IN_PROGRESS when last seen" in unknown.value.message
    assert "fail" not in unknown.value.message
    assert [name for name, _ in client.calls].count("stack") == 2  # asking again would not help


def test_missing_rights_say_nothing_of_the_stack_either() -> None:
    with pytest.raises(Unknown, match="goes on at AWS"):
        wait(Recorded("UPDATE_IN_PROGRESS", aws("AccessDenied"), events=[[BEGUN]]))


@pytest.mark.parametrize(
    "reason", ["Unreachable", "ConnectionClosedError", "ServiceUnavailable", "503", "ResponseParserError"]
)
def test_a_network_that_stays_lost_is_unknown_and_one_that_returns_is_nothing(reason: str) -> None:
    with pytest.raises(Unknown, match="does not answer"):
        wait(Recorded("UPDATE_IN_PROGRESS", lost(reason, "does not answer"), events=[[BEGUN]]), patience=60.0)
    back = Recorded(
        "UPDATE_IN_PROGRESS", lost(reason), lost(reason), "UPDATE_COMPLETE", events=grows(BEGUN, DONE)
    )
    assert wait(back, patience=60.0)[0].status == "UPDATE_COMPLETE"


def test_every_wait_has_a_deadline_and_what_runs_on_is_not_called_failed() -> None:
    with pytest.raises(Unknown, match=r"not ended after 10 min") as unknown:
        wait(Recorded("UPDATE_IN_PROGRESS", events=[[BEGUN]]), timeout=600.0)
    assert unknown.value.exit_code == 8


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("AWS::CloudFront::Distribution", "UPDATE_IN_PROGRESS", "5 to 15 minutes"),
        ("AWS::RDS::DBInstance", "CREATE_IN_PROGRESS", "10 to 20 minutes"),
        ("AWS::Lambda::Function", "DELETE_IN_PROGRESS", "25 to 40 minutes"),
        ("Custom::Thing", "CREATE_IN_PROGRESS", "an hour"),
    ],
)
def test_what_is_slow_says_how_long_it_usually_takes(kind: str, status: str, expected: str) -> None:
    slow = event("Slow", status, kind=kind, at=1)
    _, told, _ = wait(Recorded("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", events=grows(BEGUN, slow, DONE)[1:]))
    notes = [one.note for one in told if one.note]
    assert len(notes) == 1
    assert expected in notes[0]


def test_where_nothing_is_slow_nothing_is_said_of_it() -> None:
    slow = event("Db", "CREATE_IN_PROGRESS", kind="AWS::RDS::DBInstance", at=1)
    seen = [BEGUN, slow]
    client = Recorded(*["UPDATE_IN_PROGRESS"] * 30, "UPDATE_COMPLETE", events=[*[seen] * 30, [*seen, DONE]])
    _, told, _ = wait(client, usual=lambda _kind, _status: None)
    notes = [one.note for one in told if one.note]
    assert notes
    assert all(note.startswith("still waiting for Db for") and "usually" not in note for note in notes)


def test_silence_is_filled_with_what_is_being_waited_for() -> None:
    slow = event("Db", "CREATE_IN_PROGRESS", kind="AWS::RDS::DBInstance", at=1)
    finished = event("Queue", "CREATE_COMPLETE", at=1)
    seen = [BEGUN, event("Queue", "CREATE_IN_PROGRESS", at=1), finished, slow]
    client = Recorded(*["UPDATE_IN_PROGRESS"] * 30, "UPDATE_COMPLETE", events=[*[seen] * 30, [*seen, DONE]])
    _, told, _ = wait(client)
    still = [one.note for one in told if one.note.startswith("still waiting")]
    assert len(still) >= 3
    assert "Db for" in still[-1]
    assert "10 to 20 minutes" in still[-1]
    assert "Queue" not in still[-1]


def test_a_certificate_shows_its_record_once_from_the_event() -> None:
    reason = "Content of DNS Record is: {Name: _a1.example.com,Type: CNAME,Value: _b2.acm-validations.aws}"
    first = event("Cert", "CREATE_IN_PROGRESS", kind=CERTIFICATE, at=1)
    told_by = event("Cert", "CREATE_IN_PROGRESS", reason, kind=CERTIFICATE, at=2)
    again = event("Cert", "CREATE_IN_PROGRESS", reason, kind=CERTIFICATE, at=3)
    client = Recorded("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE",
                      events=[[BEGUN, first, told_by], [BEGUN, first, told_by, again, DONE]])  # fmt: skip
    _, told, _ = wait(client)
    assert [one.note for one in told if RECORD in one.note] == [
        f"Cert waits for this record in the domain's zone: {RECORD}"
    ]


def test_a_certificate_that_says_nothing_is_asked() -> None:
    class Acm:
        def validations(self, arn: str) -> list[str]:
            assert arn == "arn:aws:acm:cert"
            return [RECORD]

    pending = event("Cert", "CREATE_IN_PROGRESS", kind=CERTIFICATE, at=1, physical="arn:aws:acm:cert")
    client = Recorded(*["UPDATE_IN_PROGRESS"] * 30, "UPDATE_COMPLETE",
                      events=[*[[BEGUN, pending]] * 30, [BEGUN, pending, DONE]])  # fmt: skip
    _, told, _ = wait(client, probes=Probes(certificates=Acm()))
    assert len([one for one in told if RECORD in one.note]) == 1


def test_attaching_tells_the_running_operation_and_no_older_one() -> None:
    old = [event("Queue", "UPDATE_FAILED", at=-20), event("app", "UPDATE_COMPLETE", at=-10)]
    seen = [*old, BEGUN, event("Queue", "UPDATE_IN_PROGRESS", at=1)]
    client = Recorded("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", events=[seen, [*seen, DONE]])
    _, told, _ = wait(client, after="")
    assert [one.event.at.second for one in told if one.event] == [0, 1, 30]


def test_a_stack_that_aws_has_forgotten_is_deleted() -> None:
    found, _, _ = wait(Recorded("DELETE_IN_PROGRESS", None, events=[[BEGUN], [BEGUN]]))
    assert found == Stack(ID, "app", "DELETE_COMPLETE")


def test_what_is_secret_in_a_message_is_not_told() -> None:
    client = Recorded("UPDATE_COMPLETE", events=[[event("Db", "UPDATE_FAILED", "no hunter2 here"), DONE]])
    told: list[Progress] = []
    means = Means(FakeClock())
    drain(
        follow(
            client,
            stack("UPDATE_IN_PROGRESS"),
            means,
            after="x",
            mask=lambda one: one.replace("hunter2", "*"),
        ),
        told.append,
    )
    assert [one.event.reason for one in told if one.event] == ["no * here", ""]
