"""Every state of a stack has a next step."""

from __future__ import annotations

import botocore.session
import pytest

from gymops.deploy.stack.port import StackResource
from gymops.deploy.stack.status import ABSENT, ACTIONS, Action, Ending, decide, ending

BUCKET = StackResource("Store", "AWS::S3::Bucket", "store", "CREATE_COMPLETE")
TOPIC = StackResource("Bell", "AWS::SNS::Topic", "bell", "CREATE_COMPLETE")
GONE = StackResource("Store", "AWS::S3::Bucket", "store", "DELETE_COMPLETE")
KEPT = StackResource("Store", "AWS::S3::Bucket", "store", "DELETE_SKIPPED")
NEVER = StackResource("Store", "AWS::S3::Bucket", "", "CREATE_FAILED")

STATES = {
    None: Action.CREATE,
    "CREATE_IN_PROGRESS": Action.WAIT,
    "CREATE_FAILED": Action.CLEAN_UP,
    "CREATE_COMPLETE": Action.UPDATE,
    "ROLLBACK_IN_PROGRESS": Action.WAIT,
    "ROLLBACK_FAILED": Action.CLEAN_UP,
    "ROLLBACK_COMPLETE": Action.CLEAN_UP,
    "DELETE_IN_PROGRESS": Action.WAIT,
    "DELETE_FAILED": Action.CLEAN_UP,
    "DELETE_COMPLETE": Action.CREATE,
    "UPDATE_IN_PROGRESS": Action.WAIT,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": Action.WAIT,
    "UPDATE_COMPLETE": Action.UPDATE,
    "UPDATE_FAILED": Action.ROLL_BACK,
    "UPDATE_ROLLBACK_IN_PROGRESS": Action.WAIT,
    "UPDATE_ROLLBACK_FAILED": Action.CONTINUE_ROLLBACK,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": Action.WAIT,
    "UPDATE_ROLLBACK_COMPLETE": Action.UPDATE,
    "REVIEW_IN_PROGRESS": Action.CREATE,
    "IMPORT_IN_PROGRESS": Action.WAIT,
    "IMPORT_COMPLETE": Action.UPDATE,
    "IMPORT_ROLLBACK_IN_PROGRESS": Action.WAIT,
    "IMPORT_ROLLBACK_FAILED": Action.REFUSE,
    "IMPORT_ROLLBACK_COMPLETE": Action.UPDATE,
}


def known_to_aws() -> set[str]:
    model = botocore.session.get_session().get_service_model("cloudformation")
    return set(model.shape_for("StackStatus").enum)


def test_every_status_of_aws_is_in_the_matrix_and_no_other() -> None:
    assert known_to_aws() == set(ACTIONS) - {ABSENT} == {one for one in STATES if one}


@pytest.mark.parametrize(("status", "action"), STATES.items())
def test_each_status_has_its_action(status: str | None, action: Action) -> None:
    decision = decide(status)
    assert decision.action is action
    assert decision.why
    assert decision.status == (status or "does not exist")


def test_a_status_that_nobody_knows_is_refused() -> None:
    assert decide("UPDATE_PAUSED").action is Action.REFUSE


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_what_is_left_of_a_failure_goes_only_when_a_person_agrees(status: str) -> None:
    assert decide(status, []).confirm
    found = decide(status, [TOPIC, GONE])
    assert found.confirm
    assert found.live == ("Bell",)


def test_a_rolled_back_create_goes_without_asking_when_nothing_is_left_of_it() -> None:
    assert not decide("ROLLBACK_COMPLETE", [GONE, KEPT, NEVER]).confirm
    assert decide("ROLLBACK_COMPLETE", [TOPIC]).confirm


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED"])
def test_what_holds_data_is_never_cleaned_up(status: str) -> None:
    found = decide(status, [BUCKET, TOPIC])
    assert found.action is Action.REFUSE
    assert "Store" in found.why


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATE_COMPLETE", Ending.DONE),
        ("UPDATE_COMPLETE", Ending.DONE),
        ("IMPORT_COMPLETE", Ending.DONE),
        ("CREATE_FAILED", Ending.FAILED),
        ("UPDATE_FAILED", Ending.FAILED),
        ("DELETE_COMPLETE", Ending.FAILED),
        ("DELETE_FAILED", Ending.FAILED),
        ("ROLLBACK_COMPLETE", Ending.ROLLED_BACK),
        ("UPDATE_ROLLBACK_COMPLETE", Ending.ROLLED_BACK),
        ("IMPORT_ROLLBACK_COMPLETE", Ending.ROLLED_BACK),
        ("ROLLBACK_FAILED", Ending.ROLLBACK_FAILED),
        ("UPDATE_ROLLBACK_FAILED", Ending.ROLLBACK_FAILED),
        ("IMPORT_ROLLBACK_FAILED", Ending.ROLLBACK_FAILED),
    ],
)
def test_an_operation_s_ending_is_told_by_the_state_it_leaves(status: str, expected: Ending) -> None:
    assert ending(status) is expected


def test_a_rollback_that_was_wanted_is_done_and_a_deletion_too() -> None:
    assert ending("UPDATE_ROLLBACK_COMPLETE", recovering=True) is Ending.DONE
    assert ending("UPDATE_ROLLBACK_FAILED", recovering=True) is Ending.ROLLBACK_FAILED
    assert ending("DELETE_COMPLETE", deleting=True) is Ending.DONE
    assert ending("DELETE_FAILED", deleting=True) is Ending.FAILED
