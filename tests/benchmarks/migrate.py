"""``make bench``: gymops migrate beside psql's \\copy and pgloader, on the same log and the same server.

Only what can be compared is timed: each candidate starts with a fresh database of a server that runs and
has written everything, and they take turns. A benchmark reports: it exits 0 whether goals are met or not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from gymops.clock import SystemClock
from gymops.eventlog import sample
from gymops.pg import embedded
from tests.benchmarks.candidates import (
    Candidate,
    Gymops,
    Limit,
    Measured,
    Pgloader,
    Source,
    measure,
    pgloader_version,
    write_text,
)
from tests.benchmarks.process import FailedError
from tests.benchmarks.report import Peaks, Results, Runs, render

_SEED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the report; 1 only when something could not be measured, 130 when interrupted."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        with _folder(options.keep) as (kept, scratch), embedded.temporary(clock=SystemClock()) as server:
            results = _measure(options, server, kept, scratch)
    except KeyboardInterrupt:
        _note("interrupted; the server is stopped and the files are gone")
        return 130
    except FailedError as error:
        _note(f"failed: {error}")
        return 1
    print(render(results))
    return 0


def _measure(options: argparse.Namespace, server: embedded.Server, kept: Path, scratch: Path) -> Results:
    load = os.getloadavg()[0]
    source = _source(kept, options.events, with_text=True)
    limit, gymops = Limit(server, scratch), Gymops(scratch)
    pgloader = Pgloader(server, scratch) if pgloader_version() and not options.no_pgloader else None
    candidates: list[Candidate] = [limit, gymops, *([pgloader] if pgloader else [])]
    _warm(source)
    runs = [Runs(candidate.name, candidate.proof) for candidate in candidates]
    for turn in range(options.runs):
        for candidate, so_far in zip(candidates, runs, strict=True):
            _one(server, candidate, source, so_far, f"run {turn + 1} of {options.runs}")
    sizes = (options.events // 2, options.events * 2) if options.memory else ()
    peaks = [_peaks(server, gymops, pgloader, _source(kept, events, with_text=False)) for events in sizes]
    return Results(
        events=options.events,
        megabytes=source.sqlite.stat().st_size / 1e6,
        postgres=embedded.status(server).version or "?",
        load=(load, os.getloadavg()[0]),
        limit=runs[0],
        gymops=runs[1],
        pgloader=runs[2] if pgloader else None,
        peaks=peaks,
    )


def _one(
    server: embedded.Server, candidate: Candidate, source: Source, so_far: Runs, turn: str
) -> Measured | None:
    """One run. pgloader may fail and is told as failed; without the others there is nothing to report."""
    if so_far.failure:
        return None
    try:
        measured = measure(server, candidate, source)
    except FailedError as error:
        if not isinstance(candidate, Pgloader):
            raise
        so_far.failure = str(error).splitlines()[0][:200]
        _note(f"{turn}: {error}")
        return None
    so_far.measured.append(measured)
    _note(f"{turn}: {measured.seconds:6.2f} s, {measured.peak / 1e6:5.0f} MB: {candidate.name}")
    return measured


def _peaks(server: embedded.Server, gymops: Gymops, pgloader: Pgloader | None, source: Source) -> Peaks:
    title = f"memory at {source.events:,} events"
    ours = _one(server, gymops, source, Runs(gymops.name, gymops.proof), title)
    other = _one(server, pgloader, source, Runs(pgloader.name, pgloader.proof), title) if pgloader else None
    return Peaks(source.events, ours.peak / 1e6 if ours else 0, other.peak / 1e6 if other else None)


def _source(folder: Path, events: int, *, with_text: bool) -> Source:
    """The log of this size, made unless it was kept."""
    source = Source(events, folder / f"sample-{events}.db", folder / f"sample-{events}.copy")
    if not source.sqlite.exists():
        _note(f"writing a log of {events:,} events ...")
        sample.write_log(source.sqlite, events=events, seed=_SEED)
    if with_text and not source.text.exists():
        _note("writing the text file for psql ...")
        unfinished = source.text.with_suffix(".unfinished")
        try:
            write_text(source.sqlite, unfinished)
            unfinished.rename(source.text)
        finally:
            unfinished.unlink(missing_ok=True)
    return source


def _warm(source: Source) -> None:
    """Read what is going to be read, so that the first candidate does not pay for a cold cache."""
    for file in (source.sqlite, source.text):
        with file.open("rb") as opened:
            while opened.read(1 << 20):
                pass


@contextmanager
def _folder(keep: Path | None) -> Iterator[tuple[Path, Path]]:
    """Where the logs are kept, and a folder for everything else, which is gone afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="gymops-bench-"))
    try:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
        yield (keep or scratch).resolve(), scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.migrate", description=__doc__)
    parser.add_argument("--events", type=_positive, default=2_000_000, help="how long the log is")
    parser.add_argument("--runs", type=_positive, default=3, help="of each candidate; medians are reported")
    parser.add_argument("--memory", action="store_true", help="also at half and twice as many events")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the log here, and use it if it is there"
    )
    parser.add_argument("--no-pgloader", action="store_true", help="leave pgloader out")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    value = int(text.replace("_", "").replace(",", ""))
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
