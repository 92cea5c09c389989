"""CodePipeline's pipelines and what connects them to a repository: recorded, nothing runs."""

from __future__ import annotations

from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.types.kind import Kind, Made, Props


class Pipeline(Kind):
    """What happens to each change of a repository."""

    name = "AWS::CodePipeline::Pipeline"
    gone = frozenset({"PipelineNotFoundException"})
    in_place = frozenset({
        "ArtifactStore", "ExecutionMode", "PipelineType", "RestartExecutionOnUpdate", "RoleArn", "Stages",
    })  # fmt: skip

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        name = props.get("Name") or ministack.physical_name(stack, logical_id, max_len=100, lowercase=False)
        made = self.calls.client("codepipeline").create_pipeline(pipeline=_told({**props, "Name": name}))
        return name, {"Version": str(made["pipeline"]["version"])}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        made = self.calls.client("codepipeline").update_pipeline(pipeline=_told({**new, "Name": physical_id}))
        return physical_id, {"Version": str(made["pipeline"]["version"])}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("codepipeline").delete_pipeline(name=physical_id)


class Connection(Kind):
    """The way to a repository, which a person has to confirm there."""

    name = "AWS::CodeConnections::Connection"
    gone = frozenset({"ResourceNotFoundException"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        given = {key: value for key, value in props.items() if key != "Tags"}
        arn = self.calls.client("codeconnections").create_connection(**given)["ConnectionArn"]
        return arn, {"ConnectionArn": arn, "ConnectionStatus": "PENDING"}

    def remove(self, physical_id: str, props: Props) -> None:
        del props
        self.calls.client("codeconnections").delete_connection(ConnectionArn=physical_id)


def _told(props: Props) -> dict[str, Any]:
    """A pipeline as its service has it; an action's configuration is the provider's own."""
    given = {key: value for key, value in props.items() if key not in {"RestartExecutionOnUpdate", "Tags"}}
    found: dict[str, Any] = _cased(given)
    return found


def _cased(value: Any) -> Any:
    if isinstance(value, list):
        return [_cased(one) for one in value]
    if not isinstance(value, dict):
        return str(value)
    return {
        key[0].lower() + key[1:]: (
            {name: str(one) for name, one in found.items()} if key == "Configuration"
            else int(found) if key == "RunOrder"
            else _cased(found)
        )
        for key, found in value.items()
    }  # fmt: skip
