"""Keys of backups, wrapped by a key of the local AWS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gymops.aws.account import Account
from gymops.aws.kms import WrappingKey
from gymops.aws.s3 import S3Objects
from gymops.aws.session import AwsError
from gymops.backup.keys import KeyProblem
from gymops.backup.pinned import public_key
from gymops.backup.wrapped import WrappedKeys
from gymops.clock import SystemClock
from tests.local_aws import ACCOUNT, Aws, unique

REGION = "us-east-1"


def key(aws: Aws) -> tuple[str, str]:
    """Its ARN and its alias."""
    made = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    alias = f"alias/{unique('backups')}"
    aws.client("kms").create_alias(AliasName=alias, TargetKeyId=made)
    return made, alias


def bucket(aws: Aws) -> str:
    name = unique("backups")
    aws.client("s3").create_bucket(Bucket=name)
    return name


def test_who_may_use_the_key_has_the_keys_and_nobody_else(aws: Aws, account: Account) -> None:
    kms, store = aws.client("kms"), bucket(aws)
    arn, alias = key(aws)
    records = S3Objects(account.client("s3"), store, SystemClock())
    keys = WrappedKeys(records, "prod")
    made = keys.open(WrappingKey(account, alias))
    assert keys.arn == arn
    again = WrappedKeys(records, "prod").open(WrappingKey(account, arn))
    assert (again.public, again.recipient) == (made.public, made.recipient)
    assert public_key(records, "prod", WrappingKey(account, arn)).public == made.public

    with pytest.raises(KeyProblem):
        keys.open(WrappingKey(account, key(aws)[1]))
    kms.disable_key(KeyId=arn)
    with pytest.raises(AwsError, match="DisabledException"):
        keys.open(WrappingKey(account, alias))
    with pytest.raises(AwsError, match="NotFoundException"):
        WrappedKeys(records, "staging").open(WrappingKey(account, "alias/none"))
    assert list(records.keys("keys/")) == ["keys/prod.json"]


@pytest.mark.long
def test_a_machine_without_any_file_restores_what_another_one_took(aws: Aws, tmp_path: Path) -> None:
    """The keys that were in files are wrapped by the first command after gymops.toml names a key."""
    _, alias = key(aws)
    store = f'[environments.local.backup]\nstore = "s3://{bucket(aws)}/app"\n'
    environ = os.environ | {
        "AWS_ENDPOINT_URL": aws.settings.url, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
    }  # fmt: skip

    def gymops(folder: Path, words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gymops", *words.split()], cwd=folder, capture_output=True, text=True,
            env=environ, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    here, there = tmp_path / "here", tmp_path / "there"
    for folder in here, there:
        folder.mkdir()
    (here / "gymops.toml").write_text(store)
    try:
        gymops(here, "schema upgrade")
        gymops(here, "backup local")
        with_key = f'{store}key = "kms:{alias}"\n'
        (there / "gymops.toml").write_text(with_key)
        assert "neither wrapped by KMS nor here" in gymops(there, "backups local", 1)
        (here / "gymops.toml").write_text(with_key)
        assert "wrapped by arn:aws:kms" in gymops(here, "backup local --tier continuous")
        shutil.rmtree(here / ".gymops" / "keys")
        assert "wrapped" not in gymops(here, "backup local --tier continuous")
        gymops(here, "db stop")
        tested = json.loads(gymops(there, "restore-test local --json").partition("\n}")[0] + "}")
        assert tested["result"] == "passed"
        assert not (there / ".gymops" / "keys").exists()
        (there / "gymops.toml").write_text(store)
        assert 'key = "kms:arn:aws:kms' in gymops(there, "backups local", 2)
    finally:
        gymops(here, "db stop")
