"""``gymops verify``."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from gymops.cli import context, output, progress
from gymops.errors import GymopsError, Unverified

if TYPE_CHECKING:
    from gymops.eventlog.compare import Comparison

_EPILOG = """\b
Examples:
  gymops verify workspace/ env:local
  gymops verify gym.db postgresql://owner@db.example/app --user alice
  gymops verify env:staging env:prod --json

\b
--json prints one document with the keys equal, a{events, digest}, b{events, digest},
differences{missing, extra, changed, moved}, first_difference{kind, user, event_id, position,
column, a, b}, rejected{a, b}, tables{name: {a, b, missing, extra, changed, equal}}, folded_users.
For tables: source, target, equal, first_difference, tables{name: {target, source, missing, extra,
first, equal}}, not_as_planned[], digest{source, target}.
Exit 0 when equal, 3 when different, 1 (and "equal": null) when it could not be told."""


@click.command("verify", epilog=_EPILOG)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--user", default="default", show_default=True, help="Whose events a log without users holds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, a: str, b: str, user: str, as_json: bool) -> None:
    """Compare two event logs and name the first event that differs.

    A and B are each a SQLite file, a workspace directory, a PostgreSQL URL, or env:NAME (an environment
    of gymops.toml, or a variable that holds a URL; env:local is the embedded server).

    A SQLite file that is no event log is compared, table by table, with the database it was moved to.
    """
    from gymops.eventlog.compare import compare

    settings = context.settings(ctx)
    for file, place in ((a, b), (b, a)):
        if context.is_database(place) and context.holds_tables(settings, file):
            from gymops.cli import migrate_tables

            ctx.exit(migrate_tables.verify(settings, file, place, as_json=as_json))
    try:
        with (
            closing(context.open_log(settings, a, user)) as left,
            closing(context.open_log(settings, b, user)) as right,
            progress.observer() as observer,
        ):
            observer.phase("reading both logs", None)
            result = compare(left, right, observer.advance)
            names = (left.name, right.name)
    except GymopsError as error:
        if as_json and error.exit_code == Unverified.exit_code:
            output.document({"equal": None, **error.as_dict()})
            ctx.exit(error.exit_code)
        raise
    output.document(as_dict(result)) if as_json else _show(result, names)
    ctx.exit(0 if result.equal else 3)


def as_dict(result: Comparison) -> dict[str, Any]:
    """The document of ``verify --json``."""
    first = result.differences.first
    return {
        "equal": result.equal,
        "a": {"events": result.a.events, "digest": result.a.head},
        "b": {"events": result.b.events, "digest": result.b.head},
        "differences": result.differences.counts(),
        "first_difference": first.as_dict() if first else None,
        "rejected": {"a": vars(result.a.rejected), "b": vars(result.b.rejected)},
        "tables": {
            name: {"a": table.rows_a, "b": table.rows_b, "missing": table.missing, "extra": table.extra}
            | {"changed": table.changed, "equal": table.equal, "first_difference": table.first}
            for name, table in result.tables.items()
        },
        "folded_users": len(result.folded),
    }


def _show(result: Comparison, names: tuple[str, str]) -> None:
    text = output.text
    for label, name, log in (("A", names[0], result.a), ("B", names[1], result.b)):
        text(f"{label}        {name}")
        text(f"         {log.events:,} events, {len(log.streams):,} users, digest {log.head}")
        if log.rejected.rows:
            text(f"         {log.rejected.rows:,} rejected rows, digest {log.rejected.digest}")
    counts = result.differences.counts()
    if any(counts.values()):
        text("events   " + ", ".join(f"{count:,} {name}" for name, count in counts.items() if count))
    if result.differences.first:
        text(f"first    {result.differences.first.describe('A', 'B')}")
    if result.a.rejected != result.b.rejected:
        text("rejected rows differ")
    for name, table in result.tables.items():
        detail = "equal" if table.equal else f"DIFFERENT ({table.first})"
        text(f"table    {name}: {table.rows_a:,} and {table.rows_b:,} rows, {detail}")
    if result.folded:
        text(f"folded   projections of {len(result.folded):,} users come from the events: not compared")
    text("EQUAL: both hold the same events" if result.equal else "DIFFERENT")
