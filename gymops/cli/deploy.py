"""``gymops deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gymops.cli import build, context, output, releases, sites

if TYPE_CHECKING:
    from gymops.config import Settings
    from gymops.deploy.build import Built as BuiltHere
    from gymops.deploy.environment import Deployment
    from gymops.deploy.verbs.deploy import Built
    from gymops.deploy.verbs.site import Site

_EPILOG = """\b
--json: the release's record: number, environment, operation, verb, outcome, who, approved_by,
artefact{digest, kind, uri, static: the digest of its static files' list}, template, parameters,
parameter_digest, withheld, commit, dirty, schema_before, schema_after, accepts, waiting[], version,
change_set, test, smoke[], durations{}, source, static{files, uploaded, unchanged, invalidated, warning}
or null, around{stack: its template's digest}, break_glass, started, ended, why.

\b
Examples:
  gymops deploy staging
  gymops deploy staging --dry-run
  gymops deploy staging --yes --json
  gymops deploy prod --break-glass "promotion is down"

\b
Exit codes: 0 released; 1 failed; 3 a dry run that finds changes; 4 a gate refused; 5 failed and rolled
back; 6 the rollback failed too; 7 somebody else releases there; 8 detached, it goes on; 130 you said no."""


@click.command("deploy", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@releases.yes
@releases.allow_replace
@releases.dry_run
@click.option("--break-glass", metavar="REASON", help="Deploy where only promotion is allowed; recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    yes: bool,
    allowed: tuple[str, ...],
    dry_run: bool,
    break_glass: str | None,
    as_json: bool,
) -> None:
    """Release to an environment: build, make or change its stacks, upgrade, try, shift the traffic, record.

    The app is built unless it was. Its version is asked for the smoke test's paths before any request of
    a user reaches it, and traffic returns by itself if it fails or slows down. Killed or detached at any
    point, the same command goes on where it was.
    """
    from gymops.cli import diff
    from gymops.deploy.environment import resolve
    from gymops.deploy.verbs import deploy

    settings = context.settings(ctx)
    deployment = resolve(settings, environment)
    deploy.gate(deployment, break_glass)
    _takes(settings, deployment)
    site = sites.site(settings, environment, yes=yes, allowed=allowed)
    if dry_run:
        diff.show(ctx, diff.of_deploy(settings, site), as_json=as_json)
        return
    _look_through(settings, site)
    built = _built(settings, site.deployment)
    release = deploy.deploy(site, built, sites.owner(), token=sites.token(), break_glass=break_glass)
    releases.show(release, as_json=as_json)


def _takes(settings: Settings, deployment: Deployment) -> None:
    """Before anything is built: whether the environment's template is made for such an app."""
    from gymops.cli.payload import app
    from gymops.deploy.template import compose
    from gymops.deploy.verbs import needs

    found = app(settings)
    template = compose(deployment.architecture.stack("app").template)
    needs.check(deployment, template, found.kind, static=found.static is not None)


def _look_through(settings: Settings, site: Site) -> None:
    """The SQL that the environment's database has not seen yet."""
    from gymops.cli.payload import app
    from gymops.deploy.release.ledger import last_good
    from gymops.pg import linting

    found, bucket = app(settings), site.bucket()
    running = last_good(site.ledger(bucket).releases()) if bucket else None
    if found.migrations is not None:
        after = running.schema_after if running else None
        linting.passed(found.source / found.migrations, after, output.note)


def _built(settings: Settings, deployment: Deployment) -> Built:
    """The app as it is now, built and tested; an unchanged one is found again by its digest."""
    from gymops.cli.payload import app
    from gymops.deploy.tests import passed
    from gymops.deploy.verbs.deploy import Built

    test = passed(app(settings), output.note)
    made = make(settings, deployment)
    output.note(f"artefact {made.artefact.digest}")
    return Built(made.artefact, made.folder, test)


def make(settings: Settings, deployment: Deployment) -> BuiltHere:
    """The app as an environment runs it; an unchanged one is found again."""
    from gymops.cli.payload import app, python

    if deployment.local:
        return build.make(settings, arch="host")
    arch = deployment.parameters.get("Architecture", "arm64")
    version = python(settings, deployment) if app(settings).kind == "zip" else None
    return build.make(settings, arch=arch, python=version)
