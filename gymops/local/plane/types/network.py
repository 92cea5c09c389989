"""EC2: NAT gateways, addresses, ingress rules of their own; WAF on a resource; a CDN's metrics."""

from __future__ import annotations

from typing import Any

from gymops.local.plane.types.kind import Kind, Made, Props, tags_of, typed


class Eip(Kind):
    """An address."""

    name = "AWS::EC2::EIP"
    gone = frozenset({"InvalidAddress.NotFound", "InvalidAllocationID.NotFound"})
    in_place = frozenset({"Tags"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        found = self.calls.client("ec2").allocate_address(
            Domain=props.get("Domain", "vpc"), **tags_of(props, "elastic-ip")
        )
        return found["PublicIp"], {"AllocationId": found["AllocationId"], "PublicIp": found["PublicIp"]}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        [found] = self.calls.client("ec2").describe_addresses(PublicIps=[physical_id])["Addresses"]
        _retag(self.calls.client("ec2"), found["AllocationId"], old, new)
        return physical_id, {"AllocationId": found["AllocationId"], "PublicIp": physical_id}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        ec2 = self.calls.client("ec2")
        for one in ec2.describe_addresses()["Addresses"]:
            if one["PublicIp"] == physical_id:
                ec2.release_address(AllocationId=one["AllocationId"])


class NatGateway(Kind):
    """A NAT gateway: recorded, it routes nothing."""

    name = "AWS::EC2::NatGateway"
    gone = frozenset({"NatGatewayNotFound", "InvalidNatGatewayID.NotFound"})
    in_place = frozenset({"Tags"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        given = {key: props[key] for key in ("SubnetId", "AllocationId", "ConnectivityType") if key in props}
        found = self.calls.client("ec2").create_nat_gateway(**given, **tags_of(props, "natgateway"))
        identifier = found["NatGateway"]["NatGatewayId"]
        return identifier, {"NatGatewayId": identifier}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        _retag(self.calls.client("ec2"), physical_id, old, new)
        return physical_id, {"NatGatewayId": physical_id}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("ec2").delete_nat_gateway(NatGatewayId=physical_id)


class SecurityGroupIngress(Kind):
    """A rule outside of its group, for groups that name each other."""

    name = "AWS::EC2::SecurityGroupIngress"
    gone = frozenset({"InvalidPermission.NotFound", "InvalidGroup.NotFound"})
    _direction = "ingress"
    _other = "SourceSecurityGroupId"

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del stack
        self._call("authorize", props)
        return f"{props['GroupId']}|{logical_id}", {"Id": f"{props['GroupId']}|{logical_id}"}

    def remove(self, physical_id: str, props: Props) -> None:
        del physical_id
        self._call("revoke", props)

    def update(
        self, physical_id: str, old: Props, new: Props, stack: str, logical_id: str | None = None
    ) -> Made:
        """The new rule first: traffic is never cut off."""
        made = self.create(logical_id or physical_id.rpartition("|")[2], new, stack)
        if old != new:
            self.delete(physical_id, old)
        return made

    def _call(self, what: str, props: Props) -> None:
        call = getattr(self.calls.client("ec2"), f"{what}_security_group_{self._direction}")
        call(GroupId=props["GroupId"], IpPermissions=[_permission(props, self._other)])


class SecurityGroupEgress(SecurityGroupIngress):
    """The same, on the way out."""

    name = "AWS::EC2::SecurityGroupEgress"
    _direction = "egress"
    _other = "DestinationSecurityGroupId"


class WebAclAssociation(Kind):
    """A web ACL on a resource: recorded, no request is looked at."""

    name = "AWS::WAFv2::WebACLAssociation"
    gone = frozenset({"WAFNonexistentItemException"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        self.calls.client("wafv2").associate_web_acl(
            WebACLArn=props["WebACLArn"], ResourceArn=props["ResourceArn"]
        )
        return f"{props['WebACLArn']}|{props['ResourceArn']}", {}

    def update(
        self, physical_id: str, old: Props, new: Props, stack: str, logical_id: str | None = None
    ) -> Made:
        """One resource has one ACL: associating it anew takes the old one off."""
        if old["ResourceArn"] != new["ResourceArn"]:
            self.delete(physical_id, old)
        return self.create(logical_id or physical_id, new, stack)

    def remove(self, physical_id: str, props: Props) -> None:
        del physical_id
        self.calls.client("wafv2").disassociate_web_acl(ResourceArn=props["ResourceArn"])


class MonitoringSubscription(Kind):
    """A distribution's additional metrics: recorded, nothing is measured."""

    name = "AWS::CloudFront::MonitoringSubscription"
    gone = frozenset({"NoSuchMonitoringSubscription", "NoSuchDistribution"})
    in_place = frozenset({"MonitoringSubscription"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        self.calls.client("cloudfront").create_monitoring_subscription(
            DistributionId=props["DistributionId"], MonitoringSubscription=props["MonitoringSubscription"]
        )
        return props["DistributionId"], {}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        return self.create(physical_id, new, "")

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("cloudfront").delete_monitoring_subscription(DistributionId=physical_id)


def _retag(ec2: Any, identifier: str, old: Props, new: Props) -> None:
    ec2.delete_tags(Resources=[identifier], Tags=old.get("Tags") or [])
    ec2.create_tags(Resources=[identifier], Tags=new.get("Tags") or [])


def _permission(props: Props, other: str) -> dict[str, Any]:
    found: dict[str, Any] = {"IpProtocol": str(props["IpProtocol"])}
    for key in ("FromPort", "ToPort"):
        if key in props:
            found[key] = typed(str(props[key]))
    described = {"Description": props["Description"]} if props.get("Description") else {}
    if "CidrIp" in props:
        found["IpRanges"] = [{"CidrIp": props["CidrIp"], **described}]
    if "CidrIpv6" in props:
        found["Ipv6Ranges"] = [{"CidrIpv6": props["CidrIpv6"], **described}]
    if other in props:
        found["UserIdGroupPairs"] = [{"GroupId": props[other], **described}]
    for key in ("SourcePrefixListId", "DestinationPrefixListId"):
        if key in props:
            found["PrefixListIds"] = [{"PrefixListId": props[key], **described}]
    return found
