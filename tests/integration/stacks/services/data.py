"""What keeps data: databases, buckets, backups, keys and secrets, asked of their own services."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.stacks.environment import Held
from tests.integration.stacks.services.place import Looks, Place, by_name, only


def _vault(at: Place, held: Held) -> Any:
    return at.backup.describe_backup_vault(BackupVaultName=held.physical)


def _tested(at: Place, held: Held) -> Any:
    plan, _, name = held.physical.partition("|")
    return at.backup.get_restore_testing_selection(
        RestoreTestingPlanName=plan, RestoreTestingSelectionName=name
    )["RestoreTestingSelection"]


def _selection(at: Place, held: Held) -> Any:
    plan = at.env.physical(held.stack, "BackupPlan")
    return at.backup.get_backup_selection(BackupPlanId=plan, SelectionId=held.physical)["BackupSelection"]


def _secret(at: Place, held: Held) -> Any:
    found = at.secretsmanager.describe_secret(SecretId=held.physical)
    return None if "DeletedDate" in found else found


def _key(at: Place, held: Held) -> Any:
    found = at.kms.describe_key(KeyId=held.physical)["KeyMetadata"]
    return None if found["KeyState"] == "PendingDeletion" else found


def _key_alias(at: Place, held: Held) -> Any:
    return only([one for one in at.kms.list_aliases()["Aliases"] if one["AliasName"] == held.physical])


def _bucket(at: Place, held: Held) -> Any:
    at.s3.head_bucket(Bucket=held.physical)
    return at.s3.get_bucket_versioning(Bucket=held.physical)


def _bucket_policy(at: Place, held: Held) -> Any:
    bucket = at.env.physical(held.stack, held.properties["Bucket"]["Ref"])
    return json.loads(at.s3.get_bucket_policy(Bucket=bucket)["Policy"])


def _repository(at: Place, held: Held) -> Any:
    return only(at.ecr.describe_repositories(repositoryNames=[held.physical])["repositories"])


def _targets(at: Place, held: Held) -> Any:
    name = at.env.physical(held.stack, "Proxy")
    found = at.rds.describe_db_proxy_target_groups(DBProxyName=name)["TargetGroups"]
    group = only([one for one in found if one["TargetGroupArn"] == held.physical])
    return group and {**group, "Targets": at.rds.describe_db_proxy_targets(DBProxyName=name)["Targets"]}


def _parameters(at: Place, held: Held) -> Any:
    found = at.rds.describe_db_parameters(DBParameterGroupName=held.physical)["Parameters"]
    return {one["ParameterName"]: one.get("ParameterValue") for one in found}


LOOK: Looks = {
    "AWS::Backup::BackupPlan": by_name("backup", "get_backup_plan", "BackupPlanId", "BackupPlan"),
    "AWS::Backup::BackupSelection": _selection,
    "AWS::Backup::BackupVault": _vault,
    "AWS::Backup::RestoreTestingPlan": by_name(
        "backup", "get_restore_testing_plan", "RestoreTestingPlanName", "RestoreTestingPlan"
    ),
    "AWS::Backup::RestoreTestingSelection": _tested,
    "AWS::ECR::Repository": _repository,
    "AWS::KMS::Alias": _key_alias,
    "AWS::KMS::Key": _key,
    "AWS::RDS::DBInstance": by_name("rds", "describe_db_instances", "DBInstanceIdentifier", "DBInstances"),
    "AWS::RDS::DBParameterGroup": _parameters,
    "AWS::RDS::DBProxy": by_name("rds", "describe_db_proxies", "DBProxyName", "DBProxies"),
    "AWS::RDS::DBProxyTargetGroup": _targets,
    "AWS::RDS::DBSubnetGroup": by_name(
        "rds", "describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroups"
    ),
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SecretsManager::Secret": _secret,
}
