"""voice-tracker-neon: the zone of its name, one change of each type; its database is none of the stacks'."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.stacks.environment import Environment
from tests.integration.stacks.life import Life, Update

UPDATES: dict[str, tuple[Update, ...]] = {
    "base": (
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
    "app": (
        Update(
            "AWS::ApiGatewayV2::Api", "Api", ("Description",), "changed", lambda found: found["Description"]
        ),
        Update(
            "AWS::ApiGatewayV2::Authorizer", "FromCloudFront", ("AuthorizerResultTtlInSeconds",), 60,
            lambda found: found["AuthorizerResultTtlInSeconds"],
        ),
        Update(
            "AWS::ApiGatewayV2::Integration", "Integration", ("TimeoutInMillis",), 20000,
            lambda found: found["TimeoutInMillis"],
        ),
        Update(
            "AWS::ApiGatewayV2::Route", "Route", ("RouteKey",), "ANY /v2/{proxy+}",
            lambda found: found["RouteKey"],
        ),
        Update(
            "AWS::ApiGatewayV2::Stage", "Stage", ("DefaultRouteSettings", "ThrottlingRateLimit"), 7,
            lambda found: found["DefaultRouteSettings"]["ThrottlingRateLimit"], 7.0,
        ),
        Update(
            "AWS::CloudFront::CachePolicy", "DataCache", ("CachePolicyConfig", "MaxTTL"), 90000,
            lambda found: found["CachePolicyConfig"]["MaxTTL"],
        ),
        Update(
            "AWS::CloudFront::Distribution", "Distribution",
            ("DistributionConfig", "CacheBehaviors", 1, "Compress"), False,
            lambda found: [
                one["Compress"] for one in found["DistributionConfig"]["CacheBehaviors"]["Items"]
            ], [True, False],
        ),
        Update(
            "AWS::CloudFront::OriginAccessControl", "PagesAccess",
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
        Update(
            "AWS::IAM::Role", "GateRole", ("Description",), "changed", lambda found: found["Description"]
        ),
        Update(
            "AWS::KMS::Alias", "DataKeyAlias", ("AliasName",), "alias/renamed",
            lambda found: found["AliasName"],
        ),
        Update("AWS::KMS::Key", "DataKey", ("Description",), "changed", lambda found: found["Description"]),
        Update("AWS::Lambda::Alias", "Live", ("Description",), "changed", lambda found: found["Description"]),
        Update("AWS::Lambda::Function", "Function", ("Timeout",), 20, lambda found: found["Timeout"]),
        Update(
            "AWS::Logs::LogGroup", "ApiLogs", ("RetentionInDays",), 3,
            lambda found: found["retentionInDays"],
        ),
        Update(
            "AWS::Route53::RecordSet", "DomainRecord6", ("AliasTarget", "EvaluateTargetHealth"), True,
            lambda found: found["AliasTarget"]["EvaluateTargetHealth"],
        ),
        Update(
            "AWS::S3::Bucket", "Pages", ("VersioningConfiguration", "Status"), "Suspended",
            lambda found: found["Status"],
        ),
        Update(
            "AWS::S3::BucketPolicy", "PagesPolicy", ("PolicyDocument", "Statement", 0, "Sid"), "Edge",
            lambda found: found["Statement"][0]["Sid"],
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
            "AWS::SecretsManager::Secret", "PasscodeSecret", ("Description",), "changed",
            lambda found: found["Description"],
        ),
    ),
}  # fmt: skip

OPERATOR = {"AlertEmail": "someone@example.com", "AlertPhone": "+14155550100"}


def zone(env: Environment) -> Mapping[str, str]:
    """The zone of the domain, which somebody has: its stack only writes into it."""
    made = env.client("route53").create_hosted_zone(Name="gym.example.com", CallerReference=env.account)
    return {"DomainZoneId": made["HostedZone"]["Id"].rpartition("/")[2]}


LIFE = Life(
    "voice-tracker-neon",
    UPDATES,
    environments={"staging": OPERATOR, "prod": OPERATOR},
    begins=zone,
    replaced=frozenset({("app", "DataKeyAlias")}),  # an alias is its name
)
