"""``gymops secrets list|rotate|set``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gymops.cli import context, output, sites
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.aws.secrets import Keeper
    from gymops.deploy.verbs.secrets import Known
    from gymops.deploy.verbs.site import Site

_JSON = """\b
--json: {"environment", "secrets": [{"name", "way": overlap|cut|rds|function|given|stack, "secret": its name
at AWS, "arn", "created", "changed": when its value was made, "unfinished": a rotation began and did not end,
"readers": [functions and the variable]}]}; a value is never shown."""
_LIST = f"""{_JSON}

\b
Examples:
  gymops secrets list prod
  gymops secrets list prod --json | jq -r '.secrets[] | [.name, .changed] | @tsv'"""
_ROTATE = f"""{_JSON}

\b
Examples:
  gymops secrets rotate prod
  gymops secrets rotate prod SessionSecret --yes

\b
Exit codes: 0 rotated, and the app answers; 1 it does not; 2 no such secret; 4 the app did not answer before;
5 the app did not take the new value, the old one holds; 6 nor could that be put back; 7 somebody releases
there; 8 it is not known; the same command goes on; 130 you said no, or Ctrl-C: the same command goes on."""
_SET = f"""{_JSON}

\b
Examples:
  gymops secrets set prod LlmKeySecretArn
  pass show openai | gymops secrets set prod LlmKeySecretArn

\b
Exit codes: as of `gymops secrets rotate`."""
_LONGEST = 65_536
"""Bytes that Secrets Manager takes."""


@click.group("secrets")
def command() -> None:
    """What an environment keeps secret: list it, and give it new values while the app stays up."""


@command.command("list", epilog=_LIST)
@click.argument("environment", metavar="ENV")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def listed(ctx: click.Context, environment: str, as_json: bool) -> None:
    """Say what there is, how it gets a new value, since when it has this one, and who reads it."""
    from gymops.deploy.verbs import secrets

    site, keeper = _reach(ctx, environment)
    _show(environment, secrets.known(site, keeper), as_json=as_json)


@command.command(epilog=_ROTATE)
@click.argument("environment", metavar="ENV")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def rotate(ctx: click.Context, environment: str, name: str | None, yes: bool, as_json: bool) -> None:
    """Give secrets new values: all that nobody notices, or one by its name.

    The app accepts the next value before it is used, and the one before for as long as it is the last one;
    it is asked after each step, and what it does not take is taken back. Run again, it goes on where it was.
    """
    from gymops.deploy.verbs import rotation, secrets
    from gymops.deploy.verbs.failures import Declined

    site, keeper = _reach(ctx, environment)
    every = secrets.known(site, keeper)
    wanted = secrets.chosen(site, every, name)
    if not wanted:
        raise ConfigError(
            f"{environment} has no secret that can be rotated unasked",
            hint=f"gymops secrets list {environment}",
        )
    for one in wanted:
        output.note(f"{one.name}: {one.way.told}")
    if not output.confirm(f"Rotate {', '.join(one.name for one in wanted)} of {environment}?", yes=yes):
        raise Declined(f"the secrets of {environment} stay as they are", hint="nothing was changed")
    rotation.change(site, keeper, sites.owner(), wanted)
    _changed(ctx, environment, wanted, as_json=as_json)


@command.command("set", epilog=_SET)
@click.argument("environment", metavar="ENV")
@click.argument("name", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def set_(ctx: click.Context, environment: str, name: str, as_json: bool) -> None:
    """Give a secret a value that only a person knows: asked for without echo, or read from a pipe.

    It is not taken from the command line, where every process of the machine could read it.
    """
    from gymops.deploy.verbs import rotation, secrets

    site, keeper = _reach(ctx, environment)
    one = secrets.settable(site, secrets.known(site, keeper), name)
    rotation.change(site, keeper, sites.owner(), [one], _value(name))
    _changed(ctx, environment, [one], as_json=as_json)


def _value(name: str) -> str:
    if sys.stdin.isatty():
        text: str = click.prompt(f"{name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        text = sys.stdin.read(_LONGEST + 2).removesuffix("\n").removesuffix("\r")
    if not text.strip() or len(text.encode()) > _LONGEST or "\0" in text:
        raise ConfigError(
            f"no value for {name} came, or a longer one than {_LONGEST} bytes",
            hint="type it where it is asked for, or pipe it in",
        )
    return text


def _reach(ctx: click.Context, environment: str) -> tuple[Site, Keeper]:
    from gymops.aws.secrets import Keeper

    settings = context.settings(ctx)
    site = sites.site(settings, environment, yes=True)
    return site, Keeper(context.account(settings, site.deployment))


def _changed(ctx: click.Context, environment: str, wanted: list[Known], *, as_json: bool) -> None:
    from gymops.deploy.verbs import secrets

    names = {one.name for one in wanted}
    site, keeper = _reach(ctx, environment)
    found = [one for one in secrets.known(site, keeper) if one.name in names]
    _show(environment, found, as_json=as_json)


def _show(environment: str, found: list[Known], *, as_json: bool) -> None:
    if as_json:
        output.document({"environment": environment, "secrets": [one.as_dict() for one in found]})
        return
    if not found:
        output.text(f"{environment} has no secrets, or nothing was released to it yet")
        return
    rows = [
        (
            one.name, one.way.told, f"{one.secret.changed:%Y-%m-%d %H:%M}" if one.secret.changed else "",
            "unfinished" if one.unfinished else "", ", ".join(one.readers) or "nobody we know of",
        )
        for one in found
    ]  # fmt: skip
    output.table(rows, ["secret", "a new value", "this one since (UTC)", "", "read by"])
