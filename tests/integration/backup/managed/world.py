"""An environment with an RDS instance that is set like no default, its vaults, and the function inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from gymops.app import operations
from gymops.aws.account import Account
from gymops.aws.backup_jobs import BackupJobs
from gymops.aws.databases import Databases
from gymops.aws.instances import Instances
from gymops.aws.vaults import Vaults
from gymops.backup.keys import open_keys
from gymops.backup.managed.backups import ManagedBackups
from gymops.backup.managed.places import Places
from gymops.backup.managed.taking import Aws as Clients
from gymops.backup.managed.taking import Kept
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Restored, RestorePlan, Wanted
from gymops.clock import SystemClock
from gymops.eventlog.proof import Proof
from gymops.pg import schema
from gymops.store.directory import DirectoryObjects
from tests.local_aws import ACCOUNT, Aws, unique, until

REGION, AWAY = "us-east-1", "us-west-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"
TIERS = {"continuous": Kept(30), "daily": Kept(30), "monthly": Kept(365, copied=True)}


@dataclass
class Answered:
    answer: Any
    failed: bool = False


@dataclass
class Function:
    """The one-shot function's own code, called as Lambda calls it: JSON in, JSON out, 6 MB at most."""

    environ: Mapping[str, str]
    secrets: Any
    before: Callable[[dict[str, Any]], None] = lambda _: None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, function: str, event: dict[str, Any]) -> Answered:
        self.before(event)
        self.asked.append(event)
        text = json.dumps(event)
        assert len(text) < 6 << 20
        done = operations.answer(json.loads(text), self.environ, clock=SystemClock(), secrets=self.secrets)
        return Answered(json.loads(json.dumps(done)))


class Secrets:
    """Secrets Manager of the local AWS, as the function asks it."""

    def __init__(self, aws: Aws) -> None:
        self._client = aws.client("secretsmanager")

    def read(self, arn: str, /) -> str:
        return str(self._client.get_secret_value(SecretId=arn)["SecretString"])

    def read_stage(self, arn: str, stage: str, /) -> str | None:
        return None


class World:
    """It all."""

    def __init__(self, aws: Aws, home: Path, **given: Any) -> None:
        self.aws = aws
        self.name = unique("gym")
        self.account = Account(REGION, endpoint=aws.settings.url, number=ACCOUNT)
        _instance(aws, self.name, given)
        self.vault = _vault(aws, f"{self.name}-vault", REGION)
        self.copies = _vault(aws, f"{self.name}-copies", AWAY)
        found = aws.instance(self.name)
        environ = {
            "GYMOPS_APP_DATABASE_SECRET_ARN": found["MasterUserSecret"]["SecretArn"],
            "GYMOPS_APP_DATABASE_HOST": found["Endpoint"]["Address"],
            "GYMOPS_APP_DATABASE_PORT": str(found["Endpoint"]["Port"]),
            "GYMOPS_APP_DATABASE_NAME": "app",
        }
        self.function = Function(environ, Secrets(aws))
        self.home = home
        self.backups = self.environment()
        schema.upgrade(self.url(self.name), clock=SystemClock())

    @property
    def places(self) -> Places:
        vault = self.vault.rpartition(":")[2]
        return Places(self.name, vault, ROLE, f"{self.name}-database", self.copies)

    def environment(self, **given: Any) -> ManagedBackups:
        account = self.account
        return ManagedBackups(
            **{
                "environment": "prod", "prefix": self.name, "places": self.places,
                "objects": DirectoryObjects(self.home / "records", SystemClock()),
                "keys": open_keys(self.home / "keys", {}),
                "patience": Patience(SystemClock(), interval=0.05, timeout=60.0), "tiers": TIERS,
                "aws": Clients(
                    Databases(account), Instances(account), BackupJobs(account), Vaults(account),
                    self.function, lambda region: (BackupJobs(account, region), Vaults(account, region)),
                ),
                **given,
            }
        )  # fmt: skip

    def url(self, instance: str) -> str:
        found = self.aws.instance(instance)
        secret = json.loads(Secrets(self.aws).read(found["MasterUserSecret"]["SecretArn"]))
        return psycopg.conninfo.make_conninfo(
            host=found["Endpoint"]["Address"], port=found["Endpoint"]["Port"], dbname="app",
            user=secret["username"], password=secret["password"], connect_timeout=10,
        )  # fmt: skip

    def connect(self, instance: str | None = None) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(instance or self.name), autocommit=True)

    def log(self, user: str, events: int, instance: str | None = None) -> None:
        """Append events of a user."""
        with self.connect(instance) as connection:
            append(connection, user, events)

    def events(self, instance: str) -> int:
        with self.connect(instance) as connection:
            row = connection.execute("SELECT count(*) FROM events").fetchone()
        assert row is not None
        return int(row[0])

    def now(self) -> datetime:
        """By the database's clock, at the beginning of a second that has just begun."""
        began = datetime.now(UTC).replace(microsecond=0)
        return until(lambda: (now := datetime.now(UTC)).replace(microsecond=0) > began and now)  # type: ignore[no-any-return]

    def covered(self, moment: datetime) -> None:
        """Wait until a time can be restored."""

        def reached() -> bool:
            windows = self.backups.listing().windows
            return any(one.earliest <= moment <= one.latest for one in windows)

        until(reached)


def append(connection: psycopg.Connection[Any], user: str, events: int) -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (user,))
        connection.execute(
            "INSERT INTO events (user_id, position, event_id, timestamp, event_type, payload)"
            " SELECT %(user)s, n + (SELECT coalesce(max(position), 0) FROM events WHERE user_id = %(user)s),"
            " gen_random_uuid(), now(), 'SetLogged', jsonb_build_object('reps', n, 'kg', 62.50)"
            " FROM generate_series(1, %(events)s) AS n",
            {"user": user, "events": events},
        )


def _vault(aws: Aws, name: str, region: str) -> str:
    made = aws.client("backup", region=region).create_backup_vault(BackupVaultName=name)
    return str(made["BackupVaultArn"])


def _instance(aws: Aws, name: str, given: Mapping[str, Any]) -> None:
    rds, ec2 = aws.client("rds"), aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName=name, Description="the database", VpcId=vpc)["GroupId"]
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="private", SubnetIds=subnets)
    rds.create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily="postgres17", Description="ours"
    )
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    rds.create_db_instance(
        **{
            "DBInstanceIdentifier": name, "ManageMasterUserPassword": True, "MasterUsername": "gymops_owner",
            "Engine": "postgres", "DBName": "app",
            "MasterUserSecretKmsKeyId": key, "DBSubnetGroupName": name, "VpcSecurityGroupIds": [group],
            "DBParameterGroupName": name, "MultiAZ": True, "DeletionProtection": True,
            "CopyTagsToSnapshot": True, "BackupRetentionPeriod": 7, "StorageType": "gp3",
            "AllocatedStorage": 400, "Iops": 13000, "StorageThroughput": 600, "StorageEncrypted": True,
            "KmsKeyId": key, "EnableIAMDatabaseAuthentication": True, "PubliclyAccessible": False,
            "CACertificateIdentifier": "rds-ca-rsa4096-g1", "PreferredBackupWindow": "09:00-09:30",
            "PreferredMaintenanceWindow": "tue:11:00-tue:11:30", "MaxAllocatedStorage": 500,
            "AutoMinorVersionUpgrade": False, "EnablePerformanceInsights": True,
            "PerformanceInsightsKMSKeyId": key, "PerformanceInsightsRetentionPeriod": 31,
            "EnableCloudwatchLogsExports": ["postgresql", "upgrade"], "DBInstanceClass": "db.m7g.large",
            "EngineVersion": "17",
            "Tags": [{"Key": "Name", "Value": name}], **given,
        }
    )  # fmt: skip


def restored(world: World, wanted: Wanted) -> tuple[RestorePlan, Restored, Proof]:
    plan = world.backups.plan(wanted)
    made = world.backups.restore(plan)
    return plan, made, world.backups.prove(plan, made)
