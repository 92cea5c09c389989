"""``gymops demo``."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import sys
import textwrap
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gymops.cli import context, output, progress
from gymops.clock import SystemClock
from gymops.config import Settings
from gymops.errors import Unverified

if TYPE_CHECKING:
    from gymops.eventlog.compare import Comparison, Difference
    from gymops.eventlog.sample import Nudge
    from gymops.migrate.report import Report

USERS, EVENTS, SEED = 5, 25_000, 2026

_EPILOG = """\b
Examples:
  gymops demo
  gymops demo --json
  gymops --home /var/tmp/trial demo

\b
--json prints one document with the keys workspace, made (false when it was there already),
postgres, migration (the document of `gymops migrate --json`), nudge{user, event_id, position,
before, after, workspace}, nudged (the document of `gymops verify --json`), next[commands].
Exit 0 when all was proved and the changed weight was found, 3 when source and target differ."""


@dataclass(frozen=True)
class Story:
    """What happened, for the report."""

    workspace: Path
    made: bool
    postgres: str
    report: Report
    changed: Path
    user: str
    nudge: Nudge
    comparison: Comparison
    first: Difference
    next: tuple[tuple[str, str], ...]


@click.command("demo", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Move a sample event log into a real PostgreSQL, prove it, and show that the proof can fail.

    Writes a workspace of 5 users under the local data (./.gymops/demo), starts the embedded PostgreSQL,
    and does what `gymops migrate` does. Then it changes one weight by a hair in a copy of the workspace
    and compares again. It asks nothing, takes seconds, and can be run again. The server is left running.
    """
    # The sample has the app's own shape, whatever gymops.toml says about other databases.
    settings = dataclasses.replace(context.settings(ctx), mapping=None)
    url = context.target_url(settings, None)
    with progress.observer() as observer:
        workspace, made = _workspace(settings, observer)
        report = _migrate(settings, workspace, url, observer)
        if not report.proof.equal:
            output.document(report.as_dict()) if as_json else _differs(report)
            ctx.exit(3)
        story = _fail_on_purpose(ctx, settings, workspace, made, url, report, observer)
    output.document(_as_dict(story)) if as_json else _show(story)


def _workspace(settings: Settings, observer: progress.Lines | progress.Bars) -> tuple[Path, bool]:
    """The sample workspace, and whether it was made just now."""
    from gymops.eventlog import sample

    folder = settings.home / "demo" / "workspace"
    if folder.is_dir():
        return folder, False
    observer.phase("writing a sample workspace", None)
    sample.write_workspace(folder, users=USERS, events=EVENTS, seed=SEED)
    return folder, True


def _migrate(
    settings: Settings, workspace: Path, url: str, observer: progress.Lines | progress.Bars
) -> Report:
    from gymops.migrate import run

    with closing(context.open_source(settings, str(workspace), "default")) as source:
        return run.run(
            source,
            url,
            options=run.Options(),
            confirm=lambda _: True,
            clock=SystemClock(),
            observer=observer,
        )


def _fail_on_purpose(
    ctx: click.Context,
    settings: Settings,
    workspace: Path,
    made: bool,
    url: str,
    report: Report,
    observer: progress.Lines | progress.Bars,
) -> Story:
    """Compare PostgreSQL with a copy of the workspace in which one weight is another.

    Raises:
        Unverified: the comparison did not find exactly that weight.
    """
    from gymops.eventlog import sample
    from gymops.eventlog.compare import compare

    changed = workspace.with_name("one-weight-changed")
    users = report.plan.users
    _copy(workspace, changed)
    user = users[len(users) // 2].user_id
    nudge = sample.nudge_weight(changed / user / sample.FILE)
    names = [user.user_id for user in users]
    with (
        closing(context.open_source(settings, str(changed), "default")) as a,
        closing(context.open_users(url, names)) as b,
    ):
        observer.phase("comparing a copy with one weight changed", None)
        comparison = compare(a, b, observer.advance)
    first = comparison.differences.first
    if first is None or (first.user_id, first.event_id, first.position) != (
        user, nudge.event_id, nudge.position,
    ):  # fmt: skip
        raise Unverified(
            f"one weight was changed in {changed}, and the comparison did not name it",
            hint="this should never happen; please report it",
        )
    return Story(
        workspace, made, _postgres(settings), report, changed, user, nudge, comparison, first,
        tuple(_next(ctx, settings, workspace, changed)),
    )  # fmt: skip


def _copy(workspace: Path, to: Path) -> None:
    """File by file, each replaced in one step: another demo may be reading what is there."""
    for file in sorted(workspace.glob("*/*.db")):
        place = to / file.parent.name / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name(f".{os.getpid()}-{place.name}")
        shutil.copyfile(file, new)
        new.replace(place)


def _postgres(settings: Settings) -> str:
    from gymops.pg import embedded

    return embedded.status(embedded.open_server(settings.home, settings.postgres_bin)).version or "?"


def _next(ctx: click.Context, settings: Settings, workspace: Path, changed: Path) -> list[tuple[str, str]]:
    """What to try next: each command as it can be typed here, and what it shows."""
    flags = [part for name, value in (ctx.find_root().obj or {}).items() if value
             for part in (f"--{name}", str(value))]  # fmt: skip
    # gymops.toml may give the name env:local to another server.
    local = "env:local" if "local" not in settings.databases else context.target_url(settings, None)
    count = "select user_id, count(*) from events group by 1 order by 1"
    commands = (
        (("migrate", workspace, "--plan"), "there is nothing left to do"),
        (("verify", workspace, local), "compare both sides again"),
        (("verify", changed, local), "the changed weight again; exits 3"),
        (("db", "shell", "--", "-c", count), "look for yourself"),
        (("db", "stop"), "everything stays where it is"),
    )
    program = shlex.join([_program(), *flags])
    return [(f"{program} {shlex.join(str(word) for word in words)}", why) for words, why in commands]


def _program() -> str:
    """How to call gymops here: by its name where a shell would find this one, else by its path."""
    invoked = Path(sys.argv[0])
    script = invoked if invoked.name == "gymops" else Path(sys.executable).with_name("gymops")
    found = shutil.which("gymops")
    if not script.is_file() or (found and Path(found).resolve() == script.resolve()):
        return "gymops"
    return str(script)


def _as_dict(story: Story) -> dict[str, Any]:
    from gymops.cli import verify

    return {
        "workspace": str(story.workspace),
        "made": story.made,
        "postgres": story.postgres,
        "migration": story.report.as_dict(),
        "nudge": {"user": story.user, **vars(story.nudge), "workspace": str(story.changed)},
        "nudged": verify.as_dict(story.comparison),
        "next": [typed for typed, _ in story.next],
    }


def _differs(report: Report) -> None:
    first = report.proof.first_difference
    described = first if isinstance(first, str) or first is None else first.describe("source", "target")
    output.text(f"DIFFERENT: {described}")
    output.note(f"hint:  compare in full with `gymops verify {report.plan.source} env:local`")


def _show(story: Story) -> None:
    text, report = output.text, story.report
    plan, seconds = report.plan, report.seconds
    text("gymops demo: event logs move from SQLite to PostgreSQL, with proof")
    text()
    text(f"1  A workspace of the workout tracker{'' if story.made else ' (made by an earlier run)'}")
    text(f"   {len(plan.users)} users, {plan.events:,} events, {plan.bytes / 1e6:.1f} MB of SQLite"
         f" in {story.workspace}")  # fmt: skip
    text()
    text("2  A real PostgreSQL")
    text(f"   version {story.postgres}, private to this folder, no network port, no password")
    text()
    text("3  The move")
    rows = sum(table.source for table in report.tables.values())
    if report.written:
        copying = seconds.copy + seconds.index
        text(
            f"   {report.written:,} events and {rows:,} rows of other tables copied in {copying:.1f} s,"
            f" {report.written / max(copying, 1e-9):,.0f} events/s"
        )
    else:
        text(f"   nothing to do: {plan.already_there:,} events and {rows:,} rows of other tables are there")
    text("   Each side is read and hashed on its own; equal digests mean equal logs:")
    text(f"   SQLite      {report.proof.source.head}")
    text(f"   PostgreSQL  {report.proof.target.head}")
    text(f"   VERIFIED: the same events, in the same order, for every user ({seconds.total:.1f} s in all)")
    text()
    _show_failure(story)
    text()
    text("Try next")
    for typed, why in story.next:
        text(f"   # {why}")
        text(f"   {typed}")


def _show_failure(story: Story) -> None:
    text, first, nudge = output.text, story.first, story.nudge
    text("4  Can the proof fail? One weight is changed by a hair in a copy of the workspace")
    text(f"   {nudge.before} becomes {nudge.after} in {story.changed}")
    text(f"   copy        {story.comparison.a.head}")
    text(f"   PostgreSQL  {story.comparison.b.head}")
    text("   DIFFERENT, and the comparison names the event:")
    text(f"   user        {first.user_id}")
    text(f"   event       {first.event_id}, position {first.position:,}")
    text(f"   column      {first.column}")
    for name, value in (("copy", first.a), ("PostgreSQL", first.b)):
        lines = textwrap.wrap(str(value), width=76, break_long_words=False, break_on_hyphens=False)
        for at, line in enumerate(lines):
            text(f"   {name if at == 0 else '':<11} {line}")
