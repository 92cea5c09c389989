"""CodePipeline and its connections, which the emulator has not: kept and shown, nothing runs through them."""

from __future__ import annotations

import uuid

from gymops.local.plane import ministack
from gymops.local.plane.added import Added, Document
from gymops.local.plane.faults import Fault
from gymops.local.plane.store import Store, Table

_TARGETS = ("CodePipeline_20150709.", "com.amazonaws.codeconnections.CodeConnections_20231201.")


class Pipelines(Added):
    """The two services; the names of their calls differ."""

    media = "application/x-amz-json-1.1"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.actions = {
            "CreatePipeline": self._create,
            "GetPipeline": self._get,
            "UpdatePipeline": self._update,
            "DeletePipeline": self._delete,
            "ListPipelines": lambda _: {"pipelines": [_summary(one) for one in self._pipelines.values()]},
            "CreateConnection": self._connect,
            "GetConnection": lambda asked: {"Connection": self._connection(asked)},
            "ListConnections": lambda _: {"Connections": list(self._connections.values())},
            "DeleteConnection": self._disconnect,
        }

    def action(self, path: str, target: str, service: str) -> str | None:
        """Their requests are told by their target."""
        del path, service
        return next((target.removeprefix(one) for one in _TARGETS if target.startswith(one)), None)

    def _create(self, asked: Document) -> Document:
        name = asked["pipeline"]["name"]
        if name in self._pipelines:
            raise Fault("PipelineNameInUseException", f"A pipeline with the name '{name}' already exists")
        self._pipelines[name] = {"version": 1, **asked["pipeline"]}
        return {"pipeline": self._pipelines[name]}

    def _get(self, asked: Document) -> Document:
        name = asked["name"]
        arn = f"arn:aws:codepipeline:{ministack.region()}:{ministack.account()}:{name}"
        return {"pipeline": self._one(name), "metadata": {"pipelineArn": arn}}

    def _update(self, asked: Document) -> Document:
        there = self._one(asked["pipeline"]["name"])
        self._pipelines[there["name"]] = {**asked["pipeline"], "version": there["version"] + 1}
        return {"pipeline": self._pipelines[there["name"]]}

    def _delete(self, asked: Document) -> Document:
        self._pipelines.pop(asked["name"], None)
        return {}

    def _one(self, name: str) -> Document:
        if name not in self._pipelines:
            raise Fault("PipelineNotFoundException", f"The account has no pipeline with the name '{name}'")
        return self._pipelines[name]

    def _connect(self, asked: Document) -> Document:
        where = f"{ministack.region()}:{ministack.account()}"
        arn = f"arn:aws:codeconnections:{where}:connection/{uuid.uuid4()}"
        self._connections[arn] = {
            "ConnectionName": asked["ConnectionName"], "ConnectionArn": arn,
            "ProviderType": asked.get("ProviderType", "GitHub"), "ConnectionStatus": "PENDING",
            "OwnerAccountId": ministack.account(),
        }  # fmt: skip
        return {"ConnectionArn": arn}

    def _disconnect(self, asked: Document) -> Document:
        self._connection(asked)
        self._connections.pop(asked["ConnectionArn"])
        return {}

    def _connection(self, asked: Document) -> Document:
        found: Document | None = self._connections.get(asked["ConnectionArn"])
        if found is None:
            raise Fault("ResourceNotFoundException", f"Connection {asked['ConnectionArn']} not found")
        return found

    @property
    def _pipelines(self) -> Table:
        return self.store.table("codepipeline")

    @property
    def _connections(self) -> Table:
        return self.store.table("codeconnections")


def _summary(pipeline: Document) -> Document:
    return {key: pipeline[key] for key in ("name", "version", "pipelineType") if key in pipeline}
