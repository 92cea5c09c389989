"""Chinook a hundred times over, with some rows as SQLite apps write them: gymops migrate beside pgloader.

Both load the same file into a fresh database of the same server and take turns. A row is lost when it is
neither in its table nor kept beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql

from gymops.clock import SystemClock
from gymops.eventlog.shapes import quote
from gymops.pg import embedded
from gymops.pg.embedded import OWNER, Server
from tests.benchmarks import process
from tests.benchmarks.candidates import fresh_database, pgloader_version
from tests.benchmarks.process import FailedError, Finished

CHINOOK = Path(__file__).resolve().parents[3] / "shared/data/chinook.sqlite"
_STEP = 100_000
"""Between the keys of one copy and the next."""
# Without the defaults 'null' and false of a numeric column: with them pgloader moves nothing at all.
_ODD = "CREATE TABLE odd (n INTEGER PRIMARY KEY, number INTEGER, word TEXT, raw BLOB, day DATE)"
_TABLES = "SELECT schemaname, relname FROM pg_stat_user_tables WHERE schemaname <> 'gymops_records'"


@dataclass
class Runs:
    """All runs of one candidate."""

    name: str
    proof: str
    seconds: list[float] = field(default_factory=list)
    peak: int = 0
    arrived: int = 0
    kept: int = 0
    failure: str | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the report; 1 when the database that was named is not there."""
    options = _options(arguments)
    if not options.chinook.is_file():
        print(f"left out: {options.chinook} is not there; --chinook names another copy", file=sys.stderr)
        return int(options.chinook != CHINOOK)
    load = os.getloadavg()[0]
    scratch = Path(tempfile.mkdtemp(prefix="gymops-bench-"))
    try:
        source, rows = enlarge(options.chinook, scratch / "large.sqlite", options.times)
        with embedded.temporary(clock=SystemClock()) as server:
            gymops, pgloader = Runs("gymops migrate, proof included", "yes"), Runs("pgloader", "no")
            for _ in range(options.runs):
                _run(server, gymops, source, scratch)
                if pgloader_version():
                    _run(server, pgloader, source, scratch)
    except FailedError as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    pgloader.name = f"pgloader {pgloader_version() or '(not installed)'}"
    print(report(options.times, rows, [gymops, pgloader], load))
    return 0


def enlarge(chinook: Path, path: Path, times: int) -> tuple[Path, int]:
    """Chinook ``times`` over, each copy with keys of its own, and a table of odd rows; their number."""
    shutil.copyfile(chinook, path)
    path.chmod(0o600)
    rows = 0
    with closing(sqlite3.connect(path)) as connection, connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        for table in tables:
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({quote(table)})")]
            keys = ("Id", "ReportsTo")
            values = [
                f"{quote(name)} + {_STEP} * copy" if name.endswith(keys) else quote(name) for name in columns
            ]
            connection.execute(
                "WITH RECURSIVE copies(copy) AS"
                " (SELECT 1 WHERE ?1 > 1 UNION ALL SELECT copy + 1 FROM copies WHERE copy < ?1 - 1)"
                f" INSERT INTO {quote(table)} SELECT {', '.join(values)} FROM {quote(table)}, copies",
                (times,),
            )
        connection.execute(_ODD)
        odd = "INSERT INTO odd (number, word, raw, day) VALUES (?, ?, x'00ff', ?)"
        connection.executemany(odd, [(at, "word", "2024-02-29") for at in range(20 * times)])
        connection.executemany(odd, [("many", "word", "2024-02-29")] * times)
        connection.executemany(odd, [(1, "word", "2023-02-29")] * times)
        connection.executemany(
            odd.replace("?, ?, x", "?, CAST(x'ff' AS TEXT), x"), [(1, "2024-02-29")] * times
        )
        for table in [*tables, "odd"]:
            rows += connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()[0]
    return path, rows


def _run(server: Server, runs: Runs, source: Path, scratch: Path) -> None:
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        done = (_gymops if runs.proof == "yes" else _pgloader)(server, url, source, scratch)
        if done.status != 0:
            runs.failure = (done.stderr or done.stdout).strip()[-300:]
            return
        runs.seconds.append(done.seconds)
        runs.peak = max(runs.peak, done.peak)
        runs.arrived = _arrived(url)
        if runs.proof == "yes":
            runs.kept = json.loads(done.stdout)["rows"]["rejected"]
    print(f"{done.seconds:6.2f} s, {done.peak / 1e6:5.0f} MB: {runs.name}", file=sys.stderr, flush=True)


def _arrived(url: str) -> int:
    with psycopg.connect(url) as connection:
        names = [sql.Identifier(*name) for name in connection.execute(_TABLES)]
        counts = [
            connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone() for name in names
        ]
    return sum(count[0] for count in counts if count)


def _gymops(server: Server, url: str, source: Path, scratch: Path) -> Finished:
    home = ["--home", str(scratch / "home")]
    options = ["--to", url, "--on-bad-event", "quarantine", "--yes", "--json"]
    return process.run(
        [sys.executable, "-m", "gymops", *home, "migrate", str(source), *options],
        folder=scratch,
        environ={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )


def _pgloader(server: Server, url: str, source: Path, scratch: Path) -> Finished:
    database = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    target = f"postgresql://{OWNER}@unix:{server.socket_dir}:{server.port}/{database}"
    root = scratch / "pgloader"
    done = process.run(["pgloader", "--root-dir", str(root), f"sqlite://{source}", target], folder=scratch)
    shutil.rmtree(root, ignore_errors=True)
    return done


def report(times: int, rows: int, candidates: Sequence[Runs], load: float) -> str:
    """Markdown that can go into the documentation as it is."""
    lines = [
        f"Chinook x{times} and odd rows beside it: {rows:,} rows.",
        "",
        "| what | median s | min-max s | peak MB | rows arrived | kept beside | lost | proof |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for runs in candidates:
        if not runs.seconds:
            lines.append(f"| {runs.name} | {runs.failure or 'not measured'} | | | | | | {runs.proof} |")
            continue
        lost = rows - runs.arrived - runs.kept
        lines.append(
            f"| {runs.name} | {median(runs.seconds):.2f} | {min(runs.seconds):.2f}-{max(runs.seconds):.2f}"
            f" | {runs.peak / 1e6:,.0f} | {runs.arrived:,} | {runs.kept:,} | {lost:,} | {runs.proof} |"
        )
    busy = "" if load < 0.5 else " (the machine was busy with something else: do not trust these)"
    return "\n".join([*lines, "", f"Load average before: {load:.1f}{busy}."])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tables", description=__doc__)
    parser.add_argument("--chinook", type=Path, default=CHINOOK, help="the sample database")
    parser.add_argument("--times", type=int, default=100, help="how many times over")
    parser.add_argument("--runs", type=int, default=3, help="of each candidate; medians are reported")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
