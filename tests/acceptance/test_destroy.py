"""An environment read, destroyed and made again on the local AWS, as a user does it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gymops.clock import SystemClock
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.local_aws import Aws

ACCOUNT = "222222222222"
NAME = "staging-gym-app"


@pytest.fixture
def folder(emulator_installed: None) -> Iterator[Path]:
    """An empty directory."""
    with tempfile.TemporaryDirectory(prefix="gymops-gone-") as name:
        yield Path(name)
        gymops(Path(name), "local down")


def gymops(folder: Path, line: str, code: int = 0) -> Any:
    """A command by its exit code: its document, or what it printed."""
    command = [sys.executable, "-m", "gymops", *line.split()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == code, f"gymops {line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if "--json" in line and "logs" not in line else done.stdout + done.stderr


@pytest.mark.long
def test_an_environment_is_read_destroyed_and_made_again(folder: Path) -> None:
    gymops(folder, "init --architecture titan-trakr")
    gymops(folder, "local up --port 0")
    gymops(folder, "deploy staging --yes")
    logs_are_told_and_followed(folder)
    client = account(folder)

    assert "staging has data in it" in gymops(folder, "destroy staging --yes", code=4)
    assert "is not staging" in gymops(folder, "destroy staging --name prod --yes", code=4)
    done = gymops(folder, "destroy staging --name staging --yes --json")
    assert done["deleted"] == [f"{NAME}-edge", NAME, f"{NAME}-certificate"]
    found = client("rds").describe_db_snapshots()["DBSnapshots"]
    assert set(done["snapshots"]) < {one["DBSnapshotIdentifier"] for one in found}
    assert {one["Status"] for one in found} == {"available"}
    assert client("rds").describe_db_instances()["DBInstances"] == []
    secrets = {one["Name"] for one in client("secretsmanager").list_secrets()["SecretList"]}
    assert {f"{NAME}/passcode", f"{NAME}/session"} <= secrets
    assert {"PasscodeSecret", "SessionSecret", "DataKey"} <= {one["name"] for one in done["kept"]}
    ledger = gymops(folder, "releases staging --json")
    assert (ledger["running"], ledger["releases"][-1]["verb"]) == (None, "destroy")
    assert "nothing is there" in gymops(folder, "destroy staging")

    refused = gymops(folder, "deploy staging --yes", code=5)
    assert "already exists" in refused
    for way in [one["next"] for one in done["kept"] if one["named"] and one["next"]]:
        make_way(client, way)
    assert gymops(folder, "deploy staging --yes --json")["outcome"] == "succeeded"


def logs_are_told_and_followed(folder: Path) -> None:
    """The smoke test's requests are in the log; one of them is told alone."""
    told = [json.loads(line) for line in gymops(folder, "logs staging --since 1h --json").splitlines()]
    lines = [one["line"] for one in told if one["line"].get("message") == "request"]
    assert {line["route"] for line in lines} == {"/api/health", "/api/ready"}
    chosen = lines[0]["correlation_id"]
    alone = gymops(folder, f"logs staging --since 1h --id {chosen} --json").splitlines()
    assert 0 < len(alone) < len(told)
    assert "request" in gymops(folder, "logs staging --since 1h")

    follow = [sys.executable, "-m", "gymops", "logs", "staging", "--follow", "--since", "1h", "--json"]
    with subprocess.Popen(
        follow, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout
        for _ in told:
            assert json.loads(one.stdout.readline())
        event = {"version": "2.0", "rawPath": "/api/health", "headers": {"x-correlation-id": "followed"}}
        event |= {
            "requestContext": {"http": {"method": "GET", "path": "/api/health", "sourceIp": "127.0.0.1"}}
        }
        account(folder)("lambda").invoke(FunctionName=NAME, Payload=json.dumps(event).encode())
        while "followed" not in one.stdout.readline():
            assert one.poll() is None
        one.send_signal(signal.SIGINT)
        assert one.wait(60) == 130


def account(folder: Path) -> Any:
    local = LocalAws(folder / ".gymops", SystemClock(), os.environ)
    aws = Aws(local, load(local.state / "settings.json"))
    return lambda service: aws.client(service, ACCOUNT, "us-west-1")


def make_way(client: Any, command: str) -> None:
    """What destroy said to run."""
    found = re.search(r"(--secret-id|--backup-vault-name) (\S+)$", command)
    assert found, command
    if found[1] == "--secret-id":
        client("secretsmanager").delete_secret(SecretId=found[2], ForceDeleteWithoutRecovery=True)
    else:
        client("backup").delete_backup_vault(BackupVaultName=found[2])
