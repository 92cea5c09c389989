"""``gymops migrate`` for tables that are no event log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gymops.cli import context, output, progress
from gymops.clock import SystemClock
from gymops.config import Settings

if TYPE_CHECKING:
    from gymops.tables.plan import ColumnPlan, Plan
    from gymops.tables.run import Report

_KIND_TABLES = "no event log: its tables are moved as they are ([migrate.events] in gymops.toml names one)"
_KIND_FILES = "CSV files: a table each, read twice, by two parsers that agree"


def move(
    settings: Settings,
    source: str,
    to: str | None,
    *,
    plan_only: bool,
    quarantine: bool,
    baseline: Path | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Move them, or show what would be done; return the exit code."""
    from gymops.tables import run

    url = context.target_url(settings, to)
    with progress.observer() as observer:
        if plan_only:
            found = run.plan(Path(source), url, settings.tables, observer)
        else:
            report = run.run(
                Path(source),
                url,
                settings.tables,
                quarantine=quarantine,
                confirm=lambda plan: _agree(plan, observer, agreed=yes or as_json),
                clock=SystemClock(),
                observer=observer,
            )
    if baseline:
        _write(baseline, found if plan_only else report.plan)
    if plan_only:
        output.document(found.as_dict()) if as_json else _show_plan(found)
        return 3 if found.work else 0
    output.document(report.as_dict()) if as_json else _show_report(report)
    return 0


def verify(settings: Settings, source: str, place: str, *, as_json: bool) -> int:
    """Compare them with those of a database; return the exit code."""
    from gymops.tables import run

    local = place == "env:local" and "local" not in settings.databases
    url = context.target_url(settings, None if local else place)
    with progress.observer() as observer:
        plan, proof, apart = run.verify(Path(source), url, settings.tables, observer)
    source_digest, target_digest = proof.digests
    if as_json:
        output.document(
            {
                "source": plan.source,
                "target": plan.target,
                "equal": proof.equal,
                "first_difference": proof.first_difference,
                "tables": {
                    table.source.name: {
                        "target": table.name,
                        "source": proof.source[table.name].rows,
                        "missing": apart[table.name].missing if table.name in apart else 0,
                        "extra": apart[table.name].extra if table.name in apart else 0,
                        "first": apart[table.name].first if table.name in apart else None,
                        "equal": proof.source[table.name] == proof.target[table.name],
                    }
                    for table in plan.tables
                },
                "not_as_planned": list(proof.missing),
                "digest": {"source": source_digest, "target": target_digest},
            }
        )
        return 0 if proof.equal else 3
    output.text(f"A        {plan.source}, digest {source_digest}")
    output.text(f"B        {plan.target}, digest {target_digest}")
    for table in plan.tables:
        said = f"DIFFERENT: {apart[table.name]}" if table.name in apart else "equal"
        output.text(
            f"table    {table.source.name} -> {table.name}: {proof.source[table.name].rows:,} rows, {said}"
        )
    for what in proof.missing:
        output.text(f"schema   {what}")
    equal = "EQUAL: both hold the same rows, with the same keys and rules"
    output.text(equal if proof.equal else f"DIFFERENT: {proof.first_difference}")
    return 0 if proof.equal else 3


def _write(file: Path, plan: Plan) -> None:
    """Write the schema of a plan as an Alembic revision, where there is no such file yet."""
    from gymops.cli import init
    from gymops.tables import baseline

    output.note(f"wrote {init.put(file, baseline.revision(plan))}; alembic stamp baseline")


def _agree(plan: Plan, observer: progress.Lines | progress.Bars, *, agreed: bool) -> bool:
    if agreed:
        return True
    if isinstance(observer, progress.Bars):
        observer.pause()
    _show_plan(plan, out=output.note)
    answer = output.confirm("Go on?", yes=False)
    if isinstance(observer, progress.Bars):
        observer.resume()
    return answer


def _show_plan(plan: Plan, out: output.Printer = output.text) -> None:
    from gymops.tables.plan import NO_LENGTH

    out(
        f"source   {plan.source} ({plan.bytes / 1e6:,.1f} MB,"
        f" {len(plan.tables):,} tables, {plan.rows:,} rows)"
    )
    out(f"target   {plan.target}")
    out(f"kind     {_KIND_FILES if Path(plan.source).is_dir() else _KIND_TABLES}")
    for table in plan.tables:
        rejected = len(table.scanned.rejected)
        said = f", {rejected:,} rejected" if rejected else ""
        out(f"table    {table.source.name} -> {table.name}: {table.rows:,} rows{said}")
        width = max(len(_from(column)) for column in table.columns)
        kinds = max(len(_to(column)) for column in table.columns)
        for column in table.columns:
            out(f"           {_from(column):<{width}}  ->  {_to(column):<{kinds}}  {_why(column)}".rstrip())
            for note in column.notes:
                out(f"           {'':<{width}}      note: {note}")
        for rule in table.rules:
            out(f"  {rule.what:>18}  {rule.name} {_unquoted(rule.definitions[0])}")
        for note in table.notes:
            out(f"{'note':>20}  {note}")
    for view in plan.views:
        out(f"view     {view.source} -> {view.name}")
    if lengths := sum(column.why.endswith(NO_LENGTH) for table in plan.tables for column in table.columns):
        out(f"note     {lengths:,} columns declare {NO_LENGTH}: they are text without one")
    _show_left_out(plan, out)
    for problem in plan.problems:
        out(f"problem  {problem}")
    if plan.rejected.rows > len(plan.problems):
        out(f"problem  and {plan.rejected.rows - len(plan.problems):,} more")
    if not plan.work:
        out("work     nothing to write: the tables are there; without --plan they are proved")


def _why(column: ColumnPlan) -> str:
    """The reason, without what stands beside it already, or once at the end."""
    from gymops.tables.plan import NO_LENGTH

    declared = f"declared {' '.join(column.source.declared.upper().split())}"
    return column.why.removesuffix(f", {NO_LENGTH}").removeprefix(declared).lstrip(",; ")


def _unquoted(definition: str) -> str:
    """SQL for people: names that would do without their quotes."""
    return re.sub(r'"([a-z_][a-z0-9_]*)"', r"\1", definition)


def _from(column: ColumnPlan) -> str:
    return f"{column.source.name} {column.source.declared}".rstrip()


def _to(column: ColumnPlan) -> str:
    words = [column.name, column.kind.sql]
    if column.not_null:
        words.append("not null")
    if column.identity:
        words.append("identity")
    if column.generated:
        words.append(f"generated ({_unquoted(column.generated[0])})")
    elif column.default is not None:
        words.append(f"default {column.default}")
    return " ".join(words)


def _show_left_out(plan: Plan, out: output.Printer) -> None:
    for one in plan.left_out:
        out(f"left out {one.what}: {one.why}")


def _show_report(report: Report) -> None:
    plan, proof, seconds = report.plan, report.proof, report.seconds
    text = output.text
    text(f"source   {plan.source}")
    text(f"target   {plan.target}")
    for table in plan.tables:
        content, rejected = proof.target[table.name], len(table.scanned.rejected)
        said = f", {rejected:,} rejected" if rejected else ""
        text(
            f"table    {table.source.name} -> {table.name}: {content.rows:,} rows,"
            f" {len(table.rules):,} keys and rules, equal{said}"
        )
    for name, (mine, theirs) in report.views.items():
        given = "which SQLite cannot read" if mine is None else f"{mine:,} in the source"
        text(
            f"view     {name}: {theirs:,} rows" + ("" if mine == theirs else f", {given}: look at its query")
        )
    for rule in report.unchecked:
        text(f"note     {rule}: rows that are there break it, so it is NOT VALID: it holds for new ones")
    _show_left_out(plan, text)
    if plan.rejected.rows:
        text(f"rejected {plan.rejected.rows:,} rows kept verbatim in gymops_records.rejected_rows")
    source, target = proof.digests
    text(f"digest   {source} source")
    text(f"         {target} target")
    text(
        f"time     {seconds.total:.1f} s: plan {seconds.plan:.1f}, copy {seconds.copy:.1f},"
        f" index {seconds.index:.1f}, verify {seconds.verify:.1f}"
    )
    rows = plan.rows - plan.rejected.rows
    nothing = "" if plan.work else "; there was nothing to do"
    text(f"VERIFIED: source and target hold the same {rows:,} rows in {len(plan.tables):,} tables{nothing}")
