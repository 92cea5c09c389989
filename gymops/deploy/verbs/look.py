"""``gymops status`` and ``gymops diff``: looking at an environment; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from gymops.aws.session import AwsError
from gymops.deploy.artefact import Artefact
from gymops.deploy.environment import Deployment
from gymops.deploy.release.journal import Journal
from gymops.deploy.release.ledger import Ledger, Release, last_good
from gymops.deploy.release.lock import LockRecord, held_by
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.records import RecordError
from gymops.deploy.stack.masking import Masker
from gymops.deploy.stack.port import StackTarget
from gymops.deploy.stack.preview import Preview
from gymops.deploy.stack.stacks import dry_run
from gymops.deploy.stack.status import ABSENT
from gymops.deploy.template import Stack, Template, compose
from gymops.deploy.verbs.promote import begun, brought, tested
from gymops.deploy.verbs.schema import needing
from gymops.deploy.verbs.serving import Serving, serving
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.wanted import LIVE_VERSION, Wanted, of_artefact
from gymops.errors import ConfigError
from gymops.store.records import plain

T = TypeVar("T")

LIMITS = (
    "the database is not asked: which schema revisions a release brings is known when it runs",
    "what was changed by hand is not seen: gymops drift tells",
)
_UNKNOWN_BUCKET = "known-after-the-first-release"
_UNKNOWN_REPOSITORY = f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{_UNKNOWN_BUCKET}"


@dataclass(frozen=True)
class StackState:
    """A stack as it is; ``status`` says so if it does not exist."""

    name: str
    region: str
    status: str
    reason: str = ""
    updated: datetime | None = None


@dataclass(frozen=True)
class Holder:
    """Who holds the lock."""

    record: LockRecord
    age: float
    """Seconds since the last sign of life."""

    @property
    def expired(self) -> bool:
        """Whether another may take it over."""
        return self.record.expired(self.age)


@dataclass(frozen=True)
class Status:
    """An environment at one moment."""

    environment: str
    stacks: tuple[StackState, ...]
    serving: Serving | None
    """None before anything serves."""
    running: Release | None
    """The last release that succeeded."""
    last: Release | None
    unfinished: Operation | None
    holder: Holder | None
    alarms: tuple[str, ...] | None
    """Those that ring; None if that could not be told."""
    untold: Mapping[str, str] = field(default_factory=dict)
    """What could not be told -> why."""
    waiting: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Schema revision -> the releases that need what it takes away; none: the next release applies it."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        operation, holder = self.unfinished, self.holder
        step = operation.current if operation else None
        return {
            "environment": self.environment,
            "stacks": plain(self.stacks),
            "serving": plain(self.serving),
            "running": self.running.number if self.running else None,
            "last_release": self.last.as_dict() if self.last else None,
            "unfinished": None if operation is None else {
                "id": operation.id,
                "command": operation.request.command,
                "who": operation.request.who,
                "started": operation.started.isoformat(),
                "step": step.name if step else None,
                "state": step.state if step else None,
                "attempt": step.attempt if step else None,
            },
            "lock": None if holder is None else {
                "owner": str(holder.record.owner),
                "since": holder.record.since.isoformat(),
                "seconds_since_sign_of_life": round(holder.age, 1),
                "expired": holder.expired,
                "operation": holder.record.operation,
            },
            "alarms": None if self.alarms is None else list(self.alarms),
            "unknown": dict(self.untold),
            "waiting": {one: list(numbers) for one, numbers in self.waiting.items()},
        }  # fmt: skip


def status(site: Site) -> Status:
    """How the environment is.

    Raises:
        AwsError: something cannot be read.
    """
    name, bucket = site.deployment.name, site.bucket()
    stacks = tuple(_state(site, stack) for stack in site.deployment.stacks())
    untold: dict[str, str] = {}
    alarms = _told(untold, "alarms", lambda: tuple(site.ringing()))
    if bucket is None:
        return Status(name, stacks, None, None, None, None, None, alarms, untold)
    objects = site.objects(bucket)
    held = _told(untold, "lock", lambda: held_by(objects, name))
    releases = _told(untold, "releases", Ledger(objects, name).releases) or ()
    running = last_good(releases)
    return Status(
        environment=name,
        stacks=stacks,
        serving=serving(site, running),
        running=running,
        last=releases[-1] if releases else None,
        unfinished=_told(untold, "unfinished", Journal(objects, name, site.clock).unfinished),
        holder=Holder(*held) if held else None,
        alarms=alarms,
        untold=untold,
        waiting=_waiting(releases, site.deployment.returns),
    )


def _waiting(releases: Sequence[Release], returns: int) -> Mapping[str, Sequence[int]]:
    """A release that knows a revision had it waiting too."""
    needed_by, running = needing(releases, returns), last_good(releases)
    return {
        one: sorted(release.number for release in needed_by if one not in release.waiting)
        for one in (running.waiting if running else ())
    }


def _told(untold: dict[str, str], what: str, ask: Callable[[], T]) -> T | None:
    """What is damaged, or another service's that does not answer, hides nothing else."""
    try:
        return ask()
    except (AwsError, RecordError) as error:
        untold[what] = error.message
        return None


def _state(site: Site, stack: Stack) -> StackState:
    name, region = site.deployment.stack_name(stack), site.deployment.region_of(stack)
    found = site.reader(region).stack(name)
    if found is None:
        return StackState(name, region, ABSENT)
    return StackState(name, region, found.status, Masker().text(found.reason), found.updated or found.created)


@dataclass(frozen=True)
class Difference:
    """What a command would change; everything in it is masked."""

    environment: str
    command: str
    """The command that would do it."""
    previews: tuple[Preview, ...]
    """Of each stack, in the order they are made."""
    static: bool = False
    """Whether the static files are others than those of what runs."""

    @property
    def found(self) -> bool:
        """Whether anything would change."""
        return self.static or any(preview.create or not preview.empty for preview in self.previews)

    @property
    def limits(self) -> tuple[str, ...]:
        """What this cannot tell."""
        told = dict.fromkeys(limit for preview in self.previews for limit in preview.limits)
        return (*told, *LIMITS)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "environment": self.environment,
            "command": self.command,
            "different": self.found,
            "stacks": [_as_dict(preview) for preview in self.previews],
            "static": self.static,
            "limits": list(self.limits),
        }


def _as_dict(preview: Preview) -> dict[str, Any]:
    return {
        "name": preview.target.name,
        "region": preview.target.region,
        "create": preview.create,
        "changes": [
            {
                "action": change.action,
                "resource": change.path,
                "type": change.kind,
                "replacement": change.replacement or None,
                "details": [
                    {"path": one.path or one.attribute, "before": one.before, "after": one.after}
                    for one in change.details
                ],
            }
            for change in preview.changes
        ],
        "parameters": [plain(one) for one in preview.parameters],
        "dangers": [str(danger) for danger in preview.dangers],
    }


def of_build(site: Site, built: Artefact) -> Wanted:
    """What ``gymops deploy`` would bring of this artefact; nothing is uploaded."""
    template = compose(site.deployment.architecture.stack("app").template)
    return of_artefact(built, site.bucket() or _UNKNOWN_BUCKET, _repository(site), template)


def of_promotion(source: Site, target: Site) -> Wanted:
    """What ``gymops promote`` would bring; nothing is copied.

    Raises:
        NotTested: nothing could be promoted.
    """
    found = tested(source, target, begun(target))
    return brought(source, found, target.bucket() or _UNKNOWN_BUCKET, _repository(target))


def _repository(site: Site) -> str:
    return site.outputs("base").get("RepositoryUri") or _UNKNOWN_REPOSITORY


def diff(site: Site, wanted: Wanted, command: str) -> Difference:
    """What bringing the environment to what is wanted would change, by comparing templates and parameters.

    Raises:
        ConfigError: a parameter is missing, or outside what a template allows.
        GateRefused: nothing leads out of the state a stack is in.
    """
    deployment = site.deployment
    found: dict[str, str] = {}
    previews: list[Preview] = []
    for stack in deployment.stacks():
        reader, name = site.reader(deployment.region_of(stack)), deployment.stack_name(stack)
        app, present = stack.name == "app", reader.stack(name)
        template = wanted.template if app else compose(stack.template)
        given = dict(found)
        if app:
            serving = present.parameters.get(LIVE_VERSION, "") if present else ""
            given |= {**wanted.parameters, LIVE_VERSION: serving}
        complete = not any(preview.create for preview in previews)
        values = _given(deployment, template, given, complete=complete)
        target = StackTarget(name, deployment.region_of(stack), template, values)
        previews.append(dry_run(reader, target))
        found |= present.outputs if present else {}
    return Difference(deployment.name, command, tuple(previews), _other_static(site, wanted))


def _other_static(site: Site, wanted: Wanted) -> bool:
    bucket, digest = site.bucket(), wanted.artefact.static
    running = last_good(site.ledger(bucket).releases()) if bucket and digest else None
    return bool(digest) and (running is None or running.artefact.static != digest)


def _given(
    deployment: Deployment, template: Template, found: Mapping[str, str], *, complete: bool
) -> Mapping[str, str]:
    """A template's parameters; those that a stack gives which is not there yet are left open."""
    try:
        return deployment.given(template, found)
    except ConfigError:
        if complete:
            raise
    known = {**deployment.parameters, **found}
    return {name: value for name, value in known.items() if name in template.parameters}


def summary(previews: Sequence[Preview]) -> str:
    """How many of them change what."""
    made = sum(preview.create for preview in previews)
    changed = sum(not preview.create and not preview.empty for preview in previews)
    return f"{made} stacks would be made, {changed} changed, {len(previews) - made - changed} stay"
