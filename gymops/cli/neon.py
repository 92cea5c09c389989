"""``gymops neon branches|create|reset|delete|url|connect``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gymops.cli import context, output
from gymops.clock import SystemClock
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.config import Settings
    from gymops.deploy.environment import Deployment
    from gymops.neon import Branch, Neon

_SETTINGS = """\b
NEON_API_KEY holds the token and NEON_PROJECT_ID the project; both are taken from the environment only."""
_JSON = f"""\b
--json: {{"branches": [{{"id", "name", "parent": its id or null, "state", "created", "kept"}}]}}; kept: the
project's default branch, or a protected one: neither reset nor deleted.

{_SETTINGS}"""
_CONNECT = f"""\b
--json: {{"environment", "branch", "secrets": [{{"name", "changed"}}]}}; a URL is never shown.

{_SETTINGS}"""
_URL = f"""\b
Examples:
  gymops neon url dev-voice
  gymops neon url dev-voice --to .env --as DATABASE_URL
  gymops neon url main --as NEON_PROD_URL   # what gymops migrate and gymops backup read as env:NEON_PROD_URL

\b
--json: {{"branch", "variable", "file", "changed"}}; the URL is never shown.

{_SETTINGS}"""
_SECRET = "DatabaseSecretName"  # noqa: S105 - the output that names it
_BRANCHES = {"prod": "main", "staging": "staging"}


@click.group("neon")
def command() -> None:
    """A PostgreSQL at Neon: its branches main, staging and dev-NAME, and how environments reach theirs."""


@command.command(epilog=_JSON)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def branches(ctx: click.Context, as_json: bool) -> None:
    """List the project's branches."""
    found = _neon(ctx).branches()
    if as_json:
        _show(found, as_json=True)
        return
    names = {one.id: one.name for one in found}
    rows = [(one.name, names.get(one.parent or "", ""), one.state, one.created) for one in found]
    output.table(rows, ["branch", "began as", "state", "created"])


@command.command(epilog=_JSON)
@click.argument("name", metavar="NAME")
@click.option("--from", "parent", metavar="BRANCH", help="What it begins as (default: staging; that: main).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def create(ctx: click.Context, name: str, parent: str | None, as_json: bool) -> None:
    """Create a branch that begins as another is now, data included; one that is there stays as it is."""
    from gymops.neon import MAIN, STAGING

    made = _neon(ctx).create(name, parent or (MAIN if name == STAGING else STAGING))
    _show([made], as_json=as_json)


@command.command(epilog=_JSON)
@click.argument("name", metavar="NAME")
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def reset(ctx: click.Context, name: str, yes: bool, as_json: bool) -> None:
    """Make a branch as its parent is now: what was written to it is gone. main is never reset."""
    neon = _neon(ctx)
    _agreed(f"Reset {name}, and lose what was written to it?", name, yes=yes)
    _show([neon.reset(name)], as_json=as_json)


@command.command(epilog=_JSON)
@click.argument("name", metavar="NAME")
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def delete(ctx: click.Context, name: str, yes: bool, as_json: bool) -> None:
    """Delete a branch and its data. main is never deleted."""
    neon = _neon(ctx)
    _agreed(f"Delete {name} and its data?", name, yes=yes)
    _show([neon.delete(name)], as_json=as_json)


@command.command(epilog=_URL)
@click.argument("name", metavar="NAME")
@click.option("--to", "to", metavar="FILE", help="The file (default: below --home, neon/NAME.env).")
@click.option("--as", "variable", default="DATABASE_URL", show_default=True, help="The variable.")
@click.option("--pooled", is_flag=True, help="Through the pool, and not directly.")
@click.option("--database", default="gymdb", show_default=True, help="The database.")
@click.option("--role", default="neondb_owner", show_default=True, help="As whom.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def url(
    ctx: click.Context, name: str, to: str | None, variable: str, pooled: bool, database: str, role: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Keep the URL of a branch, password included, in a file of variables that you alone may read.

    Other variables of the file stay. What reads it asks for TLS.
    """
    from gymops.cli import variables

    neon = _neon(ctx)
    found = neon.url(neon.branch(name), database=database, role=role, pooled=pooled)
    if to is None:
        file = context.settings(ctx).home / "neon" / f"{name}.env"
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (file.parent / ".gitignore").write_text("*\n", encoding="ascii")
    else:
        file = Path(to)
    changed = variables.keep(file, variable, found)
    if as_json:
        output.document({"branch": name, "variable": variable, "file": str(file), "changed": changed})
        return
    output.text(f"{variable} of {name}: {'kept' if changed else 'as it was'} in {file}")
    output.note(f"next: set -a; . {shlex.quote(str(file))}; set +a")


@command.command(epilog=_CONNECT)
@click.argument("environment", metavar="ENV")
@click.option("--branch", metavar="NAME", help="Its branch (default: main, staging or dev-ENV).")
@click.option("--database", default="gymdb", show_default=True, help="The database.")
@click.option("--role", default="neondb_owner", show_default=True, help="As whom.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def connect(
    ctx: click.Context, environment: str, branch: str | None, database: str, role: str, as_json: bool
) -> None:
    """Keep the URLs of an environment's branch where its functions read them: in Secrets Manager.

    The pooled one is the app's, the direct one is for schema revisions; both require TLS.
    """
    from gymops.aws.secrets import Keeper
    from gymops.deploy.environment import resolve

    settings = context.settings(ctx)
    deployment = resolve(settings, environment)
    name = _secret(settings, deployment)
    neon = _neon(ctx)
    found = neon.branch(branch or _BRANCHES.get(environment, f"dev-{environment}"))
    urls = {
        suffix: neon.url(found, database=database, role=role, pooled=pooled)
        for suffix, pooled in (("", True), ("-direct", False))
    }
    account = context.account(settings, deployment)
    keeper, region = Keeper(account), deployment.region_of(deployment.architecture.stack("app"))
    about = f"The URL of {found.name} at Neon"
    kept = {
        f"{name}{suffix}": keeper.keep(f"{name}{suffix}", url, region, about) for suffix, url in urls.items()
    }
    if as_json:
        secrets = [{"name": one, "changed": changed} for one, changed in kept.items()]
        output.document({"environment": environment, "branch": found.name, "secrets": secrets})
        return
    for one, changed in kept.items():
        output.text(f"{one}: {'kept' if changed else 'as it was'}")
    output.note(f"next: gymops deploy {environment}")


def _secret(settings: Settings, deployment: Deployment) -> str:
    """The name of the secret with the pooled URL.

    Raises:
        ConfigError: the architecture has a database of its own.
    """
    from gymops.deploy.template import compose

    app = compose(deployment.architecture.stack("app").template)
    if _SECRET not in (app.body.get("Outputs") or {}):
        raise ConfigError(
            f"{settings.architecture} does not read its database's URL from such a secret",
            hint=f"voice-tracker-neon does; a template of your own says so by the output {_SECRET}",
        )
    return f"{deployment.app}/{deployment.name}/database"


def _neon(ctx: click.Context) -> Neon:
    from gymops.neon import Neon

    return Neon(context.settings(ctx).environ, SystemClock())


def _agreed(question: str, name: str, *, yes: bool) -> None:
    from gymops.deploy.verbs.failures import Declined

    if not output.confirm(question, yes=yes):
        raise Declined(f"{name} stays as it is", hint="nothing was changed")


def _show(found: list[Branch], *, as_json: bool) -> None:
    if as_json:
        from gymops.store.records import plain

        output.document({"branches": [plain(one) for one in found]})
        return
    for one in found:
        output.text(f"{one.name}: {one.state}")
