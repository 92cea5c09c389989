"""Who reaches what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gymops.deploy.rules import Found, Subject, rule
from gymops.deploy.syntax import Lines
from gymops.deploy.template import Steps

_WORLD = frozenset({"0.0.0.0/0", "::/0"})


@rule("G030")
def open_to_the_world(subject: Subject) -> Iterator[Found]:
    """No security group lets the whole internet in."""
    for resource in subject.template.resources("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"):
        path = ("Resources", resource.name, "Properties")
        alone = resource.kind.endswith("Ingress")
        entry = resource.properties if alone else resource.properties.get("SecurityGroupIngress", [])
        for where, rule_ in _rules(entry, path if alone else (*path, "SecurityGroupIngress")):
            for key in ("CidrIp", "CidrIpv6"):
                if rule_.get(key) in _WORLD:
                    yield Found((*where, key), f"{resource.name} lets everybody in: name a group instead")


def _rules(value: Any, path: Steps) -> Iterator[tuple[Steps, Lines]]:
    """The rules of a group, also those inside Fn::If."""
    if isinstance(value, Lines):
        if "IpProtocol" in value:
            yield path, value
            return
        for key, item in value.items():
            yield from _rules(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _rules(item, (*path, number))


@rule("G031")
def public_database(subject: Subject) -> Iterator[Found]:
    """A database has no public address, and says so."""
    for resource in subject.template.resources("AWS::RDS::DBInstance"):
        if resource.properties.get("PubliclyAccessible") not in (False, "false"):
            path = ("Resources", resource.name, "Properties", "PubliclyAccessible")
            yield Found(path, f"{resource.name} may get a public address: PubliclyAccessible false")


@rule("G032")
def default_egress(subject: Subject) -> Iterator[Found]:
    """A security group says what it lets out: unsaid, it is everything."""
    for resource in subject.template.resources("AWS::EC2::SecurityGroup"):
        if not resource.properties.get("SecurityGroupEgress"):
            path = ("Resources", resource.name, "Properties")
            yield Found(path, f"{resource.name} lets everything out: write SecurityGroupEgress")


@rule("G033")
def named_zone(subject: Subject) -> Iterator[Found]:
    """A zone comes from Fn::GetAZs: a region offers each account only some of its own."""
    for resource in subject.template.resources("AWS::EC2::Subnet"):
        if isinstance(resource.properties.get("AvailabilityZone"), str):
            path = ("Resources", resource.name, "Properties", "AvailabilityZone")
            yield Found(path, 'a zone by name; write !Select [0, !GetAZs ""]')
