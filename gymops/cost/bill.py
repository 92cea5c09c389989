"""The bill of an environment for a month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

from gymops.cost import inventory, pricing
from gymops.cost.book import Book, Line, Unpriced
from gymops.cost.inventory import Inventory
from gymops.cost.prices import Prices
from gymops.cost.pricing import free
from gymops.cost.usage import Profile
from gymops.deploy.template import Architecture

OUTSIDE: Mapping[str, tuple[str, str, str]] = {
    "tokens_in": ("Bedrock", "tokens in", "bedrock/input"),
    "tokens_out": ("Bedrock", "tokens out", "bedrock/output"),
    "neon_hours": ("Neon", "compute unit hours", "neon/compute"),
    "neon_gb": ("Neon", "GB", "neon/storage"),
}
"""Usage of what no template holds: service, what, price."""


@dataclass(frozen=True)
class Free:
    """Resources that cost nothing, and why."""

    kind: str
    resources: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Service:
    """What one service comes to."""

    name: str
    usd: Decimal
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Bill:
    """What an environment costs a month, and what of it cannot be said."""

    architecture: str
    environment: str
    region: str
    profile: Profile
    last: bool
    """Whether what an account has once is in it: registry, zones."""
    prices_as_of: date
    prices_region: str
    lines: tuple[Line, ...]
    unpriced: tuple[Unpriced, ...]
    free: tuple[Free, ...]
    unused: tuple[str, ...]
    """Numbers somebody asked for that nothing here uses."""

    @property
    def name(self) -> str:
        """What it is the bill of."""
        return f"{self.architecture} {self.environment}"

    @property
    def total(self) -> Decimal:
        """The sum of the lines; what cannot be priced is not in it."""
        return sum((line.usd for line in self.lines), Decimal(0))

    @property
    def saved(self) -> Decimal:
        """What is always free, and was taken off."""
        return sum((line.saved for line in self.lines), Decimal(0))

    @property
    def stand_in(self) -> Decimal:
        """What of the total is at another region's prices."""
        return sum((line.usd for line in self.lines if line.stand_in), Decimal(0))

    def services(self) -> list[Service]:
        """The lines by service, the dearest first."""
        by_name = sorted(self.lines, key=lambda line: (line.service, -line.usd))
        found = []
        for name, group in groupby(by_name, key=lambda line: line.service):
            lines = tuple(group)
            found.append(Service(name, sum((line.usd for line in lines), Decimal(0)), lines))
        return sorted(found, key=lambda service: (-service.usd, service.name))

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; amounts are texts, exact to the cent."""
        return {
            "architecture": self.architecture,
            "environment": self.environment,
            "region": self.region,
            "profile": self.profile.name,
            "usage": {name: str(number) for name, number in self.profile.usage.items()},
            "prices_as_of": self.prices_as_of.isoformat(),
            "total": str(self.total),
            "free_tier": str(self.saved),
            "stand_in": str(self.stand_in),
            "lines": [_line(line) for line in self.lines],
            "unpriced": [
                {"service": one.service, "what": one.what, "reason": one.reason} for one in self.unpriced
            ],
            "free": [
                {"type": one.kind, "resources": list(one.resources), "reason": one.reason}
                for one in self.free
            ],
            "unused": list(self.unused),
        }


def reckon(
    architecture: Architecture,
    environment: str,
    parameters: Mapping[str, str],
    *,
    region: str,
    profile: Profile,
    prices: Prices,
) -> Bill:
    """Write the bill of an environment.

    Raises:
        TemplateError: a template cannot be read.
    """
    month = profile.in_environment(environment)
    last = environment not in architecture.after.values()
    region = region or prices.region
    there = inventory.take(architecture, environment, {**parameters, **month.parameters}, region, last=last)
    book = Book(prices, month.usage)
    for pricer in pricing.PRICERS:
        pricer(book, there)
    _beside(book, month)
    costs_nothing = _rest(book, there)
    return Bill(
        architecture=architecture.name,
        environment=environment,
        region=region,
        profile=month,
        last=last,
        prices_as_of=prices.as_of,
        prices_region=prices.region,
        lines=tuple(book.lines),
        unpriced=tuple(book.unpriced),
        free=costs_nothing,
        unused=tuple(sorted(name for name in month.said - book.asked if month.usage[name])),
    )


def _beside(book: Book, month: Profile) -> None:
    """What a month has beside the template."""
    for name, (service, what, price) in OUTSIDE.items():
        used = book.used(name)
        if used:
            book.charge(service, f"{used:,f} {what}", price, used, [])
    for other in month.others:
        book.charge(other.service, f"{other.what} (not in the template)", other.price, other.quantity, [])
    for service, reason in (month.unpriced or {}).items():
        book.unknown(service, "not in the template", reason, [])


def _rest(book: Book, there: Inventory) -> tuple[Free, ...]:
    """What no pricer took is free for a reason, or cannot be priced."""
    nothing: dict[str, list[str]] = {}
    for item in there.items:
        if item in book.covered:
            continue
        if free.reason(item.kind):
            nothing.setdefault(item.kind, []).append(item.name)
        else:
            book.unknown(item.kind, item.name, "nothing here knows what this type costs", [item])
    for item in there.doubtful:
        book.unknown(item.kind, item.name, "whether it is there depends on what only AWS knows", [item])
    return tuple(Free(kind, tuple(names), free.reason(kind) or "") for kind, names in sorted(nothing.items()))


def _line(line: Line) -> dict[str, Any]:
    return {
        "service": line.service,
        "what": line.what,
        "usd": str(line.usd),
        "quantity": f"{line.quantity:f}",
        "per": line.per,
        "price": f"{line.price:f}",
        "price_name": line.price_name,
        "price_region": line.price_region,
        "stand_in": line.stand_in,
        "free_tier": str(line.saved),
        "resources": list(line.resources),
    }
