"""Every resource type of the stacks, looked up by its own service's API, and never by CloudFormation's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.integration.stacks.environment import Environment, Held

_GONE = ("NotFound", "NoSuch", "404")


def find(env: Environment, held: Held) -> Any:
    """What the service says of it; None when it says that there is no such thing."""
    look = LOOK.get(held.kind)
    assert look, f"no way is known to look up a {held.kind}: add one to LOOK"
    try:
        return look(Place(env, held.region), held) or None
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if any(word in code for word in _GONE):
            return None
        raise


class Place:
    """The services of one account and region."""

    def __init__(self, env: Environment, region: str) -> None:
        self.env = env
        self._region = region

    def __getattr__(self, service: str) -> Any:
        return self.env.client("lambda" if service == "functions" else service, self._region)


def _only(items: list[Any]) -> Any:
    assert len(items) < 2, items
    return items[0] if items else None


def _vault(at: Place, held: Held) -> Any:
    return at.backup.describe_backup_vault(BackupVaultName=held.physical)


def _tested(at: Place, held: Held) -> Any:
    plan, _, name = held.physical.partition("|")
    return at.backup.get_restore_testing_selection(
        RestoreTestingPlanName=plan, RestoreTestingSelectionName=name
    )["RestoreTestingSelection"]


def _selection(at: Place, held: Held) -> Any:
    plan = at.env.physical(held.stack, "BackupPlan")
    return at.backup.get_backup_selection(BackupPlanId=plan, SelectionId=held.physical)["BackupSelection"]


def _secret(at: Place, held: Held) -> Any:
    found = at.secretsmanager.describe_secret(SecretId=held.physical)
    return None if "DeletedDate" in found else found


def _permission(at: Place, held: Held) -> Any:
    """The statement of the alias's policy that is of its action and for the distribution."""
    policy = at.functions.get_policy(FunctionName=at.env.physical(held.stack, "Function"), Qualifier="live")[
        "Policy"
    ]
    action = held.properties["Action"]
    return _only([one for one in json.loads(policy)["Statement"] if one["Action"] == action])


def _version(at: Place, held: Held) -> Any:
    name, _, version = held.physical.rpartition(":")
    return at.functions.get_function_configuration(FunctionName=name, Qualifier=version)


def _alias(at: Place, held: Held) -> Any:
    name, _, alias = held.physical.rpartition(":")
    return at.functions.get_alias(FunctionName=name, Name=alias)


def _url(at: Place, held: Held) -> Any:
    name = held.physical.removesuffix(":live")
    return at.functions.get_function_url_config(FunctionName=name, Qualifier="live")


def _function(at: Place, held: Held) -> Any:
    return at.functions.get_function_configuration(FunctionName=held.physical)


def _layer(at: Place, held: Held) -> Any:
    return at.functions.get_layer_version_by_arn(Arn=held.physical)


def _record(at: Place, held: Held) -> Any:
    zone = at.env.given[held.properties["HostedZoneId"]["Ref"]]
    found = at.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    kind, name = held.properties["Type"], held.physical.rstrip(".")
    return _only([one for one in found if (one["Name"].rstrip("."), one["Type"]) == (name, kind)])


def _attachment(at: Place, held: Held) -> Any:
    vpc = held.physical.rpartition("|")[2]
    wanted = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    return _only(at.ec2.describe_internet_gateways(Filters=wanted)["InternetGateways"])


def _association(at: Place, held: Held) -> Any:
    tables = at.ec2.describe_route_tables()["RouteTables"]
    there = [one for table in tables for one in table.get("Associations", [])]
    return _only([one for one in there if one["RouteTableAssociationId"] == held.physical])


def _route(at: Place, held: Held) -> Any:
    table, _, block = held.physical.partition("|")
    tables = at.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    routes = [route for one in tables for route in one["Routes"]]
    return _only([route for route in routes if route.get("DestinationCidrBlock") == block])


def _nat(at: Place, held: Held) -> Any:
    found = at.ec2.describe_nat_gateways(NatGatewayIds=[held.physical])["NatGateways"]
    return _only([one for one in found if one["State"] not in {"deleting", "deleted"}])


def _endpoint(at: Place, held: Held) -> Any:
    found = at.ec2.describe_vpc_endpoints(VpcEndpointIds=[held.physical])["VpcEndpoints"]
    return _only([one for one in found if one["State"] not in {"deleting", "deleted"}])


def _address(at: Place, held: Held) -> Any:
    return _only(at.ec2.describe_addresses(PublicIps=[held.physical])["Addresses"])


def _key(at: Place, held: Held) -> Any:
    found = at.kms.describe_key(KeyId=held.physical)["KeyMetadata"]
    return None if found["KeyState"] == "PendingDeletion" else found


def _key_alias(at: Place, held: Held) -> Any:
    return _only([one for one in at.kms.list_aliases()["Aliases"] if one["AliasName"] == held.physical])


def _bucket(at: Place, held: Held) -> Any:
    at.s3.head_bucket(Bucket=held.physical)
    return at.s3.get_bucket_versioning(Bucket=held.physical)


def _bucket_policy(at: Place, held: Held) -> Any:
    bucket = at.env.physical(held.stack, held.properties["Bucket"]["Ref"])
    return json.loads(at.s3.get_bucket_policy(Bucket=bucket)["Policy"])


def _repository(at: Place, held: Held) -> Any:
    return _only(at.ecr.describe_repositories(repositoryNames=[held.physical])["repositories"])


def _topic(at: Place, held: Held) -> Any:
    return at.sns.get_topic_attributes(TopicArn=held.physical)["Attributes"]


def _topic_policy(at: Place, held: Held) -> Any:
    """Ours, and not the one that every topic has."""
    topic = at.env.physical(held.stack, held.properties["Topics"][0]["Ref"])
    policy = json.loads(at.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    return _only([one for one in policy["Statement"] if one["Sid"] == "Services"])


def _subscription(at: Place, held: Held) -> Any:
    return at.sns.get_subscription_attributes(SubscriptionArn=held.physical)["Attributes"]


def _log_group(at: Place, held: Held) -> Any:
    found = at.logs.describe_log_groups(logGroupNamePrefix=held.physical)["logGroups"]
    return _only([one for one in found if one["logGroupName"] == held.physical])


def _alarm(at: Place, held: Held) -> Any:
    return _only(at.cloudwatch.describe_alarms(AlarmNames=[held.physical])["MetricAlarms"])


def _schedule(at: Place, held: Held) -> Any:
    group = at.env.physical(held.stack, "ScheduleGroup")
    return at.scheduler.get_schedule(Name=held.physical, GroupName=group)


def _schedule_group(at: Place, held: Held) -> Any:
    found = at.scheduler.get_schedule_group(Name=held.physical)
    return {**found, **at.scheduler.list_tags_for_resource(ResourceArn=found["Arn"])}


def _budget(at: Place, held: Held) -> Any:
    found = at.budgets.describe_budget(AccountId=at.env.account, BudgetName=held.physical)
    return found["Budget"]


def _slack(at: Place, held: Held) -> Any:
    found = at.chatbot.describe_slack_channel_configurations(ChatConfigurationArn=held.physical)
    return _only(found["SlackChannelConfigurations"])


def _targets(at: Place, held: Held) -> Any:
    name = at.env.physical(held.stack, "Proxy")
    found = at.rds.describe_db_proxy_target_groups(DBProxyName=name)["TargetGroups"]
    group = _only([one for one in found if one["TargetGroupArn"] == held.physical])
    return group and {**group, "Targets": at.rds.describe_db_proxy_targets(DBProxyName=name)["Targets"]}


def _parameters(at: Place, held: Held) -> Any:
    found = at.rds.describe_db_parameters(DBParameterGroupName=held.physical)["Parameters"]
    return {one["ParameterName"]: one.get("ParameterValue") for one in found}


def _by_ids(call: str, argument: str, answer: str) -> Callable[[Place, Held], Any]:
    """EC2's way: one id is asked for, a list comes."""

    def look(at: Place, held: Held) -> Any:
        return _only(getattr(at.ec2, call)(**{argument: [held.physical]})[answer])

    return look


def _by_name(service: str, call: str, argument: str, answer: str) -> Callable[[Place, Held], Any]:
    """The others' way: a name is asked for, a document or a list of one comes."""

    def look(at: Place, held: Held) -> Any:
        found = getattr(getattr(at, service), call)(**{argument: held.physical})
        inner = found[answer] if answer else found
        return _only(inner) if isinstance(inner, list) else inner

    return look


LOOK: dict[str, Callable[[Place, Held], Any]] = {
    "AWS::Backup::BackupPlan": _by_name("backup", "get_backup_plan", "BackupPlanId", "BackupPlan"),
    "AWS::Backup::BackupSelection": _selection,
    "AWS::Backup::BackupVault": _vault,
    "AWS::Backup::RestoreTestingPlan": _by_name(
        "backup", "get_restore_testing_plan", "RestoreTestingPlanName", "RestoreTestingPlan"
    ),
    "AWS::Backup::RestoreTestingSelection": _tested,
    "AWS::Budgets::Budget": _budget,
    "AWS::CertificateManager::Certificate": _by_name(
        "acm", "describe_certificate", "CertificateArn", "Certificate"
    ),
    "AWS::Chatbot::SlackChannelConfiguration": _slack,
    "AWS::CloudFront::CachePolicy": _by_name("cloudfront", "get_cache_policy", "Id", "CachePolicy"),
    "AWS::CloudFront::Distribution": _by_name("cloudfront", "get_distribution", "Id", "Distribution"),
    "AWS::CloudFront::MonitoringSubscription": _by_name(
        "cloudfront", "get_monitoring_subscription", "DistributionId", "MonitoringSubscription"
    ),
    "AWS::CloudFront::OriginAccessControl": _by_name(
        "cloudfront", "get_origin_access_control", "Id", "OriginAccessControl"
    ),
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _by_name("cloudwatch", "get_dashboard", "DashboardName", "DashboardBody"),
    "AWS::EC2::EIP": _address,
    "AWS::EC2::InternetGateway": _by_ids(
        "describe_internet_gateways", "InternetGatewayIds", "InternetGateways"
    ),
    "AWS::EC2::NatGateway": _nat,
    "AWS::EC2::Route": _route,
    "AWS::EC2::RouteTable": _by_ids("describe_route_tables", "RouteTableIds", "RouteTables"),
    "AWS::EC2::SecurityGroup": _by_ids("describe_security_groups", "GroupIds", "SecurityGroups"),
    "AWS::EC2::Subnet": _by_ids("describe_subnets", "SubnetIds", "Subnets"),
    "AWS::EC2::SubnetRouteTableAssociation": _association,
    "AWS::EC2::VPC": _by_ids("describe_vpcs", "VpcIds", "Vpcs"),
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::EC2::VPCGatewayAttachment": _attachment,
    "AWS::ECR::Repository": _repository,
    "AWS::IAM::Role": _by_name("iam", "get_role", "RoleName", "Role"),
    "AWS::KMS::Alias": _key_alias,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": _layer,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::Url": _url,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::RDS::DBInstance": _by_name("rds", "describe_db_instances", "DBInstanceIdentifier", "DBInstances"),
    "AWS::RDS::DBParameterGroup": _parameters,
    "AWS::RDS::DBProxy": _by_name("rds", "describe_db_proxies", "DBProxyName", "DBProxies"),
    "AWS::RDS::DBProxyTargetGroup": _targets,
    "AWS::RDS::DBSubnetGroup": _by_name(
        "rds", "describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroups"
    ),
    "AWS::Route53::HostedZone": _by_name("route53", "get_hosted_zone", "Id", "HostedZone"),
    "AWS::Route53::RecordSet": _record,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Scheduler::ScheduleGroup": _schedule_group,
    "AWS::SecretsManager::Secret": _secret,
}
