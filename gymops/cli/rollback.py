"""``gymops rollback``."""

from __future__ import annotations

import click

from gymops.cli import context, diff, releases, sites

_EPILOG = """\b
--json: as of `gymops deploy`; source{environment, number} names what was returned to.

\b
Examples:
  gymops rollback prod
  gymops rollback prod 12 --yes

\b
Exit codes: 0 returned; 3 a dry run that finds changes; 4 nothing to return to, or a gate refused; the
others as of `gymops deploy`."""


@click.command("rollback", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.argument("number", metavar="[RELEASE]", type=click.IntRange(1), required=False)
@releases.yes
@releases.allow_replace
@releases.dry_run
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    number: int | None,
    yes: bool,
    allowed: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Return to a recorded release, by default the one before what runs; it becomes a new release.

    The alias goes first, to the version of then, once it has answered, or the service to the task definition
    of then; then the stack gets the template and the parameters of then. The schema is never taken back.
    """
    from gymops.deploy.verbs import look, rollback

    site = sites.site(context.settings(ctx), environment, yes=yes, allowed=allowed)
    if dry_run:
        back = rollback.found(site, number)
        command = f"gymops rollback {environment} {back.chosen.number}"
        diff.show(ctx, look.diff(site, back.wanted(site), command), as_json=as_json)
        return
    releases.show(rollback.rollback(site, sites.owner(), number=number), as_json=as_json)
