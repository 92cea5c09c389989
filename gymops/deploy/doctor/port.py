"""What the doctor asks of AWS and of DNS; nobody here can change anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gymops.aws.domains import Certificate, Holder, Zone
from gymops.aws.engines import Engine
from gymops.aws.identity import Caller
from gymops.aws.quotas import Usage
from gymops.clock import Clock
from gymops.deploy.environment import Deployment
from gymops.deploy.stack.port import Reader
from gymops.store.objects import Objects


class Identity(Protocol):
    """The credentials."""

    def caller(self) -> Caller:
        """Who calls."""

    def now(self) -> datetime:
        """What time AWS says it is."""


class Iam(Protocol):
    """Roles and what they may."""

    def role(self, name: str) -> str | None:
        """A role's ARN; None if there is none."""

    def denied(
        self, principal: str, actions: Sequence[str], resources: Sequence[str], context: Mapping[str, str]
    ) -> Iterable[str]:
        """Those of the actions that the principal may do on none of the resources."""


class Quotas(Protocol):
    """How many there are and may be."""

    def kinds(self) -> frozenset[str]:
        """The resource types whose quota is known."""

    def usage(self, kind: str, region: str) -> Usage:
        """Of a resource type."""

    def concurrency(self, region: str) -> Usage:
        """Of Lambda functions at once; used is what is reserved."""


class Domains(Protocol):
    """Zones, aliases and certificates."""

    def zone(self, identifier: str) -> Zone | None:
        """A zone by its id."""

    def zone_of(self, domain: str) -> Zone | None:
        """The account's zone that holds a name."""

    def distributions(self) -> Sequence[Holder]:
        """Every alias of this account's distributions."""

    def conflicts(self, distribution: str, alias: str) -> Sequence[Holder]:
        """Who else holds a name, in any account."""

    def certificate(self, arn: str) -> Certificate | None:
        """A certificate by its ARN."""


class Engines(Protocol):
    """The databases of a region."""

    def engine(self, name: str, version: str) -> Engine | None:
        """A version; None if it is not offered."""


class Resolver(Protocol):
    """The world's view of names."""

    def servers(self, zone: str) -> frozenset[str]:
        """The name servers that the zone above names."""

    def aliases(self, name: str) -> frozenset[str]:
        """What a name is a CNAME of."""


@dataclass(frozen=True)
class Patient:
    """An environment, and everything by which it is looked at."""

    deployment: Deployment
    clock: Clock
    runtime: str
    """The Lambda runtime that a release brings, as ``python3.12``."""
    reader: Callable[[str], Reader]
    """By region."""
    objects: Callable[[str], Objects]
    """By bucket."""
    identity: Identity
    iam: Iam
    quotas: Quotas
    domains: Domains
    engines: Callable[[str], Engines]
    """By region."""
    resolver: Resolver
