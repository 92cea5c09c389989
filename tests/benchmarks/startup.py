"""How long ``gymops --help`` takes, beside Python with nothing but click.

``python -m tests.benchmarks.startup``: fresh processes in turns, from a warm disk, each from its start to its
exit. A benchmark reports: it exits 0 whether the goal is met or not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import ratios

MOST_RATIO = 1.5

CLICK = 'python -c "import click"'
GYMOPS = "gymops --help"
_CANDIDATES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    CLICK: [sys.executable, "-c", "import click"],
    GYMOPS: [str(Path(sys.executable).with_name("gymops")), "--help"],
    "gymops deploy --help": [str(Path(sys.executable).with_name("gymops")), "deploy", "--help"],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="fresh processes for each; medians are reported")
    runs = parser.parse_args(arguments).runs
    load = ratios.load()
    measured = ratios.in_turns(_CANDIDATES, seconds, runs)
    print(report(measured, load))
    return 0


def seconds(command: Sequence[str]) -> float:
    """What a command takes, from its start to its exit."""
    began = time.perf_counter()
    subprocess.run(
        command, env=ratios.clean_environ(), check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def report(measured: dict[str, list[float]], load: float) -> str:
    """The figures as Markdown, and whether the goal was met."""
    return ratios.report("command", measured, CLICK, GYMOPS, MOST_RATIO, load)


if __name__ == "__main__":
    sys.exit(main())
