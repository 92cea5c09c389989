"""``gymops drift``: what somebody changed by hand since the stacks were deployed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from gymops.clock import ticks
from gymops.deploy.release.ledger import last_good
from gymops.deploy.stack.masking import Masker, masker
from gymops.deploy.stack.port import Change, Reader, Stack
from gymops.deploy.syntax import Lines, TemplateError, parse
from gymops.deploy.verbs.serving import differing
from gymops.deploy.verbs.site import Detection, Detector, Looked, Site
from gymops.errors import Detached, GymopsError

_SECONDS = 1800.0
_INTERVAL = 2.0
_GONE = frozenset({"MODIFIED", "DELETED"})
_MOVED = {
    "AWS::ElasticLoadBalancingV2::Listener": frozenset({"TargetGroupArn", "ForwardConfig"}),
    "AWS::ElasticLoadBalancingV2::ListenerRule": frozenset({"TargetGroupArn", "ForwardConfig"}),
    "AWS::ECS::Service": frozenset({"TargetGroupArn", "TaskDefinition"}),
}
"""Type -> the properties by which CodeDeploy gives a service's requests to other tasks."""


@dataclass(frozen=True)
class StackDrift:
    """What differs in one stack; masked."""

    stack: str
    region: str
    resources: tuple[Change, ...]
    """``Modify`` or ``Remove``; in each detail before is expected, after is there."""
    checked: int
    unchecked: tuple[str, ...]
    """The types of which some resource was not looked at: CloudFormation cannot, or failed to."""
    failure: str = ""
    """Why some resources could not be looked at."""


@dataclass(frozen=True)
class Drifts:
    """What differs in an environment."""

    environment: str
    stacks: tuple[StackDrift, ...]
    serving: tuple[str, ...] = ()
    """In what that which serves is other than the running release: CloudFormation does not know of it."""

    @property
    def found(self) -> bool:
        """Whether anything does."""
        return bool(self.serving) or any(stack.resources for stack in self.stacks)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "environment": self.environment,
            "drifted": self.found,
            "serving": list(self.serving),
            "stacks": [
                {
                    "name": stack.stack,
                    "region": stack.region,
                    "resources": [
                        {
                            "resource": one.name,
                            "type": one.kind,
                            "id": one.physical,
                            "status": "deleted" if one.action == "Remove" else "modified",
                            "properties": [
                                {
                                    "path": detail.path.removeprefix("/Properties"),
                                    "expected": detail.before,
                                    "actual": detail.after,
                                }
                                for detail in one.details
                            ],
                        }
                        for one in stack.resources
                    ],
                    "checked": stack.checked,
                    "unchecked": list(stack.unchecked),
                    "failure": stack.failure or None,
                }
                for stack in self.stacks
            ],
        }


def drift(site: Site) -> Drifts:
    """Look at every stack that is there, and at what serves.

    Raises:
        GymopsError: nothing that was looked at differs, and not everything could be looked at.
        Detached: a detection does not end.
        AwsError: a stack is moving, or half made.
    """
    found = []
    for one in site.deployment.stacks():
        region, name = site.deployment.region_of(one), site.deployment.stack_name(one)
        stack = site.reader(region).stack(name)
        if stack is not None:
            found.append(_look(site, site.drift(region), site.reader(region), stack, region))
    bucket = site.bucket()
    running = last_good(site.ledger(bucket).releases()) if bucket else None
    told = Drifts(site.deployment.name, tuple(found), differing(site, running))
    failed = next((stack for stack in told.stacks if stack.failure), None)
    if failed and not told.found:
        raise GymopsError(
            f"{failed.stack}: it cannot be told whether it drifted: {failed.failure}",
            hint=f"the credentials need to read every resource; then gymops drift {told.environment}",
        )
    return told


def _look(site: Site, detector: Detector, reader: Reader, stack: Stack, region: str) -> StackDrift:
    site.talk.say(f"looking at {stack.name}")
    ended = _detect(site, detector, stack.name)
    hidden = _masker(reader, stack)
    looked = [one for one in detector.resources(stack.name) if one.status in {"IN_SYNC", *_GONE}]
    seen = {one.name for one in looked}
    changes = [_change(one) for one in looked if one.status in _GONE]
    if "DeploymentGroup" in stack.outputs:
        changes = [left for one in changes if (left := _by_hand(one))]
    missed = Counter(one.kind for one in reader.resources(stack.id) if one.live and one.name not in seen)
    return StackDrift(
        stack=stack.name,
        region=region,
        resources=tuple(hidden.change(one) for one in changes),
        checked=len(looked),
        unchecked=tuple(sorted(missed)),
        failure="" if ended.complete else hidden.text(ended.reason) or "AWS does not say why",
    )


def _detect(site: Site, detector: Detector, stack: str) -> Detection:
    begun = detector.begin(stack)
    for _ in ticks(site.clock, timeout=_SECONDS, interval=_INTERVAL):
        if ended := detector.ended(begun):
            return ended
    raise Detached(
        f"{stack}: the drift detection has not ended after half an hour",
        hint=f"gymops drift {site.deployment.name}",
    )


def _change(one: Looked) -> Change:
    action = "Remove" if one.status == "DELETED" else "Modify"
    return Change(action, one.name, one.kind, one.physical, details=one.details)


def _by_hand(one: Change) -> Change | None:
    """Without what CodeDeploy changes in every release; which version serves is asked elsewhere."""
    moved = _MOVED.get(one.kind, frozenset())
    details = tuple(each for each in one.details if not moved & set(each.path.split("/")))
    return replace(one, details=details) if details or not one.details else None


def _masker(reader: Reader, stack: Stack) -> Masker:
    try:
        present = parse(reader.template(stack.id), f"the template of {stack.name}")
    except TemplateError:
        present = Lines()
    return masker([present], stack.parameters)
