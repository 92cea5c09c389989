"""``gymops restore``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from gymops.cli import context, items, managed, output, restore_managed, restore_own, restoring, vaults
from gymops.clock import SystemClock
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.backup.restored import Restoration

_AGO = re.compile(r"(\d{1,6}) (second|minute|hour|day|week)s? ago")
_EPILOG = """\b
Examples:
  gymops restore local --to restored              # the latest time
  gymops restore prod --at 2026-11-21T02:59:59Z --to before-it
  gymops restore local --at "10 minutes ago" --plan
  gymops restore local --from 20261121T030000Z-1a2b3c4d --switch --yes

\b
TIME: ISO 8601, UTC where it names no zone, or "10 minutes ago". What was committed by then comes back.
A time that no backup covers is refused (4), with the nearest one that can be restored.

\b
--json: {"id", "environment", "recovery_point", "restored_to", "to", "url", "result": "passed", "failed" or
"could not verify", "seal", "expected", "restored", "digest", "lost_events", "phases", "began", "ended",
"message", "switched": the seal it goes on with, or null, "kept": what a database that was named by a URL is
called since, or null}; of tables "items" {"expected", "restored"}; of RDS also "release", as of
`gymops deploy`, with "restore" {"kept", "seal", "events", "digest", ...}; with --plan the plan, exit 0.
Exit 1: something sealed did not come back as it was, or nobody can tell, as of tables at a TIME around which
nothing was recorded; 5: --switch failed, and what ran before runs again; 6: nor could that be put back; 7, 8:
of RDS, as of `gymops deploy`."""


@click.command("restore", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--at", metavar="TIME", help="As it was then (default: the latest time there is).")
@click.option("--from", "point", metavar="ID", help="This recovery point, as it is; with --at, on from it.")
@click.option("--to", metavar="NEW", help="A folder that is not there yet, or a name for an RDS instance.")
@click.option("--switch", is_flag=True, help="Then put it in the place of the environment's own server.")
@click.option("--plan", "plan_only", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before --switch.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context, environment: str, at: str | None, point: str | None, to: str | None, switch: bool,
    plan_only: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Bring an environment's PostgreSQL, or its tables and buckets, back as they were, beside what runs.

    Never over a running database: it comes up in a folder of its own, apart from everything, and is held to
    what was sealed. --switch then lets the two change places; the one before is kept. Where a URL names the
    database, what is restored is loaded beside it on its server, and the two change names. Tables and buckets
    come up as NEW-NAME.
    """
    from gymops.backup.port import Wanted
    from gymops.store.records import plain

    settings = context.settings(ctx)
    wanted = Wanted(at=_moment(at, SystemClock().now()) if at else None, point=point, to=to)
    if own := items.backups(settings, environment):
        if switch:
            raise ConfigError(
                "--switch knows only databases: the app knows its tables by their names",
                hint=f"gymops restore {environment} without it; then copy from one table to the other",
            )
        ctx.exit(items.restore(own, wanted, plan_only=plan_only, as_json=as_json))
    if managed.is_managed(settings, environment):
        ctx.exit(
            restore_managed.restore(
                settings, environment, wanted, to_switch=switch, plan_only=plan_only, yes=yes, as_json=as_json
            )
        )
    vault = vaults.vault(settings, environment)
    restores = restoring.restores(settings, environment, vault)
    begun = restore_own.go_on(settings, restores, vault, wanted, to_switch=switch) if not plan_only else None
    if begun:
        ctx.exit(_shown(*begun, as_json=as_json))
    if point is None:
        restoring.receive(settings, environment, vault)
    plan = restores.plan(wanted)
    restoring.show_plan(plan)
    question = restore_own.may_switch(settings, restores, plan) if switch else None
    if plan_only:
        if as_json:
            output.document(plain(plan))
        return
    if question and not output.confirm(question, yes=yes):
        ctx.exit(1)
    done, url = restore_own.restore(settings, restores, plan, vault, to_switch=switch)
    ctx.exit(_shown(done, url, as_json=as_json))


def _moment(text: str, now: datetime) -> datetime:
    if found := _AGO.fullmatch(text.strip()):
        return now - timedelta(**{f"{found[2]}s": int(found[1])})
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"--at {text!r} is no time", hint='2026-11-21T02:59:59Z, or "10 minutes ago"'
        ) from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _shown(done: Restoration, url: str | None, *, as_json: bool) -> int:
    """Show what came of it; the exit code."""
    if as_json:
        from gymops.store.records import plain

        output.document({**plain(done), "url": url})
    else:
        _show(done, url)
    return 0 if done.result.value == "passed" else 1


def _show(done: Restoration, url: str | None) -> None:
    text = output.text
    restoring.show(done)
    if done.switched is not None:
        before = f"is the database {done.kept}" if done.kept else f"is in {done.to}"
        text(f"switched {done.environment} runs on it (seal {done.switched}); the one before {before}")
        why = "that seals what came since" if done.kept else "until then nothing later can be restored"
        output.note(f"next: gymops backup {done.environment}  # {why}")
        if done.kept:
            output.note(f"{done.to}, stopped, has it once more: remove it when nobody wants to look at it")
        return
    text(f"in       {done.to}, running: {url}")
    output.note(f"next: gymops --home {done.to} db stop ends it")
