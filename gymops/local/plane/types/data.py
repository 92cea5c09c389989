"""RDS Proxy and its targets, rotation of secrets."""

from __future__ import annotations

from typing import Any

from gymops.local.plane.faults import Fault
from gymops.local.plane.types.kind import Kind, Made, Props, typed

_PROXY = (
    "DBProxyName", "EngineFamily", "RoleArn", "Auth", "DefaultAuthScheme", "VpcSubnetIds",
    "VpcSecurityGroupIds", "RequireTLS", "IdleClientTimeout", "DebugLogging",
)  # fmt: skip


class DBProxy(Kind):
    """A proxy, whose endpoint leads to the instance."""

    name = "AWS::RDS::DBProxy"
    gone = frozenset({"DBProxyNotFoundFault", "DBProxyNotFound"})
    in_place = frozenset({
        "Auth", "DefaultAuthScheme", "RequireTLS", "IdleClientTimeout", "DebugLogging", "RoleArn",
        "VpcSecurityGroupIds",
    })  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        given = {key: typed(props[key]) for key in _PROXY if key in props}
        found = self.calls.client("rds").create_db_proxy(**given, Tags=props.get("Tags") or [])["DBProxy"]
        return _proxy(found)

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        given = {key: typed(new[key]) for key in self.in_place if key in new}
        if "VpcSecurityGroupIds" in given:
            given["SecurityGroups"] = given.pop("VpcSecurityGroupIds")
        given.pop("DefaultAuthScheme", None)
        return _proxy(self.calls.client("rds").modify_db_proxy(DBProxyName=physical_id, **given)["DBProxy"])

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("rds").delete_db_proxy(DBProxyName=physical_id)


class DBProxyTargetGroup(Kind):
    """The instance a proxy leads to, and its pool's settings."""

    name = "AWS::RDS::DBProxyTargetGroup"
    gone = frozenset(
        {"DBProxyNotFoundFault", "DBProxyTargetNotFoundFault", "DBProxyTargetGroupNotFoundFault"}
    )

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        rds, name = self.calls.client("rds"), props["DBProxyName"]
        if pool := props.get("ConnectionPoolConfigurationInfo"):
            rds.modify_db_proxy_target_group(
                DBProxyName=name, TargetGroupName="default", ConnectionPoolConfig=_pool(pool)
            )
        targets = props.get("DBInstanceIdentifiers") or []
        if props.get("DBClusterIdentifiers"):
            raise Fault("InvalidParameterValue", "The local AWS has no DB clusters")
        there = {one["RdsResourceId"] for one in rds.describe_db_proxy_targets(DBProxyName=name)["Targets"]}
        if old := sorted(there - set(targets)):
            rds.deregister_db_proxy_targets(DBProxyName=name, DBInstanceIdentifiers=old)
        if new := [one for one in targets if one not in there]:
            rds.register_db_proxy_targets(DBProxyName=name, DBInstanceIdentifiers=new)
        found = rds.describe_db_proxy_target_groups(DBProxyName=name)["TargetGroups"][0]
        arn = found["TargetGroupArn"]
        return arn, {"TargetGroupArn": arn}

    def remove(self, physical_id: str, props: Props) -> None:
        del physical_id
        if targets := props.get("DBInstanceIdentifiers"):
            self.calls.client("rds").deregister_db_proxy_targets(
                DBProxyName=props["DBProxyName"], DBInstanceIdentifiers=targets
            )


class RotationSchedule(Kind):
    """A secret's rotation: the function runs, at once unless told not to."""

    name = "AWS::SecretsManager::RotationSchedule"
    gone = frozenset({"ResourceNotFoundException"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        if props.get("HostedRotationLambda"):
            raise Fault("InvalidRequest", "The local AWS has no hosted rotation: name a RotationLambdaARN")
        given: dict[str, Any] = {"SecretId": props["SecretId"]}
        if "RotationLambdaARN" in props:
            given["RotationLambdaARN"] = props["RotationLambdaARN"]
        if "RotationRules" in props:
            given["RotationRules"] = typed(props["RotationRules"])
        at_once = typed(props.get("RotateImmediatelyOnUpdate", True))
        secrets = self.calls.client("secretsmanager")
        found = secrets.rotate_secret(**given, RotateImmediately=at_once)
        return found["ARN"], {"Id": found["ARN"]}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("secretsmanager").cancel_rotate_secret(SecretId=physical_id)


def _proxy(found: dict[str, Any]) -> Made:
    return found["DBProxyName"], {
        "DBProxyArn": found["DBProxyArn"],
        "Endpoint": found["Endpoint"],
        "VpcId": found.get("VpcId", ""),
    }


def _pool(pool: Props) -> dict[str, Any]:
    found: dict[str, Any] = typed(pool)
    return found
