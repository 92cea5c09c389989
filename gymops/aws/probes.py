"""A look at single resources: why a function does not start, what a certificate or a database waits for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import translated

_LINES = 8
_BEFORE = timedelta(minutes=30)


class LambdaProbe:
    """Lambda functions and their logs."""

    def __init__(self, account: Account, region: str | None = None) -> None:
        self._account = account
        self._region = region

    def state(self, name: str) -> str:
        """Its state with the reason, as ``Failed: ImageDeleted: ...``; empty when it is active."""
        with translated(f"the function {name}"):
            found = self._account.client("lambda", self._region).get_function_configuration(FunctionName=name)
        for kind in ("State", "LastUpdateStatus"):
            state = found.get(kind)
            if state not in {None, "Active", "Successful"}:
                told = (state, found.get(f"{kind}ReasonCode"), found.get(f"{kind}Reason"))
                return ": ".join(one for one in told if one)
        return ""

    def log(self, name: str, since: datetime) -> Iterator[str]:
        """The last lines its start wrote."""
        function = name.partition(":function:")[2].partition(":")[0] or name.partition(":")[0]
        with translated(f"the log of {function}"):
            found = self._account.client("logs", self._region).filter_log_events(
                logGroupName=f"/aws/lambda/{function}",
                startTime=_milliseconds(since - _BEFORE),
                filterPattern="?INIT_REPORT ?ERROR ?Error ?Traceback ?Exception ?Runtime",
            )
        for event in found.get("events", ())[-_LINES:]:
            yield str(event.get("message", "")).strip()


class AcmProbe:
    """ACM certificates."""

    def __init__(self, account: Account, region: str | None = None) -> None:
        self._account = account
        self._region = region

    def validations(self, arn: str) -> Iterator[str]:
        """For each domain that is not validated, the record it waits for."""
        with translated("the certificate"):
            found = self._account.client("acm", self._region).describe_certificate(CertificateArn=arn)
        for one in found["Certificate"].get("DomainValidationOptions", ()):
            record = one.get("ResourceRecord")
            if one.get("ValidationStatus") != "SUCCESS" and record:
                yield f"{record['Name']} {record['Type']} {record['Value']}"


class RdsProbe:
    """RDS instances and clusters."""

    def __init__(self, account: Account, region: str | None = None) -> None:
        self._account = account
        self._region = region

    def events(self, identifier: str, since: datetime, *, cluster: bool) -> Iterator[str]:
        """What happened to it in the half hour before."""
        with translated(f"the database {identifier}"):
            found = self._account.client("rds", self._region).describe_events(
                SourceIdentifier=identifier,
                SourceType="db-cluster" if cluster else "db-instance",
                StartTime=since - _BEFORE,
            )
        for one in found.get("Events", ())[-_LINES:]:
            yield f"{_clock(one.get('Date'))}{one.get('Message', '')}"


class EcsProbe:
    """ECS tasks."""

    def __init__(self, account: Account, region: str | None = None) -> None:
        self._account = account
        self._region = region

    def stopped(self, service: str) -> Iterator[str]:
        """Why the last tasks of a service (its ARN, ``...:service/CLUSTER/NAME``) stopped."""
        cluster, _, name = service.partition(":service/")[2].rpartition("/")
        boto = self._account.client("ecs", self._region)
        with translated(f"the tasks of {name or service}"):
            tasks = boto.list_tasks(
                cluster=cluster or "default", serviceName=name or service, desiredStatus="STOPPED"
            )
            arns = tasks.get("taskArns", ())[:_LINES]
            found = boto.describe_tasks(cluster=cluster or "default", tasks=arns) if arns else {}
        for task in found.get("tasks", ()):
            yield f"task stopped: {task.get('stoppedReason', 'no reason told')}"
            for one in task.get("containers", ()):
                if one.get("reason") or one.get("exitCode"):
                    code = one.get("exitCode")
                    yield f"container {one.get('name')}: {one.get('reason') or f'exit code {code}'}"


def _milliseconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _clock(moment: Any) -> str:
    return f"{moment:%H:%M:%S} " if isinstance(moment, datetime) else ""
