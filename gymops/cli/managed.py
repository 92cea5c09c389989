"""The composition root of backups that AWS takes: an environment that is deployed, with an RDS instance."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from gymops.cli import context, vaults
from gymops.clock import SystemClock

if TYPE_CHECKING:
    from gymops.aws.account import Account
    from gymops.aws.backup_jobs import BackupJobs
    from gymops.aws.kms import WrappingKey
    from gymops.aws.vaults import Vaults
    from gymops.backup.managed.backups import ManagedBackups
    from gymops.config import Settings
    from gymops.deploy.verbs.site import Site
    from gymops.store.objects import Objects

_PACE_HERE, _PACE = 0.1, 15.0
"""Seconds between two looks at what AWS makes; the local one makes it in no time."""
_COPIED = "monthly"
"""The tier that is copied wherever there is a vault in another region."""


def is_managed(settings: Settings, environment: str) -> bool:
    """Whether AWS takes an environment's backups: it is deployed, and no database of its own is named."""
    if environment == "local" or environment in settings.databases or settings.architecture is None:
        return False
    found = settings.environments.get(environment)
    return not (found and found.backup and found.backup.store)


def backups(settings: Settings, environment: str) -> ManagedBackups:
    """The backups of a deployed environment; its records lie beside its releases.

    Raises:
        ConfigError: it is not known, or was never deployed.
        LocalError, AwsError: it is not reached.
    """
    from gymops.aws.backup_jobs import BackupJobs
    from gymops.aws.databases import Databases
    from gymops.aws.functions import Functions
    from gymops.aws.instances import Instances
    from gymops.aws.object_lock import ObjectLock
    from gymops.aws.s3 import S3Objects
    from gymops.aws.vaults import Vaults
    from gymops.backup.managed.backups import ManagedBackups
    from gymops.backup.managed.places import places
    from gymops.backup.managed.taking import Aws, Kept
    from gymops.backup.managed.waiting import Patience
    from gymops.backup.restore_test import Records
    from gymops.cli import sites
    from gymops.deploy.environment import resolve
    from gymops.errors import ConfigError
    from gymops.store.below import Below

    deployment = resolve(settings, environment)
    account = context.account(settings, deployment)
    site = sites.site(settings, environment, yes=False)
    bucket = site.bucket()
    if bucket is None:
        raise ConfigError(f"{environment} was never deployed", hint=f"gymops deploy {environment}")
    names = {stack.name for stack in deployment.stacks()}
    outputs = site.outputs("app")
    if "DatabaseSecretName" in outputs:
        raise ConfigError(
            f"{environment}: its database is not AWS's to back up: only SQL reaches it",
            hint=f'[environments.{environment}] database = "env:VARIABLE", the direct URL, and'
            f" [environments.{environment}.backup] store = ...: then gymops backup {environment} dumps it",
        )
    found = places(outputs, site.outputs("copies") if "copies" in names else None)
    clock = SystemClock()
    s3 = account.client("s3")
    objects = Below(S3Objects(s3, bucket, clock, lock=ObjectLock(s3, bucket, clock, "backups/")), "backups/")
    by = vaults.wrapping(settings, environment, account) or of_the_stacks(account, site, objects, environment)
    keys = vaults.keys(settings, environment, objects, by)
    records = Records(objects, environment, keys)

    @cache
    def elsewhere(region: str) -> tuple[BackupJobs, Vaults]:
        return BackupJobs(account, region), Vaults(account, region)

    return ManagedBackups(
        environment=environment,
        prefix=deployment.prefix,
        aws=Aws(
            Databases(account), Instances(account), BackupJobs(account), Vaults(account), Functions(account),
            elsewhere,
        ),
        places=found,
        objects=objects,
        keys=keys,
        patience=Patience(clock, interval=_PACE_HERE if account.local else _PACE),
        tiers={
            tier.name: Kept(tier.keep.days, copied=tier.copy is not None or tier.name == _COPIED)
            for tier in vaults.tiers(settings, environment)
        },
        verified=lambda: {
            one.recovery_point: one.ended for one in records.read() if one.passed and one.recovery_point
        },
        lasted=records.lasted,
    )  # fmt: skip


def of_the_stacks(account: Account, site: Site, objects: Objects, environment: str) -> WrappingKey | None:
    """The key of the stacks; of an environment whose stacks are gone, the one that the record names, if it is
    of the same account: of another anybody may have put it there.
    """
    from gymops.aws.kms import WrappingKey
    from gymops.backup.wrapped import WrappedKeys

    arn = site.outputs("app").get("BackupKeyArn")
    if arn is None and (named := WrappedKeys(objects, environment).arn):
        arn = named if named.split(":")[4:5] == [account.identity()[0]] else None
    return WrappingKey(account, arn) if arn else None
