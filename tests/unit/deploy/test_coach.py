"""The numbers of fitzen-coach's document in its parts for people, files, alarms and the dashboard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gymops import resources
from gymops.deploy.syntax import parse


def part(name: str) -> Any:
    file = resources.path("cloudformation") / "fitzen-coach" / name
    return parse(file.read_text(encoding="utf-8"), name)


def properties(name: str, resource: str) -> Any:
    return part(name)["Resources"][resource]["Properties"]


def alarm(resource: str) -> tuple[Any, ...]:
    found = properties("alarms.yaml", resource)
    asked = found.get("Metrics") or [found]
    period = next(one.get("Period") or one["MetricStat"]["Period"] for one in reversed(asked))
    return (
        found["Threshold"],
        found["ComparisonOperator"].partition("Than")[0],
        period,
        found["EvaluationPeriods"],
    )


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("CriticalErrors", (0.05, "Greater", 300, 1)),
        ("CriticalTasks", (1, "Less", 60, 3)),
        ("CriticalDatabaseCpu", (90, "Greater", 300, 2)),
        ("WarningLatency", (2000, "Greater", 300, 1)),
        ("WarningTaskCpu", (80, "Greater", 300, 2)),
        ("WarningTokens", ({"Ref": "DailyTokens"}, "Greater", 86400, 1)),
    ],
)
def test_an_alarm_rings_where_the_document_says(resource: str, expected: tuple[Any, ...]) -> None:
    assert alarm(resource) == expected
    severity = resource.partition("Critical")[1].lower() or "warning"
    name = properties("alarms.yaml", resource)["AlarmName"]["Fn::Sub"]
    assert name.startswith(f"${{Environment}}-${{AppName}}-{severity}-")


def test_who_is_on_call_hears_the_critical_alarms_alone() -> None:
    found = properties("alarms.yaml", "OnCall")
    assert found["FilterPolicyScope"] == "MessageBody"
    only = [{"prefix": {"Fn::Sub": "${Environment}-${AppName}-critical-"}}]
    assert found["FilterPolicy"] == {"AlarmName": only}


def test_a_day_s_cost_and_tokens_are_limited_as_the_document_says() -> None:
    given = part("alarms.yaml")["Parameters"]
    assert (given["DailyBudget"]["Default"], given["DailyTokens"]["Default"]) == (100, 10_000_000)
    assert properties("alarms.yaml", "DailyCost")["Budget"]["TimeUnit"] == "DAILY"


@pytest.mark.parametrize("severity", ["Critical", "Warning"])
@pytest.mark.parametrize("what", ["Read", "Write"])
def test_every_table_s_refused_requests_are_counted(severity: str, what: str) -> None:
    found = properties("throttles.yaml", f"{severity}{what}Throttles")
    assert found["AlarmName"]["Fn::Sub"].endswith(f"-{severity.lower()}-{what.lower()}-throttles")
    assert found["Threshold"] == {"Critical": 100, "Warning": 10}[severity]
    total, *each = found["Metrics"]
    assert (total["Expression"], len(each) <= 10) == ("SUM(METRICS())", True), "an alarm reckons with ten"
    tables = {name for name, one in part("data.yaml")["Resources"].items() if one["Type"].endswith("Table")}
    metrics = [one["MetricStat"] for one in each]
    assert {one["Metric"]["Dimensions"][0]["Value"]["Ref"] for one in metrics} == tables
    assert {(one["Metric"]["MetricName"], one["Period"]) for one in metrics} == {
        (f"{what}ThrottleEvents", 300)
    }


def test_nobody_says_what_they_have_paid_for_but_the_app() -> None:
    client = properties("users.yaml", "UserPoolClient")
    paid = {"custom:subscription_status", "custom:subscription_expires"}
    assert paid <= set(client["ReadAttributes"])
    assert not paid & set(client["WriteAttributes"])


def test_the_app_asks_its_model_by_the_profile_and_by_nothing_else() -> None:
    given = part("task.yaml")["Parameters"]
    assert given["BedrockModel"]["Default"].partition(".")[2] == given["BedrockBaseModel"]["Default"]
    (policy,) = properties("task.yaml", "TaskRole")["Policies"]
    model = policy["PolicyDocument"]["Statement"][0]
    assert [one["Fn::Sub"].partition(":bedrock:")[2] for one in model["Resource"]] == [
        "${AWS::Region}:${AWS::AccountId}:inference-profile/${BedrockModel}",
        "*::foundation-model/${BedrockBaseModel}",
    ]


def test_the_dashboard_has_the_document_s_six_groups() -> None:
    body = json.loads(properties("dashboard.yaml", "Dashboard")["DashboardBody"]["Fn::Sub"])
    titles = [one["properties"]["markdown"][3:] for one in body["widgets"] if one["type"] == "text"]
    assert titles == ["API performance", "Application health", "Data", "Model", "People", "Cost"]
    corners = [(one["x"], one["y"]) for one in body["widgets"]]
    assert len(corners) == len(set(corners))


def test_people_sign_in_as_the_document_says() -> None:
    pool = properties("users.yaml", "UserPool")
    assert pool["UsernameAttributes"] == ["phone_number", "email"]
    assert "SMS_OTP" in pool["Policies"]["SignInPolicy"]["AllowedFirstAuthFactors"]
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("OPTIONAL", ["SMS_MFA", "SOFTWARE_TOKEN_MFA"])
    policy = pool["Policies"]["PasswordPolicy"]
    wanted = ("MinimumLength", "RequireUppercase", "RequireLowercase", "RequireNumbers", "RequireSymbols")
    assert [policy[one] for one in wanted] == [8, True, True, True, False]
    assert [one["Name"] for one in pool["Schema"]] == [
        "subscription_status", "subscription_expires", "fitness_level", "onboarding_completed",
    ]  # fmt: skip
    others = [part("users.yaml")["Resources"][f"{one}Provider"] for one in ("Google", "Apple")]
    assert [one["Condition"] for one in others] == ["GoogleOn", "AppleOn"]


@pytest.mark.parametrize("bucket", ["PhotosBucket", "ProfilesBucket", "RecipesBucket"])
def test_a_bucket_is_closed_encrypted_versioned_and_cheaper_after_90_days(bucket: str) -> None:
    found = properties("photos.yaml", bucket)
    (encrypted,) = found["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encrypted["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert all(found["PublicAccessBlockConfiguration"].values())
    assert found["VersioningConfiguration"] == {"Status": "Enabled"}
    moved = [one for rule in found["LifecycleConfiguration"]["Rules"] for one in rule.get("Transitions", [])]
    assert moved == [{"StorageClass": "STANDARD_IA", "TransitionInDays": 90}]
    first = properties("photos.yaml", f"{bucket}Policy")["PolicyDocument"]["Statement"][0]
    assert (first["Effect"], first["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
