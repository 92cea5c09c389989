"""The benchmark runs, reports what it measured, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import process
from tests.benchmarks.candidates import Measured
from tests.benchmarks.report import Peaks, Results, Runs, render

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the benchmark puts its temporary files; by a short path, as a socket will be among them."""
    with tempfile.TemporaryDirectory(prefix="gymops-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # root's server runs as another user
        yield Path(name)


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.migrate", *arguments], cwd=_ROOT,
        env={**os.environ, "TMPDIR": str(folder)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _running_below(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@pytest.mark.long
def test_a_small_run_from_end_to_end(folder: Path) -> None:
    keep = folder / "kept"
    bench = _start(folder, "--events", "2000", "--runs", "1", "--memory", "--keep", str(keep))
    report, progress = bench.communicate(timeout=120)
    assert bench.returncode == 0, progress
    assert "| the limit: psql \\copy of a ready text file, index builds |" in report
    assert "| gymops migrate, whole: plan, copy, indexes, proof, record |" in report
    assert "| pgloader " in report
    assert "| 1,000 | " in report
    assert "| 4,000 | " in report
    assert report.count("\n- ") == 4
    assert "PostgreSQL 18." in report
    names = {"sample-1000.db", "sample-2000.db", "sample-2000.copy", "sample-4000.db"}
    assert {file.name for file in keep.iterdir()} == names
    assert list(folder.iterdir()) == [keep]
    assert _running_below(folder) == []


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_behind(folder: Path, how: signal.Signals) -> None:
    bench = _start(folder, "--events", "20000", "--runs", "50", "--no-pgloader")
    assert bench.stderr
    for line in bench.stderr:
        if line.startswith("run 1 of 50"):
            break
    os.kill(bench.pid, how)
    bench.communicate(timeout=60)
    assert bench.returncode == 130
    assert list(folder.iterdir()) == []
    assert _running_below(folder) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")
def test_peak_memory_is_that_of_the_whole_tree(tmp_path: Path) -> None:
    child = "import time; held = b'x' * 60_000_000; time.sleep(0.5)"
    parent = (
        f"import subprocess, sys; held = b'x' * 40_000_000; subprocess.run([sys.executable, '-c', {child!r}])"
    )
    done = process.run([sys.executable, "-c", parent], folder=tmp_path)
    assert done.status == 0
    assert 100e6 < done.peak < 160e6
    assert 0.5 < done.seconds < 10


def _results() -> Results:
    parts = {"plan": 2.0, "copy": 5.0, "index": 2.0, "verify": 0.5}
    return Results(
        events=2_000_000,
        megabytes=640.0,
        postgres="18.6",
        load=(0.0, 1.5),
        limit=Runs("limit", "no", [Measured(s, 3_000_000, parts) for s in (7.0, 8.0, 12.0)]),
        gymops=Runs("gymops", "yes", [Measured(s, 90_000_000, parts, 88.0) for s in (10.0, 11.0, 12.0)]),
        pgloader=Runs("pgloader", "no", [Measured(s, 900_000_000) for s in (20.0, 22.0, 30.0)]),
        peaks=[Peaks(1_000_000, 90.0, 850.0), Peaks(4_000_000, 94.5, 950.0)],
    )


def test_the_report_gives_medians_ratios_and_whether_each_goal_was_met() -> None:
    report = render(_results())
    assert "| gymops | 11.00 | 10.00-12.00 | 1.38 | 90 | yes |" in report
    assert "| pgloader | 22.00 | 20.00-30.00 | 2.75 | 900 | no |" in report
    assert "start and the rest 1.50" in report
    assert "- met: at most 1.5 x the limit, proof included (1.38 x)" in report
    assert "- met: at least 1.5 x as fast as pgloader (2.00 x)" in report
    assert "- met: at most 150 MB (94 MB)" in report
    assert "- met: memory stays flat as logs grow (1.05 x the memory for 4 x the events)" in report


def test_a_goal_that_was_missed_is_told() -> None:
    results = _results()
    slow = Runs("gymops", "yes", [replace(results.gymops.measured[0], seconds=16.0, peak=151_000_000)])
    report = render(replace(results, gymops=slow, load=(2.0, 3.0)))
    assert "- NOT met: at most 1.5 x the limit, proof included (2.00 x)" in report
    assert "- NOT met: at least 1.5 x as fast as pgloader (1.38 x)" in report
    assert "- NOT met: at most 150 MB (151 MB)" in report
    assert "the machine was busy" in report


def test_what_was_not_measured_is_not_called_met() -> None:
    report = render(replace(_results(), pgloader=None, peaks=[]))
    assert "| pgloader | not installed | | | | |" in report
    assert "- not measured: at least 1.5 x as fast as pgloader (pgloader is not installed)" in report
    assert "- not measured: memory stays flat as logs grow (add --memory)" in report
    broken = render(replace(_results(), pgloader=Runs("pgloader", "no", failure="heap exhausted")))
    assert "| pgloader | failed: heap exhausted | | | | no |" in broken
    assert "- not measured: at least 1.5 x as fast as pgloader (it failed)" in broken
