"""``gymops backups``: what can be restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gymops.cli import context, items, managed, output, vaults
from gymops.cli.backup import size

if TYPE_CHECKING:
    from datetime import datetime

    from gymops.backup.port import Listing, Point

_SHOWN = 5
_EPILOG = """\b
Examples:
  gymops backups local
  gymops backups staging   # deployed: what RDS and AWS Backup have, also in another region
  gymops backups prod --json | jq '.points[-1].id'

\b
--json: {"environment", "points": [{"id", "kind", "tier", "taken", "size", "encrypted", "locked", "where",
"ready", "keep_until", "seal": {"number", "events", "head", "taken", "digest"} or null, "verified",
"damaged": how the log was damaged when it was taken, or null}],
"windows": [{"source", "id", "earliest", "latest", "gone", "aside"}]: between these every time can be
restored, "silent": {where nobody could look: why}, "failed": what was begun since the newest good point and
came to none: [{"tier", "began", "ended", "state", "message", ...}]}"""


@click.command("backups", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> None:
    """List what can be restored: recovery points, and the times in between."""
    from gymops.backup import runs
    from gymops.backup.listing import listing as look
    from gymops.store.records import plain

    settings = context.settings(ctx)
    own = items.backups(settings, environment)
    if own:
        found = own.listing()
        failed = list(runs.runs(own.vault, since=_good(found)))
    elif managed.is_managed(settings, environment):
        backups = managed.backups(settings, environment)
        found = backups.listing()
        failed = list(runs.runs(backups, since=_good(found)))
    else:
        vault = vaults.vault(settings, environment)
        found = look(vault)
        failed = list(runs.runs(vault, since=_good(found)))
    if as_json:
        output.document({"environment": environment, **plain(found), "failed": plain(failed)})
        return
    _list(environment, found, "items" if own else "events")
    for job in failed[-_SHOWN:]:
        output.text(f"{job.state.value}: {job.tier}, {job.began:%Y-%m-%d %H:%M:%S} UTC: {job.message}")
    if len(failed) > _SHOWN:
        output.note(f"and {len(failed) - _SHOWN} before them: --json has them all")


def _good(found: Listing) -> datetime | None:
    """When the newest good one was taken."""
    good = [point.taken for point in found.points if point.ready and point.damaged is None]
    return max(good, default=None)


def _list(environment: str, found: Listing, what: str) -> None:
    if not found.points:
        output.text(f"no backups of {environment} yet: gymops backup {environment}")
        return
    headers = ("id", "kind", "tier", "taken (UTC)", "size", what, "kept until", "verified")
    output.table([_row(point) for point in found.points], headers)
    for window in found.windows:
        gone = f", set aside as {window.source}" if window.aside else ", deleted since" if window.gone else ""
        output.text(
            f"any time from {window.earliest:%Y-%m-%d %H:%M:%S} to {window.latest:%Y-%m-%d %H:%M:%S} UTC"
            f" ({'tables' if what == 'items' else 'server'} {window.id}{gone})"
        )
    for where, why in found.silent.items():
        output.note(f"{where}: {why}")


def _row(point: Point) -> tuple[str, ...]:
    return (
        point.id if point.ready else f"{point.id} (NOT READY)",
        point.kind,
        point.tier or "",
        f"{point.taken:%Y-%m-%d %H:%M:%S}",
        size(point.size) if point.size is not None else "",
        "log DAMAGED" if point.damaged else f"{point.seal.events:,}" if point.seal else "not sealed",
        f"{point.keep_until:%Y-%m-%d}" if point.keep_until else "",
        f"{point.verified:%Y-%m-%d}" if point.verified else "never",
    )
