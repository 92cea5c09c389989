"""Parameters refused before a call is made, each with what is allowed; and what conditions come to."""

from __future__ import annotations

from typing import Any

import pytest

from gymops.deploy.evaluate import NOTHING, UNKNOWN, evaluate
from gymops.deploy.parameters import complete
from gymops.errors import ConfigError
from tests.unit.deploy.shipped import stack, titan, written

TEMPLATE = written("""
Parameters:
  Name: {Type: String, AllowedPattern: "[a-z]+", Description: What it is called}
  Size: {Type: Number, MinValue: 10, MaxValue: 20, Default: 15, Description: GB}
  Mode: {Type: String, AllowedValues: ["", "on"], Default: "", Description: Whether}
  Text: {Type: String, MinLength: 2, MaxLength: 4, Default: abc, Description: A text}
  Secret: {Type: String, NoEcho: true, AllowedPattern: "[0-9]+", Default: "1", Description: Hidden}
Conditions:
  On: !Equals [!Ref Mode, "on"]
  Off: !Not [!Condition On]
  Both: !And [!Condition On, !Equals [!Ref AWS::Region, x]]
  Either: !Or [!Condition On, !Equals [!Ref AWS::Region, x]]
  Itself: !Condition Itself
Rules:
  BigNeedsOn:
    RuleCondition: !Equals [!Ref Size, "20"]
    Assertions:
      - {Assert: !Equals [!Ref Mode, "on"], AssertDescription: 20 needs Mode=on}
""")


def test_defaults_are_filled_in() -> None:
    assert complete(TEMPLATE, {"Name": "a"}, whose="prod") == {
        "Name": "a", "Size": "15", "Mode": "", "Text": "abc", "Secret": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({}, "prod: the parameter Name is missing", "What it is called"),
        (
            {"Name": "a", "Sice": "1"},
            "no parameter 'Sice'; did you mean Size?",
            "known parameters: Name, Size",
        ),
        ({"Name": "A"}, "Name: 'A' does not match [a-z]+", "What it is called"),
        ({"Name": "ab\n"}, "does not match", "What it is called"),
        ({"Name": "a", "Size": "9"}, "Size: '9' is not between 10 and 20", "GB"),
        ({"Name": "a", "Size": "21"}, "'21' is not between 10 and 20", "GB"),
        ({"Name": "a", "Size": "nan"}, "'nan' is no number", "GB"),
        ({"Name": "a", "Size": "1e1"}, "'1e1' is no number", "GB"),
        ({"Name": "a", "Mode": "off"}, "'off' is none of (empty), on", "Whether"),
        ({"Name": "a", "Text": "a"}, "has 1 characters; 2 to 4 are allowed", "A text"),
        ({"Name": "a", "Text": "abcde"}, "has 5 characters", "A text"),
        ({"Name": "a", "Size": "20"}, "prod: 20 needs Mode=on", "change the parameters of prod"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        complete(TEMPLATE, given, whose="prod")
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        complete(TEMPLATE, {"Name": "a", "Secret": "hunter2"}, whose="prod")
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    ("value", "mode", "wanted"),
    [
        ({"Fn::If": ["On", 1, {"Ref": "AWS::NoValue"}]}, "on", 1),
        ({"Fn::If": ["On", 1, {"Ref": "AWS::NoValue"}]}, "", NOTHING),
        ([{"Fn::If": ["Off", "a", {"Ref": "AWS::NoValue"}]}, "b"], "on", ["b"]),
        ({"a": {"Fn::If": ["Off", 1, {"Ref": "AWS::NoValue"}]}}, "on", {}),
        ({"Fn::If": ["Both", 1, 2]}, "", 2),
        ({"Fn::If": ["Both", 1, 2]}, "on", UNKNOWN),
        ({"Fn::If": ["Either", 1, 2]}, "on", 1),
        ({"Fn::If": ["Either", 1, 2]}, "", UNKNOWN),
        ({"Fn::If": ["Itself", 1, 2]}, "on", UNKNOWN),
        ({"Fn::If": ["Nowhere", 1, 2]}, "on", UNKNOWN),
        ({"Fn::Sub": "x-${Mode}-${!Literal}"}, "on", "x-on-${Literal}"),
        ({"Fn::Sub": "${AWS::Region}"}, "on", UNKNOWN),
        ({"Fn::Sub": ["${A}", {"A": {"Ref": "Mode"}}]}, "on", "on"),
        ({"Fn::Join": [",", ["a", {"Ref": "Mode"}]]}, "on", "a,on"),
        ({"Fn::GetAtt": ["A", "Arn"]}, "on", UNKNOWN),
    ],
)
def test_what_can_be_known_without_aws_is_known(value: Any, mode: str, wanted: Any) -> None:
    found = evaluate(value, TEMPLATE, {"Mode": mode})
    assert found is wanted if wanted in (UNKNOWN, NOTHING) else found == wanted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Protection": "false"}, "prod needs Protection=true"),
        ({"DatabaseProxy": "false"}, "prod needs DatabaseProxy=true"),
        ({"OffHours": "true"}, "prod is always on"),
        ({"LongTermBackups": "false"}, "prod needs LongTermBackups=true"),
        ({"DatabaseAuth": "secret"}, "the proxy takes no password"),
        ({"LlmProvider": "anthropic"}, "LlmProvider needs Nat=true"),
        ({"ImageUri": ""}, "there is nothing to run"),
        ({"ImageUri": "gym-app:prod"}, "does not match"),
        ({"FunctionMemory": "64"}, "is not between 128 and 10240"),
        ({"DatabaseStorage": "5"}, "is not between 20 and 1024"),
        ({"BackupDays": "0"}, "is not between 1 and 35"),
        ({"VaultLock": "strict"}, "is none of none, governance, compliance"),
        ({"AlertPhone": "12345"}, "does not match"),
    ],
)
def test_prod_is_refused_what_prod_must_not_be(change: dict[str, str], message: str) -> None:
    image = f"123456789012.dkr.ecr.us-west-1.amazonaws.com/gym-app@sha256:{'a' * 64}"
    right = {**titan().environments["prod"], "ImageUri": image}
    complete(stack("app"), right, whose="prod")
    with pytest.raises(ConfigError) as caught:
        complete(stack("app"), {**right, **change}, whose="prod")
    assert message in caught.value.message
