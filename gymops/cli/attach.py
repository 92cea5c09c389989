"""``gymops attach``: follow what runs in an environment, or give it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gymops.cli import context, managed, output, sites

if TYPE_CHECKING:
    from gymops.config import Settings
    from gymops.deploy.verbs.site import Site

_EPILOG = """\b
--json: the operation that ended well: {"id", "number", "environment", "request", "steps", "outcome", ...}, or
null where nothing is unfinished; with --abandon the release's record as of `gymops deploy --json`.

\b
Examples:
  gymops attach prod
  gymops attach prod --abandon op-00000007-1f2e3d4c

\b
Exit codes: as of the operation that is followed (0, 1, 2, 4, 5, 6, 130); 0 nothing is unfinished, or it was
given up; 4 it cannot be given up now: a stack moves, or two databases change names; 7 somebody is at it;
8 Ctrl-C, or unfinished and nobody works on it."""


@click.command("attach", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--abandon", metavar="OPERATION", help="Give this unfinished operation up; recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, abandon: str | None, as_json: bool) -> None:
    """Follow the release that somebody is at, step by step, and exit as it does.

    If nobody is, a stack that still moves is waited for, and the command is named that goes on with what is
    unfinished. Giving it up undoes nothing: what it did stays done, and it is never returned to.
    """
    from gymops.deploy.verbs import attach

    site = sites.site(context.settings(ctx), environment, yes=False)
    if abandon:
        _need_names(context.settings(ctx), site)
        gone = attach.abandon(site, abandon, sites.owner())
        if as_json:
            output.document(gone.as_dict())
            return
        output.text(f"{environment}: {abandon} {gone.outcome}, recorded as release {gone.number}")
        output.text(f"what it did stays done: gymops status {environment}")
        return
    done = attach.attach(site)
    if as_json:
        output.document(done.as_dict() if done else None)
    elif done is None:
        output.text(f"{environment}: nothing is unfinished")
    else:
        output.text(f"{environment}: {done.request.verb} ({done.id}) {done.outcome}")


def _need_names(settings: Settings, site: Site) -> None:
    """A restore's switch is given up only while each database has its own name."""
    from gymops.deploy.verbs import switch

    if (found := switch.begun(site)) is not None:
        from gymops.backup.managed.switching import Change, need_names
        from gymops.store.records import read

        databases = managed.backups(settings, site.deployment.name).aws.databases
        need_names(databases, site.deployment.name, read(Change, found))
