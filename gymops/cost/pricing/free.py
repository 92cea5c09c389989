"""Types that cost nothing by themselves, and why."""

from __future__ import annotations

from collections.abc import Mapping

_NETWORK = "networks cost by what goes through them, not for being there"
_PART = "a part of what is priced"
_RIGHTS = "rights are free"
_DEPLOYS = "free for Lambda and Fargate"

REASONS: Mapping[str, str] = {
    "AWS::ApiGateway::": _PART,
    "AWS::ApiGatewayV2::": _PART,
    "AWS::ApplicationAutoScaling::": "scaling is free; what it starts is priced",
    "AWS::Backup::BackupSelection": _PART,
    "AWS::Backup::BackupVault": "a vault costs by what is in it",
    "AWS::Backup::RestoreTestingSelection": _PART,
    "AWS::Budgets::Budget": "budgets that only tell are free",
    "AWS::CE::": "anomaly detection is free",
    "AWS::CertificateManager::Certificate": "public certificates are free",
    "AWS::Chatbot::": "free",
    "AWS::CloudFormation::WaitCondition": "stacks of AWS's own types are free",
    "AWS::CloudFront::CachePolicy": _PART,
    "AWS::CloudFront::CloudFrontOriginAccessIdentity": _PART,
    "AWS::CloudFront::Function": "two million runs a month are free",
    "AWS::CloudFront::KeyGroup": _PART,
    "AWS::CloudFront::OriginAccessControl": _PART,
    "AWS::CloudFront::OriginRequestPolicy": _PART,
    "AWS::CloudFront::PublicKey": _PART,
    "AWS::CloudFront::ResponseHeadersPolicy": _PART,
    "AWS::CloudFront::VpcOrigin": "free",
    "AWS::CodeBuild::SourceCredential": _RIGHTS,
    "AWS::CodeConnections::Connection": "free",
    "AWS::CodeDeploy::": _DEPLOYS,
    "AWS::CodePipeline::Webhook": _PART,
    "AWS::CodeStarConnections::Connection": "free",
    "AWS::Cognito::": _PART,
    "AWS::EC2::DHCPOptions": _NETWORK,
    "AWS::EC2::FlowLog": "what it writes is among the logs",
    "AWS::EC2::InternetGateway": _NETWORK,
    "AWS::EC2::NetworkAcl": _NETWORK,
    "AWS::EC2::NetworkAclEntry": _NETWORK,
    "AWS::EC2::PrefixList": _NETWORK,
    "AWS::EC2::Route": _NETWORK,
    "AWS::EC2::RouteTable": _NETWORK,
    "AWS::EC2::SecurityGroup": _NETWORK,
    "AWS::EC2::SecurityGroupEgress": _NETWORK,
    "AWS::EC2::SecurityGroupIngress": _NETWORK,
    "AWS::EC2::Subnet": _NETWORK,
    "AWS::EC2::SubnetNetworkAclAssociation": _NETWORK,
    "AWS::EC2::SubnetRouteTableAssociation": _NETWORK,
    "AWS::EC2::VPC": _NETWORK,
    "AWS::EC2::VPCEndpoint": "gateway endpoints are free",
    "AWS::EC2::VPCGatewayAttachment": _NETWORK,
    "AWS::ECR::RepositoryPolicy": _RIGHTS,
    "AWS::ECS::Cluster": "a cluster costs by the tasks in it",
    "AWS::ECS::ClusterCapacityProviderAssociations": _PART,
    "AWS::ECS::TaskDefinition": "a definition costs by the tasks made of it",
    "AWS::ElastiCache::ParameterGroup": _PART,
    "AWS::ElastiCache::SubnetGroup": _PART,
    "AWS::ElasticLoadBalancingV2::Listener": _PART,
    "AWS::ElasticLoadBalancingV2::ListenerCertificate": _PART,
    "AWS::ElasticLoadBalancingV2::ListenerRule": _PART,
    "AWS::ElasticLoadBalancingV2::TargetGroup": _PART,
    "AWS::Events::EventBusPolicy": _RIGHTS,
    "AWS::Events::Rule": "rules on a schedule and on AWS's own events are free",
    "AWS::IAM::": _RIGHTS,
    "AWS::KMS::Alias": "an alias costs nothing beside its key",
    "AWS::Lambda::": "a function costs by its invocations",
    "AWS::Logs::MetricFilter": "the metric it makes is one of the app's",
    "AWS::Logs::QueryDefinition": "a saved query costs when it is run",
    "AWS::Logs::ResourcePolicy": _RIGHTS,
    "AWS::RDS::DBParameterGroup": _PART,
    "AWS::RDS::DBProxyTargetGroup": _PART,
    "AWS::RDS::DBSubnetGroup": _PART,
    "AWS::Route53::RecordSet": "records are free, and so are queries that an alias to AWS answers",
    "AWS::Route53::RecordSetGroup": "records are free, and so are queries that an alias to AWS answers",
    "AWS::S3::BucketPolicy": _RIGHTS,
    "AWS::SNS::Subscription": "a subscription costs by what is sent to it",
    "AWS::SNS::TopicInlinePolicy": _RIGHTS,
    "AWS::SNS::TopicPolicy": _RIGHTS,
    "AWS::SQS::QueuePolicy": _RIGHTS,
    "AWS::SSM::Parameter": "standard parameters are free",
    "AWS::Scheduler::ScheduleGroup": _PART,
    "AWS::SecretsManager::ResourcePolicy": _RIGHTS,
    "AWS::SecretsManager::RotationSchedule": "rotating costs an invocation",
    "AWS::SecretsManager::SecretTargetAttachment": _PART,
    "AWS::WAFv2::IPSet": _PART,
    "AWS::WAFv2::LoggingConfiguration": "what it writes is among the logs",
    "AWS::WAFv2::RegexPatternSet": _PART,
    "AWS::WAFv2::WebACLAssociation": _PART,
}
"""Type -> reason; one that ends with "::" is for every type of that service which no pricer takes."""


def reason(kind: str) -> str | None:
    """Why a type is free; None if nothing says so."""
    service = kind[: kind.rfind("::") + 2]
    return REASONS.get(kind) or REASONS.get(service)
