"""What we use of ministack that it does not promise, and where it differs from AWS: loud when either moves.

Each test here runs in the emulator's own environment, on the emulator alone, without what we add.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gymops.clock import SystemClock
from gymops.deploy.template import architecture, compose, names
from gymops.local import environment
from gymops.local.plane.ministack import VERSION
from gymops.local.plane.types.all import KINDS

_BOOT = Path(environment.__file__).parent / "plane" / "boot.py"
_LEND = f"""
import runpy, sys, json
boot = runpy.run_path({str(_BOOT)!r}, run_name="boot")
boot["_lend_gymops"]()
from gymops.local.plane import ministack
"""


@pytest.fixture(scope="session")
def python(emulator_installed: None) -> Path:
    return environment.ensure(os.environ, clock=SystemClock())[0].python


def _run(python: Path, code: str) -> Any:
    with tempfile.TemporaryDirectory() as state:  # for the keys that sign tokens
        done = subprocess.run(
            [python, "-I", "-c", _LEND + code], capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "LOG_LEVEL": "ERROR", "STATE_DIR": state},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_emulator_is_the_version_this_was_written_for(python: Path) -> None:
    code = "import importlib.metadata; print(json.dumps(importlib.metadata.version('ministack')))"
    assert _run(python, code) == VERSION
    pins = (Path(environment.__file__).parent / "requirements.txt").read_text(encoding="utf-8")
    assert f"ministack=={VERSION} " in pins


def test_every_private_interface_is_as_it_was(python: Path) -> None:
    assert _run(python, "ministack.check(); print('true')")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ministack.VERSION = '9.9.9'", "ministack 1.5.33 is installed, and 9.9.9 is needed"),
        ("del ministack.service('rds')._ACTION_MAP", "ministack.services.rds._ACTION_MAP is gone"),
        ("ministack.service('rds')._error = lambda code: 1",
         "ministack.services.rds._error(code) was (code, message, status)"),
        ("ministack.service('rds')._instances = 1", "_instances is no mapping"),
        ("ministack.service('rds')._instances = {}", "_instances is no mapping by account and region"),
        ("del ministack.module('ministack.app')._MAIN_LOOP", "ministack.app._MAIN_LOOP is gone"),
        ("del ministack.module('ministack.core.responses').AccountRegionScopedDict.all_items",
         "ministack.core.responses.AccountRegionScopedDict.all_items is gone"),
    ],
)  # fmt: skip
def test_one_that_moved_is_told(python: Path, change: str, said: str) -> None:
    code = f"""
{change}
try:
    ministack.check()
except ministack.Moved as moved:
    print(json.dumps(str(moved)))
"""
    assert said in _run(python, code)


def test_its_mappings_still_keep_everybody_s_by_account_region_and_id(python: Path) -> None:
    code = """
snapshots = ministack.service("rds")._snapshots
with ministack.scope("111111111111", "eu-west-1"):
    snapshots["x"] = 1
found = [list(snapshots._data.items()), snapshots.all_items(), list(snapshots)]
print(json.dumps([*found, snapshots.get_scoped("111111111111", "eu-west-1", "x")]))
"""
    held = [[["111111111111", "eu-west-1", "x"], 1]]
    assert _run(python, code) == [held, held, [], 1]


@pytest.mark.parametrize("kind", [
    "AWS::Backup::BackupVault", "AWS::Lambda::Function", "AWS::RDS::DBInstance", "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
])  # fmt: skip
def test_the_handlers_that_we_take_over_are_called_as_they_were(python: Path, kind: str) -> None:
    code = f"""
import inspect
handlers = ministack.handlers()[{kind!r}]
print(json.dumps({{step: [*inspect.signature(handlers[step]).parameters] for step in ("create", "delete")}}))
"""
    found = _run(python, code)
    assert [one.lstrip("_") for one in found["create"]] == ["logical_id", "props", "stack_name"]
    assert [one.lstrip("_") for one in found["delete"]] == ["physical_id", "props"]


def test_it_still_refuses_the_types_that_we_register(python: Path) -> None:
    there = _run(python, "print(json.dumps(sorted(ministack.handlers())))")
    assert not {kind.name for kind in KINDS} & set(there)
    assert {"AWS::RDS::DBInstance", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"} <= set(there)


def test_every_type_of_every_architecture_is_known(python: Path) -> None:
    there = {*_run(python, "print(json.dumps(sorted(ministack.handlers())))"), *(kind.name for kind in KINDS)}
    stacks = (stack for name in names() for stack in architecture(name).stacks)
    used = {resource.kind for stack in stacks for resource in compose(stack.template).resources()}
    assert used <= there


def test_its_rds_still_has_no_point_in_time_and_no_copies(python: Path) -> None:
    there = set(_run(python, "print(json.dumps(sorted(ministack.service('rds')._ACTION_MAP)))"))
    ours = {
        "RestoreDBInstanceToPointInTime", "CopyDBSnapshot", "DescribeDBInstanceAutomatedBackups",
        "DeleteDBInstanceAutomatedBackup",
    }  # fmt: skip
    assert not ours & there


def test_its_backup_jobs_still_say_yes_to_what_does_not_exist(python: Path) -> None:
    code = """
backup = ministack.service("backup")
backup._create_vault("v", {})
backup._start_job({"BackupVaultName": "v", "ResourceArn": "arn:aws:rds:us-east-1:000000000000:db:nobody"})
print(json.dumps([job["State"] for job in backup._jobs.values()]))
"""
    assert _run(python, code) == ["COMPLETED"]


def test_its_schedules_still_call_no_api(python: Path) -> None:
    code = """
instance = {"DBInstanceIdentifier": "db"}
ministack.handlers()["AWS::RDS::DBInstance"]["create"]("Db", instance, "s")
given = json.dumps({"DbInstanceIdentifier": "db"})
target = {"Arn": "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance", "Input": given}
ministack.service("eventbridge")._invoke_target(target, {"Detail": "{}"}, {})
print(json.dumps(ministack.service("rds")._instances["db"]["DBInstanceStatus"]))
"""
    assert _run(python, code) == "available"


def test_its_secrets_still_rotate_without_their_function(python: Path) -> None:
    code = """
secrets = ministack.service("secretsmanager")
secrets._store_new_secret("s", secret_string="one")
none = "arn:aws:lambda:us-east-1:000000000000:function:none"
status, _, _ = secrets._rotate_secret({"SecretId": "s", "RotationLambdaARN": none})
made = ministack.handlers()["AWS::SecretsManager::Secret"]["create"]("L", {"SecretString": "x"}, "stack")
print(json.dumps([status, made[0].startswith("arn:")]))
"""
    assert _run(python, code) == [200, False]


def test_its_aliases_still_send_everything_to_one_version(python: Path) -> None:
    code = """
functions = ministack.service("lambda_svc")
versions = {"1": {"config": {"Version": "1"}}, "2": {"config": {"Version": "2"}}}
weights = {"AdditionalVersionWeights": {"2": 1.0}}
alias = {"FunctionVersion": "1", "RoutingConfig": weights}
function = {"config": {}, "versions": versions, "aliases": {"live": alias}}
print(json.dumps(functions._effective_func_record_for_qualifier(function, "live")[1]["Version"]))
"""
    assert _run(python, code) == "1"


def test_its_stacks_still_delete_what_is_protected_and_what_is_full(python: Path) -> None:
    code = """
handlers = ministack.handlers()
rds, s3 = ministack.service("rds"), ministack.service("s3")
protected = {"DBInstanceIdentifier": "db", "DeletionProtection": True}
handlers["AWS::RDS::DBInstance"]["create"]("Db", protected, "s")
handlers["AWS::RDS::DBInstance"]["delete"]("db", {})
handlers["AWS::S3::Bucket"]["create"]("B", {"BucketName": "full"}, "s")
s3._buckets["full"]["objects"]["a"] = {}
handlers["AWS::S3::Bucket"]["delete"]("full", {})
print(json.dumps([list(rds._instances), "full" in s3._buckets]))
"""
    assert _run(python, code) == [[], False]
