"""Quotas: how many there may be of what the templates make, and how many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import translated


@dataclass(frozen=True)
class Usage:
    """A quota."""

    used: int
    limit: int
    code: str = ""
    """``SERVICE QUOTA`` as the service-quotas command takes them; empty if it has none."""


@dataclass(frozen=True)
class _Kind:
    """Where a quota is found, and what is counted."""

    quota: tuple[str, str]
    service: str
    call: str
    rows: str
    """Path to the list in each page."""


_KINDS = {
    "AWS::EC2::VPC": _Kind(("vpc", "L-F678F1CE"), "ec2", "describe_vpcs", "Vpcs"),
    "AWS::EC2::EIP": _Kind(("ec2", "L-0263D0A3"), "ec2", "describe_addresses", "Addresses"),
    "AWS::EC2::InternetGateway": _Kind(
        ("vpc", "L-A4707A72"), "ec2", "describe_internet_gateways", "InternetGateways"
    ),
    "AWS::RDS::DBInstance": _Kind(("rds", "L-7B6409FD"), "rds", "describe_db_instances", "DBInstances"),
    "AWS::RDS::DBProxy": _Kind(("rds", "L-D94C7EA3"), "rds", "describe_db_proxies", "DBProxies"),
    "AWS::CloudFront::Distribution": _Kind(
        ("cloudfront", "L-24B04930"), "cloudfront", "list_distributions", "DistributionList.Items"
    ),
    "AWS::S3::Bucket": _Kind(("s3", "L-DC2B2D3D"), "s3", "list_buckets", "Buckets"),
    "AWS::CertificateManager::Certificate": _Kind(
        ("acm", "L-F141DD1D"), "acm", "list_certificates", "CertificateSummaryList"
    ),
    "AWS::CloudFormation::Stack": _Kind(
        ("cloudformation", "L-0485CB21"), "cloudformation", "describe_stacks", "Stacks"
    ),
}
_GLOBAL = frozenset({"AWS::CloudFront::Distribution", "AWS::S3::Bucket"})
"""Their quotas are kept in us-east-1."""


class Quotas:
    """The quotas of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def kinds(self) -> frozenset[str]:
        """The resource types whose quota is known."""
        return frozenset({*_KINDS, "AWS::IAM::Role", "AWS::Route53::HostedZone"})

    def usage(self, kind: str, region: str) -> Usage:
        """How many of a type there are, and may be.

        Raises:
            AwsError: it may not be asked, or AWS does not answer.
        """
        own: dict[str, Callable[[], Usage]] = {
            "AWS::IAM::Role": self._roles, "AWS::Route53::HostedZone": self._zones
        }  # fmt: skip
        if kind in own:
            return own[kind]()
        one = _KINDS[kind]
        where = "us-east-1" if kind in _GLOBAL else region
        return Usage(self._count(one, where), self._limit(one.quota, where), " ".join(one.quota))

    def concurrency(self, region: str) -> Usage:
        """How many Lambda functions may run at once, and how much of that is reserved.

        Raises:
            AwsError: as ``usage``.
        """
        with translated("Lambda's settings"):
            found = self._client("lambda", region).get_account_settings()["AccountLimit"]
        limit = int(found["ConcurrentExecutions"])
        return Usage(limit - int(found["UnreservedConcurrentExecutions"]), limit, "lambda L-B99A9384")

    def _limit(self, quota: tuple[str, str], region: str) -> int:
        client = self._client("service-quotas", region)
        asked = {"ServiceCode": quota[0], "QuotaCode": quota[1]}
        with translated(f"the quota {' '.join(quota)}"):
            try:
                found = client.get_service_quota(**asked)
            except client.exceptions.NoSuchResourceException:  # never changed for this account
                found = client.get_aws_default_service_quota(**asked)
        return int(found["Quota"]["Value"])

    def _count(self, one: _Kind, region: str) -> int:
        client = self._client(one.service, region)
        with translated(f"{one.service} {one.call.replace('_', '-')}"):
            if not client.can_paginate(one.call):
                return len(_rows(getattr(client, one.call)(), one.rows))
            return sum(len(_rows(page, one.rows)) for page in client.get_paginator(one.call).paginate())

    def _roles(self) -> Usage:
        with translated("IAM's summary"):
            found = self._client("iam", None).get_account_summary()["SummaryMap"]
        return Usage(int(found["Roles"]), int(found["RolesQuota"]), "iam L-FE177D64")

    def _zones(self) -> Usage:
        with translated("Route 53's limits"):
            found = self._client("route53", None).get_account_limit(Type="MAX_HOSTED_ZONES_BY_OWNER")
        return Usage(int(found["Count"]), int(found["Limit"]["Value"]), "route53 L-4EA4796A")

    def _client(self, service: str, region: str | None) -> Any:
        return self._account.client(service, region, timeout=10.0, attempts=3)


def _rows(page: Any, path: str) -> list[Any]:
    for step in path.split("."):
        page = page.get(step) or {}
    return list(page)
