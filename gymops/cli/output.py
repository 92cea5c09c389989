"""What people and programs read: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from gymops.errors import NobodyToAsk

Printer = Callable[[str], None]


def document(value: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def text(line: str = "") -> None:
    """Print a line of the result on stdout."""
    click.echo(line)


def note(line: str) -> None:
    """Print a line about the work on stderr."""
    click.echo(line, err=True)


def table(rows: Iterable[Sequence[object]], headers: Sequence[str], *, right: Sequence[int] = ()) -> None:
    """Print a table on stdout; ``right`` are the columns of numbers."""
    from tabulate import tabulate

    align = ["right" if column in right else "left" for column in range(len(headers))] if right else None
    text(tabulate(list(rows), list(headers), tablefmt="simple", disable_numparse=True, colalign=align))


def confirm(question: str, *, yes: bool) -> bool:
    """Ask on stderr, unless ``--yes`` answered already.

    Raises:
        NobodyToAsk: there is no terminal.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise NobodyToAsk(f"{question} Nobody can be asked here.", hint="add --yes to go on without asking")
    return click.confirm(question, err=True)


def flush() -> None:
    """Meet a closed pipe here, where it can be handled, and not at exit."""
    sys.stdout.flush()
