"""What a bucket's object lock holds, on the local AWS, which enforces it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gymops.aws.account import Account
from gymops.aws.blobs import S3Blobs
from gymops.aws.object_lock import RECORDS, ObjectLock
from gymops.aws.s3 import S3Objects
from gymops.backup.audit import audit
from gymops.backup.evidence import Expected
from gymops.backup.gather import gather
from gymops.backup.keys import open_keys
from gymops.backup.recovery_point import StoredFile
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.clock import SystemClock
from gymops.store.below import Below
from tests.local_aws import Aws, unique
from tests.unit.backup.points import point

CLOCK = SystemClock()
SOON = timedelta(minutes=5)


def bucket(aws: Aws, *, locked: bool, default: dict[str, Any] | None = None) -> str:
    name = unique("backups")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)
    if default:
        rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}}
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=rule)
    return name


def records(account: Account, name: str) -> S3Objects:
    s3 = account.client("s3")
    return S3Objects(s3, name, CLOCK, lock=ObjectLock(s3, name, CLOCK, "records/"))


def test_seals_and_records_are_held_and_leases_are_not(aws: Aws, account: Account) -> None:
    name = bucket(aws, locked=True)
    s3, objects = account.client("s3"), records(account, name)
    etag = objects.create("records/seals/prod/00000001.json", b"a seal")
    assert objects.create("records/seals/prod/00000001.json", b"a seal") == etag
    objects.create("records/points/prod/x.json", b"a point")
    objects.create("records/tests-running/prod/x.json", b"a lease")
    objects.create("elsewhere/seals", b"no record")
    lock = ObjectLock(s3, name, CLOCK, "records/")
    for key in "seals/prod/00000001.json", "points/prod/x.json":
        until = lock.until(key)
        assert until is not None
        assert abs(until - CLOCK.now() - RECORDS) < SOON
    assert lock.until("tests-running/prod/x.json") is None
    assert ObjectLock(s3, name, CLOCK).until("elsewhere/seals") is None

    key = "records/seals/prod/00000001.json"
    version = s3.head_object(Bucket=name, Key=key)["VersionId"]
    with pytest.raises(ClientError, match="object lock"):
        s3.delete_object(Bucket=name, Key=key, VersionId=version)
    objects.delete(key)  # it is hidden, and was not deleted
    assert objects.get(key) is None
    assert s3.get_object(Bucket=name, Key=key, VersionId=version)["Body"].read() == b"a seal"


@pytest.mark.parametrize(
    ("default", "mode", "least"),
    [
        (None, "GOVERNANCE", RECORDS),
        ({"Mode": "COMPLIANCE", "Days": 7}, "COMPLIANCE", RECORDS),
        ({"Mode": "GOVERNANCE", "Years": 2}, "GOVERNANCE", timedelta(days=730)),
    ],
)
def test_the_bucket_s_own_rule_is_never_undercut(
    aws: Aws, account: Account, default: dict[str, Any] | None, mode: str, least: timedelta
) -> None:
    name = bucket(aws, locked=True, default=default)
    records(account, name).create("records/seals/prod/00000001.json", b"a seal")
    found = account.client("s3").head_object(Bucket=name, Key="records/seals/prod/00000001.json")
    assert found["ObjectLockMode"] == mode
    assert found["ObjectLockRetainUntilDate"] > CLOCK.now() + least - SOON


def test_a_hold_is_made_longer_and_never_shorter(aws: Aws, account: Account) -> None:
    name = bucket(aws, locked=True)
    account.client("s3").put_object(Bucket=name, Key="data/a", Body=b"x")
    lock, day = ObjectLock(account.client("s3"), name, CLOCK, "data/"), timedelta(days=1)
    assert lock.until("a") is None
    now = CLOCK.now().replace(microsecond=0)
    for until, held in ((now + day, now + day), (now + 3 * day, now + 3 * day), (now + day, now + 3 * day)):
        lock.hold("a", until)
        assert lock.until("a") == held


def test_a_bucket_without_it_holds_nothing_and_takes_everything(aws: Aws, account: Account) -> None:
    name = bucket(aws, locked=False)
    records(account, name).create("records/seals/prod/00000001.json", b"a seal")
    lock = ObjectLock(account.client("s3"), name, CLOCK)
    assert not lock.on
    lock.hold("records/seals/prod/00000001.json", CLOCK.now() + SOON)


@pytest.mark.parametrize("locked", [True, False])
def test_the_audit_finds_what_nothing_holds_where_something_could(
    aws: Aws, account: Account, tmp_path: Path, *, locked: bool
) -> None:
    name, s3 = bucket(aws, locked=locked), account.client("s3")
    now = datetime.now(UTC)
    blobs, lock = S3Blobs(s3, name, "data/", CLOCK), ObjectLock(s3, name, CLOCK, "data/")
    vault = Vault(
        "local",
        Below(records(account, name), "records/"),
        blobs,
        open_keys(tmp_path, {}),
        tmp_path,
        "s3",
        lock,
    )
    taken = []
    for minutes, held in ((20, True), (10, False)):
        one = point(now - timedelta(minutes=minutes), keep_until=now + timedelta(days=30))
        key = vault.key(one.id, "base.tar.zst.age")
        with blobs.write(key) as file:
            file.write(b"12345")
        one = type(one)(**{**vars(one), "files": (StoredFile(key, 5, "00", 5),)})
        catalogue = vault.catalogue if held else Vault(**{**vars(vault), "lock": None}).catalogue
        catalogue.add(one)
        taken.append(one.id)
    found = audit(gather(vault, now), Expected(DEFAULT, locked=lock.on), now)
    unlocked = [one.point for one in found.findings if one.kind.value == "unlocked"]
    assert unlocked == (taken[1:] if locked else [])
