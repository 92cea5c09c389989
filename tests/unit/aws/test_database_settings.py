"""An instance's settings: read, given to a restore as it takes them, changed where it does not."""

from __future__ import annotations

from typing import Any

from gymops.aws import database_settings as settings

TOLD: dict[str, Any] = {
    "DBInstanceClass": "db.t4g.micro", "DBSubnetGroup": {"DBSubnetGroupName": "private"},
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-2"}, {"VpcSecurityGroupId": "sg-1"}],
    "DBParameterGroups": [{"DBParameterGroupName": "ours"}], "Endpoint": {"Port": 5433}, "MultiAZ": True,
    "IAMDatabaseAuthenticationEnabled": True, "StorageType": "gp3", "AllocatedStorage": 20, "Iops": 3000,
    "StorageThroughput": 125, "MonitoringInterval": 60, "MonitoringRoleArn": "role",
    "PerformanceInsightsEnabled": True, "PerformanceInsightsRetentionPeriod": 7,
    "EnabledCloudwatchLogsExports": ["upgrade", "postgresql"], "MaxAllocatedStorage": 100,
    "MasterUserSecret": {"SecretArn": "arn", "KmsKeyId": "key"}, "PubliclyAccessible": True,
}  # fmt: skip
ALL = frozenset(one.name for one in settings.SETTINGS)


def test_a_small_gp3_volume_is_not_told_what_rds_refuses_to_be_told() -> None:
    assert not {"Iops", "StorageThroughput"} & set(settings.read(TOLD))
    large = settings.read({**TOLD, "AllocatedStorage": 400})
    assert (large["Iops"], large["StorageThroughput"]) == (3000, 125)
    assert settings.read({**TOLD, "StorageType": "io2"})["Iops"] == 3000


def test_a_restore_is_given_what_it_takes_and_is_never_public() -> None:
    given = settings.for_restore(settings.read(TOLD), ALL)
    assert (given["DBSubnetGroupName"], given["VpcSecurityGroupIds"]) == ("private", ["sg-1", "sg-2"])
    assert (given["Port"], given["EnableIAMDatabaseAuthentication"]) == (5433, True)
    assert (given["ManageMasterUserPassword"], given["MasterUserSecretKmsKeyId"]) == (True, "key")
    assert given["PubliclyAccessible"] is False
    assert not {"MaxAllocatedStorage", "MonitoringInterval", "EnablePerformanceInsights"} & set(given)
    assert "MultiAZ" not in settings.for_restore(settings.read(TOLD), frozenset({"Port"}))


def test_what_is_off_is_not_asked_for() -> None:
    given = settings.for_restore(settings.read({"DBInstanceClass": "x"}), ALL)
    assert given == {"DBInstanceClass": "x", "PubliclyAccessible": False}


def test_what_a_restore_does_not_take_is_changed() -> None:
    wanted = settings.read(TOLD)
    bare = {**TOLD, "PerformanceInsightsEnabled": False, "MonitoringInterval": 0, "MaxAllocatedStorage": None,
            "EnabledCloudwatchLogsExports": ["audit", "upgrade"], "MasterUserSecret": None}  # fmt: skip
    assert settings.to_change(wanted, settings.read(bare)) == {
        "EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": 7, "MonitoringInterval": 60,
        "MonitoringRoleArn": "role", "MaxAllocatedStorage": 100, "ManageMasterUserPassword": True,
        "MasterUserSecretKmsKeyId": "key",
        "CloudwatchLogsExportConfiguration": {"EnableLogTypes": ["postgresql"], "DisableLogTypes": ["audit"]},
    }  # fmt: skip
    assert settings.to_change(wanted, settings.read(TOLD)) == {}


def test_a_subnet_group_cannot_be_changed_and_differs_to_the_end() -> None:
    wanted = settings.read(TOLD)
    there = settings.read({**TOLD, "DBSubnetGroup": {"DBSubnetGroupName": "default"}})
    assert settings.to_change(wanted, there) == {}
    assert settings.differing(wanted, there) == ["DBSubnetGroupName"]
    port = settings.read({**TOLD, "Endpoint": {"Port": 5432}})
    assert settings.to_change(wanted, port) == {"DBPortNumber": 5433}
