"""A change set: made, waited for, executed on the stack it was made for, or declined without a trace."""

from __future__ import annotations

import pytest

from gymops.deploy.stack import changeset
from gymops.deploy.stack.errors import ChangeSetFailed, StackMoved
from gymops.deploy.stack.port import NESTED, Change, ChangeSet
from gymops.deploy.stack.preview import Moment
from gymops.deploy.template import LARGEST_INLINE
from gymops.errors import ConfigError
from tests.unit.deploy.stack.fakes import CHANGE_SET, ID, FakeClock, Recorded, aws, event, stack, target

REST = [event("app", "CREATE_COMPLETE", at=1)]
PINNED = Moment(ID, "CREATE_COMPLETE", "", "app-CREATE_COMPLETE-1")
REPLACED = Change("Modify", "Db", "AWS::RDS::DBInstance", replacement="Conditional")


def described(status: str, reason: str = "", *changes: Change, execution: str = "AVAILABLE") -> ChangeSet:
    return ChangeSet(CHANGE_SET, "gymops-op-1", ID, status, reason, execution, changes)


def make(client: Recorded, *, create: bool = False, clock: FakeClock | None = None) -> changeset.Made | None:
    return changeset.make(
        client,
        target(),
        client.stack("app"),
        create=create,
        token="op",
        clock=clock or FakeClock(),
        upload=None,
    )


def test_it_is_waited_for_and_pinned_with_the_stack() -> None:
    clock = FakeClock()
    client = Recorded(
        "CREATE_COMPLETE",
        events=[REST],
        change_sets=[described("CREATE_PENDING"), described("CREATE_IN_PROGRESS"),
                     described("CREATE_COMPLETE", "", REPLACED)],
    )  # fmt: skip
    made = make(client, clock=clock)
    assert made
    assert made.changes == (REPLACED,)
    assert made.moment == PINNED
    assert not made.made_stack
    assert len(clock.sleeps) == 2
    assert client.written == ["create_change_set"]


def test_its_name_is_the_operation_s() -> None:
    client = Recorded("CREATE_COMPLETE", events=[REST], change_sets=[described("CREATE_COMPLETE")])
    changeset.make(
        client, target(), client.stack("app"), create=False, token="01J/ab_c", clock=FakeClock(), upload=None
    )
    request = dict(client.calls)["create_change_set"]
    assert request.name == "gymops-01J-ab-c-1"
    assert request.body is not None
    assert request.url is None


@pytest.mark.parametrize(
    "reason",
    ["The submitted information didn't contain changes. Submit different information to create a change set.",
     "No updates are to be performed."],
)  # fmt: skip
def test_no_changes_are_told_apart_and_leave_nothing(reason: str) -> None:
    client = Recorded("CREATE_COMPLETE", events=[REST], change_sets=[described("FAILED", reason)])
    assert make(client) is None
    assert client.written == ["create_change_set", "delete_change_set"]


def test_a_real_reason_is_an_error_with_its_remedy_and_the_failed_validations() -> None:
    client = Recorded(
        "CREATE_COMPLETE",
        events=[REST],
        change_sets=[described("FAILED", "Early validation failed")],
        failures=[event("Store", "VALIDATION_FAILED", "Bucket gym already exists")],
    )
    with pytest.raises(ChangeSetFailed, match="gym already exists") as failed:
        make(client)
    assert "choose another name" in str(failed.value.hint)
    assert client.written == ["create_change_set", "delete_change_set"]


def test_a_new_stack_s_failed_change_set_takes_the_stack_with_it() -> None:
    client = Recorded(
        None, "REVIEW_IN_PROGRESS", change_sets=[described("FAILED", "Template error")], events=[REST]
    )
    with pytest.raises(ChangeSetFailed):
        make(client, create=True)
    assert client.written == ["create_change_set", "delete_change_set", "delete"]


def test_what_an_interrupted_run_left_is_made_anew() -> None:
    client = Recorded(
        "REVIEW_IN_PROGRESS", events=[REST], change_sets=[described("CREATE_COMPLETE")]
    )  # fmt: skip
    client.on_create = [aws("AlreadyExistsException")]
    made = make(client, create=True)
    assert made
    assert made.made_stack
    assert client.written == ["create_change_set", "delete_change_set", "create_change_set"]
    assert client.calls[-1][0] != "delete"


def test_a_stack_that_others_have_under_review_is_not_ours_to_delete() -> None:
    client = Recorded("REVIEW_IN_PROGRESS", events=[REST], change_sets=[described("CREATE_COMPLETE")])
    made = make(client, create=True)
    assert made
    assert not made.made_stack


def test_one_that_was_executed_before_is_left_and_the_next_has_another_name() -> None:
    client = Recorded(
        "CREATE_COMPLETE", events=[REST],
        change_sets=[
            described("CREATE_COMPLETE", execution="EXECUTE_COMPLETE"),
            described("CREATE_COMPLETE"),
        ],
    )  # fmt: skip
    client.on_create = [aws("AlreadyExistsException")]
    assert make(client)
    assert client.written == ["create_change_set", "create_change_set"]
    names = [one.name for name, one in client.calls if name == "create_change_set"]
    assert names == ["gymops-op-1", "gymops-op-2"]


def test_a_stack_that_moves_while_it_is_being_made_is_noticed() -> None:
    client = Recorded(
        "CREATE_COMPLETE", "UPDATE_IN_PROGRESS",
        events=[REST, [*REST, event("app", "UPDATE_IN_PROGRESS", at=2)]],
        change_sets=[described("CREATE_COMPLETE")],
    )  # fmt: skip
    with pytest.raises(StackMoved, match="app"):
        make(client)
    assert "delete_change_set" in client.written


def test_a_missing_capability_that_only_aws_knows_of_is_a_clear_error() -> None:
    client = Recorded("CREATE_COMPLETE", events=[REST], change_sets=[None])
    client.on_create = [aws("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]")]
    with pytest.raises(ConfigError, match="CAPABILITY_IAM"):
        make(client)


def test_a_change_set_that_never_gets_ready_is_given_up_and_deleted() -> None:
    clock = FakeClock()
    client = Recorded("CREATE_COMPLETE", events=[REST], change_sets=[described("CREATE_IN_PROGRESS")])
    with pytest.raises(ChangeSetFailed, match="15 minutes"):
        make(client, clock=clock)
    assert clock.seconds >= 900
    assert client.written[-1] == "delete_change_set"


def test_a_large_template_goes_by_its_url() -> None:
    large = target({f"Queue{n}": {"Type": "AWS::SQS::Queue"} for n in range(2000)})
    assert len(large.template.text) > LARGEST_INLINE
    client = Recorded("CREATE_COMPLETE", events=[REST], change_sets=[described("CREATE_COMPLETE")])
    with pytest.raises(ConfigError, match="bucket"):
        changeset.make(
            client, large, client.stack("app"), create=False, token="op", clock=FakeClock(), upload=None
        )
    sent: list[str] = []

    def upload(text: str) -> str:
        sent.append(text)
        return "https://bucket/template"

    assert changeset.make(
        client, large, client.stack("app"), create=False, token="op", clock=FakeClock(), upload=upload
    )
    request = dict(client.calls)["create_change_set"]
    assert (request.url, request.body) == ("https://bucket/template", None)
    assert sent == [large.template.text]


def test_nested_change_sets_are_read_with_it() -> None:
    inner = Change("Remove", "Db", "AWS::RDS::DBInstance")
    nested = Change("Modify", "Data", NESTED, replacement="False", change_set="arn:inner")
    lost = Change("Modify", "Lost", NESTED, replacement="False", change_set="arn:lost")
    client = Recorded(
        "CREATE_COMPLETE", events=[REST],
        change_sets=[described("CREATE_COMPLETE", "", nested, lost), None],
        inner={"arn:inner": described("CREATE_COMPLETE", "", inner)},
    )  # fmt: skip
    made = make(client)
    assert made
    assert [(one.path, one.change_set) for one in made.changes] == [
        ("Data", "arn:inner"), ("Data/Db", ""), ("Lost", ""),
    ]  # fmt: skip


def test_it_is_executed_on_the_very_stack_that_was_previewed() -> None:
    client = Recorded("CREATE_COMPLETE", events=[REST])
    changeset.execute(client, CHANGE_SET, PINNED, "op")
    assert client.written == ["execute"]
    assert dict(client.calls)["execute"] == (CHANGE_SET, "op")


@pytest.mark.parametrize(
    ("now", "events"),
    [
        (None, [REST]),
        (stack("UPDATE_COMPLETE"), [REST]),
        (stack("CREATE_COMPLETE"), [[*REST, event("Queue", "UPDATE_COMPLETE", at=2)]]),
        (stack("CREATE_COMPLETE", id=ID.replace("/1", "/2")), [REST]),
    ],
    ids=["gone", "another status", "another event", "another stack of this name"],
)
def test_a_stack_that_moved_since_is_left_alone(now, events) -> None:  # type: ignore[no-untyped-def]
    client = Recorded(now, events=events)
    with pytest.raises(StackMoved, match="app") as moved:
        changeset.execute(client, CHANGE_SET, PINNED, "op")
    assert client.written == []
    assert moved.value.exit_code == 4


def test_executing_again_after_a_lost_answer_is_fine() -> None:
    running = [*REST, event("app", "UPDATE_IN_PROGRESS", at=2, token="op")]
    changeset.execute(Recorded("UPDATE_IN_PROGRESS", events=[running]), CHANGE_SET, PINNED, "op")
    client = Recorded("CREATE_COMPLETE", "UPDATE_IN_PROGRESS", events=[REST, running])
    client.on_execute = aws("InvalidChangeSetStatus")
    changeset.execute(client, CHANGE_SET, PINNED, "op")


def test_so_it_is_while_no_event_of_it_shows_yet() -> None:
    begun = described("CREATE_COMPLETE", execution="EXECUTE_IN_PROGRESS")
    client = Recorded("CREATE_COMPLETE", events=[REST], change_sets=[begun])
    client.on_execute = aws("InvalidChangeSetStatus")
    changeset.execute(client, CHANGE_SET, PINNED, "op")


def test_a_change_set_that_is_no_longer_valid_means_that_the_stack_moved() -> None:
    for reason in ("InvalidChangeSetStatus", "ChangeSetNotFound"):
        obsolete = described("CREATE_COMPLETE", execution="OBSOLETE")
        client = Recorded("CREATE_COMPLETE", events=[REST], change_sets=[obsolete])
        client.on_execute = aws(reason)
        with pytest.raises(StackMoved):
            changeset.execute(client, CHANGE_SET, PINNED, "op")


def test_declining_deletes_a_stack_only_if_it_is_an_empty_shell_of_ours() -> None:
    def left(status: str, *, made: bool) -> list[str]:
        client = Recorded(status, change_sets=[described("CREATE_COMPLETE")])
        changeset.decline(client, CHANGE_SET, made)
        return client.written

    assert left("REVIEW_IN_PROGRESS", made=True) == ["delete_change_set", "delete"]
    assert left("REVIEW_IN_PROGRESS", made=False) == ["delete_change_set"]
    assert left("CREATE_IN_PROGRESS", made=True) == ["delete_change_set"]
    gone = Recorded("REVIEW_IN_PROGRESS", change_sets=[None])
    changeset.decline(gone, CHANGE_SET, made_stack=True)
    assert gone.written == []
