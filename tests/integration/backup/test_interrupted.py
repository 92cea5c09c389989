"""What ends a backup in its midst: nothing of it counts, and the next one goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gymops.aws.blobs import S3Blobs
from gymops.aws.s3 import S3Objects
from gymops.aws.session import AwsError
from gymops.backup import prune, restore_test, take
from gymops.backup.evidence import Result
from gymops.backup.gather import gather
from gymops.backup.listing import listing
from gymops.backup.port import Wanted
from gymops.backup.recovery_point import new_id
from gymops.backup.restore import Restores
from gymops.backup.restore_test import How
from gymops.backup.stream import Damaged
from gymops.backup.take import Taken
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.clock import SystemClock, ticks
from gymops.errors import GymopsError
from gymops.pg.programs import ProgramError
from gymops.store.below import Below
from tests.integration.backup.conftest import Backed
from tests.integration.backup.disks import small_disk
from tests.local_aws import Aws, unique

CLOCK = SystemClock()
PART = 1 << 20
pytestmark = pytest.mark.long


class Later(SystemClock):
    """Two days later: what nobody ended by now is given up."""

    def now(self) -> datetime:
        return super().now() + timedelta(days=2)


class Meddled:
    """S3, in whose way of uploading something comes after some parts."""

    def __init__(self, client: Any, after: int) -> None:
        self._client, self._after, self._parts = client, after, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def upload_part(self, **given: Any) -> Any:
        self._parts += 1
        return self.part(given) if self._parts > self._after else self._client.upload_part(**given)

    def part(self, given: dict[str, Any]) -> Any:
        raise NotImplementedError


class Expired(Meddled):
    """From then on no call is answered."""

    over = False

    def part(self, given: dict[str, Any]) -> Any:
        self.over = True
        return self.put_object()

    def __getattr__(self, name: str) -> Any:
        if self.over:
            return self._refused
        return super().__getattr__(name)

    def _refused(self, **_: Any) -> Any:
        told = {"Code": "ExpiredToken", "Message": "The provided token has expired."}
        raise ClientError({"Error": told, "ResponseMetadata": {"HTTPStatusCode": 400}}, "UploadPart")


class Truncated(Meddled):
    """Somebody between us and S3 passes on half of each part, and says that it was meant so."""

    def part(self, given: dict[str, Any]) -> Any:
        half = given["Body"][: len(given["Body"]) // 2]
        del given["ChecksumSHA256"]
        return self._client.upload_part(**{**given, "Body": half})

    def complete_multipart_upload(self, **given: Any) -> Any:
        for part in given["MultipartUpload"]["Parts"]:
            del part["ChecksumSHA256"]
        return self._client.complete_multipart_upload(**given)


class There:
    """A bucket, and the vault in it."""

    def __init__(self, aws: Aws, backed: Backed) -> None:
        self.client, self.bucket, self._backed = aws.client("s3"), unique("backups"), backed
        self.client.create_bucket(Bucket=self.bucket)

    def vault(self, client: Any = None, clock: SystemClock = CLOCK) -> Vault:
        client = client or self.client
        return replace(
            self._backed.vault,
            objects=Below(S3Objects(client, self.bucket, clock), "app/records/"),
            blobs=S3Blobs(client, self.bucket, "app/data/", clock, part=PART),
        )

    def take(self, vault: Vault, tier: str = "daily") -> Taken:
        taker = replace(self._backed, vault=vault).taker()
        return taker.take(taker.plan(tier), CLOCK.now())

    def uploads(self) -> list[Any]:
        return list(self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ()))

    def test(self, wanted: Wanted) -> restore_test.Tested:
        vault = self.vault()
        folder, binaries = self._backed.folder / "home", [self._backed.binaries]
        restores = Restores(vault, self._backed.url, binaries, folder, CLOCK)
        return restore_test.run(restores, wanted, How("x", vault.environment, DEFAULT, vault.seals), CLOCK)


@pytest.fixture
def there(aws: Aws, backed: Backed) -> There:
    backed.append("ann", 1500)
    return There(aws, backed)


_KILLED = """
import os, signal, sys
from pathlib import Path
import boto3
from gymops.aws import blobs
from gymops.clock import SystemClock
from gymops.pg import programs
from tests.integration.backup import test_interrupted as own
from tests.integration.backup.conftest import Backed, vault_in

url, binaries, folder, environment, place, endpoint, bucket = sys.argv[1:]
owner, name, after = {"stream": (programs.Output, "read", 5), "upload": (blobs._Upload, "_upload", 2)}[place]
real, done = getattr(owner, name), 0

def counted(*given):
    global done
    done += 1
    if done > after:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)

setattr(owner, name, counted)
backed = Backed(url, Path(binaries), vault_in(Path(folder), environment), Path(folder))
there = own.There.__new__(own.There)
there.client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1",
                            aws_access_key_id="111111111111", aws_secret_access_key="local")
there.bucket, there._backed = bucket, backed
there.take(there.vault())
"""


@pytest.mark.parametrize("place", ["stream", "upload"])
def test_killed_in_the_midst_nothing_counts_and_the_next_goes_on(
    place: str, there: There, backed: Backed, aws: Aws
) -> None:
    vault = backed.vault
    died = subprocess.run(
        [sys.executable, "-c", _KILLED, backed.url, backed.binaries, backed.folder, vault.environment,
         place, aws.settings.url, there.bucket],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert there.vault().catalogue.points() == []
    begun = len(there.uploads())  # of parts that nobody put together
    assert begun == (place == "upload")
    assert _ended(backed)
    assert there.take(there.vault()).point
    assert there.test(Wanted()).result is Result.PASSED
    # What was begun is somebody's, perhaps; a day later it is nobody's.
    assert len(there.uploads()) == begun
    prune.prune(there.vault(clock=Later()), DEFAULT, CLOCK.now())
    assert there.uploads() == []


def _ended(backed: Backed) -> bool:
    """The server copies for nobody any more, and keeps nothing for them."""
    query = "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'gymops_base_%%'"
    senders = "SELECT count(*) FROM pg_stat_replication"
    looks = ticks(CLOCK, timeout=30, interval=0.05)
    return any(backed.sql(query) == [0] and backed.sql(senders) == [0] for _ in looks)


def test_credentials_that_expire_in_the_midst_leave_nothing_that_counts(there: There, backed: Backed) -> None:
    with pytest.raises(AwsError, match="ExpiredToken") as told:
        there.take(there.vault(Expired(there.client, after=2)))
    assert told.value.unknown  # nobody says that it failed at AWS
    assert told.value.hint == "renew the credentials, then run the same again"
    assert there.vault().catalogue.points() == []
    assert _ended(backed)
    assert there.take(there.vault()).point
    assert there.test(Wanted()).result is Result.PASSED


def test_an_upload_that_was_cut_is_not_recorded(there: There) -> None:
    with pytest.raises((Damaged, AwsError)):
        there.take(there.vault(Truncated(there.client, after=1)))
    assert there.vault().catalogue.points() == []


def test_what_is_cut_afterwards_is_found(there: There) -> None:
    point = there.take(there.vault()).point
    assert point
    key = f"app/data/{point.files[0].key}"
    whole = there.client.get_object(Bucket=there.bucket, Key=key)["Body"].read()
    there.client.put_object(Bucket=there.bucket, Key=key, Body=whole[: len(whole) // 2])
    assert gather(there.vault(), CLOCK.now()).no_bytes == (point.id,)
    assert there.test(Wanted()).result is Result.FAILED


def test_two_of_the_same_second_are_two(
    there: There, backed: Backed, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = datetime(2026, 11, 21, 3, tzinfo=UTC)
    monkeypatch.setattr(take, "new_id", lambda _: new_id(second))
    taken = [there.take(there.vault(), tier).point for tier in ("daily", "weekly")]
    both = [one for one in taken if one]
    assert both[0].id[:16] == both[1].id[:16] == "20261121T030000Z"
    found = listing(there.vault())
    assert [(one.id, one.tier, one.ready) for one in found.points] == [
        (both[0].id, "daily", True), (both[1].id, "weekly", True),
    ]  # fmt: skip
    for one in both:
        tested = there.test(Wanted(point=one.id))
        assert (tested.result, tested.recovery_point) == (Result.PASSED, one.id)


@pytest.fixture
def narrow(backed: Backed) -> Iterator[Path]:
    with small_disk(backed.folder / "narrow", 8) as disk:  # half a segment
        yield disk


def test_a_disk_that_is_full_while_wal_passes_through_loses_none(backed: Backed, narrow: Path) -> None:
    backed.append("ann", 10)
    taker = backed.taker()
    point = taker.take(taker.plan("daily"), CLOCK.now()).point
    backed.append("ann", 5)
    small = replace(backed, vault=replace(backed.vault, work=narrow)).taker()
    with pytest.raises(GymopsError, match="No space left") as told:
        small.take(small.plan("continuous"), CLOCK.now())
    assert isinstance(told.value, ProgramError)
    assert told.value.hint == "make room on the disk, then run the same again"
    assert not list(narrow.glob("work-*"))
    until = taker.take(taker.plan("continuous"), CLOCK.now()).until
    (window,) = listing(backed.vault).windows
    assert (window.latest, point and point.ended) == (until, window.earliest)
    restores = Restores(backed.vault, backed.url, [backed.binaries], backed.folder / "home", CLOCK)
    how = How("x", backed.vault.environment, DEFAULT, backed.vault.seals)
    tested = restore_test.run(restores, Wanted(), how, CLOCK)
    assert (tested.result, tested.events.restored) == (Result.PASSED, 15)
