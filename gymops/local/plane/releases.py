"""CodeDeploy, which the emulator has not: applications and groups; ``ecs/deployments.py`` deploys."""

from __future__ import annotations

import time
import uuid

from gymops.local.plane.added import Added, Document
from gymops.local.plane.context import Context
from gymops.local.plane.ecs.deployments import Deployments
from gymops.local.plane.faults import Fault
from gymops.local.plane.store import Store, Table

_TARGET = "CodeDeploy_20141006."


class Releases(Added):
    """The service."""

    media = "application/x-amz-json-1.1"

    def __init__(self, store: Store, context: Context) -> None:
        super().__init__(store)
        self.deployments = Deployments(context, store, self._group)
        self.actions = {
            **self.deployments.actions,
            "CreateApplication": self._create,
            "GetApplication": lambda asked: {"application": self._application(asked)},
            "ListApplications": lambda _: {"applications": sorted(self._table("applications"))},
            "DeleteApplication": self._delete,
            "CreateDeploymentGroup": self._create_group,
            "GetDeploymentGroup": lambda asked: {"deploymentGroupInfo": self._group(asked)},
            "UpdateDeploymentGroup": self._update_group,
            "DeleteDeploymentGroup": self._delete_group,
        }

    def action(self, path: str, target: str, service: str) -> str | None:
        """Its requests are told by their target."""
        del path, service
        return target.removeprefix(_TARGET) if target.startswith(_TARGET) else None

    def _create(self, asked: Document) -> Document:
        name = asked["applicationName"]
        if name in self._table("applications"):
            raise Fault("ApplicationAlreadyExistsException", f"Application {name} exists already")
        made = {"applicationId": str(uuid.uuid4()), "createTime": time.time(), **asked}
        self._table("applications")[name] = made
        return {"applicationId": made["applicationId"]}

    def _delete(self, asked: Document) -> Document:
        name = asked["applicationName"]
        self._table("applications").pop(name, None)
        for key in [key for key in self._table("groups") if key.startswith(f"{name}/")]:
            self._table("groups").pop(key)
        return {}

    def _create_group(self, asked: Document) -> Document:
        self._application(asked)
        key = f"{asked['applicationName']}/{asked['deploymentGroupName']}"
        if key in self._table("groups"):
            raise Fault("DeploymentGroupAlreadyExistsException", f"Deployment group {key} exists already")
        made = {"deploymentGroupId": str(uuid.uuid4()), **asked}
        self._table("groups")[key] = made
        return {"deploymentGroupId": made["deploymentGroupId"]}

    def _update_group(self, asked: Document) -> Document:
        name = asked.pop("currentDeploymentGroupName")
        self._group({**asked, "deploymentGroupName": name}).update(asked)
        return {}

    def _delete_group(self, asked: Document) -> Document:
        self._table("groups").pop(f"{asked['applicationName']}/{asked['deploymentGroupName']}", None)
        return {}

    def _application(self, asked: Document) -> Document:
        name = asked["applicationName"]
        if name not in self._table("applications"):
            raise Fault("ApplicationDoesNotExistException", f"No application found for name: {name}")
        return self._table("applications")[name]

    def _group(self, asked: Document) -> Document:
        self._application(asked)
        name = asked["deploymentGroupName"]
        found: Document | None = self._table("groups").get(f"{asked['applicationName']}/{name}")
        if found is None:
            raise Fault("DeploymentGroupDoesNotExistException", f"No deployment group found for name: {name}")
        return found

    def _table(self, kind: str) -> Table:
        return self.store.table(f"codedeploy-{kind}")
