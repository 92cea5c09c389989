"""Somebody changes a template for the worse: something must notice, or the checks are for show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gymops.deploy.rules.stateful import _ENCRYPTED, STATEFUL
from gymops.deploy.template import Template
from tests.unit.deploy.shipped import TITAN, changed, found, stack, stacks

Resources = dict[str, Any]


def after(name: str, mutate: Callable[[Resources], Any], of: str = TITAN) -> set[str]:
    template = changed(stack(name, of))
    mutate(template.body["Resources"])
    return {code for code, _ in found(template, of)}


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def statement(resources: Resources, role: str, sid: str) -> dict[str, Any]:
    every = properties(resources, role)["Policies"][0]["PolicyDocument"]["Statement"]
    return next(one for one in every if one.get("Sid") == sid)


@pytest.mark.parametrize(("of", "name"), stacks())
def test_nothing_is_found_in_what_we_ship(of: str, name: str) -> None:
    assert found(stack(name, of), of) == set()


def kept() -> list[tuple[str, str, str, str]]:
    return [
        (of, name, resource.name, key)
        for of, name in stacks()
        for resource in stack(name, of).resources(*STATEFUL)
        for key in ("DeletionPolicy", "UpdateReplacePolicy")
        if "G020" not in resource.metadata.get("Lint", {})
    ]


@pytest.mark.parametrize(("of", "name", "resource", "key"), kept())
def test_a_policy_that_is_taken_away_is_noticed(of: str, name: str, resource: str, key: str) -> None:
    assert "G020" in after(name, lambda resources: resources[resource].pop(key), of)
    assert "G020" in after(name, lambda resources: resources[resource].update({key: "Delete"}), of)


def encrypted() -> list[tuple[str, str, str, str]]:
    """What is encrypted; what is not has a reason beside it, or is found."""
    return [
        (of, name, resource.name, key)
        for of, name in stacks()
        for resource in stack(name, of).resources(*_ENCRYPTED)
        for key in _ENCRYPTED[resource.kind]
        if key in resource.properties
    ]


@pytest.mark.parametrize(("of", "name", "resource", "key"), encrypted())
def test_encryption_that_is_taken_away_is_noticed(of: str, name: str, resource: str, key: str) -> None:
    assert "G021" in after(name, lambda resources: properties(resources, resource).pop(key), of)


def groups() -> list[str]:
    every = stack("app").resources("AWS::EC2::SecurityGroup")
    return [group.name for group in every if "SecurityGroupIngress" in group.properties]


@pytest.mark.parametrize("group", groups())
def test_an_opened_security_group_is_noticed(group: str) -> None:
    def opened(resources: Resources) -> None:
        last = properties(resources, group)["SecurityGroupIngress"][-1]
        last.pop("SourceSecurityGroupId", None)
        last["CidrIp"] = "0.0.0.0/0"

    assert "G030" in after("app", opened)


WIDER: list[tuple[str, str, str, Any, str]] = [
    ("FunctionRole", "Secrets", "Resource", "*", "G002"),
    ("FunctionRole", "Secrets", "Action", "secretsmanager:*", "G001"),
    ("FunctionRole", "Logs", "Resource", "*", "G002"),
    ("FunctionRole", "Network", "Action", ["ec2:*"], "G001"),
    ("FunctionRole", "Key", "Resource", "arn:aws:kms:*:*:key/*", "G003"),
    ("OperationsRole", "Tell", "Resource", "*", "G002"),
    ("OperationsRole", "LookAtThePoints", "Action", "*", "G001"),
    ("OperationsRole", "Tell", "Action", ["lambda:UpdateFunctionCode"], "G006"),
    ("SchedulerRole", "StopAndStart", "Resource", "*", "G002"),
    ("SchedulerRole", "StopAndStart", "Action", ["iam:PassRole"], "G005"),
]


@pytest.mark.parametrize(("role", "sid", "key", "value", "code"), WIDER)
def test_wider_rights_are_noticed(role: str, sid: str, key: str, value: Any, code: str) -> None:
    assert code in after("app", lambda resources: statement(resources, role, sid).update({key: value}))


WORSE: list[tuple[str, Callable[[Resources], Any], str]] = [
    ("a public database", lambda r: properties(r, "Database").update(PubliclyAccessible=True), "G031"),
    ("an unprotected database", lambda r: properties(r, "Database").pop("DeletionProtection"), "G022"),
    ("backups go with it", lambda r: properties(r, "Database").pop("DeleteAutomatedBackups"), "G022"),
    ("automated backups off", lambda r: properties(r, "Database").update(BackupRetentionPeriod=0), "G010"),
    ("a second password", lambda r: properties(r, "Database").update(MasterUserPassword="x"), "G011"),
    (
        "windows that meet",
        lambda r: properties(r, "Database").update(PreferredBackupWindow="03:30-04:00"),
        "G040",
    ),
    ("no egress rule", lambda r: properties(r, "DatabaseSecurityGroup").pop("SecurityGroupEgress"), "G032"),
    (
        "a zone by name",
        lambda r: properties(r, "PrivateSubnet1").update(AvailabilityZone="us-west-1a"),
        "G033",
    ),
    ("an open URL", lambda r: properties(r, "FunctionUrl").update(AuthType="NONE"), "G050"),
    ("one permission less", lambda r: r.pop("InvokePermission"), "G051"),
    ("any distribution", lambda r: properties(r, "UrlPermission").pop("SourceArn"), "G051"),
    ("no alias", lambda r: properties(r, "UrlPermission").update(FunctionName="x"), "G051"),
    ("a role by Ref", lambda r: properties(r, "Function").update(Role={"Ref": "FunctionRole"}), "G008"),
    ("too much memory", lambda r: properties(r, "Function").update(MemorySize=20_000), "G010"),
    ("an image by tag", lambda r: properties(r, "Function").update(Code={"ImageUri": "app:prod"}), "G055"),
    ("no OAC", lambda r: _origin(r).pop("OriginAccessControlId"), "G053"),
    ("unsigned", lambda r: _control(r).update(SigningBehavior="never"), "G053"),
    ("a cached API", lambda r: _api(r).update(CachePolicyId={"Ref": "StaticCache"}), "G052"),
    ("plain HTTP", lambda r: _api(r).update(ViewerProtocolPolicy="allow-all"), "G054"),
    ("cold storage", lambda r: _tier(r)["Lifecycle"].update(MoveToColdStorageAfterDays=30), "G041"),
    ("kept forever", lambda r: _tier(r).pop("Lifecycle"), "G042"),
    (
        "locked for ever",
        lambda r: properties(r, "BackupVault").update(LockConfiguration={"ChangeableForDays": 3}),
        "G043",
    ),
    ("a statement without a name", lambda r: statement(r, "FunctionRole", "Secrets").pop("Sid"), "G007"),
    ("a reason that is none", lambda r: r["FunctionRole"]["Metadata"]["Lint"].update(W1030="TODO"), "G060"),
    ("no reason", lambda r: r["FunctionRole"]["Metadata"].pop("Lint"), "G061"),
]


def _origin(resources: Resources) -> Any:
    return properties(resources, "Distribution")["DistributionConfig"]["Origins"][0]


def _api(resources: Resources) -> Any:
    return properties(resources, "Distribution")["DistributionConfig"]["CacheBehaviors"][0]


def _control(resources: Resources) -> Any:
    return properties(resources, "OriginAccess")["OriginAccessControlConfig"]


def _tier(resources: Resources) -> Any:
    return properties(resources, "BackupPlan")["BackupPlan"]["BackupPlanRule"][0]


@pytest.mark.parametrize(
    ("what", "mutate", "code"), WORSE, ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_change_for_the_worse_is_noticed(what: str, mutate: Callable[[Resources], Any], code: str) -> None:
    assert code in after("app", mutate)


def test_a_copy_is_changed_and_not_the_original() -> None:
    before = stack("app").text
    after("app", lambda resources: resources.clear())
    template: Template = stack("app")
    assert template.text == before
