"""CodeDeploy: applications and their groups."""

from __future__ import annotations

from gymops.local.plane import ministack
from gymops.local.plane.types.containers import cased
from gymops.local.plane.types.kind import Kind, Made, Props


class Application(Kind):
    """What is deployed."""

    name = "AWS::CodeDeploy::Application"
    gone = frozenset({"ApplicationDoesNotExistException"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        name = props.get("ApplicationName") or ministack.physical_name(stack, logical_id, lowercase=False)
        self.calls.client("codedeploy").create_application(**cased({**props, "ApplicationName": name}))
        return name, {}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("codedeploy").delete_application(applicationName=physical_id)


class DeploymentGroup(Kind):
    """Where it is deployed to, and how."""

    name = "AWS::CodeDeploy::DeploymentGroup"
    gone = frozenset({"ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException"})
    in_place = frozenset({
        "AlarmConfiguration", "AutoRollbackConfiguration", "BlueGreenDeploymentConfiguration",
        "DeploymentConfigName", "DeploymentStyle", "ECSServices", "LoadBalancerInfo", "ServiceRoleArn",
    })  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        name = props.get("DeploymentGroupName") or ministack.physical_name(stack, logical_id, lowercase=False)
        given = _cased({**props, "DeploymentGroupName": name})
        self.calls.client("codedeploy").create_deployment_group(**given)
        return name, {}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        given = _cased({key: new[key] for key in (*self.in_place, "ApplicationName") if key in new})
        self.calls.client("codedeploy").update_deployment_group(
            currentDeploymentGroupName=physical_id, **given
        )
        return physical_id, {}

    def remove(self, physical_id: str, props: Props) -> None:
        self.calls.client("codedeploy").delete_deployment_group(
            applicationName=props["ApplicationName"], deploymentGroupName=physical_id
        )


def _cased(props: Props) -> Props:
    found: Props = cased(props)
    return {"ecsServices" if key == "eCSServices" else key: one for key, one in found.items()}
