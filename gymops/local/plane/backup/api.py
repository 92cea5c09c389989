"""AWS Backup's REST protocol: the parts that act on databases; the rest stays the emulator's."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from gymops.local.plane import ministack
from gymops.local.plane.backup import cron
from gymops.local.plane.backup.contents import Document
from gymops.local.plane.backup.jobs import Jobs, shown
from gymops.local.plane.backup.vaults import Vaults
from gymops.local.plane.faults import Fault
from gymops.local.plane.store import Store

_Action = Callable[..., Document]
_HEAD = {"Content-Type": "application/json"}  # copied for each answer: the emulator adds to what it gets
_PLANS, _SELECTIONS = "restore-testing-plans", "restore-testing-selections"


class BackupApi:
    """Routes to methods."""

    def __init__(self, vaults: Vaults, jobs: Jobs, store: Store) -> None:
        self._vaults = vaults
        self._jobs = jobs
        self._store = store
        arn = r"(arn:.+?)"
        routes: list[tuple[str, str, _Action]] = [
            ("PUT", "/backup-jobs", lambda ask, _: self._jobs.back_up(ask)),
            ("GET", "/backup-jobs", self._list("backup", "BackupJobs", "State")),
            ("GET", "/backup-jobs/([^/]+)", lambda _, __, key: shown(self._jobs.job("backup", key))),
            ("POST", "/backup-jobs/([^/]+)", lambda _, __, key: _nothing(lambda: self._jobs.stop(key))),
            ("PUT", "/copy-jobs", lambda ask, _: self._jobs.copy(ask)),
            ("GET", "/copy-jobs", self._list("copy", "CopyJobs", "State")),
            ("GET", "/copy-jobs/([^/]+)", lambda _, __, key: {"CopyJob": shown(self._jobs.job("copy", key))}),
            ("PUT", "/restore-jobs", lambda ask, _: self._jobs.restore(ask)),
            ("GET", "/restore-jobs", self._list("restore", "RestoreJobs", "Status")),
            ("GET", "/restore-jobs/([^/]+)", lambda _, __, key: shown(self._jobs.job("restore", key))),
            ("GET", "/restore-jobs/([^/]+)/metadata", self._restored_with),
            ("PUT", "/restore-jobs/([^/]+)/validations", self._validate),
            ("GET", f"/backup-vaults/([^/]+)/recovery-points/{arn}/restore-metadata", self._metadata),
            ("GET", "/backup-vaults/([^/]+)/recovery-points", self._points),
            ("GET", f"/backup-vaults/([^/]+)/recovery-points/{arn}",
             lambda _, __, vault, key: self._vaults.point(key, vault)),
            ("DELETE", f"/backup-vaults/([^/]+)/recovery-points/{arn}",
             lambda _, __, vault, key: _nothing(lambda: self._vaults.delete_point(vault, key))),
            ("POST", f"/backup-vaults/([^/]+)/recovery-points/{arn}",
             lambda ask, _, vault, key: self._vaults.set_lifecycle(vault, key, ask.get("Lifecycle") or {})),
            ("PUT", "/backup-vaults/([^/]+)/vault-lock",
             lambda ask, _, vault: _nothing(lambda: self._vaults.set_lock(vault, ask))),
            ("DELETE", "/backup-vaults/([^/]+)/vault-lock",
             lambda _, __, vault: _nothing(lambda: self._vaults.unlock(vault))),
            ("GET", f"/resources/{arn}/recovery-points", self._points_of),
            ("GET", "/tags/(arn:aws:(?:rds:.+|backup:.+:recovery-point:.+))",
             lambda _, __, key: {"Tags": self._vaults.tags(self._vaults.point(key))}),
            ("GET", "/resources", self._protected),
            ("PUT", "/restore-testing/plans", self._create_plan),
            ("GET", "/restore-testing/plans", lambda _, __: {"RestoreTestingPlans": self._all(_PLANS)}),
            ("GET", "/restore-testing/plans/([^/]+)",
             lambda _, __, name: {"RestoreTestingPlan": self._plan(name)}),
            ("PUT", "/restore-testing/plans/([^/]+)", self._update_plan),
            ("DELETE", "/restore-testing/plans/([^/]+)", self._delete_plan),
            ("PUT", "/restore-testing/plans/([^/]+)/selections", self._create_selection),
            ("GET", "/restore-testing/plans/([^/]+)/selections", self._selections),
            ("GET", "/restore-testing/plans/([^/]+)/selections/([^/]+)",
             lambda _, __, plan, name: {"RestoreTestingSelection": self._selection(plan, name)}),
            ("PUT", "/restore-testing/plans/([^/]+)/selections/([^/]+)", self._update_selection),
            ("DELETE", "/restore-testing/plans/([^/]+)/selections/([^/]+)", self._delete_selection),
        ]  # fmt: skip
        self._routes = [(method, re.compile(path), action) for method, path, action in routes]

    def install(self) -> None:
        """Answer what is ours, before the emulator does."""
        ministack.wrap(ministack.service("backup"), "handle_request", self._routing)

    def _routing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(
            method: str, path: str, headers: dict[str, str], body_bytes: bytes, query_params: Any
        ) -> Any:
            decoded = unquote(path).rstrip("/")
            query = {key: one[0] if isinstance(one, list) else one for key, one in query_params.items()}
            for verb, pattern, action in self._routes:
                if verb == method and (match := pattern.fullmatch(decoded)):
                    return await asyncio.to_thread(self._answer, action, body_bytes, query, match.groups())
            vault = re.fullmatch("/backup-vaults/([^/]+)", decoded)
            try:
                if vault and method == "DELETE":
                    self._vaults.need_empty(vault[1])
            except Fault as fault:
                return _refusal(fault)
            found = await original(method, path, headers, body_bytes, query_params)
            if vault and method == "GET" and found[0] == 200:
                return 200, found[1], json.dumps(self._vaults.describe(json.loads(found[2]))).encode()
            return found

        return handle

    def _answer(self, action: _Action, body: bytes, query: dict[str, str], keys: tuple[str, ...]) -> Any:
        try:
            found = action(json.loads(body or b"{}"), query, *keys)
        except Fault as fault:
            return _refusal(fault)
        except KeyError as missing:
            return _refusal(Fault("MissingParameterValueException", f"{missing.args[0]} is missing"))
        return 200, dict(_HEAD), json.dumps(found, default=str).encode()

    def _list(self, kind: str, name: str, state: str) -> _Action:
        def jobs(_: Document, query: dict[str, str]) -> Document:
            wanted = {
                "resourceArn": "ResourceArn", "backupVaultName": "BackupVaultName", "state": state,
                "status": state, "resourceType": "ResourceType",
            }  # fmt: skip
            found = [
                shown(job)
                for job in self._jobs.table(kind).values()
                if all(job.get(key) == query[asked] for asked, key in wanted.items() if asked in query)
            ]
            return {name: sorted(found, key=lambda job: -float(job["CreationDate"]))}

        return jobs

    def _points(self, _: Document, query: dict[str, str], vault: str) -> Document:
        self._vaults.need(vault)
        found = [
            point
            for point in self._vaults.points().values()
            if point["BackupVaultName"] == vault
            and query.get("resourceArn", point["ResourceArn"]) == point["ResourceArn"]
        ]
        return {"RecoveryPoints": found}

    def _points_of(self, _: Document, __: dict[str, str], arn: str) -> Document:
        return {
            "RecoveryPoints": [one for one in self._vaults.points().values() if one["ResourceArn"] == arn]
        }

    def _protected(self, _: Document, __: dict[str, str]) -> Document:
        latest: dict[str, Document] = {}
        for point in self._vaults.points().values():
            latest[point["ResourceArn"]] = {
                "ResourceArn": point["ResourceArn"], "ResourceType": point["ResourceType"],
                "LastBackupTime": point["CreationDate"], "LastRecoveryPointArn": point["RecoveryPointArn"],
            }  # fmt: skip
        return {"Results": list(latest.values())}

    def _metadata(self, _: Document, __: dict[str, str], vault: str, arn: str) -> Document:
        point = self._vaults.point(arn, vault)
        return {
            "BackupVaultArn": point["BackupVaultArn"], "RecoveryPointArn": arn,
            "ResourceType": point["ResourceType"], "RestoreMetadata": self._jobs.metadata(arn, vault),
        }  # fmt: skip

    def _restored_with(self, _: Document, __: dict[str, str], key: str) -> Document:
        return {"RestoreJobId": key, "Metadata": self._jobs.job("restore", key)["_metadata"]}

    def _validate(self, asked: Document, _: dict[str, str], key: str) -> Document:
        job = self._jobs.job("restore", key)
        job["ValidationStatus"] = asked["ValidationStatus"]
        job["ValidationStatusMessage"] = asked.get("ValidationStatusMessage", "")
        if "_delete_at" in job:
            job["_delete_at"] = self._vaults.now()
        return {}

    def _create_plan(self, asked: Document, _: dict[str, str]) -> Document:
        given = asked["RestoreTestingPlan"]
        name, table = given["RestoreTestingPlanName"], self._store.table(_PLANS)
        if name in table:
            raise Fault("AlreadyExistsException", f"The restore testing plan {name} exists")
        now = self._vaults.now()
        # Tells what is wrong with the schedule before anything waits for it.
        cron.due(given["ScheduleExpression"], _moment(now), _moment(now))
        arn = f"arn:aws:backup:{ministack.region()}:{ministack.account()}:restore-testing-plan:{name}"
        table[name] = {**given, "RestoreTestingPlanArn": arn, "CreationTime": now, "LastUpdateTime": now}
        self._store.table("schedules")[f"test/{name}"] = {"at": now}
        return {"RestoreTestingPlanName": name, "RestoreTestingPlanArn": arn, "CreationTime": now}

    def _update_plan(self, asked: Document, _: dict[str, str], name: str) -> Document:
        plan = self._plan(name)
        plan.update({**asked["RestoreTestingPlan"], "LastUpdateTime": self._vaults.now()})
        keys = ("RestoreTestingPlanName", "RestoreTestingPlanArn", "CreationTime", "LastUpdateTime")
        return {"UpdateTime": plan["LastUpdateTime"], **{key: plan[key] for key in keys[:3]}}

    def _delete_plan(self, _: Document, __: dict[str, str], name: str) -> Document:
        self._plan(name)
        if any(one["RestoreTestingPlanName"] == name for one in self._all(_SELECTIONS)):
            raise Fault("InvalidRequestException", f"The restore testing plan {name} has selections")
        self._store.table(_PLANS).pop(name)
        return {}

    def _create_selection(self, asked: Document, _: dict[str, str], plan: str) -> Document:
        arn = self._plan(plan)["RestoreTestingPlanArn"]
        given = asked["RestoreTestingSelection"]
        name, now = given["RestoreTestingSelectionName"], self._vaults.now()
        if f"{plan}/{name}" in self._store.table(_SELECTIONS):
            raise Fault("AlreadyExistsException", f"The restore testing selection {name} exists")
        self._store.table(_SELECTIONS)[f"{plan}/{name}"] = {
            **given, "RestoreTestingPlanName": plan, "CreationTime": now,
        }  # fmt: skip
        return {
            "RestoreTestingPlanName": plan, "RestoreTestingPlanArn": arn, "CreationTime": now,
            "RestoreTestingSelectionName": name,
        }  # fmt: skip

    def _update_selection(self, asked: Document, _: dict[str, str], plan: str, name: str) -> Document:
        self._selection(plan, name).update(asked["RestoreTestingSelection"])
        found = self._selection(plan, name)
        return {
            "RestoreTestingPlanName": plan, "RestoreTestingSelectionName": name,
            "RestoreTestingPlanArn": self._plan(plan)["RestoreTestingPlanArn"],
            "CreationTime": found["CreationTime"], "UpdateTime": self._vaults.now(),
        }  # fmt: skip

    def _selections(self, _: Document, __: dict[str, str], plan: str) -> Document:
        self._plan(plan)
        found = [one for one in self._all(_SELECTIONS) if one["RestoreTestingPlanName"] == plan]
        return {"RestoreTestingSelections": found}

    def _delete_selection(self, _: Document, __: dict[str, str], plan: str, name: str) -> Document:
        self._selection(plan, name)
        self._store.table(_SELECTIONS).pop(f"{plan}/{name}")
        return {}

    def _plan(self, name: str) -> Document:
        found = self._store.table(_PLANS).get(name)
        if found is None:
            raise Fault("ResourceNotFoundException", f"The restore testing plan {name} does not exist")
        return found

    def _selection(self, plan: str, name: str) -> Document:
        found = self._store.table(_SELECTIONS).get(f"{plan}/{name}")
        if found is None:
            raise Fault("ResourceNotFoundException", f"The restore testing selection {name} does not exist")
        return found

    def _all(self, table: str) -> list[Document]:
        return list(self._store.table(table).values())


def _nothing(act: Callable[[], None]) -> Document:
    act()
    return {}


def _refusal(fault: Fault) -> tuple[int, dict[str, str], bytes]:
    body = {"__type": fault.code, "Message": fault.message}
    return fault.status, {**_HEAD, "x-amzn-errortype": fault.code}, json.dumps(body).encode()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
