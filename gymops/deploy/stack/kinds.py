"""What is known of resource types: which hold data, which exist at all, and what a change to them replaces.

The schemas are those that cfn-lint brings, so nothing is asked of AWS. Importing it takes a second, and it is
only done when a change set leaves a question open.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from gymops.deploy.rules.stateful import STATEFUL

_REBUILT = frozenset({"AWS::CertificateManager::Certificate"})
"""Made anew by whoever controls the domain; it holds nothing."""

DATA = (STATEFUL - _REBUILT) | {
    "AWS::Backup::LogicallyAirGappedBackupVault", "AWS::Cassandra::Keyspace", "AWS::Cassandra::Table",
    "AWS::CodeCommit::Repository", "AWS::Cognito::IdentityPool", "AWS::DAX::Cluster", "AWS::DSQL::Cluster",
    "AWS::DocDB::DBCluster", "AWS::DocDB::DBInstance", "AWS::DynamoDB::GlobalTable", "AWS::EC2::Instance",
    "AWS::EC2::Volume", "AWS::ECR::PublicRepository", "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ServerlessCache", "AWS::Elasticsearch::Domain", "AWS::FSx::FileSystem",
    "AWS::FSx::Volume", "AWS::KMS::ReplicaKey", "AWS::Kinesis::Stream", "AWS::MSK::Cluster",
    "AWS::MemoryDB::Cluster", "AWS::Neptune::DBCluster", "AWS::Neptune::DBInstance",
    "AWS::OpenSearchServerless::Collection", "AWS::OpenSearchService::Domain", "AWS::RDS::GlobalCluster",
    "AWS::Redshift::Cluster", "AWS::RedshiftServerless::Namespace", "AWS::S3Express::DirectoryBucket",
    "AWS::S3Tables::Table", "AWS::S3Tables::TableBucket", "AWS::SSM::Parameter",
    "AWS::Timestream::Database", "AWS::Timestream::InfluxDBInstance", "AWS::Timestream::Table",
}  # fmt: skip
"""Whose removal or replacement can lose what no template brings back."""


@cache
def known(kind: str) -> bool:
    """Whether CloudFormation itself has this type; custom, private and misspelt ones are unknown."""
    return _schema(kind) is not None


@cache
def create_only(kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """The properties whose change replaces a resource of this type, and those whose change may."""
    schema = _schema(kind) or {}
    return _names(schema, "createOnlyProperties"), _names(schema, "conditionalCreateOnlyProperties")


@cache
def permissions(kind: str, handlers: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    """The (service, action) that CloudFormation asks for in a type's handlers; empty if nobody says."""
    told = (_schema(kind) or {}).get("handlers", {})
    listed = (one for name in handlers for one in told.get(name, {}).get("permissions", ()))
    return frozenset((service, action) for service, _, action in (one.partition(":") for one in listed))


def _names(schema: dict[str, Any], key: str) -> frozenset[str]:
    """Top-level names of what is listed as ``/properties/Name[/...]``."""
    return frozenset(one.split("/")[2] for one in schema.get(key) or () if one.startswith("/properties/"))


def _schema(kind: str) -> dict[str, Any] | None:
    from cfnlint.schema import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    if not kind.startswith("AWS::"):
        return None  # for Custom:: it would give the schema that fits them all
    try:
        found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    except ResourceNotFoundError:
        return None
    return found
