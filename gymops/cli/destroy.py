"""``gymops destroy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gymops.cli import context, output, sites

if TYPE_CHECKING:
    from gymops.deploy.verbs.destroy import Destroyed
    from gymops.deploy.verbs.remains import Fate, Remains

_EPILOG = """\b
--json: {"environment", "operation": null if nothing was there, "snapshots": [names], "deleted": [stacks],
"release": the ledger's record or null, "kept": [{"stack", "region", "name", "kind", "id", "policy",
"named", "holds", "next": the command that makes way for a new one, or null}]}.

\b
Examples:
  gymops destroy staging --name staging
  gymops destroy prod --name prod --yes --json

\b
Exit codes: 0 gone, or nothing was there; 1 a stack was not deleted; 4 a gate refused; 7 somebody else
works there; 8 detached, it goes on; 130 you said no."""


@click.command("destroy", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--name", metavar="ENV", help="The environment again: needed where data is inside.")
@click.option("--yes", is_flag=True, help="Answer the question with yes; no answer where data is inside.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, name: str | None, yes: bool, as_json: bool) -> None:
    """Delete an environment's stacks, the last made first, after a final snapshot of its database.

    What the template retains stays: secrets, keys, vaults; it is listed. The account's own stacks, which
    other environments use too, are left alone. Nothing that holds backups or files is emptied. Killed or
    detached at any point, the same command goes on where it was.
    """
    from gymops.aws.holdings import Holdings
    from gymops.deploy.verbs import destroy, remains
    from gymops.deploy.verbs.failures import Declined

    settings = context.settings(ctx)
    site = sites.site(settings, environment, yes=yes)
    holdings = Holdings(context.account(settings, site.deployment))
    found = remains.look(site, holdings)
    _show(found)
    destroy.gate(site, found, name)
    if found.stacks:
        output.note(destroy.PATIENCE)
        if not output.confirm(f"Destroy {environment}?", yes=yes):
            raise Declined(f"{environment} stays as it is", hint="nothing was changed")
    _tell(destroy.destroy(site, holdings, sites.owner(), name=name), as_json=as_json)


def _show(remains: Remains) -> None:
    for stack in remains.stacks:
        mine = [fate for fate in remains.fates if fate.stack == stack.name]
        output.note(f"{stack.name}: {sum(not fate.kept for fate in mine)} resources go")
        for fate in mine:
            if fate.policy == "Snapshot":
                output.note(f"  goes   {_line(fate)}, which leaves a snapshot")
            elif fate.data or fate.kept:
                output.note(f"  {'stays ' if fate.kept else 'goes  '} {_line(fate)}")


def _line(fate: Fate) -> str:
    return f"{fate.name} ({fate.kind}) {fate.id}" + (f", holds {fate.holds}" if fate.holds else "")


def _tell(done: Destroyed, *, as_json: bool) -> None:
    if as_json:
        output.document(done.as_dict())
        return
    if done.operation is None:
        output.text(f"{done.environment}: nothing is there")
        return
    output.text(f"{done.environment} is destroyed ({done.operation})")
    for name in done.snapshots:
        output.text(f"snapshot {name}")
    for fate in done.kept:
        output.text(f"kept     {_line(fate)}")
    ways = [fate.way for fate in done.kept if fate.named and fate.way]
    if ways:
        output.text(
            f"A new gymops deploy {done.environment} makes these names again: before it, move or delete"
        )
        for way in ways:
            output.text(f"  {way}")
