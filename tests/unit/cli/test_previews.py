"""What is shown before a stack changes: every change of its own, and how many only follow from those."""

from __future__ import annotations

from gymops.aws.stack import Change, Detail
from gymops.cli.sites import lines
from gymops.deploy.stack.gate import dangers
from gymops.deploy.stack.port import StackTarget
from gymops.deploy.stack.preview import Preview
from gymops.deploy.syntax import Lines
from gymops.deploy.template import Template

TARGET = StackTarget("prod-shop", "eu-central-1", Template("a template", Lines()))
CODE = Detail("Properties", "Code", "/Properties/Code", "Never", "Static", before="a.zip", after="b.zip")
ARN = Detail("Properties", "FunctionName", "/Properties/FunctionName", "Always", "Dynamic")


def shown(*changes: Change) -> list[str]:
    return list(lines(Preview(TARGET, False, changes, (), {}, dangers(changes), ())))


def test_what_only_refers_to_a_change_is_counted_by_its_type() -> None:
    function = Change("Modify", "Function", "AWS::Lambda::Function", replacement="False", details=(CODE,))
    alarms = [
        Change("Modify", f"Alarm{number}", "AWS::CloudWatch::Alarm", replacement="False", details=(ARN,))
        for number in range(12)
    ]
    permission = Change(
        "Modify", "Permission", "AWS::Lambda::Permission", replacement="Conditional", details=(ARN,)
    )
    assert shown(permission, function, *alarms) == [
        "  modify  Function (AWS::Lambda::Function)",
        "          /Properties/Code: a.zip -> b.zip",
        "  13 that refer to these may change with them: 12 AWS::CloudWatch::Alarm, 1 AWS::Lambda::Permission",
    ]


def test_what_may_lose_data_is_named_whatever_it_follows_from() -> None:
    bucket = Change("Modify", "Store", "AWS::S3::Bucket", replacement="Conditional", details=(ARN,))
    unknown = Change("Modify", "Odd", "Custom::Thing", replacement="Conditional", details=(ARN,))
    told = shown(bucket, unknown, Change("Remove", "Gone", "AWS::SNS::Topic", details=(ARN,)))
    assert [line.split()[:2] for line in told] == [
        ["modify", "Store"], ["modify", "Odd"], ["remove", "Gone"], ["DANGER", "Store"], ["DANGER", "Odd"],
    ]  # fmt: skip


def test_without_details_nothing_is_taken_to_follow() -> None:
    assert shown(Change("Modify", "Alarm", "AWS::CloudWatch::Alarm", replacement="False")) == [
        "  modify  Alarm (AWS::CloudWatch::Alarm)"
    ]
