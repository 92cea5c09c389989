"""lifestyle-phased: what an operator adds, one change of each type, and what holds at its end."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.integration.stacks.environment import Environment
from tests.integration.stacks.life import Life, Update

UPDATES: dict[str, tuple[Update, ...]] = {
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
    "data": (
        Update("AWS::KMS::Key", "DataKey", ("Description",), "changed", lambda found: found["Description"]),
        Update(
            "AWS::Cognito::UserPool", "UserPool", ("Policies", "PasswordPolicy", "MinimumLength"), 16,
            lambda found: found["Policies"]["PasswordPolicy"]["MinimumLength"],
        ),
        Update(
            "AWS::Cognito::UserPoolClient", "UserPoolClient", ("RefreshTokenValidity",), 7,
            lambda found: found["RefreshTokenValidity"],
        ),
        Update(
            "AWS::DynamoDB::Table", "Users", ("PointInTimeRecoverySpecification",),
            {"PointInTimeRecoveryEnabled": False}, lambda found: found["PointInTimeRecoveryStatus"],
            "DISABLED",
        ),
    ),
    "app": (
        Update(
            "AWS::ApiGatewayV2::Api", "Api", ("CorsConfiguration", "AllowOrigins"), ["https://a.example"],
            lambda found: found["CorsConfiguration"]["AllowOrigins"],
        ),
        Update(
            "AWS::ApiGatewayV2::Authorizer", "SignedIn", ("Name",), "changed", lambda found: found["Name"]
        ),
        Update(
            "AWS::ApiGatewayV2::Integration", "Integration", ("TimeoutInMillis",), 20000,
            lambda found: found["TimeoutInMillis"],
        ),
        Update(
            "AWS::ApiGatewayV2::Route", "OwnRoute", ("RouteKey",), "ANY /own/{proxy+}",
            lambda found: found["RouteKey"],
        ),
        Update(
            "AWS::ApiGatewayV2::Stage", "Stage", ("DefaultRouteSettings", "ThrottlingRateLimit"), 7,
            lambda found: found["DefaultRouteSettings"]["ThrottlingRateLimit"], 7.0,
        ),
        Update(
            "AWS::CloudWatch::Alarm", "ErrorsAlarm", ("Threshold",), 7, lambda found: found["Threshold"], 7.0
        ),
        Update(
            "AWS::IAM::Role", "FunctionRole", ("Description",), "changed",
            lambda found: found["Description"],
        ),
        Update("AWS::Lambda::Alias", "Live", ("Description",), "changed", lambda found: found["Description"]),
        Update("AWS::Lambda::Function", "Function", ("Timeout",), 20, lambda found: found["Timeout"]),
        Update(
            "AWS::Logs::LogGroup", "FunctionLogs", ("RetentionInDays",), 3,
            lambda found: found["retentionInDays"],
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
    ),
}  # fmt: skip


def protected(env: Environment) -> None:
    """In prod the table refuses to be deleted by hand; in dev it does not."""
    client, table = env.client("dynamodb"), f"users-{env.name}"
    found = client.describe_table(TableName=table)["Table"]
    assert found["DeletionProtectionEnabled"] is (env.name == "prod")
    if env.name == "prod":
        with pytest.raises(ClientError, match="protected against deletion"):
            client.delete_table(TableName=table)


OPERATOR = {
    "AlertEmail": "someone@example.com", "AlertPhone": "+14155550100",
    "ImageUri": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/lifestyle-app@sha256:{'0' * 64}",
}  # fmt: skip
"""What an operator adds, and the image that a release does; nothing calls it here."""

LIFE = Life(
    "lifestyle-phased",
    UPDATES,
    environments={"dev": OPERATOR, "prod": OPERATOR},
    single={"AWS::KMS::Alias": "there is one key, and no second that it could name"},
    zipped=False,
    ends=protected,
)
