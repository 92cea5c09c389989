"""Comparing templates here: what it finds without a change set, and what it admits not to know."""

from __future__ import annotations

from typing import Any

from gymops.deploy.stack.compare import Side, compare
from gymops.deploy.stack.gate import dangers
from gymops.deploy.stack.port import Change
from gymops.deploy.template import Template
from tests.unit.deploy.stack.fakes import body

STAGE = {"Parameters": {"Stage": {"Type": "String"}, "Word": {"Type": "String", "NoEcho": True}}}


def side(resources: dict[str, Any], parameters: dict[str, str] | None = None, **sections: Any) -> Side:
    return Side(Template("test.yaml", body(resources, **{**STAGE, **sections})), parameters or {})


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def found(present: Side, wanted: Side) -> list[tuple[str, str, list[str]]]:
    return [(one.action, one.name, [d.name for d in one.details]) for one in compare(present, wanted)]


def test_added_removed_changed_and_left_alone() -> None:
    present = side({"Same": queue(DelaySeconds=1), "Old": queue(), "Other": queue(DelaySeconds=1)})
    wanted = side({"Same": queue(DelaySeconds=1), "New": queue(), "Other": queue(DelaySeconds=2)})
    assert found(present, wanted) == [
        ("Add", "New", []), ("Remove", "Old", []), ("Modify", "Other", ["DelaySeconds"]),
    ]  # fmt: skip


def test_a_parameter_s_new_value_reaches_what_refers_to_it() -> None:
    resources = {
        "Plain": queue(QueueName={"Ref": "Stage"}),
        "Inside": queue(QueueName={"Fn::Sub": "${Stage}-${AWS::AccountId}"}),
        "Apart": queue(QueueName={"Fn::Sub": "x-${AWS::AccountId}"}),
    }
    changes = found(side(resources, {"Stage": "a"}), side(resources, {"Stage": "b"}))
    assert changes == [("Modify", "Inside", ["QueueName"]), ("Modify", "Plain", ["QueueName"])]


def test_another_spelling_of_the_same_value_is_no_change() -> None:
    present = side({"Queue": queue(QueueName="a-q")}, {"Stage": "a"})
    wanted = side({"Queue": queue(QueueName={"Fn::Sub": "${Stage}-q"})}, {"Stage": "a"})
    assert found(present, wanted) == []


def test_conditions_decide_what_is_there() -> None:
    resources = {"Queue": {**queue(), "Condition": "Prod"}}
    conditions = {"Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}}

    def at(stage: str) -> Side:
        return side(resources, {"Stage": stage}, Conditions=conditions)

    assert found(at("dev"), at("prod")) == [("Add", "Queue", [])]
    assert found(at("prod"), at("dev")) == [("Remove", "Queue", [])]


def test_a_secret_parameter_is_neither_compared_nor_shown() -> None:
    resources = {"Queue": queue(QueueName={"Ref": "Word"})}
    assert found(side(resources, {"Word": "****"}), side(resources, {"Word": "new"})) == []


def test_the_gate_judges_these_changes_by_the_schemas() -> None:
    def bucket(name: str, **more: Any) -> dict[str, Any]:
        return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name, **more}}

    changes = compare(side({"Store": bucket("a")}), side({"Store": bucket("b")}))
    assert [danger.what for danger in dangers(changes)] == ["would be replaced"]
    tags = compare(side({"Store": bucket("a")}), side({"Store": bucket("a", Tags=[])}))
    assert dangers(tags) == ()


def test_a_policy_or_a_type_that_changes_is_a_change() -> None:
    present = side({"A": {**queue(), "DeletionPolicy": "Retain"}, "B": queue()})
    wanted = side({"A": queue(), "B": {"Type": "AWS::SNS::Topic", "Properties": {}}})
    first, second = compare(present, wanted)
    assert [(one.attribute, one.before, one.after) for one in first.details] == [
        ("DeletionPolicy", "Retain", None)
    ]
    assert second == Change("Modify", "B", "AWS::SNS::Topic", replacement="True")
