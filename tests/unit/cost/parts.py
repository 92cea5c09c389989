"""Templates and months as the tests of bills need them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path

from gymops.config import Settings
from gymops.cost import usage
from gymops.cost.bill import Bill, reckon
from gymops.cost.prices import bundled
from gymops.cost.subject import choose
from gymops.deploy.template import Architecture, Stack

REGION = "us-east-1"


def month(**numbers: float) -> usage.Profile:
    """A month in which nothing is used but this."""
    nothing = dict.fromkeys(usage.numbers(), Decimal(0))
    given = {name: Decimal(str(number)) for name, number in numbers.items()}
    return usage.Profile("month", "", {**nothing, **given}, {})


def bill(
    folder: Path,
    resources: str,
    *,
    region: str = REGION,
    head: str = "",
    parameters: Mapping[str, str] | None = None,
    **numbers: float,
) -> Bill:
    """The bill of one template, whose resources are given as YAML."""
    file = folder / "template.yaml"
    body = "\n".join(f"  {line}" for line in resources.strip("\n").splitlines())
    file.write_text(f"{head}\nResources:\n{body}\n", encoding="utf-8")
    one = Architecture("own", region, (Stack("app", file, region, "environment"),), {})
    return reckon(one, "prod", parameters or {}, region=region, profile=month(**numbers), prices=bundled())


@cache
def shipped(name: str, environment: str = "prod", profile: str | None = None, **numbers: float) -> Bill:
    """The bill of an architecture that comes with gymops."""
    given = {key: Decimal(str(number)) for key, number in numbers.items()}
    return choose(Settings(), name, environment).bill(usage.profile(name, profile).using(given))


def amounts(found: Bill) -> dict[str, Decimal]:
    """Service -> USD."""
    return {service.name: service.usd for service in found.services()}
