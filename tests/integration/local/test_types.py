"""The resource types that are ours: made, changed and deleted by stacks, seen by their own services."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.functions import ROLE, RUNTIME
from tests.local_aws import PASSWORD, Aws, unique, until

DB: dict[str, Any] = {
    "Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete",
    "Properties": {
        "Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20", "DBName": "app",
        "MasterUsername": "boss", "MasterUserPassword": PASSWORD, "BackupRetentionPeriod": 0,
    },
}  # fmt: skip


def _get(name: str, attribute: str) -> Any:
    return {"Fn::GetAtt": [name, attribute]}


class Stack:
    """A stack of one test's own."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.name = unique("stack")
        self._client = aws.client("cloudformation")

    def create(self, resources: dict[str, Any], status: str = "CREATE_COMPLETE", **outputs: Any) -> Any:
        self._client.create_stack(
            StackName=self.name, TemplateBody=_template(resources, outputs), Capabilities=["CAPABILITY_IAM"]
        )
        return self._outputs(self.aws.stack(self.name, status))

    def update(self, resources: dict[str, Any], status: str = "UPDATE_COMPLETE", **outputs: Any) -> Any:
        self._client.update_stack(
            StackName=self.name, TemplateBody=_template(resources, outputs), Capabilities=["CAPABILITY_IAM"]
        )
        return self._outputs(self.aws.stack(self.name, status))

    def delete(self, status: str = "DELETE_COMPLETE") -> None:
        identifier = self._client.describe_stacks(StackName=self.name)["Stacks"][0]["StackId"]
        self._client.delete_stack(StackName=self.name)
        self.aws.stack(identifier, status)

    def reasons(self) -> str:
        events = self._client.describe_stack_events(StackName=self.name)["StackEvents"]
        return " ".join(event.get("ResourceStatusReason", "") for event in events)

    def physical(self, logical: str) -> str:
        found = self._client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def _outputs(self, stack: Any) -> dict[str, str]:
        return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


@pytest.fixture
def stack(aws: Aws) -> Stack:
    return Stack(aws)


def _template(resources: dict[str, Any], outputs: dict[str, Any]) -> str:
    shown = {key: {"Value": value} for key, value in outputs.items()}
    return json.dumps({"Resources": resources, **({"Outputs": shown} if shown else {})})


def test_a_db_instance_of_a_stack_is_a_server(aws: Aws, stack: Stack) -> None:
    out = stack.create({"Db": DB}, Port=_get("Db", "Endpoint.Port"), Name={"Ref": "Db"})
    aws.sql(out["Name"], "create table kept as select 42 as answer")
    assert aws.instance(out["Name"])["Endpoint"]["Port"] == int(out["Port"])
    changed = {**DB, "Properties": {**DB["Properties"], "DBInstanceClass": "db.t4g.small",
                                    "DeletionProtection": True}}  # fmt: skip
    stack.update({"Db": changed}, Name={"Ref": "Db"})
    assert aws.instance(out["Name"])["DBInstanceClass"] == "db.t4g.small"
    stack.delete("DELETE_FAILED")
    assert "Cannot delete protected DB Instance" in stack.reasons()
    assert aws.sql(out["Name"], "select answer from kept") == [42]
    aws.client("rds").modify_db_instance(DBInstanceIdentifier=out["Name"], DeletionProtection=False)
    stack.delete()
    with pytest.raises(ClientError, match="DBInstanceNotFound"):
        aws.instance(out["Name"])


def test_a_stack_s_instance_with_a_managed_password_names_its_secret(aws: Aws, stack: Stack) -> None:
    given = {key: value for key, value in DB["Properties"].items() if key != "MasterUserPassword"}
    managed = {**DB, "Properties": {**given, "ManageMasterUserPassword": True}}
    out = stack.create({"Db": managed}, Secret=_get("Db", "MasterUserSecret.SecretArn"), Name={"Ref": "Db"})
    held = aws.client("secretsmanager").get_secret_value(SecretId=out["Secret"])["SecretString"]
    aws.connect(out["Name"], password=json.loads(held)["password"]).close()
    stack.delete()


def test_deletion_policy_snapshot_leaves_one(aws: Aws, stack: Stack) -> None:
    out = stack.create({"Db": {**DB, "DeletionPolicy": "Snapshot"}}, Name={"Ref": "Db"})
    aws.sql(out["Name"], "create table kept as select 42 as answer")
    stack.delete()
    found = aws.client("rds").describe_db_snapshots(DBInstanceIdentifier=out["Name"])["DBSnapshots"]
    restored = unique("r")
    aws.client("rds").restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=restored, DBSnapshotIdentifier=found[0]["DBSnapshotIdentifier"]
    )
    assert aws.sql(restored, "select answer from kept") == [42]


def test_a_failed_create_takes_its_instance_back(aws: Aws, stack: Stack) -> None:
    bad = {"Type": "AWS::S3::Bucket", "DependsOn": "Db",
           "Properties": {"BucketName": "{{resolve:secretsmanager:no-such-secret}}"}}  # fmt: skip
    before = len(aws.client("rds").describe_db_instances()["DBInstances"])
    stack.create({"Db": DB, "Bad": bad}, "ROLLBACK_COMPLETE")
    assert len(aws.client("rds").describe_db_instances()["DBInstances"]) == before


def test_nat_gateway_address_and_rules_between_groups(aws: Aws, stack: Stack) -> None:
    resources: dict[str, Any] = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Net": {"Type": "AWS::EC2::Subnet",
                "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24"}},
        "Ip": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
        "Nat": {"Type": "AWS::EC2::NatGateway",
                "Properties": {"SubnetId": {"Ref": "Net"}, "AllocationId": _get("Ip", "AllocationId")}},
        "A": {"Type": "AWS::EC2::SecurityGroup",
              "Properties": {"GroupDescription": "a", "VpcId": {"Ref": "Vpc"}}},
        "B": {"Type": "AWS::EC2::SecurityGroup",
              "Properties": {"GroupDescription": "b", "VpcId": {"Ref": "Vpc"}}},
        "Rule": {"Type": "AWS::EC2::SecurityGroupIngress",
                 "Properties": {"GroupId": _get("A", "GroupId"), "IpProtocol": "tcp", "FromPort": 5432,
                                "ToPort": "5432", "SourceSecurityGroupId": _get("B", "GroupId")}},
    }  # fmt: skip
    ec2 = aws.client("ec2")
    out = stack.create(resources, Nat={"Ref": "Nat"}, A=_get("A", "GroupId"), B=_get("B", "GroupId"))
    gateway = ec2.describe_nat_gateways(NatGatewayIds=[out["Nat"]])["NatGateways"][0]
    assert gateway["State"] == "available"
    rule = ec2.describe_security_groups(GroupIds=[out["A"]])["SecurityGroups"][0]["IpPermissions"][0]
    assert (rule["FromPort"], rule["UserIdGroupPairs"][0]["GroupId"]) == (5432, out["B"])
    resources["Rule"]["Properties"]["ToPort"] = 5433
    stack.update(resources, A=_get("A", "GroupId"))
    rules = ec2.describe_security_groups(GroupIds=[out["A"]])["SecurityGroups"][0]["IpPermissions"]
    assert [one["ToPort"] for one in rules] == [5433]
    stack.delete()
    assert [one["State"] for one in ec2.describe_nat_gateways(NatGatewayIds=[out["Nat"]])["NatGateways"]] in (
        [], ["deleted"], ["deleting"],
    )  # fmt: skip


def test_a_proxy_leads_to_the_instance_at_its_port_and_at_the_engine_s(aws: Aws, stack: Stack) -> None:
    resources = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "N1": {"Type": "AWS::EC2::Subnet",
               "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24"}},
        "N2": {"Type": "AWS::EC2::Subnet",
               "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.2.0/24"}},
        "Db": DB,
        "Proxy": {"Type": "AWS::RDS::DBProxy",
                  "Properties": {"DBProxyName": unique("proxy"), "EngineFamily": "POSTGRESQL",
                                 "RoleArn": ROLE, "DefaultAuthScheme": "IAM_AUTH", "RequireTLS": "true",
                                 "VpcSubnetIds": [{"Ref": "N1"}, {"Ref": "N2"}]}},
        "Group": {"Type": "AWS::RDS::DBProxyTargetGroup",
                  "Properties": {"DBProxyName": {"Ref": "Proxy"}, "TargetGroupName": "default",
                                 "DBInstanceIdentifiers": [{"Ref": "Db"}]}},
    }  # fmt: skip
    out = stack.create(
        resources, Host=_get("Proxy", "Endpoint"), Port=_get("Db", "Endpoint.Port"), Proxy={"Ref": "Proxy"}
    )
    for port in {out["Port"], "5432"}:
        with psycopg.connect(
            host=out["Host"], port=port, user="boss", password=PASSWORD, dbname="app"
        ) as connection:
            assert connection.execute("select current_database()").fetchone() == ("app",)
    targets = aws.client("rds").describe_db_proxy_targets(DBProxyName=out["Proxy"])["Targets"]
    assert targets[0]["TargetHealth"]["State"] == "AVAILABLE"
    stack.delete()
    with pytest.raises(ClientError, match="DBProxyNotFound"):
        aws.client("rds").describe_db_proxies(DBProxyName=out["Proxy"])


_ROTATE = """
import boto3
def handler(event, context):
    secrets, secret, token = boto3.client("secretsmanager"), event["SecretId"], event["ClientRequestToken"]
    if event["Step"] == "createSecret":
        try:
            secrets.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
        except secrets.exceptions.ResourceNotFoundException:
            old = secrets.get_secret_value(SecretId=secret)["SecretString"]
            secrets.put_secret_value(SecretId=secret, ClientRequestToken=token, SecretString=old + "+",
                                     VersionStages=["AWSPENDING"])
    if event["Step"] == "finishSecret":
        stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = next(version for version, names in stages.items() if "AWSCURRENT" in names)
        secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token,
                                            RemoveFromVersionId=current)
"""


def test_a_secret_rotates_by_its_function_and_refs_to_it_are_its_arn(aws: Aws, stack: Stack) -> None:
    resources: dict[str, Any] = {
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "one"}},
        "Fn": {"Type": "AWS::Lambda::Function",
               "Properties": {"Runtime": RUNTIME, "Handler": "index.handler", "Role": ROLE, "Timeout": 30,
                              "Code": {"ZipFile": _ROTATE}}},
        "Rotation": {"Type": "AWS::SecretsManager::RotationSchedule",
                     "Properties": {"SecretId": {"Ref": "Secret"}, "RotationLambdaARN": _get("Fn", "Arn"),
                                    "RotationRules": {"AutomaticallyAfterDays": "30"}}},
    }  # fmt: skip
    out = stack.create(resources, Secret={"Ref": "Secret"})
    secrets = aws.client("secretsmanager")
    assert out["Secret"].startswith("arn:aws:secretsmanager:")

    def value() -> str:
        return str(secrets.get_secret_value(SecretId=out["Secret"])["SecretString"])

    until(lambda: value() == "one+")
    secrets.rotate_secret(SecretId=out["Secret"])
    until(lambda: value() == "one++")
    until(lambda: secrets.describe_secret(SecretId=out["Secret"]).get("LastRotatedDate"))
    resources["Secret"]["Properties"]["Description"] = "changed"
    stack.update(resources, Secret={"Ref": "Secret"})
    found = secrets.describe_secret(SecretId=out["Secret"])
    assert (found["Description"], found["RotationEnabled"]) == ("changed", True)
    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        secrets.describe_secret(SecretId=out["Secret"])


def test_scaling_budget_and_web_acl_are_kept_and_shown(aws: Aws, stack: Stack) -> None:
    target = {"ServiceNamespace": "lambda", "ResourceId": "function:f:live",
              "ScalableDimension": "lambda:function:ProvisionedConcurrency"}  # fmt: skip
    tracking = {"TargetValue": 0.7, "PredefinedMetricSpecification": {
        "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}}  # fmt: skip
    acl = f"arn:aws:apigateway:us-east-1::/restapis/{unique('a')}/stages/x"
    resources: dict[str, Any] = {
        "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                   "Properties": {**target, "MinCapacity": 1, "MaxCapacity": "5"}},
        "Policy": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                   "Properties": {"PolicyName": "p", "PolicyType": "TargetTrackingScaling",
                                  "ScalingTargetId": {"Ref": "Target"},
                                  "TargetTrackingScalingPolicyConfiguration": tracking}},
        "Budget": {"Type": "AWS::Budgets::Budget",
                   "Properties": {"Budget": {"BudgetType": "COST", "TimeUnit": "MONTHLY",
                                             "BudgetLimit": {"Amount": 25, "Unit": "USD"}}}},
        "Acl": {"Type": "AWS::WAFv2::WebACL",
                "Properties": {"Name": unique("acl"), "Scope": "REGIONAL", "DefaultAction": {"Allow": {}},
                               "VisibilityConfig": {"SampledRequestsEnabled": False, "MetricName": "m",
                                                    "CloudWatchMetricsEnabled": False}}},
        "Bound": {"Type": "AWS::WAFv2::WebACLAssociation",
                  "Properties": {"ResourceArn": acl, "WebACLArn": _get("Acl", "Arn")}},
    }  # fmt: skip
    out = stack.create(resources, Budget={"Ref": "Budget"})
    scaling, budgets = aws.client("application-autoscaling"), aws.client("budgets")
    found = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
    assert [(one["MinCapacity"], one["MaxCapacity"]) for one in found] == [(1, 5)]
    assert len(scaling.describe_scaling_policies(ServiceNamespace="lambda")["ScalingPolicies"]) == 1
    budget = budgets.describe_budget(AccountId="111111111111", BudgetName=out["Budget"])["Budget"]
    assert budget["BudgetLimit"]["Amount"] == "25"
    assert aws.client("wafv2").get_web_acl_for_resource(ResourceArn=acl)["WebACL"]
    resources["Target"]["Properties"]["MaxCapacity"] = 9
    resources["Budget"]["Properties"]["Budget"]["BudgetLimit"]["Amount"] = 30
    stack.update(resources)
    found = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
    assert found[0]["MaxCapacity"] == 9
    budget = budgets.describe_budget(AccountId="111111111111", BudgetName=out["Budget"])["Budget"]
    assert budget["BudgetLimit"]["Amount"] == "30"
    stack.delete()
    assert scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"] == []
    with pytest.raises(ClientError, match="NotFound"):
        budgets.describe_budget(AccountId="111111111111", BudgetName=out["Budget"])


def test_a_full_bucket_is_not_deleted(aws: Aws, stack: Stack) -> None:
    bucket = unique("full")
    stack.create({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}})
    aws.client("s3").put_object(Bucket=bucket, Key="a", Body=b"b")
    stack.delete("DELETE_FAILED")
    assert "BucketNotEmpty" in stack.reasons()
    assert aws.client("s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"b"
    aws.client("s3").delete_object(Bucket=bucket, Key="a")
    stack.delete()


def test_a_stack_passes_through_in_progress_for_the_set_delay(fresh: Aws) -> None:
    fresh.settings = replace(fresh.settings, delay=0.5)
    fresh.up()
    cloudformation = fresh.client("cloudformation")
    cloudformation.create_stack(
        StackName="slow", TemplateBody=_template({"Topic": {"Type": "AWS::SNS::Topic"}}, {})
    )
    assert cloudformation.describe_stacks(StackName="slow")["Stacks"][0]["StackStatus"] == (
        "CREATE_IN_PROGRESS"
    )
    fresh.stack("slow", "CREATE_COMPLETE")
