"""``gymops worker`` at its end."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import Mock

import click
import pytest

from gymops.backup.worker import Task
from gymops.cli.worker import _Runner
from tests.unit.clocks import START


def test_once_it_ends_no_command_begins() -> None:
    with click.Context(click.Command("worker")):
        run = _Runner(Mock())
    with run:
        pass
    with pytest.raises(SystemExit):
        run(Task(("--version",), START - timedelta(days=1)))
