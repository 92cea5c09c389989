"""``gymops releases``: what was released, where, by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gymops.cli import context, output, sites

if TYPE_CHECKING:
    from gymops.deploy.release.ledger import Release

_EPILOG = """\b
--json: {"environment", "running": the number of the release that runs or null, "releases": [records as of
`gymops deploy --json`, the first one first]}

\b
Examples:
  gymops releases prod
  gymops releases prod --json | jq '.releases[-1].artefact.digest'"""


yes = click.option(
    "--yes", is_flag=True, help="Answer plain questions with yes; no answer where data could be lost."
)
allow_replace = click.option(
    "--allow-replace", "allowed", multiple=True, metavar="LOGICAL_ID",
    help="Let this resource be removed or replaced although it holds data.",
)  # fmt: skip
dry_run = click.option(
    "--dry-run", is_flag=True, help="Say what would change, as `gymops diff` does, and write nothing at AWS."
)
"""What deploy, promote and rollback have in common."""


@click.command("releases", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> None:
    """List the releases of an environment, failed attempts included."""
    from gymops.deploy.release.ledger import Ledger, last_good

    site = sites.site(context.settings(ctx), environment, yes=False)
    bucket = site.bucket()
    found = Ledger(site.objects(bucket), environment).releases() if bucket else []
    running = last_good(found)
    if as_json:
        number = running.number if running else None
        listed = [release.as_dict() for release in found]
        output.document({"environment": environment, "running": number, "releases": listed})
        return
    if not found:
        output.text(f"nothing was released to {environment} yet")
        return
    rows = [_row(release, running=release is running) for release in found]
    output.table(
        rows, ["", "release", "ended (UTC)", "what", "outcome", "artefact", "version", "schema", "who"]
    )


def show(release: Release, *, as_json: bool) -> None:
    """A release that has just ended."""
    if as_json:
        output.document(release.as_dict())
        return
    seconds = (release.ended - release.started).total_seconds()
    output.text(
        f"{release.environment}: release {release.number}, version {release.version} serves"
        f" ({release.verb}, {seconds:.0f} s)"
    )
    output.text(f"artefact {release.artefact.digest}")


def _row(release: Release, *, running: bool) -> tuple[object, ...]:
    source = f" of {release.source.environment} {release.source.number}" if release.source else ""
    return (
        "*" if running else "",
        release.number,
        f"{release.ended:%Y-%m-%d %H:%M}",
        f"{release.verb}{source}",
        release.outcome.replace("_", " "),
        release.artefact.digest.removeprefix("sha256:")[:12],
        release.version or "",
        release.schema_after or "",
        release.approved_by or release.who,
    )
