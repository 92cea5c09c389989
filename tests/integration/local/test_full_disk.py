"""A disk without room: nothing half made, and nothing answered that is not kept."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gymops.clock import SystemClock
from gymops.errors import LocalError
from gymops.local import ports
from gymops.local.emulator import LocalAws
from gymops.local.settings import LocalSettings
from gymops.pg.binaries import find_binaries
from tests.local_aws import Aws

pytestmark = pytest.mark.long


class Disk:
    """A small disk, which can become larger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_there = self._mount("size=4k")

    def grow(self) -> None:
        assert self._mount("remount,size=20m")

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def disk(emulator_installed: None) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    with tempfile.TemporaryDirectory(prefix="gymops-disk-") as folder:
        found = Disk(Path(folder))
        if not found.is_there:
            pytest.skip("no disk can be mounted here")
        yield found
        LocalAws(Path(folder), SystemClock(), os.environ).down()
        subprocess.run(["umount", folder], check=True)


def test_without_room_it_does_not_start_and_with_some_it_does(disk: Disk) -> None:
    local = LocalAws(disk.folder, SystemClock(), os.environ)
    settings = LocalSettings(local.state, ports.free_port(), find_binaries(), durable=False)
    with pytest.raises(LocalError, match="No space left on device") as caught:
        local.up(settings)
    assert caught.value.hint == "make room on the disk"
    disk.grow()
    assert local.up(settings)


def test_what_cannot_be_kept_is_not_answered_as_if_it_were(disk: Disk) -> None:
    disk.grow()
    local = LocalAws(disk.folder, SystemClock(), os.environ)
    aws = Aws(local, LocalSettings(local.state, ports.free_port(), find_binaries(), durable=False))
    aws.up()
    with pytest.raises(ClientError, match=r"No space left on device|Check free disk space"):
        aws.create_instance(DBInstanceIdentifier="large")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="heap")
    with pytest.raises(ClientError, match="No space is left on this disk"):
        fill(s3)
    for service, call, given in (
        ("sns", "create_topic", {"Name": "topic"}),
        ("ec2", "create_vpc", {"CidrBlock": "10.0.0.0/16"}),
        ("logs", "create_log_group", {"logGroupName": "group"}),
        ("scheduler", "create_schedule_group", {"Name": "group"}),
    ):
        with pytest.raises(ClientError, match="No space is left on this disk"):
            getattr(aws.client(service), call)(**given)
    for number in range(5):
        s3.delete_object(Bucket="heap", Key=str(number))
    assert aws.client("sns").create_topic(Name="another")["TopicArn"]


def fill(s3: Any) -> None:
    for number in range(30):
        s3.put_object(Bucket="heap", Key=str(number), Body=b"x" * 1_000_000)
