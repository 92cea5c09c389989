"""One property of each resource type that can be updated, and where its service shows the change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gymops.deploy.template import Template
from tests.integration.stacks.environment import Environment, composed

SINGLE = {
    "AWS::Backup::BackupSelection": "each of its properties makes another",
    "AWS::EC2::SubnetRouteTableAssociation": "each of its properties makes another",
    "AWS::EC2::VPCGatewayAttachment": "a VPC has one gateway, and there is no second to attach",
    "AWS::Lambda::LayerVersion": "a version never changes",
    "AWS::Lambda::Permission": "each of its properties makes another",
    "AWS::Lambda::Version": "a version never changes",
}
"""Types that are not updated, and why not."""


@dataclass(frozen=True)
class Update:
    """A change of one property."""

    kind: str
    resource: str
    path: tuple[str | int, ...]
    value: Any
    seen: Callable[[Any], Any]
    """Where the description has the value."""
    shows: Any = None
    """What it is there, or a function of the environment that tells it; the value itself if None."""

    def wanted(self, env: Environment) -> Any:
        """What the description has to show."""
        if self.shows is None:
            return self.value
        return self.shows(env) if callable(self.shows) else self.shows


TAGS = [{"Key": "Name", "Value": "renamed"}]


def _tags(found: Any) -> Any:
    return [one for one in found["Tags"] if one["Key"] == "Name"]


UPDATES: dict[str, tuple[Update, ...]] = {
    "zones": (
        Update(
            "AWS::Route53::HostedZone", "Zone1", ("HostedZoneConfig",), {"Comment": "ours"},
            lambda found: found["Config"]["Comment"], "ours",
        ),
    ),
    "base": (
        Update(
            "AWS::S3::Bucket", "ReleaseBucket", ("VersioningConfiguration", "Status"), "Suspended",
            lambda found: found["Status"],
        ),
        Update(
            "AWS::S3::BucketPolicy", "ReleaseBucketPolicy", ("PolicyDocument", "Statement", 0, "Sid"),
            "OnlyTls", lambda found: found["Statement"][0]["Sid"],
        ),
        Update(
            "AWS::ECR::Repository", "Repository", ("ImageScanningConfiguration", "ScanOnPush"), False,
            lambda found: found["imageScanningConfiguration"]["scanOnPush"],
        ),
    ),
    "certificate": (
        Update(
            "AWS::CertificateManager::Certificate", "Certificate",
            ("CertificateTransparencyLoggingPreference",), "DISABLED",
            lambda found: found["Options"]["CertificateTransparencyLoggingPreference"],
        ),
    ),
    "copies": (
        Update(
            "AWS::Backup::BackupVault", "CopyVault", ("LockConfiguration",), {"MinRetentionDays": 9},
            lambda found: found["MinRetentionDays"], 9,
        ),
    ),
    "app": (
        Update(
            "AWS::Backup::BackupPlan", "BackupPlan",
            ("BackupPlan", "BackupPlanRule", 0, "CompletionWindowMinutes"), 180,
            lambda found: found["Rules"][0]["CompletionWindowMinutes"],
        ),
        Update(
            "AWS::Backup::BackupVault", "BackupVault", ("LockConfiguration",), {"MinRetentionDays": 8},
            lambda found: found["MinRetentionDays"], 8,
        ),
        Update(
            "AWS::Backup::RestoreTestingPlan", "RestoreTestPlan", ("StartWindowHours",), 2,
            lambda found: found["StartWindowHours"],
        ),
        Update(
            "AWS::Backup::RestoreTestingSelection", "RestoreTestSelection", ("ValidationWindowHours",), 48,
            lambda found: found["ValidationWindowHours"],
        ),
        Update(
            "AWS::CloudFront::CachePolicy", "StaticCache", ("CachePolicyConfig", "DefaultTTL"), 200,
            lambda found: found["CachePolicyConfig"]["DefaultTTL"],
        ),
        Update(
            "AWS::CloudFront::Distribution", "Distribution", ("DistributionConfig", "Comment"), "changed",
            lambda found: found["DistributionConfig"]["Comment"],
        ),
        Update(
            "AWS::CloudFront::MonitoringSubscription", "DistributionMetrics",
            ("MonitoringSubscription", "RealtimeMetricsSubscriptionConfig",
             "RealtimeMetricsSubscriptionStatus"), "Disabled",
            lambda found: found["RealtimeMetricsSubscriptionConfig"]["RealtimeMetricsSubscriptionStatus"],
        ),
        Update(
            "AWS::CloudFront::OriginAccessControl", "OriginAccess",
            ("OriginAccessControlConfig", "Description"), "changed",
            lambda found: found["OriginAccessControlConfig"]["Description"],
        ),
        Update(
            "AWS::CloudWatch::Alarm", "ErrorsAlarm", ("Threshold",), 7, lambda found: found["Threshold"], 7.0
        ),
        Update(
            "AWS::CloudWatch::Dashboard", "Dashboard", ("DashboardBody",), '{"widgets": []}',
            lambda found: found,
        ),
        Update("AWS::EC2::EIP", "NatAddress", ("Tags",), TAGS, _tags),
        Update("AWS::EC2::InternetGateway", "InternetGateway", ("Tags",), TAGS, _tags),
        Update("AWS::EC2::NatGateway", "NatGateway", ("Tags",), TAGS, _tags),
        Update(
            "AWS::EC2::Route", "PublicRoute", ("DestinationCidrBlock",), "0.0.0.0/1",
            lambda found: found["DestinationCidrBlock"],
        ),
        Update("AWS::EC2::RouteTable", "PublicRouteTable", ("Tags",), TAGS, _tags),
        Update(
            "AWS::EC2::SecurityGroup", "FunctionSecurityGroup", ("SecurityGroupEgress", 0, "CidrIp"),
            "10.0.0.0/8", lambda found: [
                block["CidrIp"] for one in found["IpPermissionsEgress"] for block in one["IpRanges"]
            ], ["10.0.0.0/8"],
        ),
        Update(
            "AWS::EC2::Subnet", "PublicSubnet1", ("MapPublicIpOnLaunch",), True,
            lambda found: found["MapPublicIpOnLaunch"],
        ),
        Update("AWS::EC2::VPC", "Vpc", ("Tags",), TAGS, _tags),
        Update(
            "AWS::EC2::VPCEndpoint", "SecretsEndpoint", ("SubnetIds",),
            [{"Ref": "PrivateSubnet1"}, {"Ref": "PrivateSubnet2"}], lambda found: len(found["SubnetIds"]), 2,
        ),
        Update(
            "AWS::IAM::Role", "FunctionRole", ("Description",), "changed",
            lambda found: found["Description"],
        ),
        Update(
            "AWS::KMS::Alias", "DataKeyAlias", ("TargetKeyId",), {"Ref": "BackupKey"},
            lambda found: found["TargetKeyId"], lambda env: env.physical("app", "BackupKey"),
        ),
        Update("AWS::KMS::Key", "DataKey", ("Description",), "changed", lambda found: found["Description"]),
        Update("AWS::Lambda::Alias", "Live", ("Description",), "changed", lambda found: found["Description"]),
        Update("AWS::Lambda::Function", "Function", ("Timeout",), 20, lambda found: found["Timeout"]),
        Update(
            "AWS::Lambda::Url", "FunctionUrl", ("Cors",), {"AllowOrigins": ["https://a.example"]},
            lambda found: found["Cors"]["AllowOrigins"], ["https://a.example"],
        ),
        Update(
            "AWS::Logs::LogGroup", "FunctionLogs", ("RetentionInDays",), 3,
            lambda found: found["retentionInDays"],
        ),
        Update(
            "AWS::RDS::DBInstance", "Database", ("DBInstanceClass",), "db.t4g.small",
            lambda found: found["DBInstanceClass"],
        ),
        Update(
            "AWS::RDS::DBParameterGroup", "DatabaseParameters",
            ("Parameters", "log_min_duration_statement"), "500",
            lambda found: found["log_min_duration_statement"],
        ),
        Update(
            "AWS::RDS::DBProxy", "Proxy", ("IdleClientTimeout",), 900,
            lambda found: found["IdleClientTimeout"],
        ),
        Update(
            "AWS::RDS::DBProxyTargetGroup", "ProxyTargets",
            ("ConnectionPoolConfigurationInfo", "MaxIdleConnectionsPercent"), 30,
            lambda found: found["ConnectionPoolConfig"]["MaxIdleConnectionsPercent"],
        ),
        Update(
            "AWS::RDS::DBSubnetGroup", "DatabaseSubnets", ("DBSubnetGroupDescription",), "changed",
            lambda found: found["DBSubnetGroupDescription"],
        ),
        Update(
            "AWS::Route53::RecordSet", "DomainRecord4", ("AliasTarget", "EvaluateTargetHealth"), True,
            lambda found: found["AliasTarget"]["EvaluateTargetHealth"],
        ),
        Update(
            "AWS::SNS::Subscription", "AlertByEmail", ("FilterPolicy",), {"kind": ["alarm"]},
            lambda found: found["FilterPolicy"], '{"kind": ["alarm"]}',
        ),
        Update(
            "AWS::SNS::Topic", "AlertTopic", ("DisplayName",), "changed",
            lambda found: found["DisplayName"],
        ),
        Update(
            "AWS::SNS::TopicPolicy", "AlertTopicPolicy", ("PolicyDocument", "Statement", 0, "Principal"),
            {"Service": "cloudwatch.amazonaws.com"}, lambda found: found["Principal"],
        ),
        Update(
            "AWS::Scheduler::Schedule", "StopDatabase", ("ScheduleExpression",), "cron(0 8 * * ? *)",
            lambda found: found["ScheduleExpression"],
        ),
        Update(
            "AWS::Scheduler::Schedule", "AuditSchedule", ("ScheduleExpression",), "cron(0 8 * * ? *)",
            lambda found: found["ScheduleExpression"],
        ),
        Update("AWS::Scheduler::ScheduleGroup", "ScheduleGroup", ("Tags",), TAGS, _tags),
        Update(
            "AWS::SecretsManager::Secret", "PasscodeSecret", ("Description",), "changed",
            lambda found: found["Description"],
        ),
    ),
    "edge": (
        Update(
            "AWS::Budgets::Budget", "Budget", ("Budget", "BudgetLimit", "Amount"), 55,
            lambda found: found["BudgetLimit"]["Amount"], "55",
        ),
        Update(
            "AWS::Chatbot::SlackChannelConfiguration", "AlertBySlack", ("LoggingLevel",), "NONE",
            lambda found: found["LoggingLevel"],
        ),
        Update(
            "AWS::CloudWatch::Alarm", "CdnErrorsAlarm", ("Threshold",), 7,
            lambda found: found["Threshold"], 7.0,
        ),
    ),
}  # fmt: skip


def updated(stack: str) -> Template:
    """The stack's template with every one of its changes."""
    template = composed(stack)
    body = copy.deepcopy(template.body)
    for one in UPDATES[stack]:
        here: Any = body["Resources"][one.resource]["Properties"]
        for step in one.path[:-1]:
            here = here[step]
        here[one.path[-1]] = one.value
    return Template(template.name, body, template.origin)
