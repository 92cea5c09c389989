"""What runs, is scheduled, watched and told: functions and what is around them, asked of its services."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.stacks.environment import Held
from tests.integration.stacks.services.place import Looks, Place, by_name, only


def _permission(at: Place, held: Held) -> Any:
    """The statement of the function's or alias's policy that is of its action and for its principal."""
    function, _, qualifier = (
        at.env.physical(held.stack, held.properties["FunctionName"]["Ref"])
        .rpartition("function:")[2]
        .partition(":")
    )
    asked = {"Qualifier": qualifier} if qualifier else {}
    policy = json.loads(at.functions.get_policy(FunctionName=function, **asked)["Policy"])
    wanted = (held.properties["Action"], {"Service": held.properties["Principal"]})
    return only([one for one in policy["Statement"] if (one["Action"], one["Principal"]) == wanted])


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


def _topic(at: Place, held: Held) -> Any:
    return at.sns.get_topic_attributes(TopicArn=held.physical)["Attributes"]


def _topic_policy(at: Place, held: Held) -> Any:
    """Ours, and not the one that every topic has."""
    topic = at.env.physical(held.stack, held.properties["Topics"][0]["Ref"])
    policy = json.loads(at.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    return only([one for one in policy["Statement"] if one["Sid"] == "Services"])


def _subscription(at: Place, held: Held) -> Any:
    return at.sns.get_subscription_attributes(SubscriptionArn=held.physical)["Attributes"]


def _log_group(at: Place, held: Held) -> Any:
    found = at.logs.describe_log_groups(logGroupNamePrefix=held.physical)["logGroups"]
    return only([one for one in found if one["logGroupName"] == held.physical])


def _alarm(at: Place, held: Held) -> Any:
    return only(at.cloudwatch.describe_alarms(AlarmNames=[held.physical])["MetricAlarms"])


def _schedule(at: Place, held: Held) -> Any:
    group = at.env.physical(held.stack, held.properties["GroupName"]["Ref"])
    return at.scheduler.get_schedule(Name=held.physical, GroupName=group)


def _schedule_group(at: Place, held: Held) -> Any:
    found = at.scheduler.get_schedule_group(Name=held.physical)
    return {**found, **at.scheduler.list_tags_for_resource(ResourceArn=found["Arn"])}


def _budget(at: Place, held: Held) -> Any:
    found = at.budgets.describe_budget(AccountId=at.env.account, BudgetName=held.physical)
    return found["Budget"]


def _slack(at: Place, held: Held) -> Any:
    found = at.chatbot.describe_slack_channel_configurations(ChatConfigurationArn=held.physical)
    return only(found["SlackChannelConfigurations"])


LOOK: Looks = {
    "AWS::Budgets::Budget": _budget,
    "AWS::Chatbot::SlackChannelConfiguration": _slack,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": by_name("cloudwatch", "get_dashboard", "DashboardName", "DashboardBody"),
    "AWS::IAM::Role": by_name("iam", "get_role", "RoleName", "Role"),
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": _layer,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::Url": _url,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Scheduler::ScheduleGroup": _schedule_group,
}
