"""``gymops logs``."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from gymops.cli import context, output, sites
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.deploy.verbs.logs import Told

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_OWN = ("timestamp", "level", "logger", "message", "request_id")
"""The fields of the payload's lines that are not printed as name=value."""
_EPILOG = """\b
--json: one document per line (NDJSON): {"at", "group", "line": what was written; {"message"} if that
is no JSON}.

\b
Examples:
  gymops logs staging
  gymops logs staging --since 2h --id 1-6740a3b1-0f2d
  gymops logs prod --follow --json | jq 'select(.line.level == "ERROR")'

\b
Exit codes: 0 told, or nothing was written; 130 Ctrl-C ended following."""


@click.command("logs", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option("--since", metavar="DURATION", default="10m", show_default=True, help="As 30s, 10m, 2h, 1d.")
@click.option("--id", "correlation", metavar="CORRELATION", help="Only what one request did, by its id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per line.")
@click.pass_context
def command(
    ctx: click.Context, environment: str, follow: bool, since: str, correlation: str | None, as_json: bool
) -> None:
    """Show what an environment's functions and services wrote.

    What a service's tasks wrote is read like what functions did. The app writes a JSON line per request; a
    request's lines share its correlation_id, which is the caller's X-Correlation-Id or X-Request-Id, or
    Lambda's own. What looks like a secret is masked.
    """
    from gymops.aws.logs import Logs
    from gymops.deploy.verbs import logs

    span = _span(since)
    settings = context.settings(ctx)
    site = sites.site(settings, environment, yes=False)
    reader = Logs(context.account(settings, site.deployment))
    for told in logs.read(site, reader, since=span, correlation=correlation, follow=follow):
        output.text(json.dumps(told.as_dict(), ensure_ascii=False) if as_json else _line(told))
        output.flush()


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise ConfigError(f"--since {text}: no duration", hint="write 30s, 10m, 2h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _line(told: Told) -> str:
    at = f"{told.at:%H:%M:%S.%f}"[:-3]
    if told.fields is None:
        return f"{at} {told.text}"
    fields = told.fields
    rest = " ".join(f"{name}={value}" for name, value in fields.items() if name not in _OWN)
    return f"{at} {fields.get('level', '')} {fields.get('message', '')} {rest}".rstrip()
