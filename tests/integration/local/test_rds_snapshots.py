"""Snapshots are copies of real data; a restore to a time has exactly the commits before it."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_aws import PASSWORD, Aws, unique, until


def test_a_snapshot_is_restored_as_it_was_when_it_was_taken(aws: Aws) -> None:
    rds, name, snap, copy = aws.client("rds"), aws.create_instance(), unique("s"), unique("c")
    aws.sql(name, "create table log as select generate_series(1, 1000) as id")
    rds.create_db_snapshot(DBSnapshotIdentifier=snap, DBInstanceIdentifier=name)
    aws.sql(name, "delete from log")
    found = rds.describe_db_snapshots(DBSnapshotIdentifier=snap)["DBSnapshots"][0]
    assert (found["Status"], found["SnapshotType"]) == ("available", "manual")
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=snap, TargetDBSnapshotIdentifier=copy)
    rds.delete_db_snapshot(DBSnapshotIdentifier=snap)
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    restored = unique("r")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=restored, DBSnapshotIdentifier=copy)
    assert aws.sql(restored, "select count(*) from log") == [1000]
    aws.sql(restored, "insert into log values (0)")


def test_a_restored_instance_has_rds_s_defaults_and_not_the_source_s_protection(aws: Aws) -> None:
    rds, snap, restored = aws.client("rds"), unique("s"), unique("r")
    name = aws.create_instance(DeletionProtection=True, MultiAZ=True, BackupRetentionPeriod=3)
    rds.create_db_snapshot(DBSnapshotIdentifier=snap, DBInstanceIdentifier=name)
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=restored, DBSnapshotIdentifier=snap)
    found = aws.instance(restored)
    assert (found["DeletionProtection"], found["MultiAZ"]) == (False, False)
    assert found["DBParameterGroups"][0]["DBParameterGroupName"].startswith("default.")


def test_a_stopped_instance_is_copied_too(aws: Aws) -> None:
    rds, name, snap = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0), unique("s")
    aws.sql(name, "create table kept as select 42 as answer")
    rds.stop_db_instance(DBInstanceIdentifier=name)
    rds.create_db_snapshot(DBSnapshotIdentifier=snap, DBInstanceIdentifier=name)
    restored = unique("r")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=restored, DBSnapshotIdentifier=snap)
    assert aws.sql(restored, "select answer from kept") == [42]


def test_a_snapshot_goes_to_another_region_by_its_arn(aws: Aws) -> None:
    rds, name, snap = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0), unique("s")
    arn = rds.create_db_snapshot(DBSnapshotIdentifier=snap, DBInstanceIdentifier=name)["DBSnapshot"][
        "DBSnapshotArn"
    ]
    west = aws.client("rds", region="us-west-1")
    here = unique("here")
    west.copy_db_snapshot(SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier=here)
    (copied,) = west.describe_db_snapshots(DBSnapshotIdentifier=here)["DBSnapshots"]
    assert copied["DBSnapshotArn"].split(":")[3] == "us-west-1"
    west.delete_db_snapshot(DBSnapshotIdentifier=here)


@pytest.mark.parametrize(
    ("action", "given", "code"),
    [
        ("create_db_snapshot", {"DBSnapshotIdentifier": "x", "DBInstanceIdentifier": "nobody"},
         "DBInstanceNotFound"),
        ("delete_db_snapshot", {"DBSnapshotIdentifier": "nothing"}, "DBSnapshotNotFound"),
        ("copy_db_snapshot", {"SourceDBSnapshotIdentifier": "nothing", "TargetDBSnapshotIdentifier": "y"},
         "DBSnapshotNotFound"),
        ("restore_db_instance_from_db_snapshot",
         {"DBSnapshotIdentifier": "nothing", "DBInstanceIdentifier": "z"}, "DBSnapshotNotFound"),
        ("restore_db_instance_to_point_in_time",
         {"SourceDBInstanceIdentifier": "nobody", "TargetDBInstanceIdentifier": "z",
          "UseLatestRestorableTime": True}, "DBInstanceNotFound"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(aws: Aws, action: str, given: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(aws.client("rds"), action)(**given)
    assert caught.value.response["Error"]["Code"] == code


def _write(aws: Aws, name: str, writer: int, end: threading.Event) -> None:
    with aws.connect(name) as connection:
        number = 0
        while not end.is_set():
            number += 1
            connection.execute("insert into log (writer, number) values (%s, %s)", (writer, number))


def _more(aws: Aws, name: str) -> None:
    """Wait until more has been written, however slow the machine is."""
    (before,) = aws.sql(name, "select count(*) from log")
    until(lambda: aws.sql(name, "select count(*) from log")[0] > before + 40)


_BY_XID = "select xid, writer || '/' || number from log"
_COMMIT = re.compile(r"tx: +(\d+),.*desc: COMMIT (\S+ \S+) UTC")


def _commits_in_wal_order(aws: Aws, name: str) -> list[tuple[str, datetime]]:
    """Every archived commit: its transaction and its time, as they stand in the WAL."""
    archive = aws.settings.state / "automated" / aws.instance(name)["DbiResourceId"] / "wal"
    segments = sorted(archive.glob("????????????????????????.gz"))
    with tempfile.TemporaryDirectory() as folder:
        for segment in segments:
            Path(folder, segment.stem).write_bytes(gzip.decompress(segment.read_bytes()))
        dump = subprocess.run(
            [aws.settings.postgres / "pg_waldump", "--rmgr=Transaction", "--path", folder, segments[0].stem,
             segments[-1].stem],
            capture_output=True, text=True, check=False, env={"TZ": "UTC"},
        )  # fmt: skip
    found = _COMMIT.findall(dump.stdout)
    return [(xid, datetime.fromisoformat(f"{when}+00:00")) for xid, when in found]


def _until(moment: datetime, commits: list[tuple[str, datetime]]) -> list[str]:
    """The transactions before the first one that committed past this moment, in WAL order."""
    return [xid for xid, _ in itertools.takewhile(lambda commit: commit[1] <= moment, commits)]


@pytest.mark.parametrize("seconds", [0.8, pytest.param(8, marks=pytest.mark.long)])
def test_a_restore_to_a_time_has_exactly_the_commits_before_it_under_8_writers(
    aws: Aws, seconds: float
) -> None:
    """The WAL itself is asked what is due, with pg_waldump: commit times alone are no total order."""
    rds, name = aws.client("rds"), aws.create_instance()
    aws.sql(name, "create table log (writer int, number int, xid xid8 default pg_current_xact_id())")
    end = threading.Event()
    writers = [threading.Thread(target=_write, args=(aws, name, one, end)) for one in range(8)]
    for one in writers:
        one.start()
    moments = []
    _more(aws, name)
    for _ in range(3):
        time.sleep(seconds / 4)
        moments += aws.sql(name, "select clock_timestamp()")
        _more(aws, name)
    end.set()
    end.set()
    for one in writers:
        one.join()
    assert aws.instance(name)["LatestRestorableTime"] > moments[-1]
    with aws.connect(name) as connection:
        written = {str(xid): key for xid, key in connection.execute(_BY_XID).fetchall()}
    commits = _commits_in_wal_order(aws, name)
    assert len(written) > 100
    for moment in moments if seconds > 1 else moments[1:2]:
        restored = unique("pitr")
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=name, TargetDBInstanceIdentifier=restored, RestoreTime=moment
        )
        due = {written[xid] for xid in _until(moment, commits) if xid in written}
        assert 0 < len(due) < len(written)
        assert set(aws.sql(restored, "select writer || '/' || number from log")) == due
        rds.delete_db_instance(DBInstanceIdentifier=restored, SkipFinalSnapshot=True)


@pytest.mark.parametrize("both", [False, pytest.param(True, marks=pytest.mark.long)])
def test_an_idle_database_can_be_restored_to_any_time_that_is_offered(aws: Aws, both: bool) -> None:
    rds, name = aws.client("rds"), aws.create_instance()
    aws.sql(name, "create table kept as select 42 as answer")
    first = aws.instance(name)["LatestRestorableTime"]
    time.sleep(0.3)
    latest = aws.instance(name)["LatestRestorableTime"]
    assert latest > first
    for moment in (first, latest) if both else (latest,):
        restored = unique("idle")
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=name, TargetDBInstanceIdentifier=restored, RestoreTime=moment
        )
        assert aws.sql(restored, "select answer from kept") == [42]


@pytest.mark.long
def test_a_restored_instance_can_itself_be_restored_to_a_time(aws: Aws) -> None:
    rds, name, first, second = aws.client("rds"), aws.create_instance(), unique("a"), unique("b")
    aws.sql(name, "create table log as select 1 as id")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=name, TargetDBInstanceIdentifier=first, UseLatestRestorableTime=True
    )
    aws.sql(first, "insert into log values (2)")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=first, TargetDBInstanceIdentifier=second, UseLatestRestorableTime=True
    )
    assert aws.sql(second, "select id from log order by id") == [1, 2]


def test_a_time_outside_of_the_backups_is_refused(aws: Aws) -> None:
    rds, name = aws.client("rds"), aws.create_instance()
    now = datetime.now(UTC)
    for moment in (now - timedelta(days=1), now + timedelta(hours=1)):
        with pytest.raises(ClientError, match="cannot be restored to") as caught:
            rds.restore_db_instance_to_point_in_time(
                SourceDBInstanceIdentifier=name, TargetDBInstanceIdentifier="never", RestoreTime=moment
            )
        assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"


def test_without_automated_backups_there_is_no_restore_to_a_time(aws: Aws) -> None:
    rds, name = aws.client("rds"), aws.create_instance(BackupRetentionPeriod=0)
    assert "LatestRestorableTime" not in aws.instance(name)
    given = {"SourceDBInstanceIdentifier": name, "TargetDBInstanceIdentifier": "never"}
    with pytest.raises(ClientError, match="PointInTimeRestoreNotEnabled"):
        rds.restore_db_instance_to_point_in_time(**given, UseLatestRestorableTime=True)
    rds.modify_db_instance(DBInstanceIdentifier=name, BackupRetentionPeriod=2, ApplyImmediately=True)
    assert aws.instance(name)["LatestRestorableTime"]


@pytest.mark.long
def test_automated_backups_go_with_their_instance_unless_they_are_kept(aws: Aws) -> None:
    rds = aws.client("rds")
    for keep in (False, True):
        name = aws.create_instance()
        aws.sql(name, "create table kept as select 42 as answer")
        resource = aws.instance(name)["DbiResourceId"]
        rds.delete_db_instance(
            DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=not keep
        )
        if not keep:
            with pytest.raises(ClientError, match="DBInstanceAutomatedBackupNotFound"):
                rds.describe_db_instance_automated_backups(DbiResourceId=resource)
            continue
        found = rds.describe_db_instance_automated_backups(DbiResourceId=resource)
        assert found["DBInstanceAutomatedBackups"][0]["Status"] == "retained"
        restored = unique("r")
        rds.restore_db_instance_to_point_in_time(
            SourceDbiResourceId=resource, TargetDBInstanceIdentifier=restored, UseLatestRestorableTime=True
        )
        assert aws.sql(restored, "select answer from kept") == [42]
        rds.delete_db_instance_automated_backup(DbiResourceId=resource)


@pytest.mark.long
@pytest.mark.parametrize("keep", [False, True])
def test_a_stack_s_instance_leaves_its_automated_backups_where_the_template_says_so(
    aws: Aws, keep: bool
) -> None:
    name, stack = unique("gym"), unique("stack")
    instance = {
        "Type": "AWS::RDS::DBInstance",
        "DeletionPolicy": "Snapshot",
        "Properties": {
            "DBInstanceIdentifier": name, "Engine": "postgres", "DBInstanceClass": "db.t4g.micro",
            "AllocatedStorage": "20", "MasterUsername": "boss", "MasterUserPassword": PASSWORD,
            "BackupRetentionPeriod": 3, "DeleteAutomatedBackups": not keep,
            "EnableCloudwatchLogsExports": ["upgrade"], "EnablePerformanceInsights": True,
        },
    }  # fmt: skip
    cloudformation, rds = aws.client("cloudformation"), aws.client("rds")
    cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps({"Resources": {"Database": instance}})
    )
    made = aws.stack(stack, "CREATE_COMPLETE")["StackId"]
    found = aws.instance(name)
    assert (found["EnabledCloudwatchLogsExports"], found["PerformanceInsightsEnabled"]) == (["upgrade"], True)
    cloudformation.delete_stack(StackName=stack)
    aws.stack(made, "DELETE_COMPLETE")
    resource = found["DbiResourceId"]
    if keep:
        left = rds.describe_db_instance_automated_backups(DbiResourceId=resource)
        assert [one["Status"] for one in left["DBInstanceAutomatedBackups"]] == ["retained"]
        rds.delete_db_instance_automated_backup(DbiResourceId=resource)
    with pytest.raises(ClientError, match="DBInstanceAutomatedBackupNotFound"):
        rds.describe_db_instance_automated_backups(DbiResourceId=resource)


@pytest.mark.long
def test_the_daily_backup_is_taken_in_its_window_and_expires(fresh: Aws) -> None:
    """The emulator's clock is moved, a day at a time."""
    fresh.up()
    rds, name = fresh.client("rds"), fresh.create_instance(BackupRetentionPeriod=2)

    def automated() -> list[str]:
        found = rds.describe_db_snapshots(DBInstanceIdentifier=name, SnapshotType="automated")
        return sorted(one["DBSnapshotIdentifier"] for one in found["DBSnapshots"])

    assert automated() == []
    for _ in range(4):
        fresh.move_clock(86_400)
    found = until(automated)
    assert len(found) in {2, 3}  # those of the last two days, and one that was due at the border
    assert all(one.startswith(f"rds:{name}-") for one in found)
    with pytest.raises(ClientError, match="InvalidDBSnapshotState"):
        rds.delete_db_snapshot(DBSnapshotIdentifier=found[0])
    restored = unique("r")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=restored, DBSnapshotIdentifier=found[-1])
    assert fresh.sql(restored, "select 1") == [1]
