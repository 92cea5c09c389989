"""The documents' own cost tables, and in what a bill differs from them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from gymops.cost.bill import Bill

FILE = Path(__file__).with_name("documents.toml")

ANY = "any"
"""Whose explanations are for every document that has none of its own."""
NOT_THERE = "not in the document's table"
NOT_HERE = "not in the template, or not to be priced"


@dataclass(frozen=True)
class Row:
    """One line of a document's table."""

    service: str
    what: str
    usd: Decimal


@dataclass(frozen=True)
class Table:
    """A cost table as a document has it; one of the scaling path has a total only."""

    architecture: str
    profile: str
    environment: str | None
    total: Decimal
    """As the document states it; its lines may come to something else."""
    rows: tuple[Row, ...]
    beside: Decimal
    """What the document reckons outside of its total."""

    @property
    def sum(self) -> Decimal:
        """What its lines come to."""
        return sum((row.usd for row in self.rows), Decimal(0))


@dataclass(frozen=True)
class Difference:
    """What a service costs in the document and in the bill; None where it does not stand."""

    service: str
    document: Decimal | None
    here: Decimal | None
    why: str

    @property
    def more(self) -> Decimal:
        """How much more it is in the bill."""
        return (self.here or Decimal(0)) - (self.document or Decimal(0))


def tables(architecture: str) -> list[Table]:
    """The tables of an architecture's document; none if it gives no figures."""
    section = _document().get(architecture, {})
    return [_table(architecture, table) for table in section.get("table", [])]


def table(bill: Bill) -> Table | None:
    """The table that is about the same environment and step as a bill."""
    for one in tables(bill.architecture):
        same = bill.last if one.environment is None else one.environment == bill.environment
        if one.profile == bill.profile.name and same:
            return one
    return None


def differences(bill: Bill, theirs: Table) -> list[Difference]:
    """Where the two differ, the largest first."""
    why = {**_document()[ANY]["why"], **_document()[bill.architecture]["why"]}
    document = {row.service: row.usd for row in theirs.rows}
    here = {service.name: service.usd for service in bill.services()}
    found = []
    for name in {**document, **here}:
        otherwise = NOT_HERE if name not in here else NOT_THERE if name not in document else ""
        one = Difference(name, document.get(name), here.get(name), why.get(name, otherwise))
        if one.more:
            found.append(one)
    return sorted(found, key=lambda one: (-abs(one.more), one.service))


def _table(architecture: str, section: dict[str, Any]) -> Table:
    return Table(
        architecture=architecture,
        profile=section["profile"],
        environment=section.get("environment"),
        total=Decimal(section["total"]),
        rows=tuple(Row(row["service"], row["what"], Decimal(row["usd"])) for row in section.get("lines", ())),
        beside=sum((Decimal(one["usd"]) for one in section.get("beside", ())), Decimal(0)),
    )


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))
