"""What each type of resource costs, from templates that hold little else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from gymops.cost.pricing import PRICED, free
from tests.unit.cost.parts import amounts, bill

SERVICE = """
Task:
  Type: AWS::ECS::TaskDefinition
  Properties: {Cpu: 512, Memory: 1024}
Tasks:
  Type: AWS::ECS::Service
  Properties:
    TaskDefinition: !Ref Task
    DesiredCount: 2
"""
SCALED = """
Limits:
  Type: AWS::ApplicationAutoScaling::ScalableTarget
  Properties: {MinCapacity: 2, MaxCapacity: 10, ScalableDimension: "ecs:service:DesiredCount"}
"""


def test_tasks_run_all_month(tmp_path: Path) -> None:
    found = bill(tmp_path, SERVICE)
    # 2 tasks x 730 h x (0.5 vCPU x 0.04048 + 1 GB x 0.004445)
    assert amounts(found) == {"Fargate": Decimal("29.55") + Decimal("6.49")}


def test_a_release_may_choose_the_tasks(tmp_path: Path) -> None:
    head = "Parameters: {Live: {Type: String}}\nConditions: {First: !Equals [!Ref Live, '']}"
    chosen = SERVICE.replace("!Ref Task", "!If [First, !Ref Task, !Sub 'app:${Live}']")
    assert bill(tmp_path, chosen, head=head).total == bill(tmp_path, SERVICE).total


@pytest.mark.parametrize(("tasks", "run"), [(0, 2), (2, 2), (4, 4), (50, 10)])
def test_autoscaling_bounds_the_tasks(tmp_path: Path, tasks: int, run: int) -> None:
    vcpu = bill(tmp_path, SERVICE + SCALED, tasks=tasks).lines[0]
    assert vcpu.quantity == Decimal(run * 730) / 2


def test_arm_tasks_have_their_own_price(tmp_path: Path) -> None:
    arm = SERVICE.replace("Memory: 1024}", "Memory: 1024, RuntimePlatform: {CpuArchitecture: ARM64}}")
    assert amounts(bill(tmp_path, arm)) == {"Fargate": Decimal("23.64") + Decimal("5.20")}


def test_spot_tasks_are_listed_and_not_zero(tmp_path: Path) -> None:
    spot = f"{SERVICE}    CapacityProviderStrategy: [{{CapacityProvider: FARGATE_SPOT}}]\n"
    found = bill(tmp_path, spot)
    assert found.total == 0
    assert [(one.service, one.what) for one in found.unpriced] == [("Fargate", "Tasks")]


def test_a_balancer_costs_its_hours_units_and_addresses(tmp_path: Path) -> None:
    public = "Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Subnets: [a, b]}}"
    assert amounts(bill(tmp_path, public, balancer_units=1)) == {
        "Load balancer": Decimal("16.43") + Decimal("5.84") + Decimal("7.30"),
        "Data transfer": Decimal(0),
    }
    internal = public.replace("{Subnets", "{Scheme: internal, Subnets")
    assert amounts(bill(tmp_path, internal))["Load balancer"] == Decimal("16.43")


def test_a_nat_gateway_costs_hours_data_and_an_address(tmp_path: Path) -> None:
    resources = """
Address: {Type: AWS::EC2::EIP}
Gateway: {Type: AWS::EC2::NatGateway}
"""
    assert amounts(bill(tmp_path, resources, nat_gb=100)) == {
        "NAT": Decimal("32.85") + Decimal("4.50") + Decimal("3.65")
    }


def test_interface_endpoints_cost_by_the_zone_and_gateway_endpoints_nothing(tmp_path: Path) -> None:
    resources = """
Secrets: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcEndpointType: Interface, SubnetIds: [a, b]}}
Files: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcEndpointType: Gateway}}
"""
    found = bill(tmp_path, resources)
    assert amounts(found) == {"VPC endpoints": Decimal("14.60")}
    assert [(one.kind, one.resources) for one in found.free] == [("AWS::EC2::VPCEndpoint", ("Files",))]


def test_tables_cost_by_requests_storage_and_recovery(tmp_path: Path) -> None:
    table = """
Users:
  Type: AWS::DynamoDB::Table
  Properties:
    BillingMode: PAY_PER_REQUEST
    PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
"""
    found = bill(tmp_path, table, table_writes=1_000_000, table_reads=1_000_000, table_gb=30)
    # 25 of the 30 GB are free, of recovery none are: 0.625 + 0.125 + 5 x 0.25 + 30 x 0.20
    assert [line.usd for line in found.lines] == [
        Decimal("0.63"),
        Decimal("0.13"),
        Decimal("1.25"),
        Decimal("6.00"),
    ]


def test_provisioned_tables_are_listed(tmp_path: Path) -> None:
    found = bill(tmp_path, "Users: {Type: AWS::DynamoDB::Table, Properties: {BillingMode: PROVISIONED}}")
    assert (found.total, [one.what for one in found.unpriced]) == (Decimal(0), ["Users"])


@pytest.mark.parametrize(
    ("kind", "usd"),
    [
        ("AWS::ApiGatewayV2::Api, Properties: {ProtocolType: HTTP}", "3.00"),
        ("AWS::ApiGateway::RestApi", "10.50"),
    ],
)
def test_apis_cost_by_the_request(tmp_path: Path, kind: str, usd: str) -> None:
    found = bill(tmp_path, f"Api: {{Type: {kind}}}", api_requests=3_000_000)
    assert amounts(found)["API Gateway"] == Decimal(usd)


def test_an_api_cache_costs_by_the_hour(tmp_path: Path) -> None:
    cache = "Properties: {CacheClusterEnabled: true, CacheClusterSize: '0.5'}"
    stage = f"Stage: {{Type: AWS::ApiGateway::Stage, {cache}}}"
    assert amounts(bill(tmp_path, stage)) == {"API Gateway": Decimal("14.60")}
    larger = bill(tmp_path, stage.replace("0.5", "6.1"))
    assert (larger.total, [one.service for one in larger.unpriced]) == (Decimal(0), ["API Gateway"])


def test_cloudfront_is_free_to_a_terabyte(tmp_path: Path) -> None:
    distribution = "Cdn: {Type: AWS::CloudFront::Distribution}"
    found = bill(tmp_path, distribution, transfer_gb=200, requests=3_000_000)
    assert (found.total, found.saved) == (Decimal(0), Decimal("20.00"))
    assert bill(tmp_path, distribution, transfer_gb=2_000).total == Decimal("85.00")


def test_what_goes_out_past_cloudfront_is_billed(tmp_path: Path) -> None:
    api = "Api: {Type: AWS::ApiGateway::RestApi}"
    assert amounts(bill(tmp_path, api, transfer_gb=200))["Data transfer"] == Decimal("9.00")
    behind = f"{api}\nCdn: {{Type: AWS::CloudFront::Distribution}}"
    assert "Data transfer" not in amounts(bill(tmp_path, behind, transfer_gb=200))


def test_a_firewall_costs_by_rules_and_requests_and_bots_extra(tmp_path: Path) -> None:
    resources = """
Wall:
  Type: AWS::WAFv2::WebACL
  Properties:
    Rules:
      - Name: rate
        Statement: {RateBasedStatement: {Limit: 2000}}
      - Name: bots
        Statement: {ManagedRuleGroupStatement: {VendorName: AWS, Name: AWSManagedRulesBotControlRuleSet}}
"""
    found = bill(tmp_path, resources, requests=1_000_000)
    assert amounts(found) == {"WAF": Decimal("5") + 2 + Decimal("0.60") + 10 + 1}


@pytest.mark.parametrize(
    ("properties", "users", "usd"),
    [("", 10_000, "0"), ("", 10_100, "1.50"), (", Properties: {UserPoolTier: LITE}", 10_100, "0.55")],
)
def test_people_cost_beyond_ten_thousand(tmp_path: Path, properties: str, users: int, usd: str) -> None:
    found = bill(tmp_path, f"People: {{Type: AWS::Cognito::UserPool{properties}}}", users=users)
    assert amounts(found)["Cognito"] == Decimal(usd)


def test_messages_cost_by_kind(tmp_path: Path) -> None:
    found = bill(tmp_path, "Topic: {Type: AWS::SNS::Topic}", sms=1_000, push=2_000_000, emails=101_000)
    assert amounts(found) == {"SNS": Decimal("6.45") + Decimal("0.50") + Decimal("2.00")}


def test_queues_cost_beyond_a_million_requests(tmp_path: Path) -> None:
    found = bill(tmp_path, "Dead: {Type: AWS::SQS::Queue}", queue_requests=3_000_000)
    assert amounts(found) == {"SQS": Decimal("0.80")}


DATABASE = """
Database:
  Type: AWS::RDS::DBInstance
  Properties:
    Engine: postgres
    DBInstanceClass: db.t4g.small
    AllocatedStorage: 100
    StorageType: gp3
    MultiAZ: true
    ManageMasterUserPassword: true
"""


def test_a_standby_costs_as_much_again_storage_too(tmp_path: Path) -> None:
    found = bill(tmp_path, DATABASE)
    assert amounts(found) == {"RDS": Decimal("46.72") + 23, "Secrets Manager": Decimal("0.40")}


def test_a_replica_has_the_storage_of_what_it_is_one_of(tmp_path: Path) -> None:
    replica = """
Replica:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !Ref Database, DBInstanceClass: db.t4g.micro}
"""
    found = bill(tmp_path, DATABASE + replica)
    assert amounts(found)["RDS"] == Decimal("69.72") + Decimal("11.68") + Decimal("11.50")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("db.t4g.small", "db.x2g.large", "rds/db.x2g.large"),
        ("gp3", "io2", "rds/io2"),
        ("Engine: postgres", "Engine: mysql", "MySQL"),
        ("AllocatedStorage: 100", "AllocatedStorage: !ImportValue size", "size"),
        ("MultiAZ: true", "MonitoringInterval: 60", "logs it writes"),
        ("MultiAZ: true", "PerformanceInsightsRetentionPeriod: 731", "seven days"),
    ],
)
def test_what_of_a_database_has_no_price_is_listed(tmp_path: Path, old: str, new: str, what: str) -> None:
    found = bill(tmp_path, DATABASE.replace(old, new))
    assert [one.service for one in found.unpriced] == ["RDS"]
    assert what.lower() in found.unpriced[0].reason.lower()


def test_a_proxy_costs_two_vcpus_at_least(tmp_path: Path) -> None:
    proxy = "Proxy: {Type: AWS::RDS::DBProxy}"
    assert amounts(bill(tmp_path, f"{DATABASE}\n{proxy}"))["RDS Proxy"] == Decimal("21.90")
    large = DATABASE.replace("t4g.small", "r6g.xlarge")
    assert amounts(bill(tmp_path, f"{large}\n{proxy}"))["RDS Proxy"] == Decimal("43.80")
    assert [one.service for one in bill(tmp_path, proxy).unpriced] == ["RDS Proxy"]


STOP = """
Stop:
  Type: AWS::Scheduler::Schedule
  Properties:
    ScheduleExpression: cron(0 7 * * ? *)
    Target: {Arn: !Sub "arn:${AWS::Partition}:scheduler:::aws-sdk:rds:stopDBInstance"}
"""
START = """
Start:
  Type: AWS::Scheduler::Schedule
  Properties:
    ScheduleExpression: cron(0 16 ? * MON-FRI *)
    Target: {Arn: !Sub "arn:${AWS::Partition}:scheduler:::aws-sdk:rds:startDBInstance"}
"""


@pytest.mark.parametrize(
    ("schedules", "share"),
    [
        ("", Decimal(1)),
        (STOP, Decimal(1)),  # never started again: it would not be a month's cost
        (STOP + START, Decimal(5 * 15) / (7 * 24)),
        (STOP + START.replace("MON-FRI", "MON,WED"), Decimal(2 * 15) / (7 * 24)),
        (STOP + START.replace("MON-FRI", "1#1"), Decimal(1)),
    ],
)
def test_a_database_costs_the_hours_it_runs(tmp_path: Path, schedules: str, share: Decimal) -> None:
    hours = next(line for line in bill(tmp_path, DATABASE + schedules).lines if line.per == "hour")
    assert round(hours.quantity, 6) == round(2 * 730 * share, 6)


def test_functions_cost_what_the_serving_one_takes(tmp_path: Path) -> None:
    resources = """
App: {Type: AWS::Lambda::Function, Properties: {MemorySize: 512, Architectures: [arm64]}}
Work: {Type: AWS::Lambda::Function, Properties: {MemorySize: 4096}}
Live: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref App}}
"""
    found = bill(tmp_path, resources, invocations=11_000_000, invocation_ms=100)
    # 10 million beyond the free one; 550,000 GB seconds, of which 400,000 are free
    assert [line.usd for line in found.lines] == [Decimal("2.00"), Decimal("2.00")]
    assert found.lines[1].resources == ("App",)


def test_what_of_functions_has_no_price_is_listed(tmp_path: Path) -> None:
    resources = """
App: {Type: AWS::Lambda::Function}
Warm:
  Type: AWS::Lambda::Alias
  Properties: {FunctionName: !Ref App, ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}}
Edge: {Type: AWS::CloudFront::Function}
Cdn: {Type: AWS::CloudFront::Distribution}
"""
    assert [one.resources for one in bill(tmp_path, resources).unpriced] == [("Warm",)]
    busy = bill(tmp_path, resources, requests=3_000_000)
    assert {one.resources for one in busy.unpriced} == {("Warm",), ("Edge",)}


def test_alarms_dashboards_logs_and_metrics_have_their_free_part(tmp_path: Path) -> None:
    alarms = "\n".join(f"Alarm{number}: {{Type: AWS::CloudWatch::Alarm}}" for number in range(12))
    resources = f"""
{alarms}
Screen: {{Type: AWS::CloudWatch::Dashboard}}
Logs: {{Type: AWS::Logs::LogGroup, Properties: {{RetentionInDays: 90}}}}
"""
    found = bill(tmp_path, resources, logs_gb=7, metrics=11)
    assert amounts(found) == {
        "CloudWatch": Decimal("0.20") + Decimal("1.00") + Decimal("0.63") + Decimal("0.30")
    }


def test_an_alarm_on_an_expression_costs_by_its_metrics(tmp_path: Path) -> None:
    metrics = "[{MetricStat: {}}, {MetricStat: {}}, {Expression: a/b}]"
    alarms = "\n".join(
        f"A{number}: {{Type: AWS::CloudWatch::Alarm, Properties: {{Metrics: {metrics}}}}}"
        for number in range(6)
    )
    assert amounts(bill(tmp_path, alarms)) == {"CloudWatch": Decimal("0.20")}


def test_backups_cost_by_what_is_kept_and_restore_tests_by_the_test(tmp_path: Path) -> None:
    resources = f"""
{DATABASE}
Plan:
  Type: AWS::Backup::BackupPlan
  Properties:
    BackupPlan: {{BackupPlanRule: [{{RuleName: monthly, CopyActions: [{{}}]}}]}}
Tests:
  Type: AWS::Backup::RestoreTestingPlan
  Properties: {{RestoreTestingPlanName: tests, ScheduleExpression: cron(0 13 2 * ? *)}}
Chosen:
  Type: AWS::Backup::RestoreTestingSelection
  Properties: {{RestoreTestingPlanName: tests, ValidationWindowHours: 24}}
"""
    found = bill(tmp_path, resources, backup_gb=100, copies_gb=100, copied_gb=10)
    assert [line.usd for line in found.lines if line.service == "AWS Backup"] == [
        Decimal("9.50"),
        Decimal("9.50"),
        Decimal("0.20"),
        Decimal("1.50"),
        Decimal("0.77"),
    ]


def test_builds_cost_by_the_minute_and_old_pipelines_by_the_month(tmp_path: Path) -> None:
    resources = """
Old: {Type: AWS::CodePipeline::Pipeline, Properties: {PipelineType: V1}}
Older: {Type: AWS::CodePipeline::Pipeline}
New: {Type: AWS::CodePipeline::Pipeline, Properties: {PipelineType: V2}}
Small: {Type: AWS::CodeBuild::Project, Properties: {Environment: {ComputeType: BUILD_GENERAL1_SMALL}}}
Large: {Type: AWS::CodeBuild::Project, Properties: {Environment: {ComputeType: BUILD_GENERAL1_LARGE}}}
"""
    found = bill(tmp_path, resources, build_minutes=600)
    assert amounts(found) == {"Build": Decimal("1") + Decimal("1.00") + Decimal("2.50")}
    assert [one.resources for one in found.unpriced] == [("Large",)]


def test_a_type_nobody_knows_is_listed_and_not_zero(tmp_path: Path) -> None:
    found = bill(tmp_path, "Odd: {Type: AWS::Kinesis::Stream}\nMine: {Type: Custom::Thing}")
    assert found.total == 0
    assert [(one.service, one.what) for one in found.unpriced] == [
        ("AWS::Kinesis::Stream", "Odd"),
        ("Custom::Thing", "Mine"),
    ]


def test_a_resource_only_aws_can_decide_on_is_listed(tmp_path: Path) -> None:
    head = "Conditions: {Here: !Equals [!Ref AWS::AccountId, '1']}"
    found = bill(tmp_path, "Key: {Type: AWS::KMS::Key, Condition: Here}", head=head)
    assert (found.total, [one.what for one in found.unpriced]) == (Decimal(0), ["Key"])


def test_conditions_and_parameters_decide_what_is_there(tmp_path: Path) -> None:
    head = (
        "Parameters: {Nat: {Type: String, Default: 'false'}}\nConditions: {NatOn: !Equals [!Ref Nat, 'true']}"
    )
    gateway = "Gateway: {Type: AWS::EC2::NatGateway, Condition: NatOn}"
    assert bill(tmp_path, gateway, head=head).total == 0
    assert bill(tmp_path, gateway, head=head, parameters={"Nat": "true"}).total == Decimal("32.85")


def test_another_regions_price_is_marked(tmp_path: Path) -> None:
    resources = "Gateway: {Type: AWS::EC2::NatGateway}\nKey: {Type: AWS::KMS::Key}"
    home, away = bill(tmp_path, resources), bill(tmp_path, resources, region="us-west-1")
    assert (home.stand_in, away.stand_in) == (Decimal(0), Decimal("32.85"))
    assert [line.price_region for line in away.lines if line.usd] == ["us-east-1", "everywhere"]


def test_no_type_is_priced_and_free_by_its_own_name() -> None:
    assert {kind for kind in PRICED if kind in free.REASONS} == {"AWS::EC2::VPCEndpoint"}
