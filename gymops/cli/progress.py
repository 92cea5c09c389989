"""Progress on stderr: a bar on a terminal, nothing elsewhere but a line per part."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gymops.cli import output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Lines:
    """Names each part of the work as it begins; for logs and pipes."""

    def phase(self, name: str, total: int | None) -> None:
        output.note(f"{name} ..." if total is None else f"{name} ({total:,}) ...")

    def advance(self, done: int) -> None:
        """Lines do not move."""


class Bars:
    """A bar for each part of the work."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def phase(self, name: str, total: int | None) -> None:
        self._finish()
        self._task = self._bars.add_task(name, total=total)

    def advance(self, done: int) -> None:
        if self._task is not None:
            self._bars.advance(self._task, done)

    def pause(self) -> None:
        """Stop drawing, so that a question can be asked."""
        self._finish()
        self._bars.stop()

    def resume(self) -> None:
        """Draw again."""
        self._bars.start()

    def _finish(self) -> None:
        if self._task is not None:
            done = self._bars.tasks[self._task].completed
            self._bars.update(self._task, total=done or 1, completed=done or 1)


@contextmanager
def observer() -> Iterator[Lines | Bars]:
    """Progress fit for where stderr goes."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:>32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield Bars(bars)
