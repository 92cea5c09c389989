"""The roles that AWS's services make for themselves: a first deploy may be faster than they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gymops.deploy.doctor.findings import Finding, ok, skipped, warning
from gymops.deploy.doctor.inventory import Made
from gymops.deploy.doctor.port import Patient

_LINKED = {
    "AWS::RDS::": ("AWSServiceRoleForRDS", "rds.amazonaws.com"),
    "AWS::ECS::": ("AWSServiceRoleForECS", "ecs.amazonaws.com"),
    "AWS::Backup::": ("AWSServiceRoleForBackup", "backup.amazonaws.com"),
    "AWS::AutoScaling::": ("AWSServiceRoleForAutoScaling", "autoscaling.amazonaws.com"),
    "AWS::ElasticLoadBalancing": (
        "AWSServiceRoleForElasticLoadBalancing", "elasticloadbalancing.amazonaws.com"
    ),
    "AWS::ElastiCache::": ("AWSServiceRoleForElastiCache", "elasticache.amazonaws.com"),
    "AWS::OpenSearchService::": (
        "AWSServiceRoleForAmazonOpenSearchService", "opensearchservice.amazonaws.com"
    ),
}  # fmt: skip
"""Types that begin so -> the role, and the service it is for."""

_SCALED = {
    "ecs": (
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
        "ecs.application-autoscaling.amazonaws.com",
    ),
    "lambda": (
        "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency",
        "lambda.application-autoscaling.amazonaws.com",
    ),
    "dynamodb": (
        "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
        "dynamodb.application-autoscaling.amazonaws.com",
    ),
    "rds": (
        "AWSServiceRoleForApplicationAutoScaling_RDSCluster",
        "rds.application-autoscaling.amazonaws.com",
    ),
}
"""What is scaled -> the same."""


def roles(patient: Patient, made: Sequence[Made]) -> Iterator[Finding]:
    """Whether the service-linked roles are there that the templates' services need.

    Raises:
        AwsError: IAM cannot be asked.
    """
    if patient.deployment.local:
        yield skipped("the local AWS needs no service-linked roles")
        return
    there = list[str]()
    for name, service in sorted(_needed(made)):
        if patient.iam.role(name) is not None:
            there.append(name)
            continue
        yield warning(
            f"there is no {name} in this account yet: the first resource makes it, and may fail meanwhile",
            f"aws iam create-service-linked-role --aws-service-name {service}",
        )
    yield ok(", ".join(there) or "none is there already")


def _needed(made: Sequence[Made]) -> set[tuple[str, str]]:
    found = {role for one in made for start, role in _LINKED.items() if one.kind.startswith(start)}
    for one in made:
        if one.kind == "AWS::ApplicationAutoScaling::ScalableTarget":
            scaled = _SCALED.get(str(one.properties.get("ServiceNamespace")))
            found |= {scaled} if scaled else set()
    return found
