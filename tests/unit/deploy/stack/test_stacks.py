"""The runbook over recorded answers: what is done in which state, and what a failure is told as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gymops.deploy.stack.errors import RollbackFailed, RolledBack, StackFailed
from gymops.deploy.stack.port import NESTED, Change, ChangeSet, Event, StackResource
from gymops.deploy.stack.preview import Preview
from gymops.deploy.stack.probe import Probes
from gymops.deploy.stack.stacks import Deployed, Recovery, Stacks, dry_run
from gymops.deploy.stack.status import ACTIONS
from gymops.deploy.stack.waiting import Means, Progress, drain
from gymops.errors import GateRefused, Interrupted, Unknown
from tests.unit.deploy.stack.fakes import (
    CHANGE_SET,
    ID,
    FakeClock,
    Recorded,
    always,
    aws,
    event,
    never,
    stack,
    target,
)

REST = event("app", "CREATE_COMPLETE", at=-9)
BEGUN = event("app", "UPDATE_IN_PROGRESS", at=1, token="op")
DB = "AWS::RDS::DBInstance"
DOWN = [
    StackResource("Queue", "AWS::SQS::Queue", "q", "UPDATE_FAILED", "the queue does not exist"),
    StackResource("Bell", "AWS::SNS::Topic", "b", "UPDATE_COMPLETE"),
]


def runbook(client: Recorded, **given: Any) -> Stacks:
    return Stacks(client, Means(FakeClock(), attach="gymops attach staging", **given))


def described(*changes: Change, status: str = "CREATE_COMPLETE", reason: str = "") -> ChangeSet:
    return ChangeSet(CHANGE_SET, "gymops-op-1", ID, status, reason, "AVAILABLE", changes)


def deploy(
    client: Recorded,
    confirm: Callable[[Preview], bool] = always,
    agree: Callable[[Recovery], bool] = never,
    allowed: Sequence[str] = (),
) -> Deployed:
    waiting = runbook(client).deploy(target(), token="op", confirm=confirm, agree=agree, allowed=allowed)
    return drain(waiting, lambda _: None)


def settle(client: Recorded, agree: Callable[[Recovery], bool] = never) -> list[Progress]:
    told: list[Progress] = []
    drain(runbook(client).settle("app", token="op", agree=agree), told.append)
    return told


def ends(*events: Event, status: str, **given: Any) -> Recorded:
    """A stack whose update ends like this."""
    rest = [REST]
    return Recorded(
        *["CREATE_COMPLETE"] * 3, stack(status),
        events=[rest, rest, rest, [REST, BEGUN, *events]], change_sets=[described()], **given,
    )  # fmt: skip


def test_a_stack_that_is_well_is_previewed_executed_and_waited_for() -> None:
    client = ends(event("app", "UPDATE_COMPLETE", at=2), status="UPDATE_COMPLETE")
    done = deploy(client)
    assert done.changed
    assert done.change_set == CHANGE_SET
    assert client.written == ["create_change_set", "execute"]


def test_nothing_to_change_is_done_without_asking_anybody() -> None:
    nothing = described(status="FAILED", reason="No updates are to be performed.")
    client = Recorded("CREATE_COMPLETE", events=[[REST]], change_sets=[nothing])
    done = deploy(client, confirm=never)
    assert not done.changed
    asked = ["stack", "events", "create_change_set", "change_set", "delete_change_set"]
    assert [name for name, _ in client.calls] == asked


def test_a_refused_gate_comes_before_the_question_and_leaves_nothing() -> None:
    client = Recorded(
        "CREATE_COMPLETE", events=[[REST]],
        change_sets=[described(Change("Modify", "Db", DB, replacement="Conditional"))],
    )  # fmt: skip
    with pytest.raises(GateRefused, match="Db"):
        deploy(client, confirm=never)
    assert client.written == ["create_change_set", "delete_change_set"]


def test_the_gate_is_asked_again_before_executing() -> None:
    client = Recorded("CREATE_COMPLETE", events=[[REST]], change_sets=[described(Change("Remove", "Db", DB))])
    preview = runbook(client).preview(target(), token="op")
    assert preview
    assert [change.name for change in preview.touched] == ["Db"]
    with pytest.raises(GateRefused):
        drain(runbook(client).execute(preview, token="op"), lambda _: None)
    assert "execute" not in client.written


def test_saying_no_changes_nothing() -> None:
    client = Recorded("CREATE_COMPLETE", events=[[REST]], change_sets=[described()])
    with pytest.raises(Interrupted):
        deploy(client, confirm=lambda _: False)
    assert client.written == ["create_change_set", "delete_change_set"]


def test_a_failed_update_is_told_by_its_cause_its_remedy_and_what_followed() -> None:
    client = ends(
        event("Fn", "UPDATE_FAILED", "Access Denied", at=2, kind="AWS::Lambda::Function", physical="fn"),
        event("Queue", "UPDATE_FAILED", "Resource update cancelled", at=3),
        event("app", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Fn]", at=4),
        event("app", "UPDATE_ROLLBACK_COMPLETE", at=5),
        status="UPDATE_ROLLBACK_COMPLETE",
    )
    with pytest.raises(RolledBack, match=r"app: it was rolled back\. Fn .*Access Denied") as failed:
        deploy(client)
    assert failed.value.exit_code == 5
    assert "lacks a permission" in str(failed.value.hint)
    assert failed.value.diagnosis
    assert [one.path for one in failed.value.diagnosis.followers] == ["Queue"]


def test_an_alarm_that_rolls_back_is_the_cause() -> None:
    client = ends(
        event("Queue", "UPDATE_COMPLETE", at=2),
        event("app", "UPDATE_ROLLBACK_IN_PROGRESS", "alarm app-errors went into ALARM", at=3),
        event("app", "UPDATE_ROLLBACK_COMPLETE", at=4),
        status="UPDATE_ROLLBACK_COMPLETE",
    )
    with pytest.raises(RolledBack, match="alarm app-errors") as failed:
        deploy(client)
    assert "an alarm that watches the deploy" in str(failed.value.hint)


def test_a_rollback_that_fails_has_an_exit_code_of_its_own() -> None:
    client = ends(
        event("Queue", "UPDATE_FAILED", "Internal Failure", at=2),
        event("app", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Queue]", at=3),
        status="UPDATE_ROLLBACK_FAILED",
    )
    with pytest.raises(RollbackFailed, match="rolling it back failed too") as failed:
        deploy(client)
    assert failed.value.exit_code == 6


def test_a_nested_stack_is_looked_into() -> None:
    inner = ID.replace("app", "inner")
    client = ends(
        event("Data", "UPDATE_IN_PROGRESS", at=1, kind=NESTED, physical=inner),
        event("Data", "UPDATE_FAILED", f"Embedded stack {inner} was not successful", at=4, kind=NESTED),
        status="UPDATE_ROLLBACK_COMPLETE",
        others={inner: [
            event("Db", "UPDATE_FAILED", "an older failure", at=-100, stack=inner),
            event("Db", "UPDATE_FAILED", "Cannot find version 18.9 for postgres", at=3, stack=inner),
        ]},
    )  # fmt: skip
    with pytest.raises(RolledBack, match=r"Data/Db .*18\.9") as failed:
        deploy(client)
    assert "engine version" in str(failed.value.hint)


def test_a_failed_validation_is_asked_for_and_older_ones_do_not_count() -> None:
    client = ends(
        event("app", "UPDATE_FAILED", "Validation failed with 1 error(s). Call DescribeEvents", at=2),
        status="UPDATE_ROLLBACK_COMPLETE",
        failures=[event("Old", "VALIDATION_FAILED", "an older one", at=-50),
                  event("Store", "VALIDATION_FAILED", "Bucket gym already exists", at=2)],
    )  # fmt: skip
    with pytest.raises(RolledBack, match=r"Store .*already exists"):
        deploy(client)


def test_a_failing_probe_never_hides_the_cause() -> None:
    class Broken:
        def state(self, name: str) -> str:
            raise aws("AccessDenied", "may not look")

        def log(self, *_: object) -> list[str]:
            raise AssertionError

    client = ends(
        event("Fn", "UPDATE_FAILED", "did not stabilize", at=2, kind="AWS::Lambda::Function", physical="fn"),
        status="UPDATE_ROLLBACK_COMPLETE",
    )
    waiting = runbook(client, probes=Probes(functions=Broken())).deploy(
        target(), token="op", confirm=always, agree=never
    )
    with pytest.raises(RolledBack, match=r"Fn .*did not stabilize") as failed:
        drain(waiting, lambda _: None)
    assert failed.value.diagnosis
    assert "may not look" in failed.value.diagnosis.findings[0]


def test_credentials_that_expire_while_waiting_are_no_failure() -> None:
    client = ends(event("Queue", "UPDATE_IN_PROGRESS", at=2), status="UPDATE_IN_PROGRESS")
    client._stacks.append(aws("ExpiredToken", "the token has expired"))
    with pytest.raises(Unknown) as unknown:
        deploy(client)
    assert unknown.value.exit_code == 8
    assert "delete" not in client.written
    assert "delete_change_set" not in client.written


def test_how_it_ended_is_told_even_if_the_reason_cannot_be_asked_for() -> None:
    client = ends(status="UPDATE_ROLLBACK_COMPLETE")
    client._events.append(aws("ExpiredToken", "the token has expired"))
    with pytest.raises(RolledBack, match="it was rolled back") as failed:
        deploy(client)
    assert failed.value.diagnosis is None
    assert "describe-stack-events" in str(failed.value.hint)


def test_another_s_operation_is_waited_for_and_its_failure_is_theirs() -> None:
    theirs = [
        REST,
        event("app", "UPDATE_IN_PROGRESS", token="theirs"),
        event("Queue", "UPDATE_FAILED", "x", at=2),
    ]
    client = Recorded("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", events=[theirs])
    told = settle(client)
    assert [one.event.name for one in told if one.event] == ["app", "Queue"]
    assert client.written == []


def test_an_interrupted_run_s_own_operation_is_waited_for_and_its_failure_is_ours() -> None:
    ours = [REST, BEGUN, event("Queue", "UPDATE_FAILED", "Access Denied", at=2, token="op")]
    client = Recorded("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", events=[ours])
    with pytest.raises(RolledBack, match="Access Denied"):
        settle(client)


def test_a_failed_rollback_goes_on_first_without_skipping_anything() -> None:
    begun = event("app", "UPDATE_ROLLBACK_IN_PROGRESS", at=1)
    client = Recorded(
        "UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE",
        events=[[REST], [REST, begun]],
    )  # fmt: skip
    settle(client)
    assert [given for name, given in client.calls if name == "roll_back"] == [("op-recover-0-0", ())]


def stuck(*states: str) -> Recorded:
    """A rollback that fails, and what each further one leads to."""
    looks: list[str] = ["UPDATE_ROLLBACK_FAILED"]
    events: list[list[Event]] = []
    for number, state in enumerate(states):
        looks += ["UPDATE_ROLLBACK_FAILED", state]
        begun = event("app", "UPDATE_ROLLBACK_IN_PROGRESS", at=10 * number + 1)
        failed = event("Queue", "UPDATE_FAILED", "the queue does not exist", at=10 * number + 2)
        before = events[-1] if events else [REST]
        now = [*before, begun, failed]
        events += [before, now, now]
    return Recorded(*looks, events=events, resources=DOWN)


def test_what_cannot_be_rolled_back_is_named_before_it_is_skipped() -> None:
    asked: list[Recovery] = []

    def agree(recovery: Recovery) -> bool:
        asked.append(recovery)
        return True

    client = stuck("UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE")
    settle(client, agree)
    assert [one.name for one in asked[0].skip] == ["Queue"]
    assert asked[0].skip[0].reason == "the queue does not exist"
    skips = [given[1] for name, given in client.calls if name == "roll_back"]
    assert skips == [(), ("Queue",)]


def test_nothing_is_skipped_that_nobody_agreed_to() -> None:
    client = stuck("UPDATE_ROLLBACK_FAILED")
    with pytest.raises(RollbackFailed, match=r"not rolled back: Queue") as failed:
        settle(client, lambda _: False)
    assert failed.value.exit_code == 6
    assert client.written == ["roll_back"]


def test_an_update_that_was_left_as_it_failed_is_rolled_back() -> None:
    begun = event("app", "UPDATE_ROLLBACK_IN_PROGRESS", at=1)
    client = Recorded(
        "UPDATE_FAILED", "UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE", events=[[REST], [REST, begun]]
    )
    settle(client)
    assert [given for name, given in client.calls if name == "roll_back"] == [("op-recover-0-0", None)]


def deletes(*states: str | None, **given: Any) -> Recorded:
    begun = event("app", "DELETE_IN_PROGRESS", at=1)
    failed = event("Store", "DELETE_FAILED", "The bucket you tried to delete is not empty", at=2)
    looks = 2 if states[0] == "ROLLBACK_COMPLETE" else 1  # whether anything is left is asked first
    return Recorded(*states, events=[*[[REST]] * looks, [REST, begun, failed]], **given)


def test_a_stack_that_was_never_made_is_deleted_and_then_made() -> None:
    client = deletes("ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_COMPLETE", None)
    settle(client)
    assert client.written == ["delete"]
    assert dict(client.calls)["delete"] == (ID, "op-recover-0", ())


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_the_rest_of_a_failed_create_is_not_deleted_unasked(status: str) -> None:
    left = [StackResource("Bell", "AWS::SNS::Topic", "b", "CREATE_COMPLETE")]
    client = Recorded(status, resources=left)
    with pytest.raises(GateRefused, match="must be deleted first, with what is left in it: Bell"):
        settle(client, lambda _: False)
    assert client.written == []


def test_what_the_stack_no_longer_lists_but_could_not_delete_counts_as_left() -> None:
    begun = event("app", "CREATE_IN_PROGRESS", at=1)
    failed = event("Store", "DELETE_FAILED", "not empty", at=2, kind="AWS::S3::Bucket", physical="store")
    client = Recorded("ROLLBACK_FAILED", events=[[begun, failed]])
    with pytest.raises(GateRefused, match="holds data: Store"):
        settle(client)
    assert client.written == []


def test_what_could_not_be_deleted_is_named() -> None:
    left = [StackResource("Store", "AWS::S3::Bucket", "s", "DELETE_FAILED")]
    client = deletes("CREATE_COMPLETE", "CREATE_COMPLETE", "DELETE_FAILED", resources=left)
    with pytest.raises(StackFailed, match="not deleted: Store") as failed:
        drain(runbook(client).delete("app", token="op"), lambda _: None)
    assert failed.value.exit_code == 1
    assert "still holds data" in str(failed.value.hint)


def test_a_protected_stack_is_not_deleted_and_a_missing_one_is_no_error() -> None:
    protected = Recorded(stack("CREATE_COMPLETE", protected=True))
    with pytest.raises(GateRefused, match="protected") as refused:
        drain(runbook(protected).delete("app", token="op"), lambda _: None)
    assert "update-termination-protection" in str(refused.value.hint)
    assert protected.written == []
    missing = Recorded(None)
    drain(runbook(missing).delete("app", token="op"), lambda _: None)
    assert missing.written == []


def test_attaching_waits_for_what_runs_and_explains_what_has_ended() -> None:
    running = Recorded("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", events=[[REST, BEGUN]])
    assert drain(runbook(running).attach("app"), lambda _: None).stack.status == "UPDATE_COMPLETE"
    ended = [REST, BEGUN, event("Queue", "UPDATE_FAILED", "Access Denied", at=2)]
    with pytest.raises(RolledBack, match="Access Denied"):
        drain(runbook(Recorded("UPDATE_ROLLBACK_COMPLETE", events=[ended])).attach("app"), lambda _: None)
    with pytest.raises(StackFailed, match="no stack"):
        drain(runbook(Recorded(None)).attach("app"), lambda _: None)


@pytest.mark.parametrize("status", [one for one in ACTIONS if one != "IMPORT_ROLLBACK_FAILED"])
def test_a_dry_run_writes_nothing_in_any_state(status: str) -> None:
    present = '{"Resources": {"Db": {"Type": "AWS::RDS::DBInstance"}}}'
    client = Recorded(None if status == "does not exist" else status, template=present)
    found = dry_run(client, target())
    assert client.written == []
    assert found.limits
    assert found.change_set == ""
    with pytest.raises(ValueError, match="dry run"):
        drain(runbook(client).execute(found, token="op"), lambda _: None)
    assert client.written == []


def test_a_dry_run_of_a_stack_that_must_be_recovered_first_says_so() -> None:
    found = dry_run(Recorded("UPDATE_ROLLBACK_FAILED"), target())
    assert "before it: its last update failed" in found.limits[0]
    with pytest.raises(GateRefused):
        dry_run(Recorded("IMPORT_ROLLBACK_FAILED"), target())


def test_a_secret_that_aws_repeats_is_masked_in_the_failure() -> None:
    secret = "correct-horse-battery"
    declared = {"Parameters": {"Word": {"Type": "String", "NoEcho": True}}}
    client = ends(event("Queue", "UPDATE_FAILED", f"Invalid value {secret}", at=2), status="UPDATE_FAILED")
    told: list[Progress] = []
    wanted = target(sections=declared, parameters={"Word": secret})
    with pytest.raises(StackFailed) as failed:
        drain(runbook(client).deploy(wanted, token="op", confirm=always, agree=never), told.append)
    shown = f"{failed.value} {failed.value.diagnosis} {told}"
    assert secret not in shown
    assert "Invalid value ****" in shown
