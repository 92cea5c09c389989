"""The local AWS as a process: started, killed, met by strangers, and gone without a trace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from gymops.clock import SystemClock
from gymops.errors import LocalError
from gymops.local import processes
from gymops.local.emulator import LocalAws
from tests.integration.local.functions import deploy, invoke
from tests.local_aws import Aws, unique, until


def _temporary() -> set[Path]:
    return set(Path(tempfile.gettempdir()).iterdir())


def test_it_is_started_once_found_running_and_ended(fresh: Aws) -> None:
    assert fresh.local.up(fresh.settings)
    assert not fresh.local.up(fresh.settings)
    found = fresh.local.status()
    assert (found.running, found.url) == (True, fresh.settings.url)
    assert fresh.local.down().emulator
    assert not fresh.local.down().emulator
    assert not fresh.local.status().running


def test_it_listens_on_loopback_only(fresh: Aws) -> None:
    fresh.up()
    name = fresh.create_instance(BackupRetentionPeriod=0)
    ports = {fresh.settings.port, fresh.instance(name)["Endpoint"]["Port"]}
    listening = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    addresses = {
        line.split()[1].split(":")[0] for line in listening if int(line.split()[1].split(":")[1], 16) in ports
    }
    assert addresses == {"0100007F"}


def test_down_leaves_no_process_and_no_temporary_folder(fresh: Aws) -> None:
    before = _temporary()
    fresh.up()
    fresh.create_instance(BackupRetentionPeriod=0)
    function = deploy(fresh, "def handler(event, context): return 1")
    assert invoke(fresh, function) == 1
    assert processes.naming(str(fresh.settings.state))
    stopped = fresh.local.down()
    assert (stopped.emulator, stopped.databases, stopped.by_force) == (True, 1, False)
    assert not processes.naming(str(fresh.settings.state))
    assert not {path for path in _temporary() - before if path.name.startswith("ministack")}
    assert not list((fresh.settings.state / "tmp").iterdir())


def test_down_uses_force_where_it_must(fresh: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gymops.local.emulator._END_SECONDS", 0.5)
    fresh.up()
    pid = fresh.local.status().pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    assert fresh.local.down().by_force
    assert not fresh.local.status().running


def test_state_outlives_a_restart(fresh: Aws) -> None:
    fresh.up()
    name = fresh.create_instance(BackupRetentionPeriod=0)
    fresh.sql(name, "create table kept as select 42 as answer")
    fresh.client("s3").create_bucket(Bucket="kept-here")
    fresh.local.down()
    fresh.up()
    assert fresh.sql(name, "select answer from kept") == [42]
    assert fresh.client("s3").list_buckets()["Buckets"][0]["Name"] == "kept-here"


def test_killed_emulator_and_database_are_there_again_with_their_data(fresh: Aws) -> None:
    """Everything that was answered was saved; the database outlives its emulator, and a kill of its own."""
    fresh.up()
    name = fresh.create_instance(BackupRetentionPeriod=1)
    function = deploy(fresh, "def handler(event, context): return event['n'] + 1")
    fresh.sql(name, "create table kept as select 42 as answer")
    fresh.client("rds").create_db_snapshot(DBSnapshotIdentifier="before", DBInstanceIdentifier=name)
    fresh.client("sns").create_topic(Name="alerts")  # last: nothing later saves it
    pid = fresh.local.status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not fresh.local.status().running)
    for server in processes.naming(f"-D {fresh.settings.state}"):
        os.kill(server, signal.SIGKILL)
    fresh.up()
    assert fresh.instance(name)["DBInstanceStatus"] == "available"
    assert fresh.sql(name, "select answer from kept") == [42]
    assert invoke(fresh, function, {"n": 1}) == 2
    assert fresh.client("sns").list_topics()["Topics"][0]["TopicArn"].endswith(":alerts")
    assert fresh.client("rds").describe_db_snapshots()["DBSnapshots"][0]["DBSnapshotIdentifier"] == "before"


def test_a_stale_pid_file_of_a_living_stranger_is_not_believed(fresh: Aws) -> None:
    fresh.up()
    fresh.local.down()
    (fresh.settings.state / "pid").write_text(str(os.getpid()), encoding="ascii")
    assert not fresh.local.status().running
    assert not fresh.local.down().emulator
    fresh.up()


def test_two_at_once_start_one(fresh: Aws) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from gymops.clock import SystemClock; from gymops.local.emulator import LocalAws\n"
        "from gymops.local.settings import load\n"
        "aws = LocalAws(Path(sys.argv[1]), SystemClock(), os.environ)\n"
        "print(aws.up(load(Path(sys.argv[2]))))\n"
    )
    home = fresh.settings.state.parent
    file = home / "wanted.json"
    file.write_text(fresh.settings.dump(), encoding="utf-8")
    command = [sys.executable, "-c", code, str(home), str(file)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(one.communicate(timeout=60)[0].strip() for one in both) == ["False", "True"]


def test_a_port_that_is_taken_is_told(fresh: Aws) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", fresh.settings.port))
        taken.listen()
        with pytest.raises(LocalError, match=f"port {fresh.settings.port} is taken") as caught:
            fresh.up()
    assert "--port 0" in (caught.value.hint or "")


def test_a_folder_of_something_else_is_left_alone(place: Path, fresh: Aws) -> None:
    fresh.settings.state.mkdir(parents=True, mode=0o700)
    (fresh.settings.state / "thesis.txt").touch()
    with pytest.raises(LocalError, match="holds files, but no local AWS") as caught:
        fresh.up()
    assert "mv " in (caught.value.hint or "")
    assert [path.name for path in fresh.settings.state.iterdir()] == ["thesis.txt"]
    assert not LocalAws(place, SystemClock(), os.environ).down().emulator


_LONG = pytest.mark.long


@pytest.mark.parametrize(
    "file",
    [pytest.param("gymops-local.json", marks=_LONG), "aws/rds.json", pytest.param("plane.json", marks=_LONG)],
)
def test_a_damaged_state_is_told_and_kept(fresh: Aws, file: str) -> None:
    fresh.up()
    fresh.create_instance(BackupRetentionPeriod=0)
    fresh.local.down()
    damaged = fresh.settings.state / file
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LocalError, match=rf"{damaged.name} is damaged"):
        fresh.up()
    assert damaged.read_bytes() == whole[: len(whole) // 2]
    damaged.write_bytes(whole)
    fresh.up()


def test_the_state_of_another_format_is_refused(fresh: Aws) -> None:
    fresh.settings.state.mkdir(parents=True, mode=0o700)
    marker = fresh.settings.state / "gymops-local.json"
    marker.write_text('{"format": 99}', encoding="ascii")
    with pytest.raises(LocalError, match="another version of gymops"):
        fresh.up()
    marker.unlink()


def test_two_keys_are_two_accounts(aws: Aws) -> None:
    name = aws.create_instance(BackupRetentionPeriod=0)
    assert aws.client("sts", "222222222222").get_caller_identity()["Account"] == "222222222222"
    mine = [one["DBInstanceIdentifier"] for one in aws.client("rds").describe_db_instances()["DBInstances"]]
    theirs = aws.client("rds", "222222222222").describe_db_instances()["DBInstances"]
    assert name in mine
    assert theirs == []


def test_what_was_answered_survives_a_kill(fresh: Aws) -> None:
    """In the middle of work, whatever the service: even one whose state grows, with as much in it."""
    fresh.up()
    makers: dict[str, Callable[[Any, str], object]] = {
        "s3": lambda client, name: client.create_bucket(Bucket=name),
        "sns": lambda client, name: client.create_topic(Name=name),
        "logs": lambda client, name: client.create_log_group(logGroupName=name),
        "cloudwatch": lambda client, name: client.put_metric_alarm(
            AlarmName=name, Namespace="n", MetricName="m", EvaluationPeriods=1, Period=60, Statistic="Sum",
            Threshold=1, ComparisonOperator="GreaterThanThreshold",
        ),
    }  # fmt: skip
    clients = {service: fresh.client(service) for service in makers}
    clients["logs"].create_log_group(logGroupName="full")
    clients["logs"].create_log_stream(logGroupName="full", logStreamName="one")
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": f"{number} {'x' * 80}"} for number in range(5000)]
    for _ in range(2):
        clients["logs"].put_log_events(logGroupName="full", logStreamName="one", logEvents=events)
    answered: dict[str, list[str]] = {service: [] for service in makers}
    ended = threading.Event()

    def work(service: str) -> None:
        while not ended.is_set() and len(answered[service]) < 40:  # they come in one page
            name = unique("kept")
            try:
                makers[service](clients[service], name)
            except BotoCoreError:
                return  # it was killed
            answered[service].append(name)

    pid = fresh.local.status().pid
    assert pid
    with ThreadPoolExecutor() as pool:
        works = [pool.submit(work, service) for service in makers]
        try:
            until(lambda: all(len(names) >= 10 for names in answered.values()))
            os.kill(pid, signal.SIGKILL)
        finally:
            ended.set()
        for one in works:
            one.result()
    until(lambda: not fresh.local.status().running)
    fresh.up()
    found = {
        "s3": [one["Name"] for one in fresh.client("s3").list_buckets()["Buckets"]],
        "sns": [one["TopicArn"].rpartition(":")[2] for one in fresh.client("sns").list_topics()["Topics"]],
        "logs": [one["logGroupName"] for one in fresh.client("logs").describe_log_groups()["logGroups"]],
        "cloudwatch": [
            one["AlarmName"] for one in fresh.client("cloudwatch").describe_alarms()["MetricAlarms"]
        ],
    }
    for service, names in answered.items():
        assert set(names) <= set(found[service]), service
