"""Tables and buckets that AWS Backup keeps, on the local AWS: restored, held to what they were, deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gymops.aws.account import Account
from gymops.aws.backup_jobs import BackupJobs
from gymops.aws.buckets import AppBuckets
from gymops.aws.tables import Tables
from gymops.aws.vaults import Vaults
from gymops.backup import restore_test
from gymops.backup.audit import audit
from gymops.backup.catalogue import Seals
from gymops.backup.evidence import Expected, Result
from gymops.backup.findings import Kind
from gymops.backup.gather import trial
from gymops.backup.items.backups import ItemBackups
from gymops.backup.items.buckets import BucketHolder
from gymops.backup.items.gather import gather
from gymops.backup.items.port import Source
from gymops.backup.items.tables import OnDemand, TableHolder
from gymops.backup.items.times import Times
from gymops.backup.items.vaulted import Vaulted
from gymops.backup.keys import open_keys
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Restored, Wanted
from gymops.backup.recovery_point import NoPoint, new_id
from gymops.backup.schedule import DAY, Schedule
from gymops.backup.tiers import Tier
from gymops.backup.vault import Vault
from gymops.clock import SystemClock
from gymops.store.directory import DirectoryObjects
from gymops.store.folder import FolderBlobs
from tests.integration.local.functions import ROLE
from tests.local_aws import ACCOUNT, Aws, unique

WEEKLY = Tier("weekly", Schedule(4, 0, weekday=6), 90 * DAY, rpo=7 * DAY)


class World:
    """A table, a bucket, and a vault that keeps both."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.aws, self.clock = aws, SystemClock()
        self.table, self.bucket, vault = unique("users"), unique("photos"), unique("vault")
        aws.client("backup").create_backup_vault(BackupVaultName=vault)
        self.dynamodb, self.s3 = aws.client("dynamodb"), aws.client("s3")
        self.dynamodb.create_table(
            TableName=self.table, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
        self.dynamodb.update_continuous_backups(
            TableName=self.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        self.s3.create_bucket(Bucket=self.bucket)
        self.versions("Enabled")
        account = Account("us-east-1", endpoint=aws.settings.url, number=ACCOUNT)
        tables, patience = Tables(account), Patience(self.clock, interval=0.1)
        vaulted = Vaulted(BackupJobs(account), Vaults(account), patience, vault, ROLE)
        place = Vault(
            "prod", DirectoryObjects(folder / "records", self.clock), FolderBlobs(folder / "d", self.clock),
            open_keys(folder / "keys", {}), folder / "work", str(folder),
        )  # fmt: skip
        self.vault = vault
        self.backups = ItemBackups(
            "prod", "prod-app", [Source("table", self.table), Source("bucket", self.bucket)],
            {"table": TableHolder(tables), "bucket": BucketHolder(AppBuckets(account))},
            {"table": vaulted, "bucket": vaulted}, (OnDemand(tables, patience), vaulted), place, "us-east-1",
            patience, (WEEKLY,),
            Times("prod", [self.table], tables, TableHolder(tables), place, patience, timedelta()),
        )  # fmt: skip

    def versions(self, status: str) -> None:
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})

    def write(self, key: str, value: str = "a") -> None:
        self.dynamodb.put_item(TableName=self.table, Item={"id": {"S": key}, "value": {"S": value}})
        self.s3.put_object(Bucket=self.bucket, Key=f"pictures/{key}", Body=value.encode())

    def test(self, spoil: Callable[[Restored], str] | None = None) -> restore_test.Tested:
        store, keys = self.backups.vault.objects, self.backups.vault.keys
        how = restore_test.How(
            new_id(self.clock.now()), "prod", (WEEKLY,), Seals(store, "prod", keys), spoil=spoil
        )
        return restore_test.run(self.backups, Wanted(tier="weekly"), how, self.clock)

    def kinds(self, *tests: restore_test.Tested) -> set[Kind]:
        now = self.clock.now()
        found = gather(self.backups, now, [trial(one) for one in tests])
        return {one.kind for one in audit(found, Expected((WEEKLY,)), now).findings}

    def names(self) -> set[str]:
        buckets = {one["Name"] for one in self.s3.list_buckets()["Buckets"]}
        return {one for one in {*buckets, *self.dynamodb.list_tables()["TableNames"]} if "prod-app-" in one}


@pytest.mark.long
def test_tables_and_buckets_are_kept_in_a_vault_restored_and_held_to_what_they_were(
    aws: Aws, tmp_path: Path
) -> None:
    world = World(aws, tmp_path)
    backups = world.backups
    for number in range(5):
        world.write(f"u{number}")
    assert world.kinds() == {Kind.MISSING, Kind.UNCOVERED}
    point = backups.take("weekly")
    assert (point.kind, point.ready, point.encrypted) == ("aws-backup", True, True)
    assert world.kinds() == {Kind.UNTESTED}

    world.write("u0", "later")
    good = world.test()
    assert (good.result, good.events.expected, good.events.restored) == (Result.PASSED, 10, 10), good
    assert world.names() == set()
    assert world.kinds(good) == set()

    def object_gone(restored: Restored) -> str:
        world.s3.delete_object(Bucket=f"{restored.name}-{world.bucket}", Key="pictures/u3")
        return "gone"

    bad = world.test(object_gone)
    assert (bad.result, bad.events.restored) == (Result.FAILED, 9)
    assert bad.message == f"the bucket {world.bucket}: the item pictures/u3 is missing"
    bad = world.test(lambda restored: _overwrite(world, restored, b"b"))
    assert (
        bad.message
        == f"the bucket {world.bucket}: the item pictures/u2 is not what it was when it was backed up"
    )
    bad = world.test(lambda restored: backups.spoil(restored, missing=True))
    assert bad.message == f'the table {world.table}: the item {{"id":{{"S":"u0"}}}} is missing'
    assert world.names() == set()

    world.versions("Suspended")
    assert world.kinds(good) == {Kind.NO_VERSIONS}
    world.versions("Enabled")
    kept = backups.sets.all()[0].parts[1].backup
    aws.client("backup").delete_recovery_point(BackupVaultName=world.vault, RecoveryPointArn=kept)
    assert world.kinds(good) >= {Kind.NO_BYTES, Kind.UNCOVERED}
    unseen = world.test()
    assert unseen.result is Result.UNVERIFIED


@pytest.mark.long
def test_what_the_plan_took_is_listed_and_covers_and_is_not_taken_for_proved(
    aws: Aws, tmp_path: Path
) -> None:
    world = World(aws, tmp_path)
    world.write("u1")
    for arn in (f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{world.table}", f"arn:aws:s3:::{world.bucket}"):
        assert Kind.UNCOVERED in world.kinds()
        aws.client("backup").start_backup_job(
            BackupVaultName=world.vault, ResourceArn=arn, IamRoleArn=ROLE,
            RecoveryPointTags={"tier": "weekly"}, Lifecycle={"DeleteAfterDays": 90},
        )  # fmt: skip
    (point,) = world.backups.listing().points
    assert (point.tier, point.seal) == ("weekly", None)
    assert world.kinds() == {Kind.UNTESTED}
    with pytest.raises(NoPoint, match="own plan"):
        world.backups.plan(Wanted(point=point.id))


def _overwrite(world: World, restored: Restored, data: bytes) -> str:
    told: Any = world.s3.put_object(Bucket=f"{restored.name}-{world.bucket}", Key="pictures/u2", Body=data)
    return str(told["ETag"])
