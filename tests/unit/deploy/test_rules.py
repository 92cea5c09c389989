"""Each rule with what it must find and the nearest that it must let pass."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pytest

from gymops.deploy import rules
from gymops.deploy.rules import Subject
from gymops.deploy.rules.backup import WEEK, Window
from tests.unit.deploy.shipped import written


@dataclass(frozen=True)
class Case:
    code: str
    bad: str
    good: str
    """Both are Resources, in YAML; with a line ``Parameters:`` they bring those too."""


def policy(statement: str) -> str:
    return f"""
        Role:
          Type: AWS::IAM::Role
          Properties:
            Policies:
              - PolicyDocument:
                  Statement:
                    - {{Sid: One, Effect: Allow, {statement}}}
    """


def one(kind: str, properties: str) -> str:
    return f"""
        It:
          Type: AWS::{kind}
          Properties: {{{properties}}}
    """


def plan(rule: str, windows: str = "") -> str:
    return f"""
        Database: {{Type: AWS::RDS::DBInstance, Properties: {{{windows}}}}}
        Plan:
          Type: AWS::Backup::BackupPlan
          Properties:
            BackupPlan:
              BackupPlanRule:
                - {{RuleName: daily, ScheduleExpression: "cron(0 3 * * ? *)", StartWindowMinutes: 60, {rule}}}
    """


def url(permissions: str, auth: str = "AWS_IAM") -> str:
    return f"""
        Alias: {{Type: AWS::Lambda::Alias, Properties: {{Name: live}}}}
        Url: {{Type: AWS::Lambda::Url, Properties: {{AuthType: {auth}, Qualifier: live}}}}
        {permissions}
    """


FIRST = """First:
          Type: AWS::Lambda::Permission
          Properties: {Action: lambda:InvokeFunctionUrl, FunctionName: !Ref Alias, SourceArn: arn}
        """
SECOND = """Second:
          Type: AWS::Lambda::Permission
          Properties:
            Action: lambda:InvokeFunction
            FunctionName: !Ref Alias
            SourceArn: arn
            InvokedViaFunctionUrl: true
        """
ROLE = "Role: {Type: AWS::IAM::Role}\n"
LIFECYCLE = 'ImageTagMutability: IMMUTABLE, LifecyclePolicy: {LifecyclePolicyText: \'{"tagStatus": "%s"}\'}'


def distribution(config: str) -> str:
    return f"""
        Url: {{Type: AWS::Lambda::Url}}
        Control:
          Type: AWS::CloudFront::OriginAccessControl
          Properties: {{OriginAccessControlConfig: {{SigningBehavior: always}}}}
        Loose:
          Type: AWS::CloudFront::OriginAccessControl
          Properties: {{OriginAccessControlConfig: {{SigningBehavior: no-override}}}}
        Cdn: {{Type: AWS::CloudFront::Distribution, Properties: {{DistributionConfig: {{{config}}}}}}}
    """


NEVER = "CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
SAFE = "ViewerProtocolPolicy: https-only"
SIGNED = "OriginAccessControlId: !GetAtt Control.Id"
LOOSE = "OriginAccessControlId: !GetAtt Loose.Id"
TLS = "ViewerCertificate: {MinimumProtocolVersion: TLSv1.2_2021}"
CLEAR = 'PreferredBackupWindow: "09:00-09:30", PreferredMaintenanceWindow: "Tue:11:00-Tue:11:30"'

CASES = [
    Case("G001", policy('Action: "s3:*", Resource: arn'), policy("Action: s3:GetObject, Resource: arn")),
    Case("G001", policy('Action: "*", Resource: arn'), policy("Action: [s3:GetObject], Resource: arn")),
    Case("G001", policy('Action: ["s3:Get*"], Resource: arn'), policy("Action: s3:GetObject, Resource: arn")),
    Case(
        "G001",
        policy("NotAction: s3:GetObject, Resource: arn"),
        policy("Action: s3:GetObject, Resource: arn"),
    ),
    Case(
        "G001",
        policy('Action: !If [A, "s3:*", s3:GetObject], Resource: arn'),
        policy("Action: !If [A, s3:PutObject, s3:GetObject], Resource: arn"),
    ),
    Case(
        "G002", policy('Action: s3:GetObject, Resource: "*"'), policy("Action: s3:GetObject, Resource: arn")
    ),
    Case(
        "G002",
        policy('Action: s3:GetObject, Resource: [arn, "*"]'),
        policy("Action: s3:GetObject, Resource: [a]"),
    ),
    Case(
        "G002",
        policy("Action: s3:GetObject, NotResource: arn"),
        policy("Action: s3:GetObject, Resource: arn"),
    ),
    Case(
        "G003",
        policy('Action: s3:GetObject, Resource: "arn:x/*"'),
        policy("Action: s3:GetObject, Resource: arn"),
    ),
    Case(
        "G003",
        policy('Action: s3:GetObject, Resource: !Sub "${Bucket}/*"'),
        policy('Action: s3:GetObject, Resource: !Sub "${Bucket}/a"'),
    ),
    Case(
        "G004",
        policy('Action: s3:GetObject, Resource: arn, Principal: "*"'),
        policy("Action: s3:GetObject, Resource: arn, Principal: {Service: x.amazonaws.com}"),
    ),
    Case(
        "G004",
        policy('Action: s3:GetObject, Resource: arn, Principal: {AWS: "*"}'),
        policy("Action: s3:GetObject, Resource: arn, Principal: {AWS: arn}"),
    ),
    Case(
        "G005",
        policy("Action: iam:PassRole, Resource: arn"),
        policy("Action: iam:PassRole, Resource: arn, Condition: {StringEquals: {iam:PassedToService: x}}"),
    ),
    Case(
        "G006",
        policy("Action: iam:PutRolePolicy, Resource: arn"),
        policy("Action: iam:GetRole, Resource: arn"),
    ),
    Case(
        "G007",
        policy("Action: s3:GetObject, Resource: arn").replace("Sid: One, ", ""),
        policy("Action: s3:GetObject, Resource: arn"),
    ),
    Case(
        "G008",
        ROLE + "Function: {Type: AWS::Lambda::Function, Properties: {Role: !Ref Role}}",
        ROLE + "Function: {Type: AWS::Lambda::Function, Properties: {Role: !GetAtt Role.Arn}}",
    ),
    Case(
        "G008",
        ROLE + "S: {Type: AWS::Scheduler::Schedule, Properties: {Target: {RoleArn: !Ref Role}}}",
        ROLE + "S: {Type: AWS::Scheduler::Schedule, Properties: {Target: {RoleArn: !GetAtt Role.Arn}}}",
    ),
    Case(
        "G010",
        one("Lambda::Function", "MemorySize: 64"),
        one("Lambda::Function", "MemorySize: 128"),
    ),
    Case(
        "G010",
        one("Lambda::Function", "Timeout: 901"),
        one("Lambda::Function", "Timeout: 900"),
    ),
    Case(
        "G010",
        one("Lambda::Function", "MemorySize: !Ref Loose"),
        one("Lambda::Function", "MemorySize: !Ref Tight"),
    ),
    Case(
        "G011",
        one("RDS::DBInstance", "ManageMasterUserPassword: true, MasterUserPassword: x"),
        one("RDS::DBInstance", "ManageMasterUserPassword: true"),
    ),
    Case(
        "G020",
        "V: {Type: AWS::KMS::Key, DeletionPolicy: Retain, UpdateReplacePolicy: Retain}",
        "V: {Type: AWS::KMS::Key, DeletionPolicy: RetainExceptOnCreate, UpdateReplacePolicy: Retain}",
    ),
    Case(
        "G020",
        "Database: {Type: AWS::RDS::DBInstance, DeletionPolicy: Snapshot}",
        "Database: {Type: AWS::RDS::DBInstance, DeletionPolicy: Snapshot, UpdateReplacePolicy: Snapshot}",
    ),
    Case(
        "G021",
        one("RDS::DBInstance", "StorageEncrypted: false, KmsKeyId: a"),
        one("RDS::DBInstance", "StorageEncrypted: true, KmsKeyId: a"),
    ),
    Case(
        "G021",
        "Topic: {Type: AWS::SNS::Topic}",
        one("SNS::Topic", "KmsMasterKeyId: a"),
    ),
    Case(
        "G022",
        one("RDS::DBInstance", "DeleteAutomatedBackups: false"),
        one("RDS::DBInstance", "DeleteAutomatedBackups: false, DeletionProtection: true"),
    ),
    Case(
        "G022",
        one("RDS::DBInstance", "DeletionProtection: true"),
        one("RDS::DBInstance", "DeleteAutomatedBackups: false, DeletionProtection: true"),
    ),
    Case(
        "G023",
        one("ECR::Repository", "ImageTagMutability: MUTABLE"),
        one("ECR::Repository", "ImageTagMutability: IMMUTABLE"),
    ),
    Case(
        "G023",
        one("ECR::Repository", LIFECYCLE % "any"),
        one("ECR::Repository", LIFECYCLE % "untagged"),
    ),
    Case(
        "G030",
        one("EC2::SecurityGroup", "SecurityGroupIngress: [{IpProtocol: tcp, CidrIp: 0.0.0.0/0}]"),
        one("EC2::SecurityGroup", "SecurityGroupIngress: [{IpProtocol: tcp, CidrIp: 10.0.0.0/16}]"),
    ),
    Case(
        "G030",
        one("EC2::SecurityGroupIngress", "IpProtocol: tcp, CidrIpv6: '::/0'"),
        one("EC2::SecurityGroupIngress", "IpProtocol: tcp, SourceSecurityGroupId: a"),
    ),
    Case(
        "G031",
        "Database: {Type: AWS::RDS::DBInstance}",
        one("RDS::DBInstance", "PubliclyAccessible: false"),
    ),
    Case(
        "G032",
        "G: {Type: AWS::EC2::SecurityGroup}",
        one("EC2::SecurityGroup", "SecurityGroupEgress: [{IpProtocol: tcp, CidrIp: 10.0.0.0/16}]"),
    ),
    Case(
        "G033",
        one("EC2::Subnet", "AvailabilityZone: us-west-1a"),
        one("EC2::Subnet", 'AvailabilityZone: !Select [0, !GetAZs ""]'),
    ),
    Case(
        "G040",
        plan("Lifecycle: {DeleteAfterDays: 30}", 'PreferredBackupWindow: "03:00-03:30"'),
        plan("Lifecycle: {DeleteAfterDays: 30}", CLEAR),
    ),
    Case(  # fifty minutes after the job's last possible end
        "G040",
        plan("Lifecycle: {DeleteAfterDays: 30}", 'PreferredBackupWindow: "05:50-06:20"'),
        plan("Lifecycle: {DeleteAfterDays: 30}", 'PreferredBackupWindow: "06:00-06:30"'),
    ),
    Case(
        "G040",
        plan("Lifecycle: {DeleteAfterDays: 30}", 'PreferredMaintenanceWindow: "Sun:02:30-Sun:02:50"'),
        plan("Lifecycle: {DeleteAfterDays: 30}", 'PreferredMaintenanceWindow: "Sun:01:00-Sun:02:00"'),
    ),
    Case(  # RDS refuses this one itself, but only at create
        "G040",
        plan(
            "Lifecycle: {DeleteAfterDays: 30}",
            'PreferredBackupWindow: "09:00-09:30", PreferredMaintenanceWindow: "Tue:10:00-Tue:10:30"',
        ),
        plan("Lifecycle: {DeleteAfterDays: 30}", CLEAR),
    ),
    Case(
        "G041",
        plan("Lifecycle: {DeleteAfterDays: 365, MoveToColdStorageAfterDays: 30}"),
        plan("Lifecycle: {DeleteAfterDays: 365}"),
    ),
    Case("G042", plan("Lifecycle: {}"), plan("Lifecycle: {DeleteAfterDays: 365}")),
    Case(
        "G043",
        one("Backup::BackupVault", "LockConfiguration: {ChangeableForDays: 3}"),
        one("Backup::BackupVault", "LockConfiguration: {MinRetentionDays: 7}"),
    ),
    Case("G050", url(FIRST + SECOND, auth="NONE"), url(FIRST + SECOND)),
    Case("G051", url(FIRST), url(FIRST + SECOND)),
    Case("G051", url(SECOND), url(FIRST + SECOND)),
    Case("G051", url(FIRST + SECOND.replace("SourceArn: arn", "Else: x")), url(FIRST + SECOND)),
    Case("G051", url(FIRST + SECOND.replace("InvokedViaFunctionUrl: true", "Else: x")), url(FIRST + SECOND)),
    Case("G051", url(FIRST.replace("!Ref Alias", "!Ref Function") + SECOND), url(FIRST + SECOND)),
    Case(
        "G052",
        distribution("CacheBehaviors: [{PathPattern: /api/*, CachePolicyId: other}]"),
        distribution(f"CacheBehaviors: [{{PathPattern: /api/*, {NEVER}}}]"),
    ),
    Case(
        "G052",
        distribution("CacheBehaviors: []"),
        distribution(f"CacheBehaviors: [{{PathPattern: /api/*, {NEVER}}}]"),
    ),
    Case(
        "G052",
        distribution("Origins: [{S3OriginConfig: {}}, {CustomOriginConfig: {}}]"),
        distribution("Origins: [{S3OriginConfig: {}}]"),
    ),
    Case(
        "G053",
        distribution("Origins: [{DomainName: !GetAtt Url.FunctionUrl}]"),
        distribution(f"Origins: [{{DomainName: !GetAtt Url.FunctionUrl, {SIGNED}}}]"),
    ),
    Case(
        "G053",
        distribution(f"Origins: [{{DomainName: !GetAtt Url.FunctionUrl, {LOOSE}}}]"),
        distribution(f"Origins: [{{DomainName: !GetAtt Url.FunctionUrl, {SIGNED}}}]"),
    ),
    Case(
        "G054",
        distribution(
            f"DefaultCacheBehavior: {{{SAFE}}}, ViewerCertificate: {{MinimumProtocolVersion: TLSv1}}"
        ),
        distribution(f"DefaultCacheBehavior: {{{SAFE}}}, {TLS}"),
    ),
    Case(
        "G054",
        distribution(f"DefaultCacheBehavior: {{ViewerProtocolPolicy: allow-all}}, {TLS}"),
        distribution(f"DefaultCacheBehavior: {{{SAFE}}}, {TLS}"),
    ),
    Case(
        "G055",
        one("Lambda::Function", "Code: {ImageUri: 'repo:latest'}"),
        one("Lambda::Function", "Code: {ImageUri: 'repo@sha256:abc'}"),
    ),
]

PARAMETERS = """
Parameters:
  Loose: {Type: Number, MinValue: 1, MaxValue: 100000, Default: 512, Description: A memory}
  Tight: {Type: Number, MinValue: 128, MaxValue: 10240, Default: 512, Description: A memory}
Resources:
"""


def codes(resources: str) -> set[str]:
    text = PARAMETERS + textwrap.indent(textwrap.dedent(resources).strip(), "  ")
    subject = Subject(written(text), {"prod": {"Loose": "512", "Tight": "512"}})
    return {code for code, rule in rules.every().items() for _ in rule(subject)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_rule_finds_what_it_is_for(case: Case) -> None:
    assert case.code in codes(case.bad)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_rule_lets_the_right_way_pass(case: Case) -> None:
    assert case.code not in codes(case.good)


@pytest.mark.parametrize(
    ("declared", "quiet"),
    [
        ("{Type: String, Description: A name}", False),
        ("{Type: String, AllowedPattern: '[a-z]+'}", False),
        ("{Type: String, AllowedPattern: '[a-z]+', Description: A name}", True),
        ("{Type: AWS::EC2::VPC::Id, Description: A VPC}", True),
    ],
)
def test_a_parameter_says_what_it_is_for_and_what_it_takes(declared: str, quiet: bool) -> None:
    subject = Subject(written(f"Parameters: {{One: {declared}}}"), {"prod": {}})
    assert (not list(rules.every()["G012"](subject))) is quiet


def test_every_rule_has_a_case_and_says_what_it_is_for() -> None:
    every = rules.every()
    assert set(every) == {case.code for case in CASES} | {"G012"}
    assert not [code for code, rule in every.items() if not rule.__doc__]


@pytest.mark.parametrize(("start", "end", "near"), [(-50, -30, True), (-90, -60, False), (110, 120, True)])
def test_a_week_is_followed_by_the_next(start: int, end: int, near: bool) -> None:
    late = Window("late", (start + WEEK) % WEEK, (end + WEEK) % WEEK)
    sunday = Window("at midnight", 0, 60)
    assert late.near(sunday, 60) is near
    assert sunday.near(late, 60) is near
