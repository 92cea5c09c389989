"""``gymops lint``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gymops.cli import output, tiers
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.deploy.lint import Linted

_EPILOG = """\b
--json prints one document: ok, templates (name, region, resources, size, inline, findings, suppressed).
A finding has code, severity, message, file, line, resource, source.

\b
Exit codes:
    0  nothing found
    1  a template cannot be read: missing, no YAML, too large
    2  no such architecture; a parameter unknown, missing or out of range; a tier of backups that cannot be
    3  findings"""


@click.command("lint", epilog=_EPILOG)
@click.argument("what", required=False, metavar="[ARCHITECTURE|FILE]")
@click.option(
    "--print",
    "stack",
    metavar="[STACK]",
    is_flag=False,
    flag_value="app",
    help="Print the template of a stack (default: app) as CloudFormation gets it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, what: str | None, stack: str | None, as_json: bool) -> None:
    """Look through templates before anything is made of them.

    cfn-lint with its informational rules, and rules of gymops: IAM, what holds data, the network, backups
    that cannot be, and how a function is reached. ARCHITECTURE is the one of gymops.toml, or else all; its
    parameters are checked too, for every environment. A finding is suppressed beside its resource only
    (Metadata, Lint), with a reason.
    """
    if stack:
        output.text(_printed(what, stack).rstrip("\n"))
        return
    linted = list(_linted(ctx, what))
    findings = [finding for one in linted for finding in one.findings]
    if as_json:
        output.document({"ok": not findings, "templates": [one.as_dict() for one in linted]})
    else:
        _show(linted)
    ctx.exit(3 if findings else 0)


def _linted(ctx: click.Context, what: str | None) -> list[Linted]:
    from gymops.cli.context import settings
    from gymops.deploy import lint, template

    if what and _is_file(what):
        return [lint.lint_file(Path(what))]
    chosen = settings(ctx)
    for environment in chosen.environments:
        tiers.check(chosen, environment)
    names = [what] if what else [chosen.architecture] if chosen.architecture else template.names()
    result: list[Linted] = []
    for name in names:
        own = chosen.parameters if name == chosen.architecture else {}
        result.extend(lint.lint_architecture(template.architecture(name), own))
    return result


def _printed(what: str | None, name: str) -> str:
    from gymops.deploy import template

    if what is None or _is_file(what):
        raise ConfigError("--print needs an architecture", hint="gymops lint titan-trakr --print")
    architecture = template.architecture(what)
    known = [stack.name for stack in architecture.stacks]
    if name not in known:
        raise ConfigError(f"{what} has no stack {name!r}", hint=f"its stacks: {', '.join(known)}")
    return template.compose(architecture.stack(name).template).text


def _is_file(what: str) -> bool:
    """An architecture is a bare word or a folder; what has a path's or a template's look is a file."""
    path = Path(what)
    looks = "/" in what or path.suffix in {".yaml", ".yml", ".json", ".template"}
    return path.is_file() or (looks and not path.is_dir())


def _show(linted: list[Linted]) -> None:
    for one in linted:
        for finding in one.findings:
            where = f"{_near(finding.file)}:{finding.line}"
            output.text(f"{where}: {finding.code} {finding.resource}: {finding.message}")
    rows: list[Any] = [
        (
            one.name,
            one.region,
            one.resources,
            f"{one.size:,}{'' if one.inline else ' (by S3)'}",
            len(one.findings),
            len(one.suppressed),
        )
        for one in linted
    ]
    output.table(rows, ["template", "region", "resources", "bytes", "findings", "with a reason"])


def _near(file: str) -> str:
    """A path from here where that is shorter."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
