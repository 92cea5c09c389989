"""An AWS in memory: stacks that become what they are told, one function with versions, a schema, a clock.

Every call that changes something is counted, and the n-th can be interrupted before it has its effect or
after: that is how a process dies.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from gymops.aws.drift import Detection, Drifted
from gymops.aws.functions import Invocation, Version
from gymops.aws.instances import Snapshot
from gymops.aws.session import AwsError
from gymops.aws.static import Served
from gymops.aws.tasks import Ran
from gymops.config import Environment, Settings
from gymops.deploy.artefact import Artefact, Blob
from gymops.deploy.environment import Deployment, resolve
from gymops.deploy.stack.errors import RolledBack
from gymops.deploy.stack.port import Change, Stack, StackResource, StackTarget
from gymops.deploy.stack.preview import Preview
from gymops.deploy.stack.stacks import Deployed
from gymops.deploy.static import StaticFile
from gymops.deploy.verbs.deploy import Built
from gymops.deploy.verbs.site import Site, Talk
from gymops.deploy.verbs.wanted import LIVE_VERSION
from tests.contract.objects import MemoryObjects
from tests.unit.clocks import FakeClock
from tests.unit.deploy.verbs.repository import Repository

APP, DATABASE = "app", "app-database"
ACCOUNTS = {"staging": "222222222222", "prod": "333333333333"}


class Died(KeyboardInterrupt):
    """The process is gone."""


@dataclass
class World:
    """One environment's account."""

    name: str = "staging"
    own: Environment = field(default_factory=Environment)
    clock: FakeClock = field(default_factory=FakeClock)
    yes: bool = True
    architecture: str = "titan-trakr"

    def __post_init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.held: dict[str, dict[str, bytes]] = {}
        self.store = MemoryObjects(self.clock)
        self.pages: dict[str, tuple[bytes, str, str]] = {}
        """What the bucket of static files serves: content, type, how long it may be kept."""
        self.forgot: dict[str, list[str]] = {}
        """What the CDN forgot, by reference."""
        self.versions: dict[str, dict[str, str]] = {}
        self.alias = ""
        self.ran = Ran(0, "", ("done",))
        """How a one-shot task ends."""
        self.schema: list[str] = []
        self.revisions = ["0001", "0002"]
        self.contracts: set[str] = set()
        """Those of the revisions that take something away."""
        self.wrong = ""
        """What the schema is other than."""
        self.errors: dict[str, str] = {}
        """One-shot work -> why it fails."""
        self.snapshots: list[str] = []
        self.bad: set[str] = set()
        """Codes that answer 500."""
        self.demands: dict[str, str] = {}
        """Code -> the last revision it accepts."""
        self.rings: list[str] = []
        self.states: dict[str, str] = {}
        """The stacks that are not at rest."""
        self.touched: set[str] = set()
        """The stacks in which each change is one to what holds data."""
        self.refused: set[str] = set()
        """The stacks whose next change CloudFormation rolls back."""
        self.drifted: dict[str, list[Drifted]] = {}
        self.repositories: dict[str, Repository] = {}
        self.said: list[str] = []
        self.effects: list[str] = []
        self.dies_at: tuple[int, bool] | None = None
        """At which effect the process dies, and whether it has happened by then."""

    def site(self) -> Site:
        deployment = self.deployment
        return Site(
            deployment=deployment,
            reader=lambda _region: _Reader(self),  # type: ignore[arg-type, return-value]
            stacks=lambda _region, upload: _Stacks(self, upload),  # type: ignore[arg-type, return-value]
            files=lambda bucket: _Files(self, self.held.setdefault(bucket, {})),
            objects=lambda _bucket: self.store,
            images=lambda uri: self.repositories.setdefault(uri, Repository(self, uri)).images,
            static=lambda _bucket: _Static(self),
            cdn=_Cdn(self),
            functions=_Functions(self),
            services=_Functions(self),
            instances=_Instances(self),
            drift=lambda _region: _Drift(self),
            ringing=lambda: list(self.rings),
            clock=self.clock,
            talk=Talk(self.said.append, lambda _: None, lambda _: self.yes, lambda _: True, self._ask),
            who="mara",
        )

    def _ask(self, question: str) -> bool:
        self.said.append(question)
        return self.yes

    @cached_property
    def deployment(self) -> Deployment:
        settings = Settings(architecture=self.architecture, environments={self.name: self.own})
        return resolve(settings, self.name)

    @property
    def app(self) -> dict[str, Any]:
        return self.there[self.deployment.prefix]

    @property
    def serves(self) -> str:
        """The code that users reach."""
        return self.versions[self.alias]["code"]

    def phase(self, revision: str) -> str:
        return "contract" if revision in self.contracts else "expand"

    def effect(self, what: str, do: Any) -> Any:
        """Do it, unless the process dies at it."""
        self.effects.append(what)
        at, after = self.dies_at or (0, False)
        dying = len(self.effects) == at
        if dying and not after:
            raise Died
        done = do()
        if dying:
            raise Died
        return done

    def outputs(self, name: str) -> dict[str, str]:
        prefix = self.deployment.prefix
        account = ACCOUNTS.get(self.name, "111111111111")
        return {
            f"{self.deployment.app}-base": {
                "ReleaseBucketName": f"releases-{self.name}",
                "RepositoryUri": f"{account}.dkr.ecr.us-west-1.amazonaws.com/gym-app",
            },
            f"{prefix}-certificate": {
                "CertificateArn": f"arn:aws:acm:us-east-1:123456789012:certificate/{uuid.UUID(int=1)}"
            },
            f"{prefix}-copies": {"CopyVaultArn": "arn:aws:backup:us-east-1:123456789012:backup-vault:copies"},
            prefix: {
                "FunctionName": APP,
                "FunctionAlias": f"arn:aws:lambda:us-west-1:123456789012:function:{APP}:live",
                "DatabaseFunctionName": DATABASE,
                "DatabaseIdentifier": f"{prefix}-db",
                "DistributionId": "E123456789",
                "StaticBucketName": f"pages-{self.name}",
                "SecretSeconds": "20",
            },
        }.get(name, {})


@dataclass
class _Reader:
    world: World

    def stack(self, name: str) -> Stack | None:
        if name not in self.world.there:
            return None
        given = self.world.there[name]["parameters"]
        status = self.world.states.get(name, "UPDATE_COMPLETE")
        return Stack(name, name, status, parameters=given, outputs=self.world.outputs(name))

    def template(self, name: str) -> str:
        return str(self.world.there[name]["template"])

    def resources(self, name: str) -> list[StackResource]:
        """Everything its template names, whatever the conditions say."""
        declared = json.loads(self.template(name))["Resources"]
        return [StackResource(one, declared[one]["Type"], one.lower()) for one in declared]


@dataclass
class _Stacks:
    world: World
    upload: Any

    def deploy(
        self, target: StackTarget, *, token: str, confirm: Any, agree: Any, allowed: Any
    ) -> Generator[Any, None, Deployed]:
        world, wanted = self.world, {"template": target.template.text, "parameters": dict(target.parameters)}
        yield from ()
        found = Stack(target.name, target.name, "UPDATE_COMPLETE", outputs=world.outputs(target.name))
        if world.there.get(target.name) == wanted:
            return Deployed(found, changed=False)
        create = target.name not in world.there
        held = Change("Modify", "Database", "AWS::RDS::DBInstance")
        confirm(Preview(target, create, (), (), {}, (), (held,) if target.name in world.touched else ()))
        if target.name in world.refused:
            world.refused.remove(target.name)
            world.alias = world.there[target.name]["parameters"][LIVE_VERSION]
            raise RolledBack(f"{target.name}: the role may not", status="UPDATE_ROLLBACK_COMPLETE")
        world.effect(f"stack {target.name}", lambda: self._apply(target, wanted, create=create))
        return Deployed(found, changed=True, change_set=f"arn:{token}")

    def attach(self, name: str) -> Generator[Any, None, Deployed]:
        yield from ()
        state = self.world.states.pop(name)
        if state.startswith("ROLLBACK"):
            raise RolledBack(f"{name} was rolled back: the queue is full", status="ROLLBACK_COMPLETE")
        return Deployed(Stack(name, name, "UPDATE_COMPLETE"), changed=True)

    def delete(self, name: str, *, token: str) -> Generator[Any, None, None]:
        yield from ()
        if name in self.world.there:
            self.world.effect(f"delete {name}", lambda: self.world.there.pop(name))

    def _apply(self, target: StackTarget, wanted: dict[str, Any], *, create: bool) -> None:
        self.world.there[target.name] = wanted
        if target.name != self.world.deployment.prefix:
            return
        if create:
            _Functions(self.world).publish(APP, latest(self.world))
            self.world.alias = "1"
        elif wanted["parameters"][LIVE_VERSION]:
            self.world.alias = wanted["parameters"][LIVE_VERSION]


@dataclass
class _Files:
    world: World
    there: dict[str, bytes]

    def url(self, key: str) -> str:
        return key

    def put(self, key: str, content: Path | bytes, digest: str) -> bool:
        if key in self.there:
            return False
        data = content if isinstance(content, bytes) else content.read_bytes()
        assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.world.effect(f"file {key.rpartition('/')[2]}", lambda: self.there.update({key: data}))
        return True

    def has(self, key: str) -> bool:
        return key in self.there

    def get(self, key: str, digest: str) -> bytes:
        assert digest == f"sha256:{hashlib.sha256(self.there[key]).hexdigest()}"
        return self.there[key]


@dataclass
class _Static:
    world: World

    def names(self) -> dict[str, int]:
        return {path: len(data) for path, (data, _, _) in self.world.pages.items()}

    def look(self, wanted: Mapping[str, int]) -> dict[str, Served]:
        there = {path: self.world.pages[path] for path in wanted if path in self.world.pages}
        return {
            path: Served(path, f"sha256:{hashlib.sha256(data).hexdigest()}", kind, cache)
            for path, (data, kind, cache) in there.items()
        }

    def put(self, files: Sequence[StaticFile], read: Callable[[str], bytes]) -> None:
        for file in files:
            self.world.effect(f"page {file.path}", partial(self._put, file, read(file.path)))

    def _put(self, file: StaticFile, data: bytes) -> None:
        assert file.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.world.pages[file.path] = data, file.type, file.cache

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            self.world.effect(f"no page {path}", partial(self.world.pages.pop, path))


@dataclass
class _Cdn:
    world: World
    looks: int = 0

    def forget(self, distribution: str, paths: Sequence[str], reference: str) -> str | None:
        if reference not in self.world.forgot:
            self.world.effect("forget", lambda: self.world.forgot.update({reference: list(paths)}))
        assert self.world.forgot[reference] == paths
        return reference

    def forgotten(self, distribution: str, invalidation: str) -> bool:
        self.looks += 1
        return self.looks > 2


def latest(world: World) -> str:
    """What $LATEST runs: as Lambda writes it."""
    import base64

    if uri := world.app["parameters"].get("ImageUri"):
        return str(uri).rpartition("@")[2]
    key = world.app["parameters"]["CodeKey"]
    return base64.b64encode(bytes.fromhex(key.split("/")[1])).decode()


@dataclass
class _Functions:
    world: World

    def version(self, function: str, qualifier: str = "$LATEST") -> Version:
        if qualifier == "$LATEST":
            return Version(qualifier, latest(self.world), None, "Active")
        if qualifier not in self.world.versions:
            raise AwsError("no such version", reason="ResourceNotFoundException")
        return Version(qualifier, self.world.versions[qualifier]["code"], None, "Active")

    def publish(self, function: str, code: str) -> str:
        versions = self.world.versions
        assert latest(self.world) == code
        if versions and versions[str(len(versions))]["code"] == code:
            return str(len(versions))
        number = str(len(versions) + 1)
        self.world.effect(f"version {number}", lambda: versions.update({number: {"code": code}}))
        return number

    def serving(self, function: str, alias: str) -> str:
        if not self.world.versions:
            raise AwsError("no such function", reason="ResourceNotFoundException")
        return self.world.alias

    def split(self, function: str, alias: str, version: str, other: str, share: float) -> None:
        self.world.effect(f"{share:.0%} to {other}", lambda: None)

    def serve(self, function: str, alias: str, version: str, *, reference: str = "", shape: str = "") -> None:
        del reference, shape
        if self.world.alias != version:
            self.world.effect(f"serve {version}", lambda: setattr(self.world, "alias", version))

    def run(self, service: str, version: str, command: str, reference: str) -> Ran:
        self.world.effect(f"{command} by {version} for {reference.partition('-schema')[1]}", lambda: None)
        return self.world.ran

    def invoke(
        self, function: str, event: dict[str, Any], qualifier: str | None = None, *, again: bool = False
    ) -> Invocation:
        if function == DATABASE:
            return Invocation("$LATEST", self._work(event), False, 0.1)
        version = self.world.alias if qualifier == "live" else str(qualifier)
        code = self.world.versions[version]["code"]
        old = self.world.schema[-1:] > [self.world.demands.get(code, "9999")]
        good = code not in self.world.bad and not (old and event["rawPath"] == "/api/ready")
        return Invocation(version, {"statusCode": 200 if good else 503, "body": "{}"}, False, 0.1)

    def _work(self, event: Mapping[str, Any]) -> dict[str, Any]:
        world = self.world
        if why := world.errors.get(event.get("phase", event["do"])):
            return {"error": {"message": why, "hint": None}}
        pending = world.revisions[len(world.schema) :]
        if event["do"] == "schema-current":
            return {
                "current": world.schema[-1] if world.schema else None,
                "pending": pending,
                "newer": world.schema[len(world.revisions) :],
                "accepts": {"lowest": "0001", "highest": world.revisions[-1]},
            }
        if event["do"] == "schema-history":
            known = [*world.revisions, *world.schema[len(world.revisions) :]]
            listed = [{"id": one, "phase": world.phase(one), "applied": one in world.schema} for one in known]
            return {"revisions": listed}
        if event["do"] == "schema-check":
            found = {"name": "columns", "ok": not world.wrong, "detail": world.wrong}
            return {"ok": found["ok"], "checks": [found]}
        wanted = list(takewhile(lambda one: world.phase(one) == event["phase"], pending))
        if event["phase"] == "contract":
            assert all(target >= wanted[-1] for target in event["targets"])
        if wanted:
            world.effect("schema", lambda: world.schema.extend(wanted))
        return {"applied": wanted, "current": world.schema[-1], "admitted": True}


@dataclass
class _Drift:
    world: World
    looks: int = 0

    def begin(self, stack: str) -> str:
        return f"detection of {stack}"

    def ended(self, detection: str) -> Detection | None:
        self.looks += 1
        return Detection(complete=True) if self.looks > 2 else None

    def resources(self, stack: str) -> list[Drifted]:
        return self.world.drifted.get(stack, [])


@dataclass
class _Instances:
    world: World

    def snapshot(self, instance: str, name: str) -> Snapshot:
        if name not in self.world.snapshots:
            self.world.effect("snapshot", lambda: self.world.snapshots.append(name))
        return self.find(name)

    def find(self, name: str) -> Snapshot:
        return Snapshot(name, f"arn:{name}", "available", 100)


def built(folder: Path, text: str) -> Built:
    """An artefact whose code is this text."""
    folder = folder / text
    folder.mkdir(exist_ok=True)
    blobs = []
    for name, content in (("app.zip", text), ("layer.zip", "packages")):
        (folder / name).write_text(content, encoding="utf-8")
        digest = hashlib.sha256(content.encode()).hexdigest()
        blobs.append(Blob(name, f"sha256:{digest}", len(content), len(content)))
    whole = f"sha256:{hashlib.sha256(f'whole {text}'.encode()).hexdigest()}"
    artefact = Artefact(
        whole, "zip", "arm64", "3.12", "app", "gymops.app.handler.handler", tuple(blobs), (), whole, whole,
        whole, None, "c0ffee", dirty=False,
    )  # fmt: skip
    return Built(artefact, folder)


def code(made: Built) -> str:
    """Its code's digest, as Lambda writes it."""
    return made.artefact.blob("app.zip").code_sha256


def spoiled(world: World) -> None:
    """Somebody changes the first release's record by hand."""
    key = f"releases/{world.name}/00000001.json"
    found = world.store.get(key)
    assert found
    world.store.replace(key, found[0].replace(b'"mara"', b'"olu"'), found[1])
