"""CloudFormation: stacks, their events and their change sets, with every page read and every error ours.

What newer versions of boto3 offer is looked up in their model of the service, and used where it is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated
from gymops.aws.stack import Change, ChangeSet, Detail, Event, Request, Stack, StackResource

_TIMEOUT = 20.0
_ATTEMPTS = 8
"""CloudFormation throttles whole accounts; botocore's own waiting between attempts takes care of that."""

_APART = frozenset({"VALIDATION_ERROR", "HOOK_INVOCATION_ERROR"})


class CloudFormationClient:
    """CloudFormation in one region."""

    def __init__(self, boto: Any) -> None:
        self._boto = boto

    @classmethod
    def of(cls, account: Account, region: str | None = None) -> CloudFormationClient:
        """In a region of an account."""
        return cls(account.client("cloudformation", region, timeout=_TIMEOUT, attempts=_ATTEMPTS))

    def stack(self, stack: str) -> Stack | None:
        """The stack of this name or id; None if it does not exist."""
        try:
            with translated(f"the stack {stack}"):
                found = self._boto.describe_stacks(StackName=stack)["Stacks"]
        except AwsError as error:
            if _is_absent(error):
                return None
            raise
        return _stack(found[0]) if found else None

    def resources(self, stack: str) -> Sequence[StackResource]:
        """All resources of a stack."""
        pages = self._pages("list_stack_resources", "StackResourceSummaries", StackName=stack)
        return [
            StackResource(
                name=one["LogicalResourceId"],
                kind=one["ResourceType"],
                physical=one.get("PhysicalResourceId", ""),
                status=one["ResourceStatus"],
                reason=one.get("ResourceStatusReason", ""),
            )
            for one in pages
        ]

    def events(self, stack: str) -> Iterator[Event]:
        """The stack's events, the newest first; a page is fetched when it is needed."""
        for one in self._pages("describe_stack_events", "StackEvents", StackName=stack):
            yield _event(one, stack, one.get("ResourceStatus", ""), one.get("ResourceStatusReason", ""))

    def failures(self, *, stack: str = "", change_set: str = "") -> Sequence[Event]:
        """Failed validations and hooks of a stack's operations, or of making a change set."""
        if not self._offers("DescribeEvents"):
            return ()
        asked: dict[str, Any] = {"ChangeSetName": change_set} if change_set else {"StackName": stack}
        if self._offers("DescribeEvents", "Filters"):
            asked["Filters"] = {"FailedEvents": True}
        pages = self._pages("describe_events", "OperationEvents", **asked)
        return [_apart(one, stack) for one in pages if one.get("EventType") in _APART]

    def template(self, stack: str) -> str:
        """The template the stack has now, as it was given."""

        with translated(f"the template of {stack}"):
            found = self._boto.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
        return found if isinstance(found, str) else json.dumps(found)  # botocore parses JSON

    def change_set(self, change_set: str, stack: str = "") -> ChangeSet | None:
        """A change set with all its pages, by ARN, or by name and stack; None if it does not exist."""
        asked: dict[str, Any] = {"ChangeSetName": change_set} | ({"StackName": stack} if stack else {})
        if self._offers("DescribeChangeSet", "IncludePropertyValues"):
            asked["IncludePropertyValues"] = True
        changes: list[Change] = []
        while True:
            try:
                with translated(f"the change set {change_set}"):
                    page = self._boto.describe_change_set(**asked)
            except AwsError as error:
                if error.reason in {"ChangeSetNotFound", "ChangeSetNotFoundException"} or _is_absent(error):
                    return None
                raise
            changes += [
                _change(one["ResourceChange"]) for one in page.get("Changes", ()) if "ResourceChange" in one
            ]
            if not page.get("NextToken"):
                return ChangeSet(
                    arn=page["ChangeSetId"],
                    name=page["ChangeSetName"],
                    stack=page["StackId"],
                    status=page["Status"],
                    reason=page.get("StatusReason", ""),
                    execution=page.get("ExecutionStatus", ""),
                    changes=tuple(changes),
                    parameters=_pairs(page.get("Parameters", ()), "ParameterKey", "ParameterValue"),
                )
            asked["NextToken"] = page["NextToken"]

    def create_change_set(self, request: Request) -> str:
        """Begin to make it; returns its ARN."""
        given: dict[str, Any] = {
            "StackName": request.stack,
            "ChangeSetName": request.name,
            "ChangeSetType": "CREATE" if request.create else "UPDATE",
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": value} for name, value in request.parameters.items()
            ],
            "Tags": [{"Key": name, "Value": value} for name, value in request.tags.items()],
            "Capabilities": list(request.capabilities),
            "ClientToken": request.token,
        }
        given |= {"TemplateURL": request.url} if request.url else {"TemplateBody": request.body}
        if self._offers("CreateChangeSet", "IncludeNestedStacks"):
            given["IncludeNestedStacks"] = True
        with translated(f"a change set of {request.stack}"):
            return str(self._boto.create_change_set(**given)["Id"])

    def execute(self, change_set: str, token: str) -> None:
        """Begin to execute it."""
        with translated("executing the change set"):
            self._boto.execute_change_set(ChangeSetName=change_set, ClientRequestToken=token)

    def delete_change_set(self, change_set: str) -> None:
        """Delete it; one that is gone already is fine."""
        try:
            with translated("deleting the change set"):
                self._boto.delete_change_set(ChangeSetName=change_set)
        except AwsError as error:
            if not _is_absent(error) and not error.reason.startswith("ChangeSetNotFound"):
                raise

    def delete(self, stack: str, token: str, *, retain: Sequence[str] = ()) -> None:
        """Begin to delete the stack."""
        given: dict[str, Any] = {"StackName": stack} | ({"ClientRequestToken": token} if token else {})
        if retain:
            given["RetainResources"] = list(retain)
        with translated(f"deleting the stack {stack}"):
            self._boto.delete_stack(**given)

    def roll_back(self, stack: str, token: str, *, skip: Sequence[str] | None = None) -> None:
        """Begin to roll a failed update back; with ``skip``, even an empty one, a failed rollback goes on.

        ``ForceRollback`` is never used, although it spares listing them: it skips what nobody has named.
        """
        with translated(f"rolling back the stack {stack}"):
            if skip is None:
                self._boto.rollback_stack(StackName=stack, ClientRequestToken=token)
                return
            skipped = {"ResourcesToSkip": list(skip)} if skip else {}
            self._boto.continue_update_rollback(StackName=stack, ClientRequestToken=token, **skipped)

    def _offers(self, operation: str, member: str = "") -> bool:
        """Whether this version of boto3 knows an operation, and a member of its input."""
        model = self._boto.meta.service_model
        if operation not in model.operation_names:
            return False
        return not member or member in model.operation_model(operation).input_shape.members

    def _pages(self, call: str, key: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
        while True:
            with translated(f"the stack {asked.get('StackName', asked.get('ChangeSetName', ''))}"):
                page = getattr(self._boto, call)(**asked)
            yield from page.get(key, ())
            if not page.get("NextToken"):
                return
            asked["NextToken"] = page["NextToken"]


def _is_absent(error: AwsError) -> bool:
    return error.reason == "ValidationError" and "does not exist" in error.message


def _stack(one: Mapping[str, Any]) -> Stack:
    return Stack(
        id=one["StackId"],
        name=one["StackName"],
        status=one["StackStatus"],
        reason=one.get("StackStatusReason", ""),
        created=one.get("CreationTime"),
        updated=one.get("LastUpdatedTime"),
        parameters=_pairs(one.get("Parameters", ()), "ParameterKey", "ParameterValue"),
        outputs=_pairs(one.get("Outputs", ()), "OutputKey", "OutputValue"),
        tags=_pairs(one.get("Tags", ()), "Key", "Value"),
        protected=bool(one.get("EnableTerminationProtection")),
        parent=one.get("ParentId", ""),
    )


def _event(one: Mapping[str, Any], stack: str, status: str, reason: str) -> Event:
    return Event(
        id=one["EventId"],
        stack=one.get("StackId", stack),
        name=one.get("LogicalResourceId", ""),
        kind=one.get("ResourceType", ""),
        status=status,
        at=one.get("Timestamp") or datetime.min.replace(tzinfo=UTC),
        reason=reason,
        physical=one.get("PhysicalResourceId", ""),
        token=one.get("ClientRequestToken", ""),
        operation=one.get("OperationId", ""),
    )


def _apart(one: Mapping[str, Any], stack: str) -> Event:
    if one["EventType"] == "HOOK_INVOCATION_ERROR":
        reason = f"Hook {one.get('HookType', '')}: {one.get('HookStatusReason', '')}"
        return _event(one, stack, one.get("HookStatus", ""), reason)
    where = f" at {one['ValidationPath']}" if one.get("ValidationPath") else ""
    reason = f"{one.get('ValidationStatusReason', '')} ({one.get('ValidationName', 'validation')}{where})"
    return _event(one, stack, "VALIDATION_FAILED", reason)


def _change(one: Mapping[str, Any]) -> Change:
    return Change(
        action=one.get("Action", ""),
        name=one["LogicalResourceId"],
        kind=one.get("ResourceType", ""),
        physical=one.get("PhysicalResourceId", ""),
        replacement=one.get("Replacement", ""),
        policy=one.get("PolicyAction", ""),
        details=tuple(_detail(detail) for detail in one.get("Details", ())),
        before=one.get("BeforeContext"),
        after=one.get("AfterContext"),
        change_set=one.get("ChangeSetId", ""),
    )


def _detail(one: Mapping[str, Any]) -> Detail:
    target = one.get("Target", {})
    return Detail(
        attribute=target.get("Attribute", ""),
        name=target.get("Name", ""),
        path=target.get("Path", ""),
        recreation=target.get("RequiresRecreation", ""),
        evaluation=one.get("Evaluation", ""),
        source=one.get("ChangeSource", ""),
        cause=one.get("CausingEntity", ""),
        before=target.get("BeforeValue"),
        after=target.get("AfterValue"),
    )


def _pairs(rows: Sequence[Mapping[str, str]], key: str, value: str) -> dict[str, str]:
    return {row[key]: row.get(value, "") for row in rows}
