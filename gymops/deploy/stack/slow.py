"""What takes long in CloudFormation, and how long it usually takes: waiting is no failure."""

from __future__ import annotations

import re

_ANY = ""

USUAL: dict[tuple[str, str], str] = {
    ("AWS::CertificateManager::Certificate", "CREATE"): (
        "2 to 30 minutes once its CNAME is in the domain's public zone; without it, until ACM gives up"
        " after 72 hours"
    ),
    ("AWS::CloudFront::Distribution", _ANY): "5 to 15 minutes",
    ("AWS::Cognito::UserPoolDomain", _ANY): "15 to 60 minutes for a domain of your own",
    ("AWS::EC2::NatGateway", _ANY): "2 to 5 minutes",
    ("AWS::EC2::SecurityGroup", "DELETE"): (
        "25 to 40 minutes while a deleted function's network interfaces are taken down"
    ),
    ("AWS::EC2::Subnet", "DELETE"): (
        "25 to 40 minutes while a deleted function's network interfaces are taken down"
    ),
    ("AWS::EC2::VPCEndpoint", _ANY): "2 to 6 minutes",
    ("AWS::ECS::Service", _ANY): (
        "3 to 10 minutes until the tasks are healthy; CloudFormation gives up after 3 hours"
    ),
    ("AWS::ElastiCache::ReplicationGroup", _ANY): "10 to 20 minutes",
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "CREATE"): "2 to 5 minutes",
    ("AWS::Lambda::Function", "DELETE"): (
        "25 to 40 minutes in a VPC, while its network interfaces are taken down"
    ),
    ("AWS::Lambda::Function", _ANY): "1 to 5 minutes in a VPC",
    ("AWS::OpenSearchService::Domain", _ANY): "15 to 40 minutes",
    ("AWS::RDS::DBCluster", _ANY): "10 to 20 minutes",
    ("AWS::RDS::DBInstance", "DELETE"): "5 to 15 minutes, with its final snapshot",
    ("AWS::RDS::DBInstance", "UPDATE"): "5 to 30 minutes; a change of class restarts it",
    ("AWS::RDS::DBInstance", _ANY): "10 to 20 minutes, twice that with Multi-AZ",
    ("AWS::RDS::DBProxy", _ANY): "5 to 15 minutes",
    ("AWS::RDS::DBProxyTargetGroup", _ANY): "2 to 10 minutes",
    ("AWS::Route53::RecordSet", _ANY): "1 to 3 minutes",
    ("AWS::CloudFormation::CustomResource", _ANY): (
        "as long as its function takes; CloudFormation gives up after an hour"
    ),
}
"""(type, what is done to it) -> how long; an empty word stands for everything else that is done."""

_CNAME = re.compile(r"Content of DNS Record is: \{Name: (?P<name>[^,\s]+),\s*Type: (?P<type>\w+),"
                    r"\s*Value: (?P<value>[^,}\s]+)")  # fmt: skip


def usual(kind: str, status: str) -> str | None:
    """How long this usually takes, if it is known to be slow; ``status`` is as ``CREATE_IN_PROGRESS``."""
    kind = "AWS::CloudFormation::CustomResource" if kind.startswith("Custom::") else kind
    return USUAL.get((kind, status.partition("_")[0])) or USUAL.get((kind, _ANY))


def dns_record(reason: str) -> str | None:
    """The DNS record that a certificate waits for, which CloudFormation puts into an event's reason."""
    found = _CNAME.search(reason)
    return f"{found['name']} {found['type']} {found['value']}" if found else None
