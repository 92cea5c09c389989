"""``gymops drift``: what was changed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gymops.cli import context, output, sites

if TYPE_CHECKING:
    from gymops.deploy.verbs.drift import StackDrift

_EPILOG = """\b
--json: {"environment", "drifted", "serving": [in what it is not the running release], "stacks": [{name,
region, resources[{resource, type, id, status,
properties[{path, expected, actual}]}], checked: how many resources, unchecked: [types], failure}]}

\b
Examples:
  gymops drift prod
  gymops drift prod --json | jq '.stacks[].resources'

\b
Exit codes: 0 nothing differs; 3 something does; 1 it could not be told; 8 the detection does not end."""


@click.command("drift", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> None:
    """Say what somebody changed by hand since the stacks were deployed, by CloudFormation's drift detection.

    It compares what the template sets with what is there; of some types it knows nothing, and they are named.
    What serves is compared with the ledger's running release.
    """
    from gymops.deploy.verbs.drift import drift

    found = drift(sites.site(context.settings(ctx), environment, yes=False))
    if as_json:
        output.document(found.as_dict())
    else:
        for stack in found.stacks:
            _show(stack)
        for one in found.serving:
            output.text(f"what serves: {one}")
        if not found.stacks:
            output.text(f"{environment}: there is no stack yet")
    if found.found:
        ctx.exit(3)


def _show(stack: StackDrift) -> None:
    differ = f"{len(stack.resources)} of {stack.checked} resources differ" if stack.resources else (
        f"as deployed ({stack.checked} resources looked at)"
    )  # fmt: skip
    output.text(f"{stack.stack} ({stack.region}): {differ}")
    for one in stack.resources:
        gone = ": deleted" if one.action == "Remove" else ""
        output.text(f"  {one.name} ({one.kind}){gone}")
        for detail in one.details:
            path = detail.path.removeprefix("/Properties")
            output.text(f"    {path}: expected {detail.before}, is {detail.after}")
    if stack.unchecked:
        output.note(f"  not looked at by CloudFormation: {', '.join(stack.unchecked)}")
    if stack.failure:
        output.note(f"  {stack.failure}")
