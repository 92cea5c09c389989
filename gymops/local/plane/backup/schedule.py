"""What AWS Backup does by itself: the plans' backups, the restore tests, and what has expired."""

from __future__ import annotations

import contextlib
import fnmatch
import random
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.backup import cron
from gymops.local.plane.backup.contents import Contents, Document
from gymops.local.plane.backup.jobs import Jobs
from gymops.local.plane.backup.vaults import Vaults
from gymops.local.plane.faults import Fault
from gymops.local.plane.rds import records
from gymops.local.plane.rds.instances import Instances
from gymops.local.plane.store import Store

_HOUR = 3_600.0
_WINDOW_DAYS = 30


class BackupSchedule:
    """Looks at every account's plans."""

    def __init__(
        self, vaults: Vaults, jobs: Jobs, instances: Instances, contents: Contents, store: Store
    ) -> None:
        self._contents = contents
        self._vaults = vaults
        self._jobs = jobs
        self._instances = instances
        self._store = store
        self._busy = threading.Lock()

    def tick(self) -> None:
        """Do what is due, in every account and region."""
        with self._busy:
            self._look()

    def _look(self) -> None:
        service = ministack.service("backup")
        scopes = {key[:2] for key in list(service._plans._data)} | set(self._store.scopes())
        for account, region in sorted(scopes):
            with ministack.scope(account, region), contextlib.suppress(Fault):
                self._vaults.expire()
                self._run_plans(service)
                self._run_tests()

    def test(self, plan: Document, selection: Document) -> str | None:
        """Restore one recovery point as a restore test does; the job's id, None when there is no point."""
        chosen = self._choose(plan, selection)
        if chosen is None:
            return None
        overrides = selection.get("RestoreMetadataOverrides") or {}
        name = f"awsbackup-restore-test-{uuid.uuid4().hex[:20]}"
        metadata = {
            **self._jobs.metadata(chosen["RecoveryPointArn"], chosen["BackupVaultName"]),
            **{key[0].upper() + key[1:]: value for key, value in overrides.items()},
            "DBInstanceIdentifier": name,
        }
        asked = {
            "RecoveryPointArn": chosen["RecoveryPointArn"], "Metadata": metadata,
            "IamRoleArn": selection.get("IamRoleArn", ""),
            "CreatedBy": {"RestoreTestingPlanArn": plan["RestoreTestingPlanArn"]},
            "_hours": float(selection.get("ValidationWindowHours") or 0),
        }  # fmt: skip
        return str(self._jobs.restore(asked)["RestoreJobId"])

    def _run_plans(self, service: Any) -> None:
        for plan in list(service._plans.values()):
            identifier = plan["BackupPlanId"]
            for rule in plan["BackupPlan"].get("Rules", []):
                expression = rule.get("ScheduleExpression")
                if expression and self._due(f"{identifier}/{rule['RuleName']}", expression):
                    for arn in self._selected(service, identifier):
                        self._back_up(plan, rule, arn)

    def _back_up(self, plan: Document, rule: Document, arn: str) -> None:
        created = {
            "BackupPlanId": plan["BackupPlanId"], "BackupRuleId": rule.get("RuleId", rule["RuleName"]),
            "BackupRuleName": rule["RuleName"],
            "BackupPlanArn": plan.get("BackupPlanArn", ""),
        }  # fmt: skip
        asked = {
            "BackupVaultName": rule["TargetBackupVaultName"], "ResourceArn": arn, "CreatedBy": created,
            "Lifecycle": rule.get("Lifecycle") or {},
            "RecoveryPointTags": rule.get("RecoveryPointTags") or {},
        }  # fmt: skip
        with contextlib.suppress(Fault):
            job = self._jobs.job("backup", str(self._jobs.back_up(asked)["BackupJobId"]))
            for action in rule.get("CopyActions") or []:
                if job.get("RecoveryPointArn"):
                    self._jobs.copy(
                        {
                            "RecoveryPointArn": job["RecoveryPointArn"],
                            "SourceBackupVaultName": rule["TargetBackupVaultName"], **action,
                        }
                    )  # fmt: skip

    def _selected(self, service: Any, plan: str) -> list[str]:
        """What a plan's selections name, by ARN or pattern; instances also by tag."""
        found = []
        known = {str(one["DBInstanceArn"]): one.get("TagList") for one in records.instances().values()}
        for arn in [*known, *self._contents.resources()]:
            tags = {tag["Key"]: tag["Value"] for tag in known.get(arn) or []}
            for selection in service._selections.values():
                if selection["BackupPlanId"] != plan or _named(arn, selection.get("NotResources") or []):
                    continue
                by_tag = any(
                    tags.get(one["ConditionKey"]) == one["ConditionValue"]
                    for one in selection.get("ListOfTags") or []
                )
                if by_tag or _named(arn, selection.get("Resources") or []):
                    found.append(arn)
                    break
        return found

    def _run_tests(self) -> None:
        for plan in list(self._store.table("restore-testing-plans").values()):
            name = plan["RestoreTestingPlanName"]
            if self._due(f"test/{name}", plan["ScheduleExpression"]):
                for selection in list(self._store.table("restore-testing-selections").values()):
                    if selection["RestoreTestingPlanName"] == name:
                        with contextlib.suppress(Fault):
                            self.test(plan, selection)
        for job in list(self._jobs.table("restore").values()):
            if job.get("_delete_at", float("inf")) <= self._vaults.now() and job["Status"] == "COMPLETED":
                job.pop("_delete_at")
                with contextlib.suppress(Fault):
                    self._instances.delete(str(job["CreatedResourceArn"]).rpartition(":")[2])
                    job["DeletionStatus"] = "SUCCESSFUL"

    def _choose(self, plan: Document, selection: Document) -> Document | None:
        wanted = plan["RecoveryPointSelection"]
        since = self._vaults.now() - int(wanted.get("SelectionWindowDays") or _WINDOW_DAYS) * 24 * _HOUR
        arns = selection.get("ProtectedResourceArns") or ["*"]
        points = [
            point
            for point in self._vaults.points().values()
            if point["CreationDate"] >= since
            and point["ResourceType"] == selection.get("ProtectedResourceType", "RDS") == "RDS"
            and _named(point["BackupVaultArn"], wanted.get("IncludeVaults") or ["*"])
            and not _named(point["BackupVaultArn"], wanted.get("ExcludeVaults") or [])
            and _named(point["ResourceArn"], arns)
        ]
        if not points:
            return None
        if wanted.get("Algorithm") == "RANDOM_WITHIN_WINDOW":
            return random.choice(points)  # noqa: S311 - a sample, no secret
        return max(points, key=lambda point: float(point["CreationDate"]))

    def _due(self, name: str, expression: str) -> bool:
        """Whether a schedule came up since it was last looked at; the first look only begins."""
        seen = self._store.table("schedules")
        now = self._vaults.now()
        last = seen.setdefault(name, {"at": now})["at"]
        if cron.due(expression, datetime.fromtimestamp(last, UTC), datetime.fromtimestamp(now, UTC)):
            seen[name] = {"at": now}
            return True
        return False


def _named(arn: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(arn, pattern) for pattern in patterns)
