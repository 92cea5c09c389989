"""``gymops audit``: whether every backup that should exist does."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gymops.cli import audits, context, output, vaults
from gymops.clock import SystemClock
from gymops.errors import GymopsError

if TYPE_CHECKING:
    from gymops.backup.audit import Audit

_EPILOG = """\b
Examples:
  gymops audit local
  gymops audit prod --html audit.html
  gymops audit prod --json | jq -r '.findings[] | [.kind, .tier, .when, .next] | @tsv'
  gymops audit local --cron | crontab -     # replaces the whole crontab

\b
--json: {"environment", "at", "ok", "expected", "taken", "success_rate": of the backups that should exist,
null while none is due, "newest": the latest time that can be restored,
"findings": [{"kind", "tier", "when", "what", "next": the next command, "point"}],
"tiers": [{"name", "schedule", "keep_seconds", "copy", "target": {"rpo_seconds", "rto_seconds"}, "expected",
"taken", "newest", "restore_test": {"began", "result", "recovery_point", "rpo_seconds", "rto_seconds",
"events", "digest", "message"} or null}],
"jobs": [{"tier", "due", "before", "mark", "began", "size", "points", "message"}]: one for each time a tier
was due; "mark" is good, late, failed, missing, skipped (the database was stopped) or open (it has time)}.
Kinds: missing, late, failed, skipped, too-small, unencrypted, unlocked, not-copied, beyond-retention,
short-of-retention, never-tested, tested-too-long-ago, test-failed, test-could-not-verify, rpo, rto,
log-damaged, not-backed-up-since-restore, entry-without-bytes, bytes-without-entry, seals, unseen (nobody
could look there); of tables and buckets not-covered, no-point-in-time, no-versions.
Exit 0: nothing was found; 3: something was."""


@click.command("audit", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with pictures.")
@click.option("--days", type=click.IntRange(1, 400), help="Look back so far (default: as each tier is kept).")
@click.option("--publish", is_flag=True, help="Send metrics to CloudWatch, and findings to the alert topic.")
@click.option("--cron", is_flag=True, help="Print cron lines that back up, audit and test by the tiers.")
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    as_json: bool,
    html: Path | None,
    days: int | None,
    publish: bool,
    cron: bool,
) -> None:
    """Hold an environment's backups to its tiers: what is missing, late, unproved, or not kept as it should.

    Each tier is looked at over the time it is kept, so what is found missing cannot be restored.
    """
    settings = context.settings(ctx)
    if cron:
        from gymops.backup.cron import lines

        program = shutil.which("gymops") or str(Path(sys.executable).with_name("gymops"))
        given = vaults.tiers(settings, environment)
        output.text("\n".join(lines(environment, given, Path.cwd(), program)))
        return
    place = audits.place(settings, environment)
    found = audits.audit(place, SystemClock().now(), days)
    if html:
        _write(html, found)
    if publish:
        place.publish(found)
    if as_json:
        from gymops.backup.document import as_dict

        output.document(as_dict(found))
    else:
        _show(found)
    ctx.exit(3 if found.findings else 0)


def _write(file: Path, found: Audit) -> None:
    from gymops.backup.page import page

    try:
        file.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise GymopsError(f"{file}: {error.strerror}", hint="name a file that can be written") from None
    output.note(f"wrote {file}")


def _show(found: Audit) -> None:
    from gymops.backup.page import grouped
    from gymops.backup.schedule import spelled

    rows = [
        (
            one.tier.name,
            one.tier.schedule.text if one.tier.schedule else "always",
            spelled(one.tier.keep),
            f"{one.taken} of {one.expected}" if one.tier.schedule else "",
            f"{one.newest:%Y-%m-%d %H:%M}" if one.newest else "none",
            f"{one.tested.began:%Y-%m-%d} {one.tested.result}" if one.tested else "never",
        )
        for one in found.standings
    ]
    output.table(rows, ("tier", "when (UTC)", "kept", "taken", "newest (UTC)", "restore-test"))
    output.text()
    for row in grouped(found.findings):
        one = row[0]
        times = f" ({len(row)} times since {row[-1].when:%Y-%m-%d})" if len(row) > 1 else ""
        output.text(
            f"{one.kind.value}: {one.tier + ', ' if one.tier else ''}{one.when:%Y-%m-%d %H:%M}{times}"
        )
        output.text(f"    {one.what}")
        output.text(f"    next: {one.next}")
    output.text(_verdict(found))


def _verdict(found: Audit) -> str:
    rate = "" if found.success_rate is None else f", {found.success_rate:.1%} of what was due was taken"
    count = len(found.findings)
    if not count:
        return f"OK: every backup of {found.environment} that should exist does{rate}"
    return f"{count} finding{'' if count == 1 else 's'} in the backups of {found.environment}{rate}"
