"""What the local AWS does for real, what it only imitates, and what it does not have.

Data, shown by ``gymops local status`` and copied into the documentation. A line here is a promise: each is
held by a test, and what is missing here is not to be relied on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How far a part of AWS is there."""

    REAL = "real"
    """It happens: a server runs, data moves, code is executed."""
    EMULATED = "emulated"
    """The API answers and remembers; nothing stands behind it."""
    ABSENT = "absent"
    """It is refused, or plainly not there."""


@dataclass(frozen=True)
class Part:
    """One part of AWS."""

    name: str
    kind: Kind
    note: str


PARTS = (
    Part(
        "RDS instances", Kind.REAL,
        "PostgreSQL 18 servers on ports of their own, whatever engine version was asked for and is shown;"
        " class, storage and Multi-AZ are recorded and change nothing",
    ),
    Part(
        "RDS snapshots and restores", Kind.REAL,
        "copies of the data; a point-in-time restore has exactly the commits before the first one past the"
        " time in WAL order; automated backups in their window",
    ),
    Part(
        "Lambda functions", Kind.REAL,
        "Python code from a zip with its layers, or an image's last layer, in a subprocess of this machine's"
        " Python; memory, CPU, VPC and architecture are not enforced",
    ),
    Part(
        "ECS tasks", Kind.REAL,
        "Python from an image's last layer, each a process with an address of its own; health checks,"
        " rolling deployments, their circuit breaker; CPU, memory, roles, architecture are not enforced",
    ),
    Part(
        "CodeDeploy", Kind.REAL,
        "of services: other tasks in the other target group, their share of the requests, alarms, the way"
        " back, tasks that are kept for a while; no hooks, and what is stopped always goes back",
    ),
    Part(
        "Application Load Balancers", Kind.REAL,
        "each on a port of its own, where the listener that was made first answers by its rules; no TLS, no"
        " security groups",
    ),
    Part(
        "ECR", Kind.REAL,
        "a registry for each account and region, by the distribution API on the local AWS's own port, with"
        " the token ECR gives; lifecycle policies are kept and expire nothing, nothing is scanned",
    ),
    Part("Lambda function URLs", Kind.REAL, "each on a port of its own; no TLS, no signature checked"),
    Part("Lambda alias weights", Kind.REAL, "requests are split by chance, as on AWS"),
    Part(
        "AWS Backup", Kind.REAL,
        "of RDS instances: jobs, recovery points, copies, restores, restore tests, plans and vault locks; of"
        " DynamoDB's tables and of buckets jobs, recovery points, restores and plans; no start window and no"
        " clash with RDS's own window, everything is kept warm",
    ),
    Part(
        "CloudWatch Logs of functions", Kind.REAL,
        "what a function writes, in its log group, when the call has ended: all its lines have that time",
    ),
    Part("Secrets Manager", Kind.REAL, "values and versions; a rotation runs its function's four steps"),
    Part("RDS Proxy", Kind.REAL, "its address forwards to the instance; no pooling, no pinning, no TLS"),
    Part("CloudFormation", Kind.REAL, "create, update, replace, roll back, change sets, exports, nesting"),
    Part(
        "Alarms on functions", Kind.REAL,
        "calls are counted by function and by alias; an alarm looks at its own metric, period by period; a"
        " stack's alarm on a share of calls is reckoned",
    ),
    Part(
        "CloudFormation drift detection", Kind.REAL,
        "of roles, functions, log groups, buckets, secrets, queues, parameters and tables, by their main"
        " properties; that topics, repositories and rules are there; other types are not looked at",
    ),
    Part("S3, SNS, SQS, SSM, EventBridge", Kind.EMULATED, "by ministack"),
    Part(
        "DynamoDB", Kind.EMULATED,
        "by ministack: items are kept, found and expire; encryption is recorded; a table comes back as it was"
        " at any time since its recovery was switched on, or since 5,000 writes ago, and up to now",
    ),
    Part("Metrics of databases and the edge", Kind.ABSENT, "their alarms keep the state they have"),
    Part(
        "HTTP APIs", Kind.REAL,
        "each on a port of its own, with its routes, CORS, and authorizers by JWT or function; no throttling,"
        " no access logs",
    ),
    Part(
        "REST APIs", Kind.REAL,
        "under the local AWS's own address, with resources, methods, validation and throttling, through VPC"
        " links to load balancers; nothing is cached or logged",
    ),
    Part(
        "Cognito user pools", Kind.REAL,
        "users sign up and in, tokens are signed and checked; no mail and no text message, no hosted pages",
    ),
    Part("IAM, KMS, VPC, CloudFront, WAF, Route 53, ACM", Kind.EMULATED, "names and settings"),
    Part(
        "NAT gateways, Application Auto Scaling, budgets, Slack channels, CodePipeline", Kind.EMULATED,
        "recorded; nothing is routed, scaled, counted, posted or run",
    ),
    Part(
        "EventBridge Scheduler", Kind.EMULATED,
        "by ministack; a schedule that calls an API, such as stopping an instance at night, does nothing",
    ),
    Part(
        "IAM database authentication", Kind.EMULATED,
        "with it on, a role that has rds_iam comes in with any token: the token is not checked",
    ),
    Part("TLS to databases and functions", Kind.ABSENT, "everything is on loopback, in clear text"),
    Part("Permissions", Kind.ABSENT, "policies are kept and shown, no call is refused by them"),
    Part("Quotas, timings, prices", Kind.ABSENT, "an operation takes as long as it was set to"),
    Part("RDS read replicas, clusters, other engines", Kind.ABSENT, "refused"),
    Part("Cost Explorer, Pricing, metric math beyond + - * /", Kind.ABSENT, "refused or empty"),
)  # fmt: skip


_REAL_TYPES = frozenset({
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::VpcLink", "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::Method", "AWS::ApiGateway::RequestValidator", "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::RestApi", "AWS::Backup::BackupPlan", "AWS::Backup::BackupVault",
    "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient", "AWS::ECR::Repository",
    "AWS::ECS::Service", "AWS::ECS::TaskDefinition", "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule", "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::Lambda::Alias", "AWS::Lambda::Function", "AWS::Lambda::LayerVersion", "AWS::Lambda::Url",
    "AWS::Lambda::Version",
    "AWS::RDS::DBInstance", "AWS::RDS::DBParameterGroup", "AWS::SecretsManager::Secret",
    "AWS::Backup::BackupSelection", "AWS::Backup::RestoreTestingPlan", "AWS::Backup::RestoreTestingSelection",
    "AWS::RDS::DBProxy", "AWS::RDS::DBProxyTargetGroup", "AWS::SecretsManager::RotationSchedule",
})  # fmt: skip


@dataclass(frozen=True)
class ResourceType:
    """A CloudFormation resource type on the local AWS."""

    name: str
    kind: Kind
    ours: bool
    """Registered by gymops: the emulator itself refuses it."""


def resource_type(name: str) -> ResourceType:
    """How far a type is there. One that neither the emulator nor we know is refused when a stack names it."""
    from gymops.local.plane.types.all import KINDS

    ours = name in {kind.name for kind in KINDS}
    return ResourceType(name, Kind.REAL if name in _REAL_TYPES else Kind.EMULATED, ours)


def of_kind(kind: Kind) -> list[Part]:
    """The parts of one kind."""
    return [part for part in PARTS if part.kind is kind]
