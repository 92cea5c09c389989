"""Stacks made, changed, refused, rolled back and deleted for real on the local AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gymops.deploy.stack.errors import ChangeSetFailed, RolledBack, StackFailed, StackMoved
from gymops.deploy.stack.port import Request
from gymops.deploy.stack.stacks import dry_run
from gymops.deploy.stack.waiting import drain
from gymops.errors import ConfigError, GateRefused, Interrupted
from tests.integration.stack.conftest import MISSING, Desk, bucket, queue, topic
from tests.local_aws import unique, until

ROLE: dict[str, Any] = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "RoleName": "given",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
    },
}


def test_a_stack_is_made_left_alone_and_changed(desk: Desk) -> None:
    outputs = {"Outputs": {"Url": {"Value": {"Ref": "Queue"}}}}
    first = desk.target({"Queue": queue(DelaySeconds=1)}, sections=outputs, tags={"app": "titan"})
    done = desk.deploy(first)
    assert done.changed
    assert done.stack.status == "CREATE_COMPLETE"
    assert done.outputs["Url"].startswith("http")
    assert done.stack.tags == {"app": "titan"}
    assert desk.previews[0].create
    assert {one.event.name for one in desk.told if one.event} >= {"Queue", desk.name}

    again = desk.deploy(first)
    assert not again.changed
    assert again.outputs == done.outputs
    assert desk.change_sets() == []  # the one without changes is not left behind

    changed = desk.deploy(desk.target({"Queue": queue(DelaySeconds=2)}, sections=outputs))
    assert changed.changed
    assert changed.stack.status == "UPDATE_COMPLETE"
    assert [change.action for change in desk.previews[-1].changes] == ["Modify"]

    desk.delete()
    assert desk.now() is None


def test_replacing_a_bucket_needs_its_name_said(desk: Desk) -> None:
    name = unique("kept")
    desk.deploy(desk.target({"Store": bucket(BucketName=name), "Bell": topic()}))
    other = desk.target({"Store": bucket(BucketName=f"{name}-2"), "Bell": topic()})
    with pytest.raises(GateRefused, match=r"Store \(AWS::S3::Bucket\) (would|may) be replaced") as refused:
        desk.deploy(other)
    assert "--allow-replace Store" in str(refused.value.hint)
    assert refused.value.exit_code == 4
    assert desk.change_sets() == []
    assert desk.status() == "CREATE_COMPLETE"
    with pytest.raises(GateRefused):
        desk.deploy(other, allowed=("Bell",))
    assert desk.deploy(other, allowed=("Store",)).changed
    with pytest.raises(GateRefused, match=r"Store.*would be removed"):
        desk.deploy(desk.target({"Bell": topic()}))


def test_a_failed_create_is_cleaned_up_and_made_again(desk: Desk) -> None:
    with pytest.raises(RolledBack, match="Bad") as failed:
        desk.deploy(desk.target({"Queue": queue(), "Bad": queue(QueueName=MISSING) | {"DependsOn": "Queue"}}))
    diagnosis = failed.value.diagnosis
    assert failed.value.exit_code == 5
    assert diagnosis
    assert diagnosis.cause.path == "Bad"
    assert "create the secret" in diagnosis.remedy
    assert desk.status() == "ROLLBACK_COMPLETE"
    done = desk.deploy(desk.target({"Queue": queue()}))
    assert done.stack.status == "CREATE_COMPLETE"
    assert desk.recoveries == []  # nothing was left in it, so nobody had to agree


def test_a_create_that_was_left_as_it_failed_is_not_deleted_without_being_asked(desk: Desk) -> None:
    body = desk.target(
        {"Bell": topic(), "Bad": queue(QueueName=MISSING) | {"DependsOn": "Bell"}}
    ).template.text
    desk.boto.create_stack(StackName=desk.name, TemplateBody=body, OnFailure="DO_NOTHING")
    until(lambda: desk.status() == "CREATE_FAILED")
    desk.agrees = False
    with pytest.raises(GateRefused, match="Bell"):
        desk.deploy(desk.target({"Bell": topic()}))
    assert desk.status() == "CREATE_FAILED"
    desk.agrees = True
    desk.deploy(desk.target({"Bell": topic()}))
    assert [one.decision.live for one in desk.recoveries] == [("Bell",)] * 2


def test_what_holds_data_is_never_cleaned_up(desk: Desk) -> None:
    bad = queue(QueueName=MISSING) | {"DependsOn": "Store"}
    body = desk.target({"Store": bucket(), "Bad": bad}).template.text
    desk.boto.create_stack(StackName=desk.name, TemplateBody=body, OnFailure="DO_NOTHING")
    until(lambda: desk.status() == "CREATE_FAILED")
    with pytest.raises(GateRefused, match="holds data: Store"):
        desk.deploy(desk.target({"Bell": topic()}))
    assert desk.recoveries == []


def test_a_failed_update_is_rolled_back_and_its_cause_named(desk: Desk) -> None:
    desk.deploy(desk.target({"Queue": queue(DelaySeconds=1)}))
    bad = {"Queue": queue(DelaySeconds=2), "Bad": topic(DisplayName=MISSING) | {"DependsOn": "Queue"}}
    with pytest.raises(RolledBack, match=r"it was rolled back\. Bad") as failed:
        desk.deploy(desk.target(bad))
    assert failed.value.diagnosis
    assert "create the secret" in str(failed.value.hint)
    assert failed.value.status == "UPDATE_ROLLBACK_COMPLETE"
    assert desk.deploy(desk.target({"Queue": queue(DelaySeconds=3)})).stack.status == "UPDATE_COMPLETE"


def test_a_bucket_name_that_is_taken_is_the_cause(desk: Desk) -> None:
    taken = unique("taken")
    desk.aws.client("s3").create_bucket(Bucket=taken)
    with pytest.raises((RolledBack, ChangeSetFailed), match=r"(?i)exist|conflict") as failed:
        desk.deploy(desk.target({"Store": bucket(BucketName=taken), "Bell": topic()}))
    assert "choose another name" in str(failed.value.hint)


def test_what_failed_inside_a_nested_stack_is_told(desk: Desk) -> None:
    taken, place = unique("taken"), unique("templates")
    desk.aws.client("s3", "222222222222").create_bucket(Bucket=taken)
    s3 = desk.aws.client("s3")
    s3.create_bucket(Bucket=place)
    inner = json.dumps({"Resources": {"Store": bucket(BucketName=taken)}})
    s3.put_object(Bucket=place, Key="inner.json", Body=inner)
    url = f"{desk.aws.settings.url}/{place}/inner.json"
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    with pytest.raises(RolledBack, match=r"(?i)exist") as failed:
        desk.deploy(desk.target({"Inner": nested}))
    assert "choose another name" in str(failed.value.hint)


def test_declining_leaves_nothing(desk: Desk) -> None:
    desk.answer = False
    with pytest.raises(Interrupted):
        desk.deploy(desk.target({"Bell": topic()}))
    assert desk.previews[0].made
    until(lambda: desk.now() is None)


def test_declining_an_update_leaves_the_stack_and_no_change_set(desk: Desk) -> None:
    desk.deploy(desk.target({"Bell": topic()}))
    desk.answer = False
    with pytest.raises(Interrupted):
        desk.deploy(desk.target({"Bell": topic(DisplayName="other")}))
    assert desk.change_sets() == []
    assert desk.status() == "CREATE_COMPLETE"


def test_a_stack_under_review_by_others_is_no_hindrance_and_theirs_stays(desk: Desk) -> None:
    target = desk.target({"Bell": topic()})
    desk.client.create_change_set(
        Request(desk.name, "theirs", True, target.template.text, None, {}, {}, (), "theirs")
    )
    assert desk.status() == "REVIEW_IN_PROGRESS"
    desk.answer = False
    with pytest.raises(Interrupted):
        desk.deploy(target)
    assert desk.status() == "REVIEW_IN_PROGRESS"
    desk.answer = True
    assert desk.deploy(target).stack.status == "CREATE_COMPLETE"


def test_a_stack_that_moved_since_the_preview_is_left_alone(desk: Desk) -> None:
    desk.deploy(desk.target({"Bell": topic()}))
    preview = desk.stacks.preview(desk.target({"Bell": topic(DisplayName="mine")}), token="mine")
    assert preview
    theirs = desk.target({"Bell": topic(DisplayName="theirs")}).template.text
    desk.boto.update_stack(StackName=desk.name, TemplateBody=theirs)
    until(lambda: desk.status() == "UPDATE_COMPLETE")
    with pytest.raises(StackMoved, match="UPDATE_COMPLETE") as moved:
        drain(desk.stacks.execute(preview, token="mine"), desk.told.append)
    assert moved.value.exit_code == 4
    assert "theirs" in desk.client.template(desk.name)


def test_executing_again_with_the_same_token_only_waits(desk: Desk) -> None:
    preview = desk.stacks.preview(desk.target({"Bell": topic()}), token="mine")
    assert preview
    drain(desk.stacks.execute(preview, token="mine"), desk.told.append)
    again = drain(desk.stacks.execute(preview, token="mine"), desk.told.append)
    assert again.stack.status == "CREATE_COMPLETE"


def test_an_interrupted_run_s_preview_is_made_anew(desk: Desk) -> None:
    """A killed run leaves its change set and the stack that is there only for it."""
    assert desk.stacks.preview(desk.target({"Bell": topic()}), token="mine")
    assert desk.deploy(desk.target({"Bell": topic(DisplayName="x")}), token="mine").changed
    assert "x" in desk.client.template(desk.name)


def test_a_missing_capability_is_named_with_what_it_is_for(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="CAPABILITY_NAMED_IAM for Role"):
        desk.deploy(desk.target({"Role": ROLE}, capabilities=()))
    preview = desk.stacks.preview(desk.target({"Role": ROLE}), token="mine")
    assert preview
    assert preview.capabilities == {"CAPABILITY_NAMED_IAM": ("Role",)}
    desk.stacks.decline(preview)


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    calls: list[str] = []
    desk.boto.meta.events.register("before-call.*.*", lambda model, **_: calls.append(model.name))
    fresh = dry_run(desk.client, desk.target({"Store": bucket()}))
    assert [(one.action, one.name) for one in fresh.changes] == [("Add", "Store")]
    assert set(calls) == {"DescribeStacks"}
    assert desk.now() is None
    desk.deploy(desk.target({"Store": bucket(), "Queue": queue(DelaySeconds=1)}))
    calls.clear()
    found = dry_run(desk.client, desk.target({"Queue": queue(DelaySeconds=2)}))
    assert [(one.action, one.name) for one in found.changes] == [("Modify", "Queue"), ("Remove", "Store")]
    assert [danger.name for danger in found.dangers] == ["Store"]
    assert found.limits
    assert set(calls) == {"DescribeStacks", "GetTemplate"}
    assert desk.change_sets() == []


def test_no_secret_is_shown(desk: Desk) -> None:
    secret = "correct-horse-battery"
    declared = {"Parameters": {"Word": {"Type": "String", "NoEcho": True}, "Stage": {"Type": "String"}}}
    hidden = {"Bell": topic(DisplayName={"Ref": "Word"})}
    desk.deploy(desk.target(hidden, sections=declared, parameters={"Word": "first-of-all", "Stage": "a"}))
    target = desk.target(hidden, sections=declared, parameters={"Word": secret, "Stage": "b"})
    assert secret not in repr(target)
    desk.deploy(target)
    shown = desk.previews[-1]
    assert [(one.name, one.before, one.after) for one in shown.parameters] == [("Stage", "a", "b")]
    assert secret not in repr(shown)
    assert secret not in repr(dry_run(desk.client, target))


def test_a_protected_stack_and_a_full_bucket_are_not_deleted(desk: Desk) -> None:
    desk.deploy(desk.target({"Store": bucket(BucketName=(name := unique("full"))), "Bell": topic()}))
    s3 = desk.aws.client("s3")
    s3.put_object(Bucket=name, Key="kept", Body=b"x")
    desk.boto.update_termination_protection(StackName=desk.name, EnableTerminationProtection=True)
    with pytest.raises(GateRefused, match="protected"):
        desk.delete()
    desk.boto.update_termination_protection(StackName=desk.name, EnableTerminationProtection=False)
    with pytest.raises(StackFailed, match="not deleted: Store") as failed:
        desk.delete()
    assert "still holds data" in str(failed.value.hint)
    assert desk.status() == "DELETE_FAILED"
    with pytest.raises(GateRefused, match="holds data: Store"):
        desk.deploy(desk.target({"Bell": topic()}))
    drain(desk.stacks.delete(desk.name, token=unique("op"), retain=["Store"]), desk.told.append)
    assert desk.now() is None
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 1
