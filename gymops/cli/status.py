"""``gymops status``: how an environment is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gymops.cli import context, output, sites

if TYPE_CHECKING:
    from gymops.deploy.verbs.look import Status

_EPILOG = """\b
--json: {"environment", "stacks": [{name, region, status, reason, updated}], "serving": {version, code,
differs[]} or null, "running": the number of the release that runs or null, "last_release": its record as of
`gymops deploy --json` or null, "unfinished": {id, command, who, started, step, state, attempt} or null,
"lock": {owner, since, seconds_since_sign_of_life, expired, operation} or null, "alarms": [names] or null,
"unknown": {part: why it could not be told},
"waiting": {schema revision: [the releases that need what it takes away]}}

\b
Examples:
  gymops status prod
  gymops status prod --json | jq '.serving.differs'"""


@click.command("status", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> None:
    """Say how an environment is: its stacks, what serves, the last release, what is unfinished, who is at it.

    The version that serves and its code are read back from Lambda, or from ECS where a service serves, and
    compared with the release that the ledger says is running. Nothing is changed, and nobody is waited for.
    """
    from gymops.deploy.verbs.look import status

    found = status(sites.site(context.settings(ctx), environment, yes=False))
    if as_json:
        output.document(found.as_dict())
        return
    output.table(
        [(one.name, one.region, one.status, one.reason) for one in found.stacks],
        ["stack", "region", "status", ""],
    )
    output.text()
    _releases(found)
    for revision, numbers in found.waiting.items():
        told = ", ".join(map(str, numbers))
        until = f"while release {told} may be returned to" if told else "for the next release"
        output.text(f"waits       schema revision {revision}, {until}")
    _doings(found)
    for alarm in found.alarms or ():
        output.text(f"RINGING     {alarm}")
    for what, why in found.untold.items():
        output.text(f"unknown     {what}: {why}")


def _releases(found: Status) -> None:
    last, serving = found.last, found.serving
    if serving is None:
        output.text("serves      nothing")
    else:
        output.text(f"serves      version {serving.version}, code {serving.code}")
        for line in serving.differs:
            output.text(f"DIFFERS     {line}")
    if found.running:
        output.text(f"running     release {found.running.number}")
    if last is None:
        if "releases" not in found.untold:
            output.text(f"released    nothing was released to {found.environment} yet")
        return
    why = f": {last.why}" if last.why else ""
    output.text(
        f"released    {last.number}, {last.verb} by {last.who}, {last.ended:%Y-%m-%d %H:%M} UTC,"
        f" {last.outcome.replace('_', ' ')}{why}"
    )


def _doings(found: Status) -> None:
    operation, holder = found.unfinished, found.holder
    if operation:
        step = operation.current
        at = f", at the step {step.name} ({step.state})" if step else ""
        output.text(
            f"unfinished  {operation.request.command} ({operation.id}) by {operation.request.who},"
            f" begun {operation.started:%Y-%m-%d %H:%M:%S} UTC{at}"
        )
    if holder:
        state = ", which is over" if holder.expired else ""
        output.text(
            f"locked      by {holder.record.owner} since {holder.record.since:%Y-%m-%d %H:%M:%S} UTC,"
            f" last sign of life {holder.age:.0f} s ago{state}"
        )
    elif operation:
        output.text(f"locked      by nobody; gymops attach {found.environment} says how to go on")
