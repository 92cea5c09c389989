"""``gymops cost``."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from gymops.cli import output
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.cost.bill import Bill, Service
    from gymops.cost.document import Table

_EPILOG = """\b
What is reckoned with: the templates with the environment's parameters, a profile of usage (--profile,
--usage), and a bundled table of list prices with its date; docs/cost.md has the rules. What has no price is
listed, and not in the total. Nothing is asked of AWS.

\b
--json prints one document: the bill (architecture, environment, region, profile, usage, prices_as_of, total,
free_tier, stand_in, lines, unpriced, free, unused) and document (total, sum, differences), null where there
is none; with --compare two bills and differences; of all architectures, bills. Amounts are texts, in USD.

\b
Exit codes:
    0  reckoned
    1  a template cannot be read
    2  no such environment, architecture, profile or number of usage"""

_WIDE = 58
"""Characters of a service's details."""


@click.command("cost", epilog=_EPILOG)
@click.argument("what", required=False, metavar="[ARCHITECTURE|ENV]")
@click.option(
    "--profile", metavar="NAME", help="The month to reckon (default: the smallest that changes no parameter)."
)
@click.option("--environment", metavar="ENV", help="Of an ARCHITECTURE: which environment (default: prod).")
@click.option(
    "--usage", multiple=True, metavar="NAME=NUMBER", help="Replace a number of the profile; repeat."
)
@click.option("--compare", metavar="WHAT", help="Beside another environment, architecture, or profile.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context,
    what: str | None,
    profile: str | None,
    environment: str | None,
    usage: tuple[str, ...],
    compare: str | None,
    as_json: bool,
) -> None:
    """What an environment costs a month, beside what its document says.

    Without a name: the environment prod of gymops.toml, or else every architecture with every profile.
    """
    from gymops.cli.context import settings
    from gymops.cost import subject
    from gymops.cost import usage as profiles

    chosen, given = settings(ctx), profiles.given(usage)
    if what is None and chosen.architecture is None:
        if profile or environment or usage or compare:
            raise ConfigError("name what is to be reckoned", hint="gymops cost titan-trakr")
        _overview(as_json)
        return
    ours = subject.choose(chosen, what, environment)
    month = profiles.profile(ours.architecture.name, profile).using(given)
    bill = ours.bill(month)
    if compare is None:
        _one(bill, as_json)
        return
    theirs, other = subject.compared(chosen, ours, month, compare, environment)
    _two(bill, theirs.bill(other.using(given)), as_json)


def _overview(as_json: bool) -> None:
    from gymops.config import Settings
    from gymops.cost import document, subject, usage
    from gymops.deploy import template

    bills = [
        subject.choose(Settings(), name).bill(usage.profile(name, profile))
        for name in template.names()
        for profile in usage.names(name)
    ]
    if as_json:
        output.document({"bills": [_document(bill) for bill in bills]})
        return
    tables = [document.table(bill) for bill in bills]
    rows = [
        (bill.architecture, bill.profile.name, _usd(bill.total), _stated(table), len(bill.unpriced) or "")
        for bill, table in zip(bills, tables, strict=True)
    ]
    output.table(
        rows, ["architecture", "profile", "USD a month", "its document", "without a price"], right=(2, 3, 4)
    )


def _one(bill: Bill, as_json: bool) -> None:
    from gymops.cost import document

    if as_json:
        output.document(_document(bill))
        return
    theirs = document.table(bill)
    says = f"; its document says {_usd(theirs.total)}" if theirs else ""
    output.text(f"{bill.name}, {bill.region}: {_usd(bill.total)} USD a month{says}")
    output.text(f"profile {bill.profile.name}: {bill.profile.about}\n")
    if bill.environment == "local":
        output.note("local is on this machine, for nothing; this is what the same would cost on AWS")
    _services(bill, theirs)
    if theirs and theirs.rows:
        output.text("\nWhy they differ:")
        for one in document.differences(bill, theirs):
            output.text(f"{one.more:>+9.2f}  {one.service}: {one.why}")
    _notes(bill, theirs)


def _services(bill: Bill, theirs: Table | None) -> None:
    stated = {row.service: row.usd for row in theirs.rows} if theirs else {}
    services = bill.services()
    here = {service.name for service in services}
    rows = [
        (service.name, _usd(service.usd), _usd(stated.get(service.name)), _details(service))
        for service in services
        if service.usd or stated.get(service.name)
    ]
    rows += [(name, "", _usd(usd), "not in the template") for name, usd in stated.items() if name not in here]
    rows.append(("total", _usd(bill.total), _stated(theirs), ""))
    if theirs and theirs.rows:
        output.table(rows, ["service", "USD", "document", "of it"], right=(1, 2))
    else:
        output.table([(name, usd, of) for name, usd, _, of in rows], ["service", "USD", "of it"], right=(1,))


def _details(service: Service) -> str:
    """The dearest lines, as many as there is room for; * where the price is another region's."""
    text = ""
    for line in sorted(service.lines, key=lambda line: -line.usd):
        more = f"{line.what}{'*' if line.stand_in and line.usd else ''}"
        if text and (not line.usd or len(text) + len(more) > _WIDE):
            break
        text = f"{text}; {more}" if text else more
    return text


def _notes(bill: Bill, theirs: Table | None) -> None:
    from gymops.cost.book import count

    if bill.unpriced:
        output.text("\nWithout a price, and not in the total:")
        for one in bill.unpriced:
            output.text(f"  {one.service} ({one.what}): {one.reason}")
    output.text()
    if theirs and theirs.beside:
        output.text(f"The document has {_usd(theirs.beside)} more outside of its total.")
    nothing = sum(len(one.resources) for one in bill.free)
    output.text(
        f"Free: {count(nothing, 'resource')}, and {_usd(bill.saved)} of usage that is free every month."
    )
    if bill.stand_in:
        elsewhere = f"{_usd(bill.stand_in)} are at that of {bill.prices_region}"
        output.text(f"* no source has {bill.region}'s price: {elsewhere}.")
    if bill.unused:
        output.text(f"--usage: nothing here uses {', '.join(bill.unused)}.")
    output.text(f"List prices of {bill.prices_as_of}, before tax.")


def _two(bill: Bill, other: Bill, as_json: bool) -> None:
    mine = {service.name: service.usd for service in bill.services()}
    theirs = {service.name: service.usd for service in other.services()}
    names = sorted({*mine, *theirs}, key=lambda name: (-max(mine.get(name, 0), theirs.get(name, 0)), name))
    if as_json:
        differences = [
            {"service": name, "usd": [_text(mine.get(name)), _text(theirs.get(name))]} for name in names
        ]
        output.document({"bills": [_document(bill), _document(other)], "differences": differences})
        return
    rows: list[Any] = []
    for name in names:
        one, two = mine.get(name), theirs.get(name)
        if one or two:
            rows.append((name, _usd(one), _usd(two), f"{(two or 0) - (one or 0):+,.2f}"))
    rows.append(("total", _usd(bill.total), _usd(other.total), f"{other.total - bill.total:+,.2f}"))
    rows.append(("without a price", len(bill.unpriced), len(other.unpriced), ""))
    output.table(rows, ["USD a month", *_headings(bill, other), "difference"], right=(1, 2, 3))
    output.text(
        f"\nList prices of {bill.prices_as_of}, before tax; gymops cost of one says what is without a price."
    )


def _headings(bill: Bill, other: Bill) -> tuple[str, str]:
    """What tells the two apart, under each other."""

    def heading(one: Bill) -> str:
        return f"{one.architecture}\n{one.environment}, {one.profile.name}"

    return heading(bill), heading(other)


def _document(bill: Bill) -> dict[str, Any]:
    from gymops.cost import document

    theirs = document.table(bill)
    found = None
    if theirs:
        found = {
            "total": str(theirs.total),
            "sum": str(theirs.sum) if theirs.rows else None,
            "beside": str(theirs.beside),
            "lines": [{"service": row.service, "what": row.what, "usd": str(row.usd)} for row in theirs.rows],
            "differences": [
                {
                    "service": one.service,
                    "document": _text(one.document),
                    "here": _text(one.here),
                    "more": str(one.more),
                    "why": one.why,
                }
                for one in document.differences(bill, theirs)
            ],
        }
    return {**bill.as_dict(), "document": found}


def _stated(table: Table | None) -> str:
    return _usd(table.total) if table else ""


def _usd(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
