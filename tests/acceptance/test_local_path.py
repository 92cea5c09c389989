"""The whole path on this machine as a user goes it, from an empty directory to a database back in time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gymops.clock import SystemClock
from gymops.local import processes
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.using import (
    caller,
    database,
    log_a_set,
    log_digest,
    owner,
    sign_in,
    stored,
)
from tests.local_aws import Aws

ACCOUNT = "333333333333"


@pytest.fixture
def folder(emulator_installed: None) -> Iterator[Path]:
    """An empty directory."""
    with tempfile.TemporaryDirectory(prefix="gymops-path-") as name:
        yield Path(name)
        gymops(Path(name), "local", "down")


def gymops(folder: Path, *arguments: str) -> Any:
    """A command as a user types it, and its document."""
    done = subprocess.run(
        [sys.executable, "-m", "gymops", *arguments, "--json"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_from_an_empty_directory_to_a_proven_restore(folder: Path) -> None:
    """Two minutes at most on a machine of its own; the seconds of each step are printed."""
    steps = Steps()
    subprocess.run(
        [sys.executable, "-m", "gymops", "init", "--architecture", "titan-trakr"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    steps.done("init")
    assert gymops(folder, "local", "up", "--port", "0", "--archive-every", "0")["started"]
    steps.done("up")
    built = gymops(folder, "build", "--arch", "host")
    steps.done("build")
    env = created(folder, folder / built["folder"])
    steps.done("create")
    assert database(env, "schema-upgrade")["pending"] == []
    somebody = caller(env)
    assert somebody.get("/api/health").body["status"] == "ok"
    sign_in(env, somebody)
    assert stored(env, log_a_set(somebody)) == "SetLogged"
    steps.done("use")
    first = log_digest(owner(env, env.outputs["app"]["DatabaseIdentifier"]))
    assert first.events == 4
    assert log_digest(owner(env, from_snapshot(env))) == first
    steps.done("snapshot")
    assert log_digest(owner(env, back_in_time(env))) == first
    steps.done("point in time")
    down(folder, env)
    steps.done("down")
    print(steps)


class Steps:
    """What took how long."""

    def __init__(self) -> None:
        self._begun = self._last = time.monotonic()
        self._steps: list[str] = []

    def done(self, step: str) -> None:
        now = time.monotonic()
        self._steps.append(f"{step} {now - self._last:.1f} s")
        self._last = now

    def __str__(self) -> str:
        return f"{', '.join(self._steps)}; in all {self._last - self._begun:.1f} s"


def created(folder: Path, artefact: Path) -> Environment:
    """Every stack of prod, with the parameters that init wrote."""
    local = LocalAws(folder / ".gymops", SystemClock(), os.environ)
    aws = Aws(local, load(local.state / "settings.json"))
    written = tomllib.loads((folder / "gymops.toml").read_text(encoding="utf-8"))
    env = Environment(aws, "prod", ACCOUNT, artefact, written["environments"]["prod"]["parameters"])
    env.create()
    return env


def placed(env: Environment) -> dict[str, Any]:
    """What a restored instance has to be told, as on AWS."""
    app = env.outputs["app"]
    return {
        "DBSubnetGroupName": app["DatabaseSubnetGroup"],
        "VpcSecurityGroupIds": [app["DatabaseSecurityGroupId"]],
        "DBParameterGroupName": app["DatabaseParameterGroup"],
        "ManageMasterUserPassword": True,
    }


def from_snapshot(env: Environment) -> str:
    rds, source = env.client("rds"), env.outputs["app"]["DatabaseIdentifier"]
    rds.create_db_snapshot(DBSnapshotIdentifier="taken", DBInstanceIdentifier=source)
    rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="taken")
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="from-snapshot", DBSnapshotIdentifier="taken", **placed(env)
    )
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="from-snapshot")
    return "from-snapshot"


def back_in_time(env: Environment) -> str:
    """To before another workout was logged."""
    rds, source = env.client("rds"), env.outputs["app"]["DatabaseIdentifier"]
    found = rds.describe_db_instances(DBInstanceIdentifier=source)["DBInstances"][0]
    log_a_set(signed_in(env))
    assert log_digest(owner(env, source)).events == 8
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=source, TargetDBInstanceIdentifier="back-in-time",
        RestoreTime=found["LatestRestorableTime"], **placed(env),
    )  # fmt: skip
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="back-in-time")
    return "back-in-time"


def signed_in(env: Environment) -> Any:
    somebody = caller(env)
    sign_in(env, somebody)
    return somebody


def down(folder: Path, env: Environment) -> None:
    """No process, no open port."""
    state = folder / ".gymops" / "local"
    ports = {
        int(one["endpoint"].rpartition(":")[2]) for one in gymops(folder, "local", "status")["databases"]
    }
    ports |= {env.aws.settings.port, int(env.outputs["app"]["FunctionUrl"].rstrip("/").rpartition(":")[2])}
    assert len(ports) == 5
    assert all(listening(port) for port in ports)
    found = gymops(folder, "local", "down")
    assert (found["stopped"], found["databases"], found["by_force"]) == (True, 3, False)
    assert not processes.naming(str(state))
    assert not any(listening(port) for port in ports)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
