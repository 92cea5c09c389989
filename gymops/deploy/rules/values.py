"""Values: numbers out of range, and properties that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

from gymops.deploy.evaluate import NOTHING, UNKNOWN
from gymops.deploy.rules import Found, Subject, rule

_RANGES: dict[tuple[str, str], tuple[int, int]] = {
    ("AWS::Lambda::Function", "MemorySize"): (128, 10_240),
    ("AWS::Lambda::Function", "Timeout"): (1, 900),
    ("AWS::RDS::DBInstance", "BackupRetentionPeriod"): (1, 35),
    ("AWS::KMS::Key", "PendingWindowInDays"): (7, 30),
}
"""What AWS takes; of BackupRetentionPeriod without 0, which turns automated backups off."""


@rule("G010")
def out_of_range(subject: Subject) -> Iterator[Found]:
    """A number is one that AWS takes, in every environment; and so is the range its parameter allows."""
    for resource in subject.template.resources():
        for key, value in resource.properties.items():
            if (resource.kind, key) not in _RANGES:
                continue
            least, most = _RANGES[resource.kind, key]
            path = ("Resources", resource.name, "Properties", key)
            for environment, number in subject.values(value):
                if number not in (UNKNOWN, NOTHING) and not _between(number, least, most):
                    yield Found(path, f"{number} in {environment}; {least} to {most} are possible", key)
            named = str(value.get("Ref")) if isinstance(value, dict) else ""
            declared = subject.template.parameters.get(named)
            if declared and "AllowedValues" not in declared:
                limits = (declared.get("MinValue"), declared.get("MaxValue"))
                if not all(limit is not None and _between(limit, least, most) for limit in limits):
                    yield Found(path, f"the parameter {named} allows more than {least} to {most}", key)


def _between(number: object, least: int, most: int) -> bool:
    try:
        return least <= float(str(number)) <= most
    except ValueError:
        return False


@rule("G011")
def two_passwords(subject: Subject) -> Iterator[Found]:
    """A master password is RDS's own or ours, not both."""
    for resource in subject.template.resources("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"):
        if (
            resource.properties.get("ManageMasterUserPassword")
            and "MasterUserPassword" in resource.properties
        ):
            path = ("Resources", resource.name, "Properties", "MasterUserPassword")
            yield Found(path, "RDS manages the password already (ManageMasterUserPassword); leave this out")


@rule("G012")
def undescribed_parameter(subject: Subject) -> Iterator[Found]:
    """Every parameter says what it is for, and what it takes: whoever sets it has nothing else to go by."""
    limits = {"AllowedValues", "AllowedPattern", "MinValue", "MaxLength"}
    for name, declared in subject.template.parameters.items():
        path = ("Parameters", name)
        if not declared.get("Description"):
            yield Found(path, f"{name} says nothing about itself; give it a Description")
        if not limits & set(declared) and not str(declared.get("Type", "")).startswith("AWS::"):
            yield Found(path, f"{name} takes anything; give it AllowedValues, AllowedPattern or limits")
