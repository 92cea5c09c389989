"""``gymops promote``."""

from __future__ import annotations

import click

from gymops.cli import context, diff, releases, sites

_EPILOG = """\b
--json: as of `gymops deploy`; source{environment, number} names what was promoted.

\b
Examples:
  gymops promote staging prod
  gymops promote staging prod --approved-by mara --yes --json

\b
Exit codes: 0 promoted; 3 a dry run that finds changes; 4 it was not tested, or a gate refused; the others
as of `gymops deploy`."""


@click.command("promote", epilog=_EPILOG)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@releases.yes
@releases.allow_replace
@releases.dry_run
@click.option("--approved-by", metavar="NAME", help="Who approved it (default: whoever runs this); recorded.")
@click.option(
    "--accept-drift", metavar="REASON", help="Promote although FROM was changed by hand since; recorded."
)
@click.option("--digest", metavar="sha256:...", help="Promote this artefact or nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    target: str,
    yes: bool,
    allowed: tuple[str, ...],
    dry_run: bool,
    approved_by: str | None,
    accept_drift: str | None,
    digest: str | None,
    as_json: bool,
) -> None:
    """Release to TO what runs in FROM: the same bytes, the same template, the same schema revision.

    It must have been released to FROM, have passed its smoke test there, and be no older than `within_days`;
    and nothing there may have been changed by hand since (`gymops drift FROM`). The parameters are TO's own.
    """
    from gymops.deploy.verbs import look, promote

    settings = context.settings(ctx)
    there = sites.site(settings, source, yes=yes)
    here = sites.site(settings, target, yes=yes, allowed=allowed)
    if dry_run:
        promote.follows(there, here)
        command = f"gymops promote {source} {target}"
        diff.show(ctx, look.diff(here, look.of_promotion(there, here), command), as_json=as_json)
        return
    release = promote.promote(
        there,
        here,
        sites.owner(),
        token=sites.token(),
        approved_by=approved_by or sites.who(),
        accept_drift=accept_drift,
        digest=digest,
    )
    releases.show(release, as_json=as_json)
