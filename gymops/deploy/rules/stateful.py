"""What holds data: kept, encrypted, protected."""

from __future__ import annotations

from collections.abc import Iterator

from gymops.deploy.evaluate import UNKNOWN
from gymops.deploy.rules import Found, Subject, rule
from gymops.deploy.template import Resource

STATEFUL = frozenset(
    {
        "AWS::Backup::BackupVault",
        "AWS::CertificateManager::Certificate",
        "AWS::Cognito::UserPool",
        "AWS::DynamoDB::Table",
        "AWS::ECR::Repository",
        "AWS::EFS::FileSystem",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::Route53::HostedZone",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)
"""Whose loss cannot be made good by creating them anew. (cfn-lint's I3011 leaves out half of them.)"""

_SNAPSHOTS = frozenset({"AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::ElastiCache::ReplicationGroup"})

_ENCRYPTED: dict[str, tuple[str, ...]] = {
    "AWS::Backup::BackupVault": ("EncryptionKeyArn",),
    "AWS::DynamoDB::Table": ("SSESpecification",),
    "AWS::ECR::Repository": ("EncryptionConfiguration",),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::RDS::DBInstance": ("StorageEncrypted", "KmsKeyId"),
    "AWS::RDS::DBCluster": ("StorageEncrypted", "KmsKeyId"),
    "AWS::S3::Bucket": ("BucketEncryption",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
}

_PROTECTED: dict[str, str] = {
    "AWS::RDS::DBInstance": "DeletionProtection",
    "AWS::RDS::DBCluster": "DeletionProtection",
    "AWS::DynamoDB::Table": "DeletionProtectionEnabled",
    "AWS::Cognito::UserPool": "DeletionProtection",
}


@rule("G020")
def forgotten_on_deletion(subject: Subject) -> Iterator[Found]:
    """What holds data says what becomes of it when the stack, or the resource, goes."""
    for resource in subject.template.resources(*STATEFUL):
        wanted = {"Snapshot"} if resource.kind in _SNAPSHOTS else {"RetainExceptOnCreate"}
        found = resource.body.get("DeletionPolicy")
        if found not in wanted:
            why = " (Retain leaves what a failed create made, and the next one collides with it)"
            yield Found(
                ("Resources", resource.name, "DeletionPolicy"),
                f"{resource.name} holds data: DeletionPolicy {wanted.pop()}"
                f"{why if found == 'Retain' else f', not {found}'}",
            )
        if resource.body.get("UpdateReplacePolicy") not in {"Retain", "Snapshot"}:
            yield Found(
                ("Resources", resource.name, "UpdateReplacePolicy"),
                f"{resource.name} holds data, and a replacement would delete it: UpdateReplacePolicy",
            )


@rule("G021")
def plain(subject: Subject) -> Iterator[Found]:
    """What holds data is encrypted, databases, secrets and logs with a key of ours."""
    for resource in subject.template.resources(*_ENCRYPTED):
        for key in _ENCRYPTED[resource.kind]:
            value = resource.properties.get(key)
            if not value or value == "false":
                path = ("Resources", resource.name, "Properties", key)
                yield Found(path, f"{resource.name} is not encrypted as it should be: {key}")


@rule("G022")
def unprotected(subject: Subject) -> Iterator[Found]:
    """In prod a database refuses to be deleted."""
    for resource in subject.template.resources(*_PROTECTED):
        key = _PROTECTED[resource.kind]
        for environment, value in subject.values(resource.properties.get(key, False)):
            if _is_prod(environment) and value not in (True, "true", "ACTIVE", UNKNOWN):
                path = ("Resources", resource.name, "Properties", key)
                yield Found(path, f"{resource.name} can be deleted in {environment}: {key}")
        if resource.kind.startswith("AWS::RDS::") and _forgets(resource, subject):
            path = ("Resources", resource.name, "Properties", "DeleteAutomatedBackups")
            yield Found(path, "its automated backups go with it in prod: DeleteAutomatedBackups false")


def _is_prod(environment: str) -> bool:
    return environment.startswith("prod")


def _forgets(resource: Resource, subject: Subject) -> bool:
    values = subject.values(resource.properties.get("DeleteAutomatedBackups", True))
    return any(_is_prod(environment) and value in (True, "true") for environment, value in values)


@rule("G023")
def moving_tags(subject: Subject) -> Iterator[Found]:
    """An image's tag does not move to another image, and an image is not expired while a release names it."""
    for resource in subject.template.resources("AWS::ECR::Repository"):
        path = ("Resources", resource.name, "Properties")
        if resource.properties.get("ImageTagMutability") != "IMMUTABLE":
            yield Found((*path, "ImageTagMutability"), "a tag can move to another image", "tags")
        policy = str(resource.properties.get("LifecyclePolicy", ""))
        if '"tagged"' in policy or '"any"' in policy:
            yield Found((*path, "LifecyclePolicy"), "it expires tagged images, and so live ones", "expiry")
