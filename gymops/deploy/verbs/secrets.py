"""What an environment keeps secret: where each is from, who reads it, and how it gets a new value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from gymops.aws.secrets import Reference, Secret
from gymops.deploy.verbs.remains import INSTANCE, declared, parts
from gymops.deploy.verbs.site import Site
from gymops.errors import ConfigError


class Keeper(Protocol):
    """Secrets of an account; ``gymops.aws.secrets`` has it."""

    def find(self, name: str, region: str) -> Secret | None:
        """A secret by its ARN or name."""

    def master(self, instance: str, region: str) -> str | None:
        """The ARN of an instance's own."""

    def named_by(self, function: str, region: str) -> Mapping[str, str]:
        """Variable of a function -> the ARN it names."""

    def pend(self, secret: Secret, rule: Mapping[str, Any] | None, text: str | None, token: str) -> str:
        """A new value that is not in force; its version."""

    def move(self, secret: Secret, stage: str, to: str | None, away: str) -> None:
        """Put a stage from one version to another, or only away."""

    def rotate(self, secret: Secret, token: str) -> None:
        """Begin the rotation that is the secret's own."""


class Way(StrEnum):
    """How a secret gets a new value."""

    OVERLAP = "overlap"
    CUT = "cut"
    RDS = "rds"
    FUNCTION = "function"
    GIVEN = "given"
    STACK = "stack"

    @property
    def told(self) -> str:
        """In words."""
        return {
            "overlap": "generated; the value before stays good, nobody notices",
            "cut": "generated; the value before ends, so only by name",
            "rds": "RDS makes it and sets it",
            "function": "by its rotation function",
            "given": "only a person knows it: gymops secrets set",
            "stack": "the stack put it into what uses it; it stays",
        }[self]


@dataclass(frozen=True)
class Known:
    """A secret of an environment."""

    name: str
    """The logical id of the secret, or of the database whose it is; or the parameter that names it."""
    way: Way
    secret: Secret
    rule: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the template says of how it is generated."""
    readers: tuple[str, ...] = ()
    """Functions, and the variable that names it to them."""

    @property
    def who(self) -> str:
        """Who sets it, where that is not done here."""
        return "RDS" if self.way is Way.RDS else "its rotation function"

    @property
    def unfinished(self) -> bool:
        """Whether a rotation began and did not end."""
        pending = self.secret.pending
        return pending is not None and (self.way in OURS or pending != self.secret.current)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; never a value."""
        changed = self.secret.changed
        return {
            "name": self.name, "way": self.way.value, "secret": self.secret.name, "arn": self.secret.arn,
            "created": _iso(self.secret.created), "changed": _iso(changed) if changed else None,
            "unfinished": self.unfinished, "readers": list(self.readers),
        }  # fmt: skip


OURS = frozenset({Way.OVERLAP, Way.CUT, Way.GIVEN})
"""Whose values are brought in here; of the others AWS does it."""
_UNASKED = frozenset({Way.OVERLAP, Way.RDS, Way.FUNCTION})
"""What is rotated where nobody says which."""


def known(site: Site, keeper: Keeper) -> list[Known]:
    """Every secret of the environment's stacks: made by them, by RDS for them, or named to them.

    Raises:
        AwsError: a service does not answer.
    """
    found: dict[str, Known] = {}
    readers: dict[str, list[str]] = {}
    for part in reversed(parts(site)):
        region = site.deployment.region_of(part)
        reader = site.reader(region)
        stack = reader.stack(site.deployment.stack_name(part))
        if stack is None:
            continue
        written = declared(site, stack, region)
        for one in reader.resources(stack.id):
            if not one.live:
                continue
            if one.kind == "AWS::Lambda::Function":
                for variable, arn in keeper.named_by(one.physical, region).items():
                    readers.setdefault(arn, []).append(f"{one.name} ({variable})")
            body = written.get(one.name) or {}
            secret = _behind(keeper, one.kind, one.physical, region)
            if secret:
                rule = (body.get("Properties") or {}).get("GenerateSecretString")
                found.setdefault(secret.arn, Known(one.name, _way(secret, body), secret, rule))
        for name, value in stack.parameters.items():
            named = _named(keeper, value)
            if named:
                found.setdefault(named.arn, Known(name, _way(named, {}), named))
    return [replace(one, readers=tuple(readers.get(arn, ()))) for arn, one in found.items()]


def _held(one: Known) -> None:
    """Refuse what the stack put into who shows it and who asks for it: one of them would have another."""
    if one.way is Way.STACK:
        raise ConfigError(
            f"{one.name} is in what the stack made with it, and stays as long",
            hint="a template with another secret in its place brings a new one to all of them at once",
        )


def chosen(site: Site, every: Sequence[Known], name: str | None) -> list[Known]:
    """What is to be rotated: one by its name, or all that can be without anybody's doing.

    Raises:
        ConfigError: there is none of this name, or only a person can give it a value.
    """
    if name is None:
        # Those last that end what was signed two values ago: a killed command rotates only the others twice.
        return sorted((one for one in every if one.way in _UNASKED), key=lambda one: one.way in OURS)
    one = _by_name(site, every, name)
    _held(one)
    if one.way is Way.GIVEN:
        raise ConfigError(
            f"{name} is a value that only a person knows",
            hint=f"gymops secrets set {site.deployment.name} {name}",
        )
    return [one]


def settable(site: Site, every: Sequence[Known], name: str) -> Known:
    """What a person gives a value to.

    Raises:
        ConfigError: there is none of this name, or whoever rotates it knows the value alone.
    """
    one = _by_name(site, every, name)
    _held(one)
    if one.way not in OURS:
        raise ConfigError(
            f"{name} is set by {one.who}, and by nobody else",
            hint=f"gymops secrets rotate {site.deployment.name} {name}",
        )
    return one


def _behind(keeper: Keeper, kind: str, physical: str, region: str) -> Secret | None:
    arn = physical if kind == "AWS::SecretsManager::Secret" else None
    if kind == INSTANCE:
        arn = keeper.master(physical, region)
    return keeper.find(arn, region) if arn else None


def _named(keeper: Keeper, value: str) -> Secret | None:
    if not value.startswith("arn:"):
        return None
    try:
        reference = Reference.parse(value)
    except ConfigError:
        return None
    return keeper.find(reference.arn, reference.region)


def _way(secret: Secret, body: Mapping[str, Any]) -> Way:
    rotation = (body.get("Metadata") or {}).get("Rotation") or {}
    if secret.owner:
        return Way.RDS
    if secret.function:
        return Way.FUNCTION
    if (body.get("Properties") or {}).get("GenerateSecretString") is None:
        return Way.GIVEN
    if rotation.get("Stack") is True:
        return Way.STACK
    return Way.OVERLAP if rotation.get("Overlap") is True else Way.CUT


def _by_name(site: Site, every: Sequence[Known], name: str) -> Known:
    found = next((one for one in every if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in every) or "none"
        raise ConfigError(f"{site.deployment.name} has no secret {name!r}", hint=f"its secrets: {names}")
    return found


def _iso(at: datetime) -> str:
    from datetime import UTC

    return at.astimezone(UTC).isoformat(timespec="seconds")
