"""How long the Lambda handler takes to import, beside the two libraries it cannot do without.

``python -m tests.benchmarks.imports``: fresh processes in turns, from a warm disk. Each times its own import,
so that starting Python does not count. A benchmark reports: it exits 0 whether the goal is met or not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import ratios

MOST_RATIO = 1.5
_ROOT = Path(__file__).resolve().parents[2]

LIBRARIES = "fastapi and psycopg alone"
HANDLER = "the handler"
_CANDIDATES = {
    LIBRARIES: "import fastapi, psycopg",
    HANDLER: "import gymops.app.handler",
    "the handler, and the app built": "from gymops.app import handler; handler._function()",
    "boto3, for a secret": "import boto3",
}
_SETTINGS = {
    "GYMOPS_APP_DATABASE": "postgresql://app@db.invalid/gym",
    "GYMOPS_APP_PASSCODE": "only a benchmark",
    "GYMOPS_APP_SESSION_SECRET": "0123456789abcdef0123456789abcdef",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.imports", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="fresh processes for each; medians are reported")
    runs = parser.parse_args(arguments).runs
    load = ratios.load()
    measured = ratios.in_turns(_CANDIDATES, seconds, runs)
    print(report(measured, load))
    return 0


def seconds(statement: str) -> float:
    """What a statement takes in a process of its own."""
    timed = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"
    done = subprocess.run(
        [sys.executable, "-c", timed],
        cwd=_ROOT,
        env={**ratios.clean_environ(), **_SETTINGS},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def report(measured: dict[str, list[float]], load: float) -> str:
    """The figures as Markdown, and whether the goal was met."""
    return ratios.report("import", measured, LIBRARIES, HANDLER, MOST_RATIO, load)


if __name__ == "__main__":
    sys.exit(main())
