"""fitzen-coach: a coach that runs in it, one change of each type, and what holds at its end."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.functions import push
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.life import TAGS, Life, Update, tags
from tests.integration.stacks.updates.productivity_fargate import UPDATES as FARGATE
from tests.local_aws import unique

APP = """import http.server, json, os, time, urllib.request

SAYS = {"says": "first"}

def table(action, **asked):
    who = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/{os.environ['AWS_REGION']}/dynamodb/aws4_request"
    headers = {
        "X-Amz-Target": f"DynamoDB_20120810.{action}", "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={who}, SignedHeaders=host, Signature=0",
    }
    body = json.dumps({"TableName": os.environ["CHAT_HISTORY_TABLE"], **asked}).encode()
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)

class Coach(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        who = self.path.rpartition("/")[2]
        if self.path == "/health":
            told = ("APP_ENVIRONMENT", "DATA_STORE", "DB_HOST", "BEDROCK_MODEL_ID", "CHAT_DAYS")
            return self.say(200, {**SAYS, **{name: os.environ.get(name) for name in told}})
        if not self.path.startswith("/api/chat/history/"):
            return self.say(200, {**SAYS, "path": self.path})
        if self.headers["Authorization"] != f"Bearer {who}":
            return self.say(403, {"error": "not yours"})
        values = {":who": {"S": who}}
        found = table("Query", KeyConditionExpression="user_id = :who", ExpressionAttributeValues=values)
        self.say(200, {"said": [one["message"]["S"] for one in found["Items"]]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        now = time.time()
        over = int(now) + 86400 * int(os.environ["CHAT_DAYS"])
        table("PutItem", Item={
            "user_id": {"S": asked["user_id"]}, "timestamp": {"N": repr(now)},
            "message": {"S": asked["message"]}, "expires_at": {"N": str(over)},
        })
        self.say(201, SAYS)

    def say(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

if SAYS["says"] == "nothing":
    raise SystemExit("the gym is closed")
print(json.dumps({"message": "listening"}), flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["API_PORT"])), Coach).serve_forever()
"""
"""A stand-in for the Flask app: it remembers what is said in a chat, and forgets it after CHAT_DAYS."""


def _as_fargate(stack: str, *kinds: str) -> tuple[Update, ...]:
    """The changes of what both architectures have from the same part."""
    return tuple(one for one in FARGATE[stack] if one.kind in kinds)


UPDATES: dict[str, tuple[Update, ...]] = {
    "zone": FARGATE["zone"],
    "base": (
        *FARGATE["base"],
        Update(
            "AWS::IAM::Role", "GatewayRole", ("Description",), "changed", lambda found: found["Description"]
        ),
    ),
    "certificate": FARGATE["certificate"],
    "firewall": FARGATE["firewall"],
    "app": (
        *_as_fargate(
            "app", "AWS::ApplicationAutoScaling::ScalableTarget",
            "AWS::ApplicationAutoScaling::ScalingPolicy", "AWS::CloudFront::Distribution",
            "AWS::CloudWatch::Alarm", "AWS::CodeDeploy::DeploymentGroup",
            "AWS::EC2::EIP", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route",
            "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup", "AWS::EC2::Subnet", "AWS::EC2::VPC",
            "AWS::EC2::VPCEndpoint", "AWS::ECS::Cluster", "AWS::ECS::Service", "AWS::ECS::TaskDefinition",
            "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule",
            "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancingV2::TargetGroup",
            "AWS::Events::Rule", "AWS::IAM::Role", "AWS::KMS::Alias", "AWS::KMS::Key", "AWS::Logs::LogGroup",
            "AWS::Logs::ResourcePolicy", "AWS::RDS::DBInstance", "AWS::RDS::DBParameterGroup",
            "AWS::RDS::DBSubnetGroup", "AWS::Route53::RecordSet", "AWS::SNS::Subscription", "AWS::SNS::Topic",
            "AWS::SNS::TopicPolicy", "AWS::SecretsManager::Secret",
        ),
        Update(
            "AWS::ApiGateway::ApiKey", "OriginKey", ("Description",), "changed",
            lambda found: found["description"],
        ),
        Update(
            "AWS::ApiGateway::Method", "ReadUsers", ("Integration", "TimeoutInMillis"), 20000,
            lambda found: found["methodIntegration"]["timeoutInMillis"],
        ),
        Update(
            "AWS::ApiGateway::Model", "ApiEntry", ("Description",), "changed",
            lambda found: found["description"],
        ),
        Update(
            "AWS::ApiGateway::RequestValidator", "ApiValidator", ("ValidateRequestBody",), False,
            lambda found: found["validateRequestBody"],
        ),
        Update(
            "AWS::ApiGateway::RestApi", "Api", ("Description",), "changed", lambda found: found["description"]
        ),
        Update(
            "AWS::ApiGateway::Deployment", "ApiDeployment2", ("Description",), "changed",
            lambda found: found["description"],
        ),
        Update(
            "AWS::ApiGateway::Stage", "ApiStage", ("MethodSettings", 0, "CacheTtlInSeconds"), 60,
            lambda found: found["methodSettings"]["*/*"]["cacheTtlInSeconds"],
        ),
        Update(
            "AWS::ApiGateway::UsagePlan", "OriginPlan", ("Throttle", "RateLimit"), 5000,
            lambda found: found["throttle"]["rateLimit"], 5000.0,
        ),
        Update(
            "AWS::ApiGatewayV2::VpcLink", "BalancerLink", ("Name",), "changed", lambda found: found["Name"]
        ),
        Update(
            "AWS::Budgets::Budget", "DailyCost", ("Budget", "BudgetLimit", "Amount"), 55,
            lambda found: found["BudgetLimit"]["Amount"], "55",
        ),
        *_as_fargate("app", "AWS::CloudWatch::Dashboard"),
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
            "AWS::CloudFront::CachePolicy", "ImagesCache", ("CachePolicyConfig", "MaxTTL"), 5184000,
            lambda found: found["CachePolicyConfig"]["MaxTTL"],
        ),
        Update(
            "AWS::CloudFront::Function", "QueryFunction", ("FunctionConfig", "Comment"), "changed",
            lambda found: found["FunctionConfig"]["Comment"],
        ),
        Update(
            "AWS::CloudFront::OriginAccessControl", "FilesAccess",
            ("OriginAccessControlConfig", "Description"), "changed",
            lambda found: found["OriginAccessControlConfig"]["Description"],
        ),
        Update(
            "AWS::Cognito::UserPool", "UserPool", ("Policies", "PasswordPolicy", "MinimumLength"), 16,
            lambda found: found["Policies"]["PasswordPolicy"]["MinimumLength"],
        ),
        Update(
            "AWS::Cognito::UserPoolClient", "UserPoolClient", ("RefreshTokenValidity",), 7,
            lambda found: found["RefreshTokenValidity"],
        ),
        Update(
            "AWS::Cognito::UserPoolIdentityProvider", "GoogleProvider", ("AttributeMapping",),
            {"email": "email", "name": "given_name"}, lambda found: found["AttributeMapping"]["name"],
            "given_name",
        ),
        Update("AWS::Lambda::Function", "CleanupFunction", ("Timeout",), 50, lambda found: found["Timeout"]),
        Update("AWS::Scheduler::ScheduleGroup", "JobsGroup", ("Tags",), TAGS, tags),
        Update(
            "AWS::Scheduler::Schedule", "RemindersSchedule", ("ScheduleExpression",), "rate(2 hours)",
            lambda found: found["ScheduleExpression"],
        ),
        Update(
            "AWS::SQS::Queue", "JobsQueue", ("MessageRetentionPeriod",), 86400,
            lambda found: found["MessageRetentionPeriod"], "86400",
        ),
        Update(
            "AWS::DynamoDB::Table", "UsersTable", ("PointInTimeRecoverySpecification",),
            {"PointInTimeRecoveryEnabled": False}, lambda found: found["PointInTimeRecoveryStatus"],
            "DISABLED",
        ),
        Update(
            "AWS::SecretsManager::RotationSchedule", "PasswordRotation",
            ("RotationRules", "AutomaticallyAfterDays"), 60,
            lambda found: found["RotationRules"]["AutomaticallyAfterDays"],
        ),
    ),
    "pipeline": (
        Update(
            "AWS::CodeBuild::Project", "Tests", ("TimeoutInMinutes",), 20,
            lambda found: found["timeoutInMinutes"],
        ),
        Update(
            "AWS::CodePipeline::Pipeline", "Pipeline", ("Stages", 0, "Name"), "Changed",
            lambda found: found["stages"][0]["name"],
        ),
    ),
}  # fmt: skip


def coach(env: Environment) -> Mapping[str, str]:
    """The coach's image, what its functions run with here, and what shows Google that it is the app."""
    env.client("secretsmanager").create_secret(
        Name=f"{env.name}-fitzen/google-oauth", SecretString='{"client_secret": "from Google"}'
    )
    config = {"Entrypoint": ["python", "-m", "app"], "WorkingDir": "/opt/app", "Env": ["PYTHONPATH=/opt/app"]}
    return {
        "ImageUri": push(env.aws, unique("fitzen"), {"opt/app/app.py": APP}, config),
        "JobsRuntime": f"python3.{sys.version_info.minor}",
        "GoogleClientId": "fitzen.apps.example.com",
    }


def refuse_to_go(env: Environment) -> None:
    """What holds data and is protected stops its deletion, whoever asks; CodeDeploy's tasks are counted."""
    rds, tables = env.client("rds"), env.client("dynamodb")
    found = tables.describe_table(TableName=f"{env.name}-fitzen-chat-history")["Table"]
    assert found["DeletionProtectionEnabled"] is (env.name == "prod")
    (alarm,) = env.client("cloudwatch").describe_alarms(AlarmNames=[f"{env.name}-fitzen-critical-tasks"])[
        "MetricAlarms"
    ]
    green = env.name == "prod"
    assert alarm["MetricName"] == ("RunningTaskCount" if green else "HealthyHostCount")
    assert [one["Name"] for one in alarm["Dimensions"]][-1] == ("ServiceName" if green else "TargetGroup")
    if env.name != "prod":
        return
    with pytest.raises(ClientError, match="protected against deletion"):
        tables.delete_table(TableName=found["TableName"])
    identifier = env.outputs["app"]["DatabaseIdentifier"]
    with pytest.raises(ClientError, match="Cannot delete protected DB Instance"):
        rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
    rds.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True)


LIFE = Life(
    "fitzen-coach",
    UPDATES,
    environments={
        "staging": {
            "AlertEmail": "someone@example.com", "AlertPhone": "+14155550100", "OnCallPhone": "+14155550101",
            "SourceRepository": "fitzen/coach",
            "ReleasePolicies": "arn:aws:iam::123456789012:policy/releases",
            "PromotionPolicies": "arn:aws:iam::123456789012:policy/promotions",
            "GymopsPackage": "gymops==1.0.0",
        },
        "prod": {
            "AlertEmail": "someone@example.com", "BlueGreen": "true", "DataStore": "postgres", "Nat": "false",
        },
    },
    replaced=frozenset({("app", "PublicRoute"), ("app", "TaskDefinition")}),  # a revision is never changed
    leaves=frozenset({("app", "TaskDefinition")}),  # a release returns to it
    single={
        "AWS::ApiGateway::Account": "an account has one role for it, and no second to name",
        "AWS::ApiGateway::Resource": "each of its properties makes another",
        "AWS::ApiGateway::UsagePlanKey": "each of its properties makes another",
        "AWS::Cognito::UserPoolDomain": "a domain of another name is another",
        "AWS::CodeConnections::Connection": "what somebody confirmed at GitHub is of one name",
        "AWS::CodeDeploy::Application": "a name and a platform; another is another",
    },
    zipped=False,
    begins=coach,
    ends=refuse_to_go,
)  # fmt: skip
