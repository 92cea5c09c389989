"""What leads to an app: networks, names, certificates and edges, asked of their own services."""

from __future__ import annotations

from typing import Any

from tests.integration.stacks.environment import Held
from tests.integration.stacks.services.place import Looks, Place, by_ids, by_name, only


def _record(at: Place, held: Held) -> Any:
    zone = at.env.given[held.properties["HostedZoneId"]["Ref"]]
    found = at.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    kind, name = held.properties["Type"], held.physical.rstrip(".")
    return only([one for one in found if (one["Name"].rstrip("."), one["Type"]) == (name, kind)])


def _attachment(at: Place, held: Held) -> Any:
    vpc = held.physical.rpartition("|")[2]
    wanted = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    return only(at.ec2.describe_internet_gateways(Filters=wanted)["InternetGateways"])


def _association(at: Place, held: Held) -> Any:
    tables = at.ec2.describe_route_tables()["RouteTables"]
    there = [one for table in tables for one in table.get("Associations", [])]
    return only([one for one in there if one["RouteTableAssociationId"] == held.physical])


def _route(at: Place, held: Held) -> Any:
    table, _, block = held.physical.partition("|")
    tables = at.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    routes = [route for one in tables for route in one["Routes"]]
    return only([route for route in routes if route.get("DestinationCidrBlock") == block])


def _nat(at: Place, held: Held) -> Any:
    found = at.ec2.describe_nat_gateways(NatGatewayIds=[held.physical])["NatGateways"]
    return only([one for one in found if one["State"] not in {"deleting", "deleted"}])


def _endpoint(at: Place, held: Held) -> Any:
    found = at.ec2.describe_vpc_endpoints(VpcEndpointIds=[held.physical])["VpcEndpoints"]
    return only([one for one in found if one["State"] not in {"deleting", "deleted"}])


def _address(at: Place, held: Held) -> Any:
    return only(at.ec2.describe_addresses(PublicIps=[held.physical])["Addresses"])


def _at_the_edge(at: Place, held: Held) -> Any:
    """As it serves; not as it is written."""
    return at.cloudfront.describe_function(Name=held.physical, Stage="LIVE")["FunctionSummary"]


LOOK: Looks = {
    "AWS::CertificateManager::Certificate": by_name(
        "acm", "describe_certificate", "CertificateArn", "Certificate"
    ),
    "AWS::CloudFront::CachePolicy": by_name("cloudfront", "get_cache_policy", "Id", "CachePolicy"),
    "AWS::CloudFront::Distribution": by_name("cloudfront", "get_distribution", "Id", "Distribution"),
    "AWS::CloudFront::Function": _at_the_edge,
    "AWS::CloudFront::MonitoringSubscription": by_name(
        "cloudfront", "get_monitoring_subscription", "DistributionId", "MonitoringSubscription"
    ),
    "AWS::CloudFront::OriginAccessControl": by_name(
        "cloudfront", "get_origin_access_control", "Id", "OriginAccessControl"
    ),
    "AWS::EC2::EIP": _address,
    "AWS::EC2::InternetGateway": by_ids(
        "describe_internet_gateways", "InternetGatewayIds", "InternetGateways"
    ),
    "AWS::EC2::NatGateway": _nat,
    "AWS::EC2::Route": _route,
    "AWS::EC2::RouteTable": by_ids("describe_route_tables", "RouteTableIds", "RouteTables"),
    "AWS::EC2::SecurityGroup": by_ids("describe_security_groups", "GroupIds", "SecurityGroups"),
    "AWS::EC2::Subnet": by_ids("describe_subnets", "SubnetIds", "Subnets"),
    "AWS::EC2::SubnetRouteTableAssociation": _association,
    "AWS::EC2::VPC": by_ids("describe_vpcs", "VpcIds", "Vpcs"),
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::EC2::VPCGatewayAttachment": _attachment,
    "AWS::Route53::HostedZone": by_name("route53", "get_hosted_zone", "Id", "HostedZone"),
    "AWS::Route53::RecordSet": _record,
}
