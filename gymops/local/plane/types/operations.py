"""Budgets, Application Auto Scaling, Slack, and AWS Backup's selections and restore tests."""

from __future__ import annotations

from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.types.kind import Kind, Made, Props, typed


class Budget(Kind):
    """A budget: recorded, nothing is counted."""

    name = "AWS::Budgets::Budget"
    gone = frozenset({"NotFoundException"})
    in_place = frozenset({"Budget"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        budget = _budget(props)
        budget.setdefault("BudgetName", ministack.physical_name(stack, logical_id, lowercase=False))
        self.calls.client("budgets").create_budget(
            AccountId=ministack.account(), Budget=budget,
            NotificationsWithSubscribers=props.get("NotificationsWithSubscribers") or [],
        )  # fmt: skip
        return budget["BudgetName"], {}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        budget = {**_budget(new), "BudgetName": physical_id}
        self.calls.client("budgets").update_budget(AccountId=ministack.account(), NewBudget=budget)
        return physical_id, {}

    def update(
        self, physical_id: str, old: Props, new: Props, stack: str, logical_id: str | None = None
    ) -> Made:
        """A name is taken once: where more than the amounts change, the old one goes first."""
        if old.get("NotificationsWithSubscribers") != new.get("NotificationsWithSubscribers"):
            self.delete(physical_id, old)
            return self.create(logical_id or physical_id, new, stack)
        return self.change(physical_id, old, new)

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("budgets").delete_budget(AccountId=ministack.account(), BudgetName=physical_id)


class BackupSelection(Kind):
    """What a backup plan backs up."""

    name = "AWS::Backup::BackupSelection"
    gone = frozenset({"ResourceNotFoundException"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        found = self.calls.client("backup").create_backup_selection(
            BackupPlanId=props["BackupPlanId"], BackupSelection=props["BackupSelection"]
        )
        selection = found["SelectionId"]
        return selection, {"SelectionId": selection, "Id": selection, "BackupPlanId": props["BackupPlanId"]}

    def remove(self, physical_id: str, props: Props) -> None:
        self.calls.client("backup").delete_backup_selection(
            BackupPlanId=props["BackupPlanId"], SelectionId=physical_id
        )


class RestoreTestingPlan(Kind):
    """When restores are tested."""

    name = "AWS::Backup::RestoreTestingPlan"
    gone = frozenset({"ResourceNotFoundException"})
    in_place = frozenset({
        "RecoveryPointSelection", "ScheduleExpression", "ScheduleExpressionTimezone", "StartWindowHours",
    })  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        given = typed({key: value for key, value in props.items() if key != "Tags"})
        tags = {tag["Key"]: tag["Value"] for tag in props.get("Tags") or []}
        found = self.calls.client("backup").create_restore_testing_plan(RestoreTestingPlan=given, Tags=tags)
        return found["RestoreTestingPlanName"], {"RestoreTestingPlanArn": found["RestoreTestingPlanArn"]}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        given = typed({key: new[key] for key in self.in_place if key in new})
        found = self.calls.client("backup").update_restore_testing_plan(
            RestoreTestingPlanName=physical_id, RestoreTestingPlan=given
        )
        return physical_id, {"RestoreTestingPlanArn": found["RestoreTestingPlanArn"]}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("backup").delete_restore_testing_plan(RestoreTestingPlanName=physical_id)


class RestoreTestingSelection(Kind):
    """What a restore test restores, and how."""

    name = "AWS::Backup::RestoreTestingSelection"
    gone = frozenset({"ResourceNotFoundException"})
    in_place = frozenset({
        "IamRoleArn", "ProtectedResourceArns", "ProtectedResourceConditions", "RestoreMetadataOverrides",
        "ValidationWindowHours",
    })  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        selection = typed({key: value for key, value in props.items() if key != "RestoreTestingPlanName"})
        self.calls.client("backup").create_restore_testing_selection(
            RestoreTestingPlanName=props["RestoreTestingPlanName"], RestoreTestingSelection=selection
        )
        return f"{props['RestoreTestingPlanName']}|{props['RestoreTestingSelectionName']}", {}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        plan, _, name = physical_id.partition("|")
        given = typed({key: new[key] for key in self.in_place if key in new})
        self.calls.client("backup").update_restore_testing_selection(
            RestoreTestingPlanName=plan, RestoreTestingSelectionName=name, RestoreTestingSelection=given
        )
        return physical_id, {}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        plan, _, name = physical_id.partition("|")
        self.calls.client("backup").delete_restore_testing_selection(
            RestoreTestingPlanName=plan, RestoreTestingSelectionName=name
        )


class ScalableTarget(Kind):
    """What may be scaled: recorded, nothing is scaled."""

    name = "AWS::ApplicationAutoScaling::ScalableTarget"
    gone = frozenset({"ObjectNotFoundException"})
    in_place = frozenset({"MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState", "ScheduledActions"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        given = {key: value for key, value in props.items() if key != "ScheduledActions"}
        scaling = self.calls.client("application-autoscaling")
        scaling.register_scalable_target(**typed(given))
        for action in props.get("ScheduledActions") or []:
            scaling.put_scheduled_action(**typed(action), **_target(props))
        return "|".join(_target(props).values()), {}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        return self.create(physical_id, new, "")

    def remove(self, physical_id: str, props: Props) -> None:
        del physical_id
        self.calls.client("application-autoscaling").deregister_scalable_target(**_target(props))


class ScalingPolicy(Kind):
    """How it is to be scaled."""

    name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    gone = frozenset({"ObjectNotFoundException"})
    in_place = frozenset({
        "PolicyType", "TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration",
    })  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        given = {key: value for key, value in props.items() if key != "ScalingTargetId"}
        given |= _target(props)
        found = self.calls.client("application-autoscaling").put_scaling_policy(**typed(given))
        return found["PolicyARN"], {"Arn": found["PolicyARN"]}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        return self.create(physical_id, new, "")

    def remove(self, physical_id: str, props: Props) -> None:
        del physical_id
        self.calls.client("application-autoscaling").delete_scaling_policy(
            PolicyName=props["PolicyName"], **_target(props)
        )


class SlackChannel(Kind):
    """Where alarms are shown: recorded, nothing is posted."""

    name = "AWS::Chatbot::SlackChannelConfiguration"
    gone = frozenset({"ResourceNotFoundException"})
    in_place = frozenset({
        "SlackChannelId", "SnsTopicArns", "IamRoleArn", "LoggingLevel", "GuardrailPolicies",
        "UserRoleRequired",
    })  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        found = self.calls.client("chatbot").create_slack_channel_configuration(
            ConfigurationName=props["ConfigurationName"], SlackTeamId=props["SlackWorkspaceId"],
            **_channel(props),
        )  # fmt: skip
        arn = found["ChannelConfiguration"]["ChatConfigurationArn"]
        return arn, {"Arn": arn}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        self.calls.client("chatbot").update_slack_channel_configuration(
            ChatConfigurationArn=physical_id, **_channel(new)
        )
        return physical_id, {"Arn": physical_id}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("chatbot").delete_slack_channel_configuration(ChatConfigurationArn=physical_id)


def _channel(props: Props) -> dict[str, Any]:
    named = {"GuardrailPolicies": "GuardrailPolicyArns", "UserRoleRequired": "UserAuthorizationRequired"}
    given = {named.get(key, key): value for key, value in props.items() if key in SlackChannel.in_place}
    if "UserAuthorizationRequired" in given:
        given["UserAuthorizationRequired"] = typed(given["UserAuthorizationRequired"])
    return {"SlackChannelName": props["SlackChannelId"], **given}


def _target(props: Props) -> dict[str, str]:
    if whole := props.get("ScalingTargetId"):
        service, resource, dimension = str(whole).split("|")
        return {"ServiceNamespace": service, "ResourceId": resource, "ScalableDimension": dimension}
    return {key: str(props[key]) for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}


def _budget(props: Props) -> dict[str, Any]:
    budget: dict[str, Any] = dict(props["Budget"])
    if "BudgetLimit" in budget:
        limit = budget["BudgetLimit"]
        budget["BudgetLimit"] = {"Amount": str(limit["Amount"]), "Unit": limit["Unit"]}
    return budget
