"""titan-trakr: what an operator adds, one change of each type, and what holds at its end."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.integration.stacks.environment import Environment
from tests.integration.stacks.life import TAGS, Life, Update, tags

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
        Update("AWS::EC2::EIP", "NatAddress", ("Tags",), TAGS, tags),
        Update("AWS::EC2::InternetGateway", "InternetGateway", ("Tags",), TAGS, tags),
        Update("AWS::EC2::NatGateway", "NatGateway", ("Tags",), TAGS, tags),
        Update(
            "AWS::EC2::Route", "PublicRoute", ("DestinationCidrBlock",), "0.0.0.0/1",
            lambda found: found["DestinationCidrBlock"],
        ),
        Update("AWS::EC2::RouteTable", "PublicRouteTable", ("Tags",), TAGS, tags),
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
        Update("AWS::EC2::VPC", "Vpc", ("Tags",), TAGS, tags),
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
        Update("AWS::Scheduler::ScheduleGroup", "ScheduleGroup", ("Tags",), TAGS, tags),
        Update(
            "AWS::Events::Rule", "RestoreTestRule", ("Description",), "changed",
            lambda found: found["Description"],
        ),
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


OPERATOR = {
    "AlertEmail": "someone@example.com", "AlertPhone": "+14155550100", "SlackWorkspaceId": "T0123ABCD",
    "SlackChannelId": "C0123ABCD", "OperationsHandler": "gymops.app.operations.handler",
}  # fmt: skip
"""What an operator adds, so that whatever can be switched on is there in one environment or the other."""


def refuse_to_go(env: Environment) -> None:
    """A protected database stops the deletion, and nothing of it is lost."""
    if env.name != "prod":
        return
    app = env.of.stack("app")
    client = env.client("cloudformation")
    client.delete_stack(StackName=env.stack_name(app))
    env.rest(app, "DELETE_FAILED")
    identifier = env.outputs["app"]["DatabaseIdentifier"]
    rds = env.client("rds")
    assert rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    with pytest.raises(ClientError, match="Cannot delete protected DB Instance"):
        rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
    rds.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True)


def last_snapshot(env: Environment) -> None:
    """Of the database, the last snapshot is left and nothing else."""
    snapshots = env.client("rds").describe_db_snapshots()["DBSnapshots"]
    assert [one["DBInstanceIdentifier"] for one in snapshots] == [f"{env.name}-gym-app-db"]


LIFE = Life(
    "titan-trakr",
    UPDATES,
    environments={"staging": OPERATOR, "prod": {**OPERATOR, "Nat": "true"}},
    replaced=frozenset({("app", "PublicRoute")}),  # a route is known by where it leads
    ends=refuse_to_go,
    ended=last_snapshot,
)
