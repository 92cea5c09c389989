"""``gymops restore-test``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gymops.cli import context, items, managed, output, restore_managed, restoring, vaults
from gymops.clock import SystemClock
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gymops.backup.port import Wanted
    from gymops.backup.restore import Restores
    from gymops.backup.restore_test import How, Tested
    from gymops.backup.vault import Vault
    from gymops.config import Settings

_DRILLS = ("changed-row", "missing-event", "later-event", "damaged-page")
_EPILOG = """\b
Examples:
  gymops restore-test local                # the latest time that can be restored
  gymops restore-test prod --all --json    # and each tier's newest point
  gymops restore-test local --with-app
  gymops restore-test local --drill        # spoil the copy: the test must notice
  gymops restore-test prod --pending       # what AWS Backup's own plan restored
  gymops restore-test dev --tier continuous  # of tables: a moment that is waited for, some five minutes

\b
--json: {"result": "passed", "failed" or "could not verify", "tier", "recovery_point", "restored_to", "seal",
"events": {"expected", "restored"}, "digest": {"expected", "restored"}, "newer", "rpo_seconds", "rto_seconds",
"phases": {name: seconds}, "target": {"tier", "rpo_seconds", "rto_seconds", "met"}, "message", "hint",
"broken", "app", "tables": those that came back as they were, where there is no event log, "drill", "id",
"environment", "began", "ended", "gymops"}, of tables of DynamoDB also "items":
{"expected", "restored"}; with --all {"result", "tests":
[...]}; with --pending {"judged": [{"job", "instance", "point", "passed", "why"}]}. rto_seconds is from the
request until the digest was equal, rpo_seconds from the newest moment that is proved to the request.
Exit 0: passed. Exit 1: failed, or could not verify. With --drill, 0: it was found."""


@click.command("restore-test", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--tier", metavar="TIER", help="The newest point of a tier (default: the latest time).")
@click.option("--from", "point", metavar="ID", help="This recovery point.")
@click.option("--all", "every", is_flag=True, help="The latest time, and each tier's newest point.")
@click.option("--pending", is_flag=True, help="Only judge what AWS Backup's own plan restored, if it waits.")
@click.option("--with-app", is_flag=True, help="Run the app on what was restored, and read through it.")
@click.option(
    "--drill", type=click.Choice(_DRILLS), is_flag=False, flag_value="changed-row",
    help="Spoil what was restored, in this way; the test must fail (default: changed-row).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context, environment: str, tier: str | None, point: str | None, every: bool, pending: bool,
    with_app: bool, drill: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Restore a backup into an isolated place, prove that every sealed event is back, and clean up.

    Only what is stored is used: the server that was backed up may be gone. What it took and what it found is
    recorded and signed beside the backups.
    """
    from gymops.backup.port import Wanted

    if sum((tier is not None, point is not None, every, pending)) > 1 or (pending and (drill or with_app)):
        raise ConfigError(
            "--tier, --from, --all and --pending exclude each other", hint="gymops restore-test --help"
        )
    settings = context.settings(ctx)
    if pending:
        ctx.exit(0 if _pending(settings, environment, as_json=as_json) else 1)
    own = items.backups(settings, environment)
    if own:
        if with_app:
            raise ConfigError(
                f"--with-app knows only databases, and the data of {environment} are tables",
                hint=f"gymops restore-test {environment}",
            )
        tests = items.tests(own, None if every else [Wanted(tier=tier, point=point)], drill)
    elif managed.is_managed(settings, environment):
        asked = None if every else [Wanted(tier=tier, point=point)]
        tests = restore_managed.tests(settings, environment, asked, drill=drill, with_app=with_app)
    else:
        tests = _of_ours(settings, environment, tier, point, drill, every=every, with_app=with_app)
    found = []
    for tested in tests:
        found.append(tested)
        if not as_json:
            _show(tested, "items" if own else "events")
    good = all(_good(one) for one in found)
    if as_json:
        documents = [_document(one, items=own is not None) for one in found]
        worst = next((one for one in found if not one.passed), found[0])
        output.document({"result": worst.result.value, "tests": documents} if every else documents[0])
    ctx.exit(0 if good else 1)


def _document(tested: Tested, *, items: bool) -> dict[str, Any]:
    """As JSON has it; of tables the counts are of items."""
    from gymops.store.records import plain

    found: dict[str, Any] = plain(tested)
    if items:
        found["items"], found["events"] = found["events"], {"expected": None, "restored": None}
    return found


def _pending(settings: Settings, environment: str, *, as_json: bool) -> bool:
    from dataclasses import asdict

    if not managed.is_managed(settings, environment):
        raise ConfigError(
            f"{environment}: AWS Backup takes no backups of it", hint=f"gymops restore-test {environment}"
        )
    verdicts = restore_managed.pending(managed.backups(settings, environment))
    if as_json:
        output.document({"judged": [asdict(one) for one in verdicts]})
    elif not verdicts:
        output.text("nothing waits to be judged")
    return all(one.passed for one in verdicts)


def _of_ours(
    settings: Settings, environment: str, tier: str | None, point: str | None, drill: str | None, *,
    every: bool, with_app: bool,
) -> Iterator[Tested]:  # fmt: skip
    from gymops.backup.restore_test import Records, run

    vault = vaults.vault(settings, environment)
    restores = restoring.restores(settings, environment, vault)
    records = Records(vault.objects, environment, vault.keys)
    for wanted in _wanted(vault, tier, point, every=every):
        how = _how(settings, environment, vault, restores, drill, with_app=with_app)
        tested = run(restores, wanted, how, SystemClock(), restoring.Phases())
        records.add(tested)
        yield tested


def _wanted(vault: Vault, tier: str | None, point: str | None, *, every: bool) -> Sequence[Wanted]:
    from gymops.backup.port import Wanted
    from gymops.backup.tiers import CONTINUOUS

    if not every:
        return [Wanted(tier=tier, point=point)]
    names = dict.fromkeys(one.tier for one in vault.catalogue.points() if one.tier != CONTINUOUS)
    return [Wanted(), *(Wanted(tier=name) for name in names)]


def _how(
    settings: Settings, environment: str, vault: Vault, restores: Restores, drill: str | None, *,
    with_app: bool,
) -> How:  # fmt: skip
    from gymops.backup.drill import spoil
    from gymops.backup.port import Restored
    from gymops.backup.recovery_point import new_id
    from gymops.backup.restore_test import How
    from gymops.cli.restored_app import read

    clock = SystemClock()

    def spoiled(restored: Restored) -> str:
        return spoil(restores.server(restored), restored.url or "", drill or "", clock)

    return How(
        new_id(clock.now()), environment, vaults.tiers(settings, environment), vault.seals,
        spoil=spoiled if drill else None, app=read if with_app else None,
        tables=restores.tables, live=restoring.source(settings, environment),
    )  # fmt: skip


def _good(tested: Tested) -> bool:
    return tested.caught if tested.drill else tested.passed


def _show(tested: Tested, what: str) -> None:
    rows: list[tuple[str, Any]] = [("result", tested.result.value.upper())]
    if tested.message:
        rows.append(("because", tested.message))
    rows += [("", line) for line in tested.broken[1:]]
    if tested.drill:
        rows.append(("drill", f"{tested.drill}: {'found' if tested.caught else 'NOT FOUND'}"))
    rows.append(("point", tested.recovery_point or "none"))
    if tested.restored_to:
        rows.append(("as of", f"{tested.restored_to:%Y-%m-%d %H:%M:%S} UTC"))
    if tested.events.restored is not None:
        newer = f", and {tested.newer:,} newer" if tested.newer else ""
        sealed = "sealed" if what == "events" else "that must be there"
        rows.append((what, f"{tested.events.restored:,} of {tested.events.expected:,} {sealed}{newer}"))
        rows.append(("digest", tested.digest.restored))
    rows.append(("RPO", _held(tested.rpo_seconds, tested.target.rpo_seconds)))
    rows.append(("RTO", _held(tested.rto_seconds, tested.target.rto_seconds)))
    if tested.tables:
        rows.append(("tables", f"{tested.tables}, as they were"))
    if tested.app:
        rows.append(("app", tested.app))
    rows.append(("phases", ", ".join(f"{name} {seconds:.1f} s" for name, seconds in tested.phases.items())))
    for name, value in rows:
        output.text(f"{name:<8} {value}")
    if tested.hint:
        output.note(f"hint:  {tested.hint}")


def _held(seconds: float | None, most: float | None) -> str:
    if seconds is None:
        return "not known"
    if most is None:
        return f"{seconds:,.1f} s"
    return f"{seconds:,.1f} s of {most:,.0f} s{'' if seconds <= most else ': MISSED'}"
