"""A bill while it is written: lines, and what cannot be priced; nothing is left out in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from gymops.cost.inventory import Item
from gymops.cost.prices import Prices

CENT = Decimal("0.01")
HOURS = Decimal(730)
"""Hours of an average month, as AWS reckons."""


@dataclass(frozen=True)
class Line:
    """One position of a bill."""

    service: str
    what: str
    usd: Decimal
    """In whole cents, so that a bill is the sum of what it shows."""
    quantity: Decimal
    per: str
    price: Decimal
    price_name: str
    price_region: str
    stand_in: bool
    """Whether the price is another region's, for want of the region's own."""
    saved: Decimal = Decimal(0)
    """What the part that is always free would cost."""
    resources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unpriced:
    """What costs something, or may, and how much cannot be said."""

    service: str
    what: str
    reason: str
    resources: tuple[str, ...] = ()


@dataclass
class Book:
    """What pricers write into."""

    prices: Prices
    usage: Mapping[str, Decimal]
    lines: list[Line] = field(default_factory=list)
    unpriced: list[Unpriced] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    """What of the usage something asked for; the rest is used by nothing."""
    covered: set[Item] = field(default_factory=set)
    """The resources that stand in a line, or among what cannot be priced."""

    def used(self, name: str) -> Decimal:
        """How much of something is used in a month."""
        self.asked.add(name)
        return self.usage[name]

    def charge(
        self,
        service: str,
        what: str,
        price_name: str,
        quantity: Decimal,
        at: Sequence[Item],
    ) -> None:
        """Write a line, priced where the first resource is; without a price it is listed as such."""
        price = self.prices.get(price_name)
        if price is None:
            self.unknown(service, what, f"no price of {price_name} has a source", at)
            return
        self.covered.update(at)
        region = at[0].region if at else self.prices.region
        usd = price.in_region(region)
        free = min(quantity, price.free)
        known = price.known_in(region, self.prices.region)
        own = region if known else self.prices.region
        self.lines.append(
            Line(
                service=service,
                what=what,
                usd=cents((quantity - free) * usd),
                quantity=quantity,
                per=price.per,
                price=usd,
                price_name=price_name,
                price_region="everywhere" if price.everywhere else own,
                stand_in=not known,
                saved=cents(free * usd),
                resources=tuple(item.name for item in at),
            )
        )

    def unknown(self, service: str, what: str, reason: str, at: Sequence[Item]) -> None:
        """List what cannot be priced."""
        self.covered.update(at)
        self.unpriced.append(Unpriced(service, what, reason, tuple(item.name for item in at)))


def cents(amount: Decimal) -> Decimal:
    """An amount as it is billed."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def count(number: int | Decimal, what: str) -> str:
    """``1 zone``, ``2 zones``, ``3 public addresses``."""
    if number == 1:
        return f"1 {what}"
    return f"{number} {what}{'es' if what.endswith('s') else 's'}"
