"""What may not be on a command line, where every process of the machine reads it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import click

from gymops.cli import COMMANDS
from gymops.deploy.stack.masking import MASK, Masker


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner, one in command.commands.items():
            yield from commands(one, f"{name} {inner}")


def test_no_option_and_no_argument_takes_a_secret() -> None:
    found = [
        (name, parameter.name)
        for verb, (module, _) in COMMANDS.items()
        for name, command in commands(importlib.import_module(module).command, verb)
        for parameter in command.params
        if Masker().value(parameter.name or "", "any-thing") == MASK
    ]
    assert found == []
