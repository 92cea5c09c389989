"""What each type of resource costs: a pricer for each kind of bill, a reason for each type that is free."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gymops.cost.book import Book
from gymops.cost.inventory import Inventory
from gymops.cost.pricing import compute, databases, edge, network, operations, storage

Pricer = Callable[[Book, Inventory], None]

PRICERS: Mapping[Pricer, tuple[str, ...]] = {
    databases.instances: ("AWS::RDS::DBInstance",),
    databases.proxies: ("AWS::RDS::DBProxy",),
    databases.tables: ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"),
    databases.caches: ("AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup"),
    compute.functions: ("AWS::Lambda::Function",),
    compute.services: ("AWS::ECS::Service",),
    compute.insights: (),
    network.gateways: ("AWS::EC2::NatGateway",),
    network.addresses: ("AWS::EC2::EIP",),
    network.endpoints: ("AWS::EC2::VPCEndpoint",),
    network.balancers: ("AWS::ElasticLoadBalancingV2::LoadBalancer",),
    edge.distributions: ("AWS::CloudFront::Distribution", "AWS::CloudFront::MonitoringSubscription"),
    edge.transfer: (),
    edge.firewalls: ("AWS::WAFv2::WebACL",),
    edge.zones: ("AWS::Route53::HostedZone",),
    edge.apis: ("AWS::ApiGatewayV2::Api", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"),
    edge.pools: ("AWS::Cognito::UserPool",),
    storage.buckets: ("AWS::S3::Bucket",),
    storage.repositories: ("AWS::ECR::Repository",),
    storage.recovery_points: ("AWS::Backup::BackupPlan",),
    storage.restore_tests: ("AWS::Backup::RestoreTestingPlan",),
    operations.keys: ("AWS::KMS::Key", "AWS::KMS::ReplicaKey"),
    operations.secrets: ("AWS::SecretsManager::Secret",),
    operations.alarms: ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"),
    operations.dashboards: ("AWS::CloudWatch::Dashboard",),
    operations.logs: ("AWS::Logs::LogGroup",),
    operations.topics: ("AWS::SNS::Topic",),
    operations.queues: ("AWS::SQS::Queue",),
    operations.schedules: ("AWS::Scheduler::Schedule",),
    operations.traces: ("AWS::XRay::SamplingRule", "AWS::XRay::Group"),
    operations.pipelines: ("AWS::CodePipeline::Pipeline", "AWS::CodeBuild::Project"),
}
"""Pricer -> the types it answers for; none where it looks at what others answer for."""

PRICED = frozenset(kind for kinds in PRICERS.values() for kind in kinds)
