"""The benchmark's report: Markdown that can go into the README as it is."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from gymops import __version__
from tests.benchmarks.candidates import Measured, pgloader_version

MOST_RATIO = 1.5
LEAST_SPEEDUP = 1.5
MOST_MB = 150
FLAT = 1.1
"""Peak memory of a log four times as long may be so many times as much."""


@dataclass
class Runs:
    """All runs of one candidate; ``failure`` says why there are fewer than wanted."""

    name: str
    proof: str
    measured: list[Measured] = field(default_factory=list)
    failure: str | None = None

    @property
    def seconds(self) -> float:
        return median(run.seconds for run in self.measured)

    @property
    def peak_mb(self) -> float:
        return max(run.peak for run in self.measured) / 1e6

    def part(self, name: str) -> float:
        return median(run.parts[name] for run in self.measured)


@dataclass(frozen=True)
class Peaks:
    """Peak memory at one size of the log, in MB."""

    events: int
    gymops: float
    pgloader: float | None


@dataclass(frozen=True)
class Results:
    """Everything that was measured."""

    events: int
    megabytes: float
    postgres: str
    load: tuple[float, float]
    """What else the machine was doing: load average at the start, and at the end (ours included)."""
    limit: Runs
    gymops: Runs
    pgloader: Runs | None
    peaks: Sequence[Peaks]


def render(results: Results) -> str:
    """The whole report."""
    parts = [_title(results), _table(results), _breakdown(results)]
    if results.peaks:
        parts.append(_memory(results.peaks))
    parts += ["\n".join(_goals(results)), "\n".join(_machine(results))]
    return "\n\n".join(parts)


def _title(results: Results) -> str:
    runs = len(results.gymops.measured)
    return (
        f"Moving {results.events:,} events ({results.megabytes:,.0f} MB of SQLite), "
        f"{runs} run{'s' if runs > 1 else ''} of each, taking turns on the same server:"
    )


def _table(results: Results) -> str:
    lines = [
        "| what | median s | min-max s | ratio to the limit | peak MB | proof |",
        "|---|---|---|---|---|---|",
    ]
    for runs in (results.limit, results.gymops, results.pgloader):
        if runs is None:
            lines.append("| pgloader | not installed | | | | |")
        elif runs.failure:
            lines.append(f"| {runs.name} | failed: {runs.failure} | | | | {runs.proof} |")
        else:
            spread = [run.seconds for run in runs.measured]
            lines.append(
                f"| {runs.name} | {runs.seconds:.2f} | {min(spread):.2f}-{max(spread):.2f}"
                f" | {runs.seconds / results.limit.seconds:.2f} | {runs.peak_mb:,.0f} | {runs.proof} |"
            )
    return "\n".join(lines)


def _breakdown(results: Results) -> str:
    limit, gymops = results.limit, results.gymops
    own = max(run.own_peak_mb or 0 for run in gymops.measured)
    parts = {name: gymops.part(name) for name in ("plan", "copy", "index", "verify")}
    rest = gymops.seconds - sum(parts.values())
    shown = ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts.items())
    return (
        f"Medians in s: gymops {shown}, start and the rest {rest:.2f};"
        f" the limit copy {limit.part('copy'):.2f}, index {limit.part('index'):.2f}.\n"
        "Peak memory is that of the client's processes together, watched from outside, without the server"
        f" (gymops itself reports {own:,.0f} MB)."
    )


def _memory(peaks: Sequence[Peaks]) -> str:
    lines = ["| events | gymops peak MB | pgloader peak MB |", "|---|---|---|"]
    for peak in peaks:
        other = "-" if peak.pgloader is None else f"{peak.pgloader:,.0f}"
        lines.append(f"| {peak.events:,} | {peak.gymops:,.0f} | {other} |")
    return "\n".join(lines)


def _goals(results: Results) -> Iterator[str]:
    ratio = results.gymops.seconds / results.limit.seconds
    yield _goal(ratio <= MOST_RATIO, f"at most {MOST_RATIO} x the limit, proof included", f"{ratio:.2f} x")
    goal = f"at least {LEAST_SPEEDUP} x as fast as pgloader"
    if results.pgloader is None or results.pgloader.failure:
        yield _goal(None, goal, "pgloader is not installed" if results.pgloader is None else "it failed")
    else:
        speedup = results.pgloader.seconds / results.gymops.seconds
        yield _goal(speedup >= LEAST_SPEEDUP, goal, f"{speedup:.2f} x")
    peak = max([results.gymops.peak_mb, *(peak.gymops for peak in results.peaks)])
    yield _goal(peak <= MOST_MB, f"at most {MOST_MB} MB", f"{peak:,.0f} MB")
    goal = "memory stays flat as logs grow"
    if results.peaks:
        small, large = results.peaks[0], results.peaks[-1]
        growth = large.gymops / small.gymops
        found = f"{growth:.2f} x the memory for {large.events / small.events:.0f} x the events"
        yield _goal(growth <= FLAT, goal, found)
    else:
        yield _goal(None, goal, "add --memory")


def _goal(met: bool | None, goal: str, found: str) -> str:
    words: Mapping[bool | None, str] = {True: "met", False: "NOT met", None: "not measured"}
    return f"- {words[met]}: {goal} ({found})"


def _machine(results: Results) -> Iterator[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield f"Machine: {cores} cores, {_cpu()}, {memory:.0f} GB, {platform.system()} {platform.release()}."
    yield (
        f"Versions: gymops {__version__}, PostgreSQL {results.postgres} (the embedded server, durable, its"
        f" usual settings), Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" pgloader {pgloader_version() or 'not installed'}."
    )
    busy = "" if results.load[0] < 0.5 else " (the machine was busy with something else: do not trust these)"
    yield f"Load average before: {results.load[0]:.1f}{busy}, at the end: {results.load[1]:.1f}."


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
