"""``gymops runbook``: read a runbook, or step through it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from gymops.cli import output
from gymops.errors import ConfigError, GymopsError, Interrupted

if TYPE_CHECKING:
    from gymops.runbook import Command, Runbook

_EPILOG = """\b
Exit codes of run: 0 every command ended as the runbook says (or you went on); 1 one did not;
130 you stopped."""


@click.group("runbook", epilog=_EPILOG)
def command() -> None:
    """Runbooks: list them, show one, step through one."""


@command.command("list", epilog='\b\n--json: [{"name", "title", "commands": a count}]')
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def listed(as_json: bool) -> None:
    """List the runbooks that come with gymops."""
    from gymops import runbook

    found = [runbook.read(name) for name in runbook.names()]
    if as_json:
        output.document(
            [{"name": one.name, "title": one.title, "commands": len(one.commands)} for one in found]
        )
        return
    output.table([(one.name, len(one.commands), one.title) for one in found], ["runbook", "commands", "for"])


@command.command("show", epilog='\b\n--json: {"name", "title", "text", "commands": [{"command", "exit"}]}')
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(name: str, as_json: bool) -> None:
    """Print a runbook."""
    from gymops import runbook

    found = runbook.read(name)
    if as_json:
        commands = [{"command": one.line, "exit": one.expected} for one in found.commands]
        output.document({"name": name, "title": found.title, "text": found.text, "commands": commands})
        return
    output.text(found.text.rstrip("\n"))


@command.command("run")
@click.argument("name")
@click.option(
    "--set", "given", multiple=True, metavar="NAME=VALUE", help="What stands in capitals: ENV=prod."
)
@click.option("--from", "first", type=click.IntRange(1), default=1, help="Begin at this command.")
@click.option("--yes", is_flag=True, help="Run every command without asking.")
@click.pass_context
def run(ctx: click.Context, name: str, given: tuple[str, ...], first: int, yes: bool) -> None:
    """Step through a runbook: read, run a command or skip it, see how it ended.

    Each command is shown and asked for before it runs, as a process of its own and without a shell. A
    command that ends with another exit code than the runbook says (0, or its "exit N") stops it, unless you
    say that it goes on or is repeated. Words in capitals and $VARIABLES are asked for where --set and the
    environment do not give them. --yes answers the runbook's questions, not those of its commands.
    """
    from gymops import runbook

    found = runbook.read(name)
    values = runbook.chosen(given, found.names)
    flags = ctx.find_root().obj or {}
    environ = runbook.environment(flags.get("home"), flags.get("config"))
    total = len(found.commands)
    if first > total:
        raise ConfigError(f"{name} has {total} commands", hint=f"gymops runbook show {name}")
    if not yes and not sys.stdin.isatty():
        raise ConfigError("Nobody can be asked here.", hint="add --yes to run every command without asking")
    number = 0
    for part in found.parts:
        if isinstance(part, str):
            if number >= first - 1:
                output.text(f"\n{part}\n")
            continue
        number += 1
        if number >= first:
            _step(found, part, number, values, environ, yes=yes)
    output.note(f"\n{name}: done")


def _step(
    found: Runbook,
    step: Command,
    number: int,
    values: dict[str, str],
    environ: Mapping[str, str],
    *,
    yes: bool,
) -> None:
    """One command, until it ended as it should, or the person goes on all the same.

    Raises:
        Interrupted: the person stopped.
        GymopsError: it did not end as the runbook says.
    """
    from gymops import runbook

    output.note(f"[{number} of {len(found.commands)}] $ {step.line}")
    if not yes and _ask("Run it?", {"r": "run", "s": "skip", "q": "quit"}, found, number) == "s":
        return
    words = step.words(_filled(step, values, environ, yes=yes))
    while True:
        output.flush()
        code, interrupted = runbook.run(words, environ, terminal=sys.stdin.isatty())
        output.note(
            f"exit {code}" if code == step.expected else f"exit {code}, and {step.expected} was expected"
        )
        if interrupted and not step.until:
            raise _stopped(found, number)
        if step.as_expected(code):
            return
        if yes:
            raise GymopsError(
                f"{shlex.join(words)} ended with {code}, and the runbook says {step.expected}",
                hint=f"gymops runbook run {found.name} --from {number} goes on there",
            )
        if _ask("Again?", {"r": "repeat", "g": "go on all the same", "q": "quit"}, found, number) == "g":
            return


def _filled(
    step: Command, values: dict[str, str], environ: Mapping[str, str], *, yes: bool
) -> dict[str, str]:
    """What the command needs to be told: given, of the environment, or asked for, once for all steps."""
    for name in step.names:
        if name not in values and name in environ:
            values[name] = environ[name]
        if name not in values:
            if yes:
                raise ConfigError(f"{step.line}: what is {name}?", hint=f"add --set {name}=...")
            values[name] = click.prompt(name, err=True)
    return values


def _ask(question: str, answers: Mapping[str, str], found: Runbook, number: int) -> str:
    shown = ", ".join(f"{key} = {meaning}" for key, meaning in answers.items())
    answer: str = click.prompt(
        f"{question} ({shown})", type=click.Choice(list(answers)), show_choices=False, err=True
    )
    if answer == "q":
        raise _stopped(found, number)
    return answer


def _stopped(found: Runbook, number: int) -> Interrupted:
    return Interrupted(
        f"stopped at command {number} of {found.name}",
        hint=f"gymops runbook run {found.name} --from {number} goes on there",
    )
