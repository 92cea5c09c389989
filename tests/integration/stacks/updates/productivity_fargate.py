"""productivity-fargate: the image that runs in it, one change of each type, and what holds at its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.functions import push
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.life import Life, Update
from tests.integration.stacks.updates.titan_trakr import UPDATES as TITAN
from tests.local_aws import unique

APP = """import hashlib, http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = ("DATABASE_URL", "DATABASE_SECRET_ARN", "APP_ENVIRONMENT")
        found = {name: os.environ.get(name) for name in told}
        found["sessions"] = [
            hashlib.sha256(os.environ[name].encode()).hexdigest()
            for name in ("SESSION_SECRET", "SESSION_SECRET_PREVIOUS", "SESSION_SECRET_NEXT")
        ]
        found["pid"] = os.getpid()
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        print(json.dumps({"path": self.path}), flush=True)

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""
"""A stand-in for the app, which is no Python: it says what it was told."""


def _as_titan(stack: str, *kinds: str) -> tuple[Update, ...]:
    """The changes of what both architectures have from the same part."""
    return tuple(one for one in TITAN[stack] if one.kind in kinds)


UPDATES: dict[str, tuple[Update, ...]] = {
    "zone": (
        Update(
            "AWS::Route53::HostedZone", "Zone", ("HostedZoneConfig",), {"Comment": "ours"},
            lambda found: found["Config"]["Comment"], "ours",
        ),
    ),
    "base": TITAN["base"],
    "certificate": TITAN["certificate"],
    "firewall": (
        Update(
            "AWS::WAFv2::WebACL", "Firewall", ("Description",), "changed",
            lambda found: found["Description"],
        ),
    ),
    "app": (
        *_as_titan(
            "app", "AWS::Backup::BackupPlan", "AWS::Backup::BackupVault",
            "AWS::Backup::RestoreTestingPlan", "AWS::Backup::RestoreTestingSelection",
            "AWS::CloudFront::Distribution", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard",
            "AWS::EC2::EIP", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route",
            "AWS::EC2::RouteTable", "AWS::EC2::Subnet", "AWS::EC2::VPC", "AWS::KMS::Alias", "AWS::KMS::Key",
            "AWS::RDS::DBInstance", "AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup",
            "AWS::Route53::RecordSet", "AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy",
        ),
        Update(
            "AWS::ApplicationAutoScaling::ScalableTarget", "Scaling", ("MaxCapacity",), 9,
            lambda found: found["MaxCapacity"],
        ),
        Update(
            "AWS::ApplicationAutoScaling::ScalingPolicy", "ScalingByCpu",
            ("TargetTrackingScalingPolicyConfiguration", "TargetValue"), 65,
            lambda found: found["TargetTrackingScalingPolicyConfiguration"]["TargetValue"],
        ),
        Update(
            "AWS::CloudFront::CachePolicy", "PageCache", ("CachePolicyConfig", "MaxTTL"), 30,
            lambda found: found["CachePolicyConfig"]["MaxTTL"],
        ),
        Update(
            "AWS::EC2::SecurityGroup", "TaskSecurityGroup", ("SecurityGroupEgress",),
            [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.0.0.0/8"}],
            lambda found: [
                block["CidrIp"] for one in found["IpPermissionsEgress"] for block in one["IpRanges"]
            ], ["10.0.0.0/8"],
        ),
        Update(
            "AWS::EC2::VPCEndpoint", "SecretsEndpoint", ("SubnetIds",),
            [{"Ref": "AppSubnet2"}], lambda found: len(found["SubnetIds"]), 1,
        ),
        Update(
            "AWS::CodeDeploy::DeploymentGroup", "DeploymentGroup", ("DeploymentConfigName",),
            "CodeDeployDefault.ECSAllAtOnce", lambda found: found["deploymentConfigName"],
        ),
        Update(
            "AWS::ECS::Cluster", "Cluster", ("ClusterSettings", 0, "Value"), "disabled",
            lambda found: found["settings"][0]["value"],
        ),
        Update(
            "AWS::ECS::Service", "Service", ("HealthCheckGracePeriodSeconds",), 20,
            lambda found: found["healthCheckGracePeriodSeconds"],
        ),
        Update(
            "AWS::ECS::TaskDefinition", "TaskDefinition", ("ContainerDefinitions", 0, "StopTimeout"), 30,
            lambda found: found["containerDefinitions"][0]["stopTimeout"],
        ),
        Update(
            "AWS::ElasticLoadBalancingV2::Listener", "Listener",
            ("DefaultActions", 0, "FixedResponseConfig", "StatusCode"), "404",
            lambda found: found["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"],
        ),
        Update(
            "AWS::ElasticLoadBalancingV2::ListenerRule", "AnswerRule", ("Priority",), 20,
            lambda found: found["Priority"], "20",
        ),
        Update(
            "AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancer",
            ("LoadBalancerAttributes", 1, "Value"), "50", lambda found: found["idle_timeout.timeout_seconds"],
        ),
        Update(
            "AWS::ElasticLoadBalancingV2::TargetGroup", "Targets", ("HealthCheckIntervalSeconds",), 5,
            lambda found: found["HealthCheckIntervalSeconds"],
        ),
        Update(
            "AWS::Events::Rule", "CrashRule", ("Description",), "changed", lambda found: found["Description"]
        ),
        Update(
            "AWS::IAM::Role", "TaskRole", ("Description",), "changed", lambda found: found["Description"]
        ),
        Update(
            "AWS::Lambda::Function", "RotationFunction", ("Timeout",), 50, lambda found: found["Timeout"]
        ),
        Update(
            "AWS::Logs::LogGroup", "TaskLogs", ("RetentionInDays",), 3,
            lambda found: found["retentionInDays"],
        ),
        Update(
            "AWS::Logs::MetricFilter", "SlowQueries", ("FilterPattern",), '"duration"',
            lambda found: found["filterPattern"],
        ),
        Update(
            "AWS::Logs::ResourcePolicy", "CrashLogsPolicy", ("PolicyDocument",),
            '{"Version": "2012-10-17", "Statement": []}',
            lambda found: json.loads(found["policyDocument"])["Statement"], [],
        ),
        Update(
            "AWS::SecretsManager::RotationSchedule", "SessionRotationSchedule",
            ("RotationRules", "Duration"), "3h", lambda found: found["RotationRules"]["Duration"],
        ),
        Update(
            "AWS::SecretsManager::Secret", "OriginSecret", ("Description",), "changed",
            lambda found: found["Description"],
        ),
    ),
}  # fmt: skip


def image(env: Environment) -> Mapping[str, str]:
    """The app's image, and what this machine has to run the rotation with."""
    config = {"Entrypoint": ["python", "-m", "app"], "WorkingDir": "/opt/app", "Env": ["PYTHONPATH=/opt/app"]}
    uri = push(env.aws, unique("productivity"), {"opt/app/app.py": APP}, config)
    return {"ImageUri": uri, "RotationRuntime": f"python3.{sys.version_info.minor}"}


def refuse_to_go(env: Environment) -> None:
    """A protected database stops the deletion."""
    if env.name != "prod":
        return
    rds, identifier = env.client("rds"), env.outputs["app"]["DatabaseIdentifier"]
    with pytest.raises(ClientError, match="Cannot delete protected DB Instance"):
        rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
    rds.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True)


LIFE = Life(
    "productivity-fargate",
    UPDATES,
    environments={
        "staging": {"AlertEmail": "someone@example.com", "AlertPhone": "+14155550100", "Nat": "true"},
        "prod": {"AlertEmail": "someone@example.com", "BlueGreen": "true"},
    },
    replaced=frozenset({("app", "PublicRoute"), ("app", "TaskDefinition")}),  # a revision is never changed
    leaves=frozenset({("app", "TaskDefinition")}),  # a release returns to it
    single={"AWS::CodeDeploy::Application": "a name and a platform; another is another"},
    zipped=False,
    begins=image,
    ends=refuse_to_go,
)
