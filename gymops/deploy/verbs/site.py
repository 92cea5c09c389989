"""An environment with everything that reaches it; the command line makes it of an account's clients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from gymops.clock import Clock
from gymops.deploy.build.transfer import Registry
from gymops.deploy.environment import Deployment
from gymops.deploy.release.ledger import Ledger
from gymops.deploy.release.lock import Lock, Owner
from gymops.deploy.release.trace import Trace
from gymops.deploy.smoke import Answer
from gymops.deploy.stack.port import Detail, Reader
from gymops.deploy.stack.preview import Preview
from gymops.deploy.stack.stacks import Recovery, Stacks
from gymops.deploy.stack.waiting import Progress
from gymops.deploy.static import StaticFile
from gymops.store.objects import Objects


class Files(Protocol):
    """A bucket of files under keys that hold their digest."""

    def url(self, key: str) -> str:
        """Where CloudFormation reads one."""

    def put(self, key: str, content: Path | bytes, digest: str) -> bool:
        """Store one unless it is there; False if it was."""

    def get(self, key: str, digest: str) -> bytes:
        """One, whose digest must be this."""

    def has(self, key: str) -> bool:
        """Whether one is there."""


class Ecr(Protocol):
    """A repository of images, as ECR knows it."""

    def policy(self) -> str | None:
        """The lifecycle policy, as JSON; None if there is none."""

    def tags(self) -> Mapping[str, frozenset[str]]:
        """Of each image that is there, by its digest, the tags."""


class Ran(Protocol):
    """How a one-shot task ended."""

    @property
    def code(self) -> int | None:
        """Its exit code; None: its container never ran."""

    @property
    def reason(self) -> str:
        """Why it ended."""

    @property
    def lines(self) -> Sequence[str]:
        """The last lines that it wrote."""


@dataclass(frozen=True)
class Images:
    """A repository of images."""

    ecr: Ecr
    registry: Callable[[], Registry]
    """By the distribution API; signs in."""


class Served(Protocol):
    """What is served under a name."""

    @property
    def digest(self) -> str:
        """``sha256:...``; empty if it is not known."""

    @property
    def type(self) -> str:
        """Its Content-Type."""

    @property
    def cache(self) -> str:
        """Its Cache-Control."""


class StaticBucket(Protocol):
    """A bucket of files that are served as they are."""

    def names(self) -> Mapping[str, int]:
        """Everything in it, with its size."""

    def look(self, wanted: Mapping[str, int]) -> Mapping[str, Served]:
        """What is served under these names; what has another size than this is not looked at closely."""

    def put(self, files: Sequence[StaticFile], read: Callable[[str], bytes]) -> None:
        """Serve files."""

    def remove(self, paths: Sequence[str]) -> None:
        """Serve these no more."""


class Cdn(Protocol):
    """CloudFront's distributions."""

    def forget(self, distribution: str, paths: Sequence[str], reference: str) -> str | None:
        """Begin an invalidation, or find the one of this reference; its id. None: too many are running."""

    def forgotten(self, distribution: str, invalidation: str) -> bool:
        """Whether an invalidation has reached every edge."""


class Snapshot(Protocol):
    """A snapshot of a database instance."""

    @property
    def arn(self) -> str:
        """Its ARN."""

    @property
    def ready(self) -> bool:
        """Whether it can be restored."""


class Instances(Protocol):
    """Database instances."""

    def snapshot(self, instance: str, name: str) -> Snapshot:
        """Begin one, or find the one of this name."""

    def find(self, name: str) -> Snapshot:
        """How far it is."""


class Detection(Protocol):
    """How a drift detection ended."""

    @property
    def complete(self) -> bool:
        """Whether every resource that can be looked at was."""

    @property
    def reason(self) -> str:
        """Why not."""


class Looked(Protocol):
    """A resource that a drift detection looked at."""

    @property
    def name(self) -> str:
        """Its logical id."""

    @property
    def kind(self) -> str:
        """Its type."""

    @property
    def physical(self) -> str:
        """Its physical id."""

    @property
    def status(self) -> str:
        """As ``IN_SYNC``, ``MODIFIED``, ``DELETED``."""

    @property
    def details(self) -> tuple[Detail, ...]:
        """Before: as the template says; after: as it is."""


class Detector(Protocol):
    """Drift detection in a region."""

    def begin(self, stack: str) -> str:
        """Begin one; its id."""

    def ended(self, detection: str) -> Detection | None:
        """How it ended; None while it runs."""

    def resources(self, stack: str) -> Sequence[Looked]:
        """What it found."""


class Version(Protocol):
    """What a version of a function runs."""

    @property
    def number(self) -> str:
        """Its number."""

    @property
    def code(self) -> str:
        """The digest of its code, as Lambda writes it."""


class Functions(Protocol):
    """Lambda functions; or services, whose versions are task definitions."""

    def version(self, function: str, qualifier: str = "$LATEST") -> Version:
        """What a version runs."""

    def publish(self, function: str, code: str) -> str:
        """Publish what must be this code; the version's number."""

    def serving(self, function: str, alias: str) -> str:
        """The version an alias points at."""

    def split(self, function: str, alias: str, version: str, other: str, share: float) -> None:
        """Send a share (0 to 1) of an alias's requests to another version."""

    def serve(self, function: str, alias: str, version: str, *, reference: str = "", shape: str = "") -> None:
        """Send all of an alias's requests to one version. A service may move them in a shape; asked for again
        with the same reference, that goes on.
        """

    def invoke(
        self, function: str, event: dict[str, Any], qualifier: str | None = None, *, again: bool = False
    ) -> Answer:
        """Call a function, a version or an alias; ``again``: once more where no answer came."""


class Services(Functions, Protocol):
    """Services of ECS, whose versions are task definitions."""

    def run(self, service: str, version: str, command: str, reference: str) -> Ran:
        """Run a version with another command until it has ended; with the same reference, that very task."""


DEPLOYMENTS = ("DeploymentApplication", "DeploymentGroup")
"""What a service gives whose tasks CodeDeploy replaces."""


@dataclass(frozen=True)
class Runs:
    """The app: a function and the alias that serves, or a service."""

    by: Functions
    name: str
    alias: str
    """Of a service CodeDeploy's application and group, empty where ECS itself replaces its tasks."""
    service: bool = False
    """Whether its tasks are asked by their health check, and nobody can ask one version of it."""


@dataclass(frozen=True)
class Talk:
    """What the person at the terminal is told and asked."""

    say: Callable[[str], None]
    progress: Callable[[Progress], None]
    confirm: Callable[[Preview], bool]
    agree: Callable[[Recovery], bool]
    ask: Callable[[str], bool]
    allowed: Collection[str] = ()
    """What may be replaced although it holds data: ``--allow-replace``."""


@dataclass(frozen=True)
class Site:
    """An environment within reach."""

    deployment: Deployment
    reader: Callable[[str], Reader]
    """By region."""
    stacks: Callable[[str, Callable[[str], str] | None], Stacks]
    """By region, and what puts a template where CloudFormation reads it."""
    files: Callable[[str], Files]
    """By bucket."""
    objects: Callable[[str], Objects]
    """By bucket."""
    images: Callable[[str], Images]
    """By repository."""
    static: Callable[[str], StaticBucket]
    """By bucket."""
    cdn: Cdn
    functions: Functions
    services: Services
    instances: Instances
    drift: Callable[[str], Detector]
    """By region."""
    ringing: Callable[[], Sequence[str]]
    """The environment's alarms that ring."""
    clock: Clock
    talk: Talk
    who: str
    locks: Path | None = None
    """The folder for traces of the locks that are held from this machine."""
    _ledgers: dict[str, Ledger] = field(default_factory=dict, init=False, repr=False, compare=False)

    def ledger(self, bucket: str) -> Ledger:
        """The environment's releases; none of them is read twice."""
        if bucket not in self._ledgers:
            self._ledgers[bucket] = Ledger(self.objects(bucket), self.deployment.name)
        return self._ledgers[bucket]

    def lock(self, bucket: str, owner: Owner) -> Lock:
        """The environment's lock."""
        name = self.deployment.name
        trace = Trace(self.locks / name) if self.locks else None
        return Lock(self.objects(bucket), name, owner, self.clock, trace=trace)

    def outputs(self, stack: str) -> Mapping[str, str]:
        """What a stack of the architecture gives; empty if it is not there."""
        one = self.deployment.architecture.stack(stack)
        found = self.reader(self.deployment.region_of(one)).stack(self.deployment.stack_name(one))
        return {} if found is None else found.outputs

    def runs(self, outputs: Mapping[str, str]) -> Runs | None:
        """What the app is, by what its stack gives; None before the first release."""
        if "ServiceName" in outputs:
            name = f"{outputs['ClusterName']}/{outputs['ServiceName']}"
            alias = "/".join(outputs[one] for one in DEPLOYMENTS if one in outputs)
            return Runs(self.services, name, alias, service=True)
        if "FunctionAlias" in outputs:
            return Runs(self.functions, outputs["FunctionName"], outputs["FunctionAlias"].rpartition(":")[2])
        return None

    def bucket(self) -> str | None:
        """The bucket of artefacts, ledger and locks; None before the first release."""
        return self.outputs("base").get("ReleaseBucketName")
