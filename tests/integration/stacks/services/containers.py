"""Tasks, what is before them and what scales them, asked of their services."""

from __future__ import annotations

from typing import Any

from tests.integration.stacks.environment import Held
from tests.integration.stacks.services.place import Looks, Place, only


def _cluster(at: Place, held: Held) -> Any:
    found = at.ecs.describe_clusters(clusters=[held.physical], include=["SETTINGS", "TAGS"])["clusters"]
    return only([one for one in found if one["status"] == "ACTIVE"])


def _service(at: Place, held: Held) -> Any:
    _, cluster, name = held.physical.rsplit("/", 2)
    found = at.ecs.describe_services(cluster=cluster, services=[name])["services"]
    return only([one for one in found if one["status"] == "ACTIVE"])


def _task_definition(at: Place, held: Held) -> Any:
    found = at.ecs.describe_task_definition(taskDefinition=held.physical)["taskDefinition"]
    return found if found["status"] == "ACTIVE" else None


def _load_balancer(at: Place, held: Held) -> Any:
    found = only(at.elbv2.describe_load_balancers(LoadBalancerArns=[held.physical])["LoadBalancers"])
    attributes = at.elbv2.describe_load_balancer_attributes(LoadBalancerArn=held.physical)["Attributes"]
    return {**found, **{one["Key"]: one["Value"] for one in attributes}}


def _target_group(at: Place, held: Held) -> Any:
    return only(at.elbv2.describe_target_groups(TargetGroupArns=[held.physical])["TargetGroups"])


def _listener(at: Place, held: Held) -> Any:
    listeners = at.elbv2.describe_listeners(
        LoadBalancerArn=at.env.physical(held.stack, held.properties["LoadBalancerArn"]["Ref"])
    )["Listeners"]
    return only([one for one in listeners if one["ListenerArn"] == held.physical])


def _rule(at: Place, held: Held) -> Any:
    rules = at.elbv2.describe_rules(ListenerArn=at.env.physical(held.stack, "Listener"))["Rules"]
    return only([one for one in rules if one["RuleArn"] == held.physical])


def _scaled(at: Place) -> list[Any]:
    scaling = at.env.client("application-autoscaling")
    return list(scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"])


def _target(at: Place, held: Held) -> Any:
    return only([one for one in _scaled(at) if one["ResourceId"] in held.physical])


def _policy(at: Place, held: Held) -> Any:
    found = at.env.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs")
    return only([one for one in found["ScalingPolicies"] if one["PolicyARN"] == held.physical])


def _firewall(at: Place, held: Held) -> Any:
    name, identifier, scope = held.physical.split("|")
    there = [one["Id"] for one in at.wafv2.list_web_acls(Scope=scope)["WebACLs"]]
    if identifier not in there:
        return None
    return at.wafv2.get_web_acl(Name=name, Id=identifier, Scope=scope)["WebACL"]


def _application(at: Place, held: Held) -> Any:
    if held.physical not in at.codedeploy.list_applications()["applications"]:
        return None
    return at.codedeploy.get_application(applicationName=held.physical)["application"]


def _deployment_group(at: Place, held: Held) -> Any:
    found = at.codedeploy.list_applications()["applications"]
    if held.physical not in found:
        return None
    return at.codedeploy.get_deployment_group(
        applicationName=held.physical, deploymentGroupName=held.physical
    )["deploymentGroupInfo"]


def _event_rule(at: Place, held: Held) -> Any:
    return at.events.describe_rule(Name=held.physical)


def _log_policy(at: Place, held: Held) -> Any:
    found = at.logs.describe_resource_policies()["resourcePolicies"]
    return only([one for one in found if one["policyName"] == held.physical])


def _metric_filter(at: Place, held: Held) -> Any:
    group = at.env.physical(held.stack, held.properties["LogGroupName"]["Ref"])
    found = at.logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    return only([one for one in found if one["filterName"] == held.physical])


def _rotation(at: Place, held: Held) -> Any:
    found = at.secretsmanager.describe_secret(SecretId=held.physical)
    return found if found.get("RotationEnabled") and not found.get("DeletedDate") else None


LOOK: Looks = {
    "AWS::ApplicationAutoScaling::ScalableTarget": _target,
    "AWS::ApplicationAutoScaling::ScalingPolicy": _policy,
    "AWS::CodeDeploy::Application": _application,
    "AWS::CodeDeploy::DeploymentGroup": _deployment_group,
    "AWS::ECS::Cluster": _cluster,
    "AWS::ECS::Service": _service,
    "AWS::ECS::TaskDefinition": _task_definition,
    "AWS::ElasticLoadBalancingV2::Listener": _listener,
    "AWS::ElasticLoadBalancingV2::ListenerRule": _rule,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": _target_group,
    "AWS::Events::Rule": _event_rule,
    "AWS::Logs::MetricFilter": _metric_filter,
    "AWS::Logs::ResourcePolicy": _log_policy,
    "AWS::SecretsManager::RotationSchedule": _rotation,
    "AWS::WAFv2::WebACL": _firewall,
}
