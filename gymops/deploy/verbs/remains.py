"""What an environment is made of, and what becomes of each part when its stacks are deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gymops.deploy.stack import kinds
from gymops.deploy.stack.port import Stack
from gymops.deploy.syntax import TemplateError, parse
from gymops.deploy.template import Stack as Part
from gymops.deploy.verbs.site import Site

INSTANCE = "AWS::RDS::DBInstance"
_CLUSTERS = frozenset({"AWS::RDS::DBCluster", "AWS::DocDB::DBCluster", "AWS::Neptune::DBCluster"})
# A new stack cannot take them over: CloudFormation's ImportExistingResources needs names without Ref or Sub,
# and never takes a secret or a key, whose identifiers AWS makes. A change set of type IMPORT would take them,
# alone and before all else; the local AWS imports neither secrets nor vaults.
_NEXT = {
    "AWS::SecretsManager::Secret": "aws secretsmanager delete-secret --force-delete-without-recovery"
    " --secret-id {id}",
    "AWS::Backup::BackupVault": "aws backup delete-backup-vault --backup-vault-name {id}",
    "AWS::S3::Bucket": "aws s3 rb s3://{id}",
    "AWS::DynamoDB::Table": "aws dynamodb delete-table --table-name {id}",
    "AWS::ECR::Repository": "aws ecr delete-repository --repository-name {id}",
}
_LOOK = {
    "AWS::Backup::BackupVault": "aws backup list-recovery-points-by-backup-vault --backup-vault-name {id}",
    "AWS::S3::Bucket": "aws s3 ls --recursive s3://{id}",
}


class Holdings(Protocol):
    """What is inside of what is not deleted while something is in it."""

    def holds(self, kind: str, name: str, region: str) -> str:
        """What is in a bucket or a vault, in words; empty if nothing is, or it is neither."""
        ...


@dataclass(frozen=True)
class Fate:
    """A resource, and what becomes of it."""

    stack: str
    region: str
    name: str
    """Its logical id."""
    kind: str
    id: str
    """Its physical id."""
    policy: str
    """Its DeletionPolicy by the deployed template: Delete, Snapshot, Retain, RetainExceptOnCreate."""
    named: bool = False
    """The template gives it a name of its own: a stack that is made anew collides with it, if it is kept."""
    holds: str = ""
    """What is in it, where that decides whether it can go."""

    @property
    def kept(self) -> bool:
        """Whether it is there afterwards."""
        return self.policy.startswith("Retain")

    @property
    def data(self) -> bool:
        """Whether something in it is brought back by no template."""
        return self.kind in kinds.DATA

    @property
    def way(self) -> str:
        """The command that makes way for a new stack, or that shows what is in the way of deleting it."""
        held = not self.kept or self.holds
        return ((_LOOK.get(self.kind) if held else "") or _NEXT.get(self.kind, "")).format(id=self.id)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json`` and the journal."""
        return {
            "stack": self.stack, "region": self.region, "name": self.name, "kind": self.kind, "id": self.id,
            "policy": self.policy, "named": self.named, "holds": self.holds,
        }  # fmt: skip


@dataclass(frozen=True)
class Remains:
    """An environment's stacks, in the order they are deleted, and their resources."""

    stacks: tuple[Stack, ...]
    fates: tuple[Fate, ...]

    @property
    def going(self) -> tuple[Fate, ...]:
        """What is deleted."""
        return tuple(fate for fate in self.fates if not fate.kept)

    @property
    def kept(self) -> tuple[Fate, ...]:
        """What stays."""
        return tuple(fate for fate in self.fates if fate.kept)

    @property
    def data(self) -> tuple[Fate, ...]:
        """What holds data."""
        return tuple(fate for fate in self.fates if fate.data)


def parts(site: Site) -> list[Part]:
    """The environment's own stacks, the last made first; those of the account are others' too."""
    every = site.deployment.architecture.stacks
    return [one for one in reversed(every) if one.scope == "environment"]


def look(site: Site, holdings: Holdings) -> Remains:
    """What is there now.

    Raises:
        AwsError: a service does not answer.
    """
    stacks, fates = [], []
    for part in parts(site):
        region = site.deployment.region_of(part)
        reader = site.reader(region)
        stack = reader.stack(site.deployment.stack_name(part))
        if stack is None:
            continue
        stacks.append(stack)
        written_as = declared(site, stack, region)
        for one in reader.resources(stack.id):
            if one.live:
                written = written_as.get(one.name) or {}
                holds = holdings.holds(one.kind, one.physical, region)
                fates.append(
                    Fate(
                        stack.name, region, one.name, one.kind, one.physical, _policy(one.kind, written),
                        named=any(key.endswith("Name") for key in written.get("Properties") or {}),
                        holds=holds,
                    )
                )  # fmt: skip
    return Remains(tuple(stacks), tuple(fates))


def declared(site: Site, stack: Stack, region: str) -> Mapping[str, Any]:
    """The resources of the template the stack has now."""
    if stack.status == "REVIEW_IN_PROGRESS":
        return {}  # it was made for a change set, and has nothing in it
    try:
        body = parse(site.reader(region).template(stack.id), f"the template of {stack.name}")
    except TemplateError:
        return {}  # of a form that AWS reads and we do not: everything counts as deleted
    return body.get("Resources") or {}


def _policy(kind: str, written: Mapping[str, Any]) -> str:
    """CloudFormation's own default is Snapshot for clusters, and for instances of none."""
    inside = "DBClusterIdentifier" in (written.get("Properties") or {})
    default = "Snapshot" if kind in _CLUSTERS or (kind == INSTANCE and not inside) else "Delete"
    return str(written.get("DeletionPolicy") or default)
