"""RDS instances are real servers: what the API says of them is what is there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.local_aws import PASSWORD, Aws, unique, until


def _refused(code: str, call: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def test_a_new_instance_is_a_server_with_its_master_user_and_database(aws: Aws) -> None:
    name = aws.create_instance(EngineVersion="15.4", AllocatedStorage=33, StorageType="gp3")
    found = aws.instance(name)
    assert found["DBInstanceStatus"] == "available"
    assert (found["EngineVersion"], found["AllocatedStorage"], found["StorageType"]) == ("15.4", 33, "gp3")
    assert aws.sql(name, "select current_user") == ["boss"]
    assert aws.sql(name, "select current_database()") == ["app"]
    assert aws.sql(name, "select rolsuper from pg_roles where rolname = current_user") == [False]
    assert aws.sql(name, "create extension if not exists pg_trgm") == []
    assert aws.sql(name, "show server_version")[0].startswith("18")


def test_a_wrong_password_and_the_server_s_own_superuser_are_refused(aws: Aws) -> None:
    name = aws.create_instance(BackupRetentionPeriod=0)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        aws.connect(name, password="not-this-one")
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
        aws.connect(name, user="gymops", password="")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"MasterUserPassword": "short"}, "InvalidParameterValue"),
        ({"MasterUserPassword": "with a space"}, "InvalidParameterValue"),
        ({"MasterUsername": "rdsadmin"}, "InvalidParameterValue"),
        ({"Engine": "mysql"}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "-no-"}, "InvalidParameterValue"),
        ({"ManageMasterUserPassword": True}, "InvalidParameterCombination"),
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault"),
        ({"DBParameterGroupName": "nothing"}, "DBParameterGroupNotFound"),
    ],
)
def test_what_rds_would_not_create_is_refused_and_leaves_nothing(
    aws: Aws, given: dict[str, Any], code: str
) -> None:
    name = given.pop("DBInstanceIdentifier", unique("no"))
    _refused(code, aws.create_instance, DBInstanceIdentifier=name, **given)
    if name != "-no-":
        _refused("DBInstanceNotFound", aws.instance, name=name)


def test_a_name_is_taken_once(aws: Aws) -> None:
    name = aws.create_instance(BackupRetentionPeriod=0)
    _refused("DBInstanceAlreadyExists", aws.create_instance, DBInstanceIdentifier=name)


def test_a_managed_password_is_in_its_secret_and_opens_the_database(aws: Aws) -> None:
    name = unique("db")
    aws.client("rds").create_db_instance(
        DBInstanceIdentifier=name, Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
        MasterUsername="boss", ManageMasterUserPassword=True, DBName="app", BackupRetentionPeriod=0,
    )  # fmt: skip
    found = aws.instance(name)["MasterUserSecret"]
    assert found["SecretStatus"] == "active"
    secrets = aws.client("secretsmanager")
    held = json.loads(secrets.get_secret_value(SecretId=found["SecretArn"])["SecretString"])
    assert held["username"] == "boss"
    with aws.connect(name, password=held["password"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    aws.client("rds").modify_db_instance(DBInstanceIdentifier=name, RotateMasterUserPassword=True)
    with pytest.raises(psycopg.OperationalError):
        aws.connect(name, password=held["password"])
    held = json.loads(secrets.get_secret_value(SecretId=found["SecretArn"])["SecretString"])
    aws.connect(name, password=held["password"]).close()
    aws.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=found["SecretArn"])


def test_modify_changes_what_it_may_at_once_and_the_rest_when_told_to(aws: Aws) -> None:
    rds, name = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0)
    rds.modify_db_instance(
        DBInstanceIdentifier=name, MasterUserPassword="another-9876", DBInstanceClass="db.t4g.small",
        DeletionProtection=True,
    )  # fmt: skip
    found = aws.instance(name)
    assert (found["DBInstanceClass"], found["DeletionProtection"]) == ("db.t4g.micro", True)
    assert found["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.small"}
    aws.connect(name, password="another-9876").close()
    with pytest.raises(psycopg.OperationalError):
        aws.connect(name, password=PASSWORD)
    rds.modify_db_instance(
        DBInstanceIdentifier=name, DBInstanceClass="db.t4g.small", AllocatedStorage=40, ApplyImmediately=True
    )
    found = aws.instance(name)
    assert (found["DBInstanceClass"], found["AllocatedStorage"]) == ("db.t4g.small", 40)
    assert found["PendingModifiedValues"] == {}


def test_an_instance_stops_starts_and_reboots_with_its_data(aws: Aws) -> None:
    rds, name = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0)
    aws.sql(name, "create table kept as select 42 as answer")
    rds.stop_db_instance(DBInstanceIdentifier=name)
    assert aws.instance(name)["DBInstanceStatus"] == "stopped"
    with pytest.raises(psycopg.OperationalError, match="refused"):
        aws.connect(name)
    for call in (rds.stop_db_instance, rds.reboot_db_instance):
        _refused("InvalidDBInstanceState", call, DBInstanceIdentifier=name)
    rds.start_db_instance(DBInstanceIdentifier=name)
    _refused("InvalidDBInstanceState", rds.start_db_instance, DBInstanceIdentifier=name)
    assert aws.sql(name, "select answer from kept") == [42]
    began = aws.sql(name, "select pg_postmaster_start_time()")
    rds.reboot_db_instance(DBInstanceIdentifier=name)
    assert aws.sql(name, "select pg_postmaster_start_time()") != began


def test_a_static_parameter_waits_for_the_reboot_and_a_dynamic_one_does_not(aws: Aws) -> None:
    rds, name, group = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0), unique("pg")
    rds.create_db_parameter_group(
        DBParameterGroupName=group, DBParameterGroupFamily="postgres15", Description="tests"
    )
    values = {"work_mem": "7168", "max_worker_processes": "11"}
    rds.modify_db_parameter_group(
        DBParameterGroupName=group,
        Parameters=[
            {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for key, value in values.items()
        ],
    )
    rds.modify_db_instance(DBInstanceIdentifier=name, DBParameterGroupName=group, ApplyImmediately=True)
    assert aws.instance(name)["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    assert aws.sql(name, "show work_mem") == ["7MB"]
    assert aws.sql(name, "show max_worker_processes") == ["8"]
    rds.reboot_db_instance(DBInstanceIdentifier=name)
    assert aws.instance(name)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    assert aws.sql(name, "show max_worker_processes") == ["11"]
    changed = {"ParameterName": "work_mem", "ParameterValue": "9216", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName=group, Parameters=[changed])
    until(lambda: aws.sql(name, "show work_mem") == ["9MB"])


def test_a_protected_instance_is_not_deleted(aws: Aws) -> None:
    rds, name = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0, DeletionProtection=True)
    given = {"DBInstanceIdentifier": name, "SkipFinalSnapshot": True}
    said = _refused("InvalidParameterCombination", rds.delete_db_instance, **given)
    assert "Cannot delete protected DB Instance" in said
    rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False)
    rds.delete_db_instance(**given)
    _refused("DBInstanceNotFound", aws.instance, name=name)


def test_delete_wants_a_final_snapshot_or_to_be_told_not_to(aws: Aws) -> None:
    rds, name, final = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0), unique("final")
    _refused("InvalidParameterCombination", rds.delete_db_instance, DBInstanceIdentifier=name)
    aws.sql(name, "create table kept as select 42 as answer")
    rds.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier=final)
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=final)
    assert aws.sql(name, "select answer from kept") == [42]


def test_an_instance_is_renamed_with_its_data(aws: Aws) -> None:
    rds, name, new = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0), unique("renamed")
    aws.sql(name, "create table kept as select 42 as answer")
    rds.modify_db_instance(DBInstanceIdentifier=name, NewDBInstanceIdentifier=new, ApplyImmediately=True)
    assert aws.sql(new, "select answer from kept") == [42]
    _refused("DBInstanceNotFound", aws.instance, name=name)


def test_an_address_belongs_to_a_name_so_that_one_instance_takes_the_place_of_another(aws: Aws) -> None:
    rds, name, away = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0), unique("away")
    other = aws.create_instance(BackupRetentionPeriod=0)
    port = aws.instance(name)["Endpoint"]["Port"]
    for one, answer in (name, 1), (other, 2):
        aws.sql(one, f"create table kept as select {answer} as answer")
    for one, new in (name, away), (other, name):
        rds.modify_db_instance(DBInstanceIdentifier=one, NewDBInstanceIdentifier=new, ApplyImmediately=True)
    assert aws.instance(name)["Endpoint"]["Port"] == port
    assert aws.sql(name, "select answer from kept") == [2]
    assert aws.sql(away, "select answer from kept") == [1]


@pytest.mark.parametrize(
    "action", ["modify_db_instance", "stop_db_instance", "start_db_instance", "reboot_db_instance"]
)
def test_what_does_not_exist_is_not_found(aws: Aws, action: str) -> None:
    _refused("DBInstanceNotFound", getattr(aws.client("rds"), action), DBInstanceIdentifier="nobody")


def test_operations_pass_through_their_states(fresh: Aws) -> None:
    fresh.settings = replace(fresh.settings, delay=0.4)
    fresh.up()
    rds, name = fresh.client("rds"), fresh.create_instance(BackupRetentionPeriod=0)
    assert fresh.instance(name)["DBInstanceStatus"] == "creating"
    _refused("InvalidDBInstanceState", rds.reboot_db_instance, DBInstanceIdentifier=name)
    until(lambda: fresh.instance(name)["DBInstanceStatus"] == "available")
    rds.stop_db_instance(DBInstanceIdentifier=name)
    assert fresh.instance(name)["DBInstanceStatus"] == "stopping"
    until(lambda: fresh.instance(name)["DBInstanceStatus"] == "stopped")


def test_iam_authentication_lets_in_who_holds_the_role_only_when_it_is_on(aws: Aws) -> None:
    rds, name = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0)
    aws.sql(name, "create role token login; grant rds_iam to token")
    with pytest.raises(psycopg.OperationalError):
        aws.connect(name, user="token", password="a-token")
    rds.modify_db_instance(
        DBInstanceIdentifier=name, EnableIAMDatabaseAuthentication=True, ApplyImmediately=True
    )
    aws.connect(name, user="token", password="a-token").close()
