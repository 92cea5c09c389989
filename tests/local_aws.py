"""One local AWS per test process, on a free port; each test takes names of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from gymops.clock import SystemClock
from gymops.errors import LocalError
from gymops.local import emulator, environment, ports
from gymops.local.emulator import LocalAws
from gymops.local.settings import LocalSettings
from gymops.pg.binaries import find_binaries

ACCOUNT = "111111111111"
PASSWORD = "secret-12345"


class Aws:
    """A running local AWS and its clients."""

    def __init__(self, local: LocalAws, settings: LocalSettings) -> None:
        self.local = local
        self.settings = settings
        self._clients: dict[tuple[str, ...], Any] = {}

    def client(self, service: str, account: str = ACCOUNT, region: str = "us-east-1") -> Any:
        which = (service, self.settings.url, region, account)
        if which not in self._clients:
            self._clients[which] = boto3.client(
                service, endpoint_url=self.settings.url, region_name=region, aws_access_key_id=account,
                aws_secret_access_key="local", config=Config(retries={"max_attempts": 0}),
            )  # fmt: skip
        return self._clients[which]

    def up(self) -> None:
        assert self.local.up(self.settings)

    def move_clock(self, seconds: float) -> None:
        assert emulator.ask(self.settings, "clock", {"seconds": seconds})

    def instance(self, name: str, account: str = ACCOUNT) -> Any:
        found = self.client("rds", account).describe_db_instances(DBInstanceIdentifier=name)
        return found["DBInstances"][0]

    def create_instance(self, **given: Any) -> str:
        name = str(given.pop("DBInstanceIdentifier", unique("db")))
        self.client("rds").create_db_instance(
            **{
                "DBInstanceIdentifier": name, "Engine": "postgres", "DBInstanceClass": "db.t4g.micro",
                "AllocatedStorage": 20, "MasterUsername": "boss", "MasterUserPassword": PASSWORD,
                "DBName": "app", "BackupRetentionPeriod": 1, **given,
            }
        )  # fmt: skip
        return name

    def drop_databases(self) -> None:
        """All that run, with their backups."""
        for one in (emulator.ask(self.settings, "status") or {}).get("databases", []):
            client = self.client("rds", one["account"], one["region"])
            name = one["identifier"]
            with contextlib.suppress(ClientError):  # it is on its way out
                client.modify_db_instance(
                    DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
                )
                client.delete_db_instance(
                    DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
                )
            for snapshot in client.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]:
                with contextlib.suppress(ClientError):
                    client.delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])

    def connect(self, name: str, **given: Any) -> psycopg.Connection[Any]:
        endpoint = self.instance(name)["Endpoint"]
        return psycopg.connect(
            **{
                "host": endpoint["Address"], "port": endpoint["Port"], "user": "boss", "password": PASSWORD,
                "dbname": "app", "connect_timeout": 10, "autocommit": True, **given,
            }
        )  # fmt: skip

    def sql(self, name: str, statement: str) -> list[Any]:
        with self.connect(name) as connection:
            cursor = connection.execute(statement.encode())
            return [row[0] for row in cursor] if cursor.description else []

    def stack(self, name: str, status: str) -> Any:
        """Wait until a stack is at rest; it must rest in this state."""
        client = self.client("cloudformation")
        found = until(lambda: _resting(client, name))
        events = client.describe_stack_events(StackName=found["StackId"])["StackEvents"]
        reasons = [(event["LogicalResourceId"], event.get("ResourceStatusReason")) for event in events]
        assert found["StackStatus"] == status, reasons
        return found


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def until(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def _resting(client: Any, name: str) -> Any:
    found = client.describe_stacks(StackName=name)["Stacks"][0]
    return None if found["StackStatus"].endswith("IN_PROGRESS") else found


@pytest.fixture(scope="session")
def emulator_installed() -> None:
    """The emulator's environment; without a network it is missing, and that is no fault of the code."""
    try:
        environment.ensure(os.environ, clock=SystemClock())
    except LocalError as error:
        pytest.skip(f"{error.message} ({error.hint})")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path; no local AWS is left in it."""
    with tempfile.TemporaryDirectory(prefix="gymops-aws-", dir=_roomy()) as folder:
        yield Path(folder)
        LocalAws(Path(folder), SystemClock(), os.environ).down()


@pytest.fixture
def fresh(place: Path, emulator_installed: None) -> Aws:
    """A local AWS of one test's own, not started."""
    return _local(place)


@pytest.fixture(scope="module")
def aws(shared_aws: Aws) -> Iterator[Aws]:
    """The local AWS that most tests share; the databases a module leaves behind would fill the memory."""
    yield shared_aws
    shared_aws.drop_databases()


@pytest.fixture(scope="session")
def shared_aws(emulator_installed: None) -> Iterator[Aws]:
    """One for each test process."""
    with tempfile.TemporaryDirectory(prefix="gymops-aws-", dir=_roomy()) as folder:
        found = _local(Path(folder))
        found.up()
        yield found
        found.local.down()


def _local(home: Path, **given: Any) -> Aws:
    local = LocalAws(home, SystemClock(), os.environ)
    settings = LocalSettings(
        local.state, ports.free_port(), find_binaries(), archive_seconds=0, durable=False, **given
    )
    return Aws(local, settings)


def _roomy() -> str:
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4_000_000_000
    return str(memory if roomy else "/tmp")  # noqa: S108 - as above
