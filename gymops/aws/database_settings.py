"""What an RDS instance is set to, beside its data: read from one, and given to one that is restored.

A restore takes over little by itself: without its settings it comes up in the default network, unprotected.
Some settings a restore does not take; those are changed once it is there (``Setting.change``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Told = Mapping[str, Any]
"""An instance as ``DescribeDBInstances`` tells of it."""

_GP3_TUNED_FROM = 400
"""GB. Below, RDS tells of a gp3 volume's IOPS and throughput, and refuses to be told them."""


@dataclass(frozen=True)
class Setting:
    """One, by the name that a restore and a change have for it."""

    name: str
    read: Callable[[Told], Any]
    """None: it is not set, and nothing is asked for."""
    change: str | None = ""
    """The name that a change has for it, if it is another; None: it cannot be changed."""
    at_restore: bool = True
    """Whether a restore takes it."""


def _same(name: str, told: str = "", **more: Any) -> Setting:
    return Setting(name, lambda one: one.get(told or name), **more)


def _first(name: str, told: str) -> Setting:
    return Setting(name, lambda one: next((group[name] for group in one.get(told) or ()), None))


def _tuned(name: str) -> Setting:
    def read(one: Told) -> Any:
        kind, size = str(one.get("StorageType", "")), int(one.get("AllocatedStorage") or 0)
        tuned = kind.startswith("io") or (kind == "gp3" and size >= _GP3_TUNED_FROM)
        return (one.get(name) or None) if tuned else None

    return Setting(name, read)


def _groups(one: Told) -> list[str] | None:
    return sorted(group["VpcSecurityGroupId"] for group in one.get("VpcSecurityGroups") or ()) or None


def _watched(name: str, told: str = "") -> Setting:
    """Of Performance Insights: nothing where it is off."""
    return Setting(
        name,
        lambda one: one.get(told or name) if one.get("PerformanceInsightsEnabled") else None,
        at_restore=False,
    )


SETTINGS = (
    _same("DBInstanceClass"),
    Setting("DBSubnetGroupName", lambda one: (one.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"), None),
    Setting("VpcSecurityGroupIds", _groups),
    _first("DBParameterGroupName", "DBParameterGroups"),
    _first("OptionGroupName", "OptionGroupMemberships"),
    Setting("Port", lambda one: (one.get("Endpoint") or {}).get("Port"), "DBPortNumber"),
    _same("MultiAZ"),
    _same("AutoMinorVersionUpgrade"),
    _same("CopyTagsToSnapshot"),
    _same("DeletionProtection"),
    _same("EnableIAMDatabaseAuthentication", "IAMDatabaseAuthenticationEnabled"),
    Setting("EnableCloudwatchLogsExports", lambda one: sorted(one.get("EnabledCloudwatchLogsExports") or ())),
    _same("StorageType"),
    _tuned("Iops"),
    _tuned("StorageThroughput"),
    _same("CACertificateIdentifier"),
    _same("NetworkType"),
    _same("BackupRetentionPeriod"),
    _same("PreferredBackupWindow"),
    _same("PreferredMaintenanceWindow", at_restore=False),
    _same("MaxAllocatedStorage", at_restore=False),
    Setting("MonitoringInterval", lambda one: one.get("MonitoringInterval") or 0, at_restore=False),
    Setting(
        "MonitoringRoleArn",
        lambda one: one.get("MonitoringRoleArn") if one.get("MonitoringInterval") else None,
        at_restore=False,
    ),
    Setting(
        "EnablePerformanceInsights",
        lambda one: bool(one.get("PerformanceInsightsEnabled")),
        at_restore=False,
    ),
    _watched("PerformanceInsightsKMSKeyId"),
    _watched("PerformanceInsightsRetentionPeriod"),
    Setting("ManageMasterUserPassword", lambda one: bool(one.get("MasterUserSecret"))),
    Setting("MasterUserSecretKmsKeyId", lambda one: (one.get("MasterUserSecret") or {}).get("KmsKeyId")),
)
_BY_NAME = {one.name: one for one in SETTINGS}


def read(told: Told) -> dict[str, Any]:
    """The settings of an instance."""
    found = ((one.name, one.read(told)) for one in SETTINGS)
    return {name: value for name, value in found if value is not None}


def for_restore(settings: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """What a restore is given; ``known``: what this version of boto3 knows it to take.

    It is never reachable from outside, whatever its source is.
    """
    given = {
        name: value
        for name, value in settings.items()
        if _BY_NAME[name].at_restore and name in known and not _unasked(name, value)
    }
    return {**given, "PubliclyAccessible": False}


def _unasked(name: str, value: Any) -> bool:
    """What is off unless it is asked for, and where asking for nothing is no request."""
    return value in (False, []) and name in {"ManageMasterUserPassword", "EnableCloudwatchLogsExports"}


def to_change(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """What must be changed for an instance to be set as wanted."""
    changes: dict[str, Any] = {}
    for name in differing(wanted, there):
        one = _BY_NAME[name]
        if one.change is None:
            continue
        if name == "EnableCloudwatchLogsExports":
            on, has = set(wanted[name]), set(there.get(name) or ())
            changes["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(on - has),
                "DisableLogTypes": sorted(has - on),
            }
        elif name == "EnablePerformanceInsights" and wanted[name]:
            changes |= {key: value for key, value in wanted.items() if key == name or "Insights" in key}
        else:
            changes[one.change or name] = wanted[name]
    if "MasterUserSecretKmsKeyId" in changes:
        changes["ManageMasterUserPassword"] = True
    if "MonitoringInterval" in changes and wanted.get("MonitoringRoleArn"):
        changes["MonitoringRoleArn"] = wanted["MonitoringRoleArn"]
    return changes


def differing(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """The names of the settings that are not as wanted."""
    return [name for name, value in wanted.items() if there.get(name) != value]
