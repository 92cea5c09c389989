"""Where backups are and what takes them: the composition root of ``backup`` and its kin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gymops.cli import context, output
from gymops.clock import SystemClock
from gymops.config import Backup, Settings
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.aws.account import Account
    from gymops.aws.kms import WrappingKey
    from gymops.backup.keys import Keys
    from gymops.backup.take import Taker
    from gymops.backup.tiers import Tier
    from gymops.backup.vault import Vault
    from gymops.store.objects import Objects


def vault(settings: Settings, environment: str) -> Vault:
    """Where an environment's backups are; the keys are made if there are none.

    Raises:
        ConfigError: its store is none, or would hold the keys too.
        KeyProblem: a key cannot be read.
    """
    from gymops.backup.vault import Vault
    from gymops.store.below import Below
    from gymops.store.directory import DirectoryObjects
    from gymops.store.folder import FolderBlobs

    store, by = backup(settings, environment).store, wrapping(settings, environment)
    clock, work = SystemClock(), settings.home / "work"
    if store and store.startswith("s3://"):
        from gymops.aws.blobs import S3Blobs
        from gymops.aws.object_lock import ObjectLock
        from gymops.aws.s3 import S3Objects

        client, (bucket, prefix) = _account(settings, environment).client("s3"), _place(store)
        lock = ObjectLock(client, bucket, clock, f"{prefix}records/")
        objects = Below(S3Objects(client, bucket, clock, lock=lock), f"{prefix}records/")
        blobs = S3Blobs(client, bucket, f"{prefix}data/", clock)
        return Vault(
            environment, objects, blobs, keys(settings, environment, objects, by), work, store,
            ObjectLock(client, bucket, clock, f"{prefix}data/"),
        )  # fmt: skip
    folder = Path(store) if store else settings.home / "backups"
    if (settings.home / "keys").resolve().is_relative_to(folder.resolve()):
        raise ConfigError(
            f"{folder} would hold the keys too, and a backup is worth nothing to whoever loses both",
            hint="store the backups in a folder of their own",
        )
    records = DirectoryObjects(folder / "records", clock)
    files = FolderBlobs(folder / "data", clock)
    return Vault(environment, records, files, keys(settings, environment, records, by), work, str(folder))


def taker(settings: Settings, environment: str, place: Vault) -> Taker:
    """What takes the backups of an environment's own server; the embedded one is started for ``local``.

    Raises:
        ConfigError: the environment names no database; the tiers cannot be.
        ServerError: the embedded server cannot be started.
    """
    from gymops.backup.take import Taker
    from gymops.pg.binaries import find_binaries

    given = tiers(settings, environment)
    if environment == "local" and "local" not in settings.databases:
        url = context.target_url(settings, None)
    elif environment in settings.databases:
        url = settings.databases[environment]
        url = context.target_url(settings, f"env:{environment}" if url.startswith("env:") else url)
    else:
        raise ConfigError(
            f"{environment}: gymops.toml names no database of it",
            hint=f"[environments.{environment}] database = ..., and [environments.{environment}.backup]",
        )
    binaries = find_binaries(settings.postgres_bin)
    return Taker(url, binaries, place, given, backup(settings, environment).method)


def tiers(settings: Settings, environment: str) -> tuple[Tier, ...]:
    """The tiers of an environment.

    Raises:
        ConfigError: one cannot be.
    """
    from gymops.backup import tiers as tier
    from gymops.backup.tiers_check import impossible
    from gymops.cli.managed import is_managed

    where = f"environments.{environment}.backup.tiers"
    found = tier.tiers(backup(settings, environment).tiers, where)
    for why in impossible(found, managed=is_managed(settings, environment)):
        raise ConfigError(f"{where}: {why}", hint="see docs/backups.md")
    return found


def keys(settings: Settings, environment: str, objects: Objects, by: WrappingKey | None) -> Keys:
    """The keys of an environment's backups: of the process, wrapped beside its records, or in files; where
    they are made, that is said.

    Raises:
        ConfigError: they are wrapped, and it is not known by what.
        KeyProblem: they cannot be read.
    """
    from gymops.backup.keys import IDENTITY, SIGNING, open_keys, secrets_there
    from gymops.backup.wrapped import WrappedKeys

    folder, environ = settings.home / "keys", settings.environ
    wrapped = WrappedKeys(objects, environment)
    if by and not (environ.get(SIGNING) and environ.get(IDENTITY)):
        there = wrapped.arn
        found = wrapped.open(by, lambda: secrets_there(folder, environ))
        if there is None:
            output.note(f"the keys of {environment} lie beside its backups, wrapped by {wrapped.arn}")
        return found
    if secrets_there(folder, environ) is None and (arn := wrapped.arn):
        raise ConfigError(
            f"the keys of {environment} are wrapped by KMS",
            hint=f'key = "kms:{arn}" in [environments.{environment}.backup]',
        )
    before = folder.exists()
    made = open_keys(folder, environ)
    if not before and folder.exists():
        output.note(f"made the keys {folder}: keep a copy elsewhere, no backup can be read without them")
    return made


def wrapping(settings: Settings, environment: str, account: Account | None = None) -> WrappingKey | None:
    """The key of KMS that gymops.toml names for an environment's keys."""
    from gymops.aws.kms import WrappingKey
    from gymops.backup.wrapped import PREFIX

    key = backup(settings, environment).key
    return WrappingKey(account or _account(settings, environment), key.removeprefix(PREFIX)) if key else None


def backup(settings: Settings, environment: str) -> Backup:
    """What gymops.toml says of an environment's backups."""
    found = settings.environments.get(environment)
    return (found and found.backup) or Backup()


def _account(settings: Settings, environment: str) -> Account:
    from gymops.aws.account import Account

    found = settings.environments.get(environment)
    environ = settings.environ
    region = (found and found.region) or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    return Account(region or "us-east-1", profile=found.profile if found else None)


def _place(store: str) -> tuple[str, str]:
    bucket, _, prefix = store.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigError(f"{store!r} names no bucket", hint="s3://bucket/prefix")
    return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
