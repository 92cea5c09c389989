"""The bundled price table: what one hour, gigabyte or request costs, where, and who says so."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True)
class Source:
    """Who says what something costs, and of when that is."""

    url: str
    as_of: str


@dataclass(frozen=True)
class Price:
    """One price of the table."""

    name: str
    usd: Decimal
    per: str
    """What it is the price of one of: hour, GB, request."""
    source: Source
    free: Decimal = Decimal(0)
    """How many are free in every month, for each account."""
    everywhere: bool = False
    """Whether it is the same in every region."""
    regions: Mapping[str, Decimal] = field(default_factory=dict)
    """Region -> its own price, where that is known."""
    vcpus: int = 0

    def known_in(self, region: str, reference: str) -> bool:
        """Whether the table has the price of this region, and not only that of ``reference``."""
        return self.everywhere or region in self.regions or region == reference

    def in_region(self, region: str) -> Decimal:
        """The region's price; that of the table's own region where it has none."""
        return self.regions.get(region, self.usd)


@dataclass(frozen=True)
class Prices:
    """The table."""

    as_of: date
    region: str
    """Whose prices stand in where a region's own are not known."""
    prices: Mapping[str, Price]

    def get(self, name: str) -> Price | None:
        """A price by its name; None if nobody could be found for it."""
        return self.prices.get(name)


@cache
def bundled() -> Prices:
    """The table that comes with gymops."""
    return parse(tomllib.loads(FILE.read_text(encoding="utf-8")))


def parse(document: Mapping[str, Any]) -> Prices:
    """A table from its TOML document."""
    sources = {name: Source(**values) for name, values in document["sources"].items()}
    return Prices(
        as_of=document["as_of"],
        region=document["region"],
        prices={name: _price(name, values, sources) for name, values in document["prices"].items()},
    )


def _price(name: str, values: Mapping[str, Any], sources: Mapping[str, Source]) -> Price:
    return Price(
        name=name,
        usd=Decimal(values["usd"]),
        per=values["per"],
        source=sources[values["source"]],
        free=Decimal(values.get("free", 0)),
        everywhere=values.get("everywhere", False),
        regions={region: Decimal(usd) for region, usd in values.get("regions", {}).items()},
        vcpus=values.get("vcpus", 0),
    )
