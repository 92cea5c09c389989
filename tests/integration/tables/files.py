"""SQLite files with any tables, moved without the command line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymops.clock import SystemClock
from gymops.pg.embedded import Server
from gymops.tables import run
from gymops.tables.run import Report
from tests.conftest import fresh_databases
from tests.sources import Quiet


def make(path: Path, script: str, *rows: tuple[str, tuple[Any, ...]]) -> Path:
    """A file with these tables, and rows for them as (statement, values)."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(script)
        for statement, values in rows:
            connection.execute(statement, values)
    return path


def move(path: Path, url: str, *, quarantine: bool = False, **section: Any) -> Report:
    """``gymops migrate`` with what [migrate] says."""
    return run.run(
        path,
        url,
        section,
        quarantine=quarantine,
        confirm=lambda _: True,
        clock=SystemClock(),
        observer=Quiet(),
    )


def types(report: Report, table: str) -> dict[str, str]:
    """Column -> type of one table, as it was decided."""
    found = next(one for one in report.plan.tables if one.source.name == table)
    return {column.source.name: column.kind.sql for column in found.columns}


@dataclass(frozen=True)
class Moved:
    """A file that was moved: where from, where to, and what came of it."""

    path: Path
    url: str
    report: Report


@contextmanager
def moved(server: Server, folder: Path, script: str, *rows: tuple[str, tuple[Any, ...]]) -> Iterator[Moved]:
    """Move a file with many tables once, for many tests."""
    with fresh_databases(server) as new:
        path, url = make(folder / "any.db", script, *rows), new()
        yield Moved(path, url, move(path, url, quarantine=True))


def columns(said: Mapping[str, Any]) -> dict[str, Any]:
    """[migrate.tables.t.columns] of gymops.toml."""
    return {"t": {"columns": said}}
