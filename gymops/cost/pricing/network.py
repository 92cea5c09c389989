"""What costs by the hour for being there: NAT gateways, addresses, endpoints, load balancers."""

from __future__ import annotations

from decimal import Decimal

from gymops.cost.book import HOURS, Book, count
from gymops.cost.inventory import Inventory, Item


def gateways(book: Book, there: Inventory) -> None:
    """NAT gateways and what goes through them."""
    items = there.of("AWS::EC2::NatGateway")
    if items:
        data = book.used("nat_gb")
        book.charge("NAT", f"{count(len(items), 'gateway')}, 730 h", "vpc/nat", len(items) * HOURS, items)
        book.charge("NAT", f"{data} GB through them", "vpc/nat-data", data, items)


def addresses(book: Book, there: Inventory) -> None:
    """Public IPv4 addresses, in use or not."""
    items = there.of("AWS::EC2::EIP")
    if items:
        book.charge("NAT", count(len(items), "public address"), "vpc/ipv4", len(items) * HOURS, items)


def endpoints(book: Book, there: Inventory) -> None:
    """Interface endpoints, by the zone; gateway endpoints are free."""
    items = [
        item for item in there.of("AWS::EC2::VPCEndpoint") if item.text("VpcEndpointType") == "Interface"
    ]
    for item in items:
        zones = Decimal(_subnets(item, "SubnetIds"))
        book.charge(
            "VPC endpoints", f"{item.name}, {count(zones, 'zone')}", "vpc/endpoint", zones * HOURS, [item]
        )
    if items:
        data = book.used("endpoint_gb")
        book.charge("VPC endpoints", f"{data} GB through them", "vpc/endpoint-data", data, items)


def balancers(book: Book, there: Inventory) -> None:
    """Load balancers, their capacity units, and their addresses where they face the internet."""
    for item in there.of("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        kind = item.text("Type", default="application")
        units = book.used("balancer_units")
        book.charge("Load balancer", f"{kind}, 730 h", f"elb/{kind}", HOURS, [item])
        book.charge("Load balancer", count(units, "capacity unit"), f"elb/{kind}-lcu", units * HOURS, [item])
        if item.text("Scheme", default="internet-facing") == "internet-facing":
            zones = _subnets(item, "Subnets")
            book.charge("Load balancer", count(zones, "public address"), "vpc/ipv4", zones * HOURS, [item])


def _subnets(item: Item, name: str) -> int:
    """In how many subnets something is; they are named, whatever their ids come to."""
    found = item.properties.get(name)
    return len(found) if isinstance(found, list) else 1
