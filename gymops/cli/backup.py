"""``gymops backup``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gymops.cli import context, items, managed, output, vaults
from gymops.clock import SystemClock

if TYPE_CHECKING:
    from gymops.backup.managed.backups import ManagedBackups
    from gymops.backup.take import Taken

_KEPT = "nothing old is deleted while the log is damaged"
_EPILOG = """\b
Examples:
  gymops backup local
  gymops backup local --tier continuous   # the WAL up to now: every minute, by cron
  gymops backup prod --tier weekly --json

\b
--json: {"environment", "tier", "recovery_point": {"id", "kind", "tier", "began", "ended", "size", "files",
"seal", "keep_until", ...} or null where only WAL was received, "seal": {"number", "events", "head", "taken",
"digest"} or null, "restorable_until", "pruned": {"points", "segments", "unclaimed"}, "notes", "damaged":
{"message", "hint"} or null}; of tables and buckets "seal" is null, and "recovery_point" has "items", "digest"
and "parts": [{"kind", "name", "backup", "items", "moving": what was written meanwhile, "digest"}].
Exit 0: it is in the catalogue, and its bytes were read back and hash as they were written. 1: it failed; or
the log is damaged: then the bytes are taken all the same, nothing is sealed, and it is no good backup."""


@click.command("backup", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--tier", metavar="TIER", help="For which tier; continuous receives WAL (default: daily).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, tier: str | None, as_json: bool) -> None:
    """Take a backup of an environment: its PostgreSQL, or its tables and buckets.

    What the event log holds is sealed first, so that a restore can be held to it; then the whole server and
    its WAL are copied. A server that only SQL reaches is dumped. What is stored is compressed, encrypted and
    read back; what tiers let go of is deleted, but never the last good one. `local` is the embedded server.
    Of an environment that is deployed AWS Backup takes it, or RDS; of tables and buckets each item is looked
    at before and after.
    """
    settings = context.settings(ctx)
    if managed.is_managed(settings, environment):
        if own := items.backups(settings, environment):
            items.take(own, tier, as_json=as_json)
            return
        ctx.exit(_by_aws(managed.backups(settings, environment), tier or "daily", as_json=as_json))
    from gymops.backup import runs, tiers

    vault, clock = vaults.vault(settings, environment), SystemClock()
    chosen = tiers.named(vaults.tiers(settings, environment), tier)
    with runs.watched(vault, chosen, clock, _Phases()):
        taker = vaults.taker(settings, environment, vault)
        taken = taker.take(taker.plan(chosen.name), clock.now(), _Phases())
    if as_json:
        output.document(_taken(environment, chosen.name, taken))
    else:
        _show(environment, taken)
    ctx.exit(1 if taken.damaged else 0)


def _by_aws(backups: ManagedBackups, tier: str, *, as_json: bool) -> int:
    """The exit code."""
    from gymops.backup.recovery_point import sealed_at
    from gymops.backup.tiers import CONTINUOUS
    from gymops.store.records import plain

    point = backups.take(tier, _Phases())
    seal = next(iter(backups.seals.back()), None)
    sealed = sealed_at(seal) if seal else None
    damaged = {"message": point.damaged, "hint": backups.way_back()} if point.damaged else None
    notes = [_KEPT] if damaged else []
    until = point.taken if point.tier == CONTINUOUS else None
    if as_json:
        output.document(
            {
                "environment": backups.environment,
                "tier": tier,
                "recovery_point": None if until else plain(point),
                "seal": plain(sealed),
                "restorable_until": plain(until),
                "pruned": None,
                "notes": notes,
                "damaged": damaged,
            }
        )
        return 1 if damaged else 0
    if not until:
        kept = f", kept until {point.keep_until:%Y-%m-%d}" if point.keep_until else ""
        output.text(f"{point.kind:<8} {point.id} ({point.tier}) in {point.where}{kept}")
    if damaged:
        _show_damage(point.damaged or "")
    elif sealed:
        output.text(f"sealed   {sealed.events:,} events, digest {sealed.head}")
    if until:
        output.text(f"until    {until:%Y-%m-%d %H:%M:%S} UTC every time can be restored")
    for note in notes:
        output.text(f"note     {note}")
    output.note(f"next: {damaged['hint'] if damaged else f'gymops restore-test {backups.environment}'}")
    return 1 if damaged else 0


def _show_damage(how: str) -> None:
    output.text(f"DAMAGED  the log: {how}")
    output.text("         nothing was sealed: the bytes are stored, and are no good backup")


class _Phases:
    """Names each phase as it begins."""

    def __init__(self) -> None:
        self._phase = ""

    def __call__(self, phase: str, how_far: str) -> None:
        if phase != self._phase:
            output.note(f"{phase} ..." if how_far.endswith("MB") else f"{phase}: {how_far} ...")
        self._phase = phase


def _taken(environment: str, tier: str, taken: Taken) -> dict[str, Any]:
    from gymops.store.records import plain

    pruned = taken.pruned
    return {
        "environment": environment,
        "tier": tier,
        "recovery_point": {**plain(taken.point), "size": taken.point.size} if taken.point else None,
        "seal": plain(taken.seal),
        "restorable_until": plain(taken.until),
        "pruned": pruned
        and {
            "points": [point.id for point in pruned.points],
            "segments": pruned.segments,
            "unclaimed": list(pruned.unclaimed),
        },
        "notes": list(taken.notes),
        "damaged": taken.damaged and {"message": taken.damaged.message, "hint": taken.damaged.hint},
    }


def _show(environment: str, taken: Taken) -> None:
    point, text = taken.point, output.text
    if point:
        until = f", kept until {point.keep_until:%Y-%m-%d}" if point.keep_until else ""
        text(f"{point.kind.value:<8} {point.id} ({point.tier}), {size(point.size)}{until}")
    if taken.damaged:
        _show_damage(taken.damaged.message)
    elif taken.seal:
        text(f"sealed   {taken.seal.events:,} events, digest {taken.seal.head}")
    if taken.until:
        text(f"until    {taken.until:%Y-%m-%d %H:%M:%S} UTC every time since the base backup can be restored")
    if taken.pruned and (taken.pruned.points or taken.pruned.segments):
        text(f"pruned   {len(taken.pruned.points)} recovery points, {taken.pruned.segments} segments of WAL")
    for note in taken.notes:
        text(f"note     {note}")
    if taken.damaged:
        output.note(f"next: {taken.damaged.hint}")
        return
    output.note(f"next: gymops restore-test {environment}")


def size(count: int) -> str:
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.1f} {units[0]}" if units[0] != "B" else f"{count} B"
