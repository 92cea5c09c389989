"""``gymops migrate``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gymops.cli import context, output, progress
from gymops.clock import SystemClock
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.migrate.plan import Plan
    from gymops.migrate.report import Report

_EPILOG = """\b
Examples:
  gymops migrate workspace/ --plan
  gymops migrate workspace/
  gymops migrate gym.db --user alice --to postgresql://owner@db.example/app --yes
  gymops migrate gym.db --to env:DATABASE_URL --yes --json
  gymops migrate shop.sqlite --plan
  gymops migrate csv/ --plan

\b
--json prints one document with the keys source, target, users, events{source, written,
already_there, rejected}, tables{name: {source, written, rejected, verified}}, digest{source,
target}, verified, seconds{plan, copy, index, verify, total}, events_per_second, peak_rss_mb,
rejected_digest, notes, unknown_tables, unknown_columns, ignored.
With --plan: source, target, work, users[], events{}, tables{}, columns{}, event_types{},
time_span{}, bytes, notes{}, problems[], unknown_tables[], unknown_columns[], ignored[],
pending_revisions[]; exit 3 if there is work, 0 if not.

\b
For tables that are no event log: source, target, rows{source, written, already_there, rejected},
tables{name: {target, source, written, rejected, rules, digest, verified}}, views{}, left_out[],
unchecked[], digest{source, target}, verified, first_difference, seconds{}, rows_per_second,
peak_rss_mb, rejected_digest (and its --plan: source, target, work, bytes, rows, tables{name: {target,
source, rejected, columns[], rules[], notes[]}}, views{}, left_out[], rejected, problems[], digest)"""


@click.command("migrate", epilog=_EPILOG)
@click.argument("source", metavar="SOURCE")
@click.option("--to", metavar="URL", help="PostgreSQL 14+ URL or env:NAME (default: the embedded server).")
@click.option("--user", default="default", show_default=True, help="Whose events a single file holds.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done and stop.")
@click.option(
    "--on-bad-event",
    type=click.Choice(["stop", "quarantine"]),
    default="stop",
    show_default=True,
    help="Rows the target cannot hold: stop before writing, or keep them verbatim (rejected_events,"
    " gymops_records.rejected_rows).",
)
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="For tables that are no event log: also write their schema as an Alembic revision.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; never asks.")
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    to: str | None,
    user: str,
    plan_only: bool,
    on_bad_event: str,
    baseline: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Move SQLite event logs, or any tables, to PostgreSQL and prove that everything arrived.

    SOURCE is one SQLite file, or a directory with one folder per user (DIR/USER/NAME.db). It is opened
    read-only and never changed; the app may go on writing. Interrupted at any point, the same command
    goes on where it stopped; run again when done, there is nothing to do.

    A file that is no event log has its tables moved as they are, in one transaction: with keys, indexes,
    checks and views, types by declaration and values; each decision is in --plan. So are the CSV files of
    a directory: types by their values, keys and references where they hold.
    """
    from gymops.migrate import run

    settings = context.settings(ctx)
    if context.holds_tables(settings, source):
        from gymops.cli import migrate_tables

        quarantine = on_bad_event == "quarantine"
        ctx.exit(
            migrate_tables.move(
                settings,
                source,
                to,
                plan_only=plan_only,
                quarantine=quarantine,
                baseline=baseline,
                yes=yes,
                as_json=as_json,
            )
        )
    if baseline:
        raise ConfigError(
            f"{source}: an event log has the schema of gymops itself, and no --baseline",
            hint="gymops schema history shows its revisions",
        )
    with closing(context.open_source(settings, source, user)) as log:
        url = context.target_url(settings, to)
        with progress.observer() as observer:
            if plan_only:
                plan = run.plan(log, url, observer)
            else:
                report = run.run(
                    log,
                    url,
                    options=run.Options(quarantine=on_bad_event == "quarantine"),
                    confirm=lambda plan: _agree(plan, observer, yes=yes or as_json, quiet=as_json),
                    clock=SystemClock(),
                    observer=observer,
                )
    if plan_only:
        output.document(plan.as_dict()) if as_json else _show_plan(plan)
        ctx.exit(3 if plan.work else 0)
    output.document(report.as_dict()) if as_json else _show_report(report)
    if not report.proof.equal:
        ctx.exit(3)


def _agree(plan: Plan, observer: progress.Lines | progress.Bars, *, yes: bool, quiet: bool) -> bool:
    if quiet or yes:
        return True
    if isinstance(observer, progress.Bars):
        observer.pause()
    _show_plan(plan, out=output.note)
    agreed = output.confirm("Go on?", yes=yes)
    if isinstance(observer, progress.Bars):
        observer.resume()
    return agreed


def _show_plan(plan: Plan, out: output.Printer = output.text) -> None:
    out(f"source   {plan.source} ({plan.bytes / 1e6:,.1f} MB, {len(plan.users):,} users)")
    out(f"target   {plan.target}")
    out(
        f"events   {plan.events:,} from {plan.first or '-'} to {plan.last or '-'}:"
        f" {plan.to_write:,} to write, {plan.already_there:,} there already"
    )
    out(f"columns  {', '.join(f'{source} -> {name}' for name, source in plan.columns.items())}")
    if plan.event_types:
        out(f"types    {', '.join(f'{name} {count:,}' for name, count in plan.event_types.items())}")
    for name, table in plan.tables.items():
        rejected = f", {table.rejected:,} rejected" if table.rejected else ""
        out(f"table    {name}: {table.rows:,} rows, {table.to_write:,} to write{rejected}")
    for revision in plan.pending_revisions:
        out(f"schema   revision {revision} is to be applied")
    for user in plan.users[:10]:
        out(f"user     {user.user_id}: {user.events:,} events in {user.file} ({user.shape})")
    if len(plan.users) > 10:
        out(f"user     and {len(plan.users) - 10:,} more")
    _show_notes(plan, out)
    for problem in plan.problems:
        out(f"problem  {problem}")
    if plan.rejected > len(plan.problems):
        out(f"problem  and {plan.rejected - len(plan.problems):,} more")
    if plan.unfinished:
        out("work     an earlier run has not ended; this one goes on from there")
    elif not plan.work:
        out("work     nothing to do")


def _show_notes(plan: Plan, out: output.Printer) -> None:
    for note, count in plan.notes.items():
        out(f"note     {count:,} x {note}")
    for name in plan.unknown_columns:
        out(f"note     column {name} has no place of its own: kept in the side column extra")
    for name in plan.unknown_tables:
        out(f"note     table {name} is not known: left in the source, not moved")
    for name in plan.ignored:
        out(f"note     {name}: left alone")


def _show_report(report: Report) -> None:
    plan, proof, seconds = report.plan, report.proof, report.seconds
    text = output.text
    text(f"source   {plan.source}")
    text(f"target   {plan.target}")
    written = f"{report.written:,} written, {plan.already_there:,} there already"
    text(f"events   {plan.events:,} in the source, {written}")
    if plan.rejected:
        text(f"rejected {plan.rejected:,} rows kept verbatim in rejected_events")
    for name, table in report.tables.items():
        text(f"table    {name}: {table.source:,} rows, {'equal' if table.verified else 'DIFFERENT'}")
    _show_notes(plan, text)
    text(f"digest   {proof.source.head} source")
    text(f"         {proof.target.head} target")
    rate = f", {report.written / max(seconds.copy, 1e-9):,.0f} events/s copied" if report.written else ""
    text(
        f"time     {seconds.total:.1f} s: plan {seconds.plan:.1f}, copy {seconds.copy:.1f},"
        f" index {seconds.index:.1f}, verify {seconds.verify:.1f}{rate}"
    )
    if proof.equal:
        nothing = "" if plan.work else "; there was nothing to do"
        text(f"VERIFIED: source and target hold the same {plan.events:,} events{nothing}")
        return
    first = proof.first_difference
    described = first if isinstance(first, str) or first is None else first.describe("source", "target")
    text(f"DIFFERENT: {described}")
    output.note("hint:  compare in full with `gymops verify SOURCE TARGET`")
