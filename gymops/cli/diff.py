"""``gymops diff``: what the next release would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gymops.cli import context, deploy, output, sites

if TYPE_CHECKING:
    from gymops.config import Settings
    from gymops.deploy.stack.preview import Preview
    from gymops.deploy.verbs.look import Difference
    from gymops.deploy.verbs.site import Site

_EPILOG = """\b
--json: {"environment", "command": what would do it, "different", "stacks": [{name, region, create,
changes[{action, resource, type, replacement, details[{path, before, after}]}], parameters[{name, before,
after}], dangers[]}], "static": whether static files differ, "limits": what this cannot tell}

\b
Examples:
  gymops diff staging
  gymops diff prod --json

\b
Exit codes: 0 nothing would change; 3 something would; 4 nothing can be released there now."""


@click.command("diff", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> None:
    """Say what `gymops deploy ENV` would change now; where ENV gets promotions, what the next one would.

    Templates and parameters are compared here: nothing is written at AWS, not even a change set. The app is
    built unless it was, where ENV is deployed to; it is not uploaded.
    """
    show(ctx, _difference(context.settings(ctx), environment), as_json=as_json)


def show(ctx: click.Context, found: Difference, *, as_json: bool) -> None:
    """What would change, and its exit code."""
    if as_json:
        output.document(found.as_dict())
    else:
        _show(found)
    if found.found:
        ctx.exit(3)


def _difference(settings: Settings, environment: str) -> Difference:
    from gymops.deploy.verbs import look

    site = sites.site(settings, environment, yes=False)
    deployment = site.deployment
    if after := deployment.after:
        wanted = look.of_promotion(sites.site(settings, after, yes=False), site)
        return look.diff(site, wanted, f"gymops promote {after} {environment}")
    return of_deploy(settings, site)


def of_deploy(settings: Settings, site: Site) -> Difference:
    """What deploying the app as it is now would change; it is built unless it was."""
    from gymops.deploy.verbs import look

    built = deploy.make(settings, site.deployment)
    return look.diff(site, look.of_build(site, built.artefact), f"gymops deploy {site.deployment.name}")


def _show(found: Difference) -> None:
    for preview in found.previews:
        _stack(preview)
    if found.static:
        output.text("static files: others than those of what runs")
    if found.found:
        output.text(f"{found.command} would do that")
    for limit in found.limits:
        output.note(f"not seen here: {limit}")


def _stack(preview: Preview) -> None:
    name, many = f"{preview.target.name} ({preview.target.region})", len(preview.changes)
    if preview.create:
        output.text(f"{name}: would be made, {many} resource{'' if many == 1 else 's'}")
        return
    if preview.empty:
        output.text(f"{name}: stays as it is")
        return
    output.text(f"{name}: {many} change{'' if many == 1 else 's'}")
    for line in sites.lines(preview):
        output.text(line)
    for one in preview.parameters:
        output.text(f"  parameter {one.name}: {one.before} -> {one.after}")
