"""What backups cost, beside a durable ``cp`` of the same data directory; and the digest, beside a COPY.

    python -m tests.benchmarks.backup [--events 2000000] [--runs 3] [--folder /var/tmp]

One embedded server, as durable as it is by itself, on a real disk. All take turns; before each, what it reads
is in the page cache and nothing waits to be written. Each of gymops is a process of its own; its seconds are
from the plan on, without the start of Python. Between the turns the log grows by a hundredth.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from types import FrameType

import psycopg
from psycopg import sql

from gymops.backup import restore_test
from gymops.backup.keys import open_keys
from gymops.backup.port import Wanted, untold
from gymops.backup.recovery_point import new_id
from gymops.backup.restore import Restores
from gymops.backup.restore_test import How, Watch
from gymops.backup.take import Taker
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.clock import SystemClock
from gymops.eventlog.postgres import RECORDS, PostgresLog
from gymops.pg import embedded, schema
from gymops.pg.embedded import Server
from gymops.store.directory import DirectoryObjects
from gymops.store.folder import FolderBlobs
from tests.benchmarks import process, ratios
from tests.benchmarks.process import FailedError

CLOCK = SystemClock()
ENVIRONMENT = "bench"
PER_USER = 10_000
CP, COPY = "durable cp -a", "COPY of the digest's query to nowhere, by psql"
BACKUP, RESTORE, TEST, DIGEST = "backup", "restore", "restore-test", "digest"
WHOLE = "gymops backup, whole"
TAKEN, VERIFIED = "- seal, copy, WAL, record", "- verify: read back and hashed"
READY, TESTED = "gymops restore, until it answers", "gymops restore-test, end to end"
HASHED = "gymops digest"
GOALS = ((TAKEN, 0.8), (VERIFIED, 0.35), (READY, 1.0))
DIGEST_GOAL = 1.2

_FILL = """
INSERT INTO events (user_id, position, event_id, "timestamp", event_type, payload)
SELECT 'sample|' || lpad(n / %(users)s || '', 6, '0'), n %% %(users)s + 1, gen_random_uuid(),
    timestamptz '2024-01-01' + n * interval '41.3 seconds', 'SetLogged',
    jsonb_build_object('workout_id', md5(n / 20 || '')::uuid, 'exercise_id',
        (ARRAY['squat', 'bench-press', 'deadlift', 'overhead-press', 'barbell-row'])[n / 4 %% 5 + 1],
        'weight', 40 + n %% 37 * 2.5, 'reps', 3 + n %% 9, 'unit', 'kg')
FROM generate_series(%(first)s, %(behind)s - 1) AS n
"""

Parts = dict[str, float]
"""Seconds of phases, by their name."""
Measured = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Done:
    """What a process did."""

    seconds: float
    phases: Parts
    peak: int
    """Bytes it held at most."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 whatever the figures are, 1 when something could not be measured."""
    options = _options(arguments)
    if options.step:
        print(json.dumps(asdict(_STEPS[options.step](options.folder))))
        return 0
    signal.signal(signal.SIGTERM, _interrupted)
    load = ratios.load()
    try:
        with tempfile.TemporaryDirectory(prefix="gymops-bench-", dir=options.folder) as name:
            print(_measured(Path(name), options.events, options.runs), ratios.told(load), sep="\n\n")
    except KeyboardInterrupt:
        _note("interrupted; the server is stopped and the files are gone")
        return 130
    except FailedError as error:
        _note(f"failed: {error}")
        return 1
    return 0


def _measured(folder: Path, events: int, runs: int) -> str:
    server = _server(folder)
    measured: defaultdict[str, list[float]] = defaultdict(list)
    phases: defaultdict[str, list[Parts]] = defaultdict(list)
    peaks: defaultdict[str, int] = defaultdict(int)

    def step(name: str) -> Done:
        done = _child(folder, name)
        peaks[name] = max(peaks[name], done.peak)
        phases[name].append(done.phases)
        return done

    try:
        embedded.start(server, clock=CLOCK, tied_to_parent=True, settings={"autovacuum": "off"})
        schema.upgrade(server.url(), clock=CLOCK)
        _note(f"filling a log of {events:,} events ...")
        _fill(server, 0, events)
        first = _child(folder, BACKUP).seconds
        for run in range(runs):
            more = max(1, events // 100)
            _fill(server, events + run * more, events + (run + 1) * more)
            for name, seconds in _turn(server, folder, step):
                measured[name].append(seconds)
                _note(f"run {run + 1} of {runs}: {seconds:6.2f} s: {name}")
        return report(measured, phases, peaks, f"{_size(server, folder)} {events:,} events", first)
    finally:
        embedded.stop(server, clock=CLOCK)


def _turn(server: Server, folder: Path, step: Callable[[str], Done]) -> Sequence[tuple[str, float]]:
    """One of each."""
    _settled(server)
    found = [(CP, _cp(server.data, folder / "copy"))]
    _settled(server)
    done = step(BACKUP)
    verify = done.phases["verify"]
    found += [(WHOLE, done.seconds), (TAKEN, done.seconds - verify), (VERIFIED, verify)]
    for name, shown in ((RESTORE, READY), (TEST, TESTED)):
        _settled(server)
        found.append((shown, step(name).seconds))
    _settled(server)
    found += [(COPY, _copy(server)), (HASHED, step(DIGEST).seconds)]
    return found


def report(
    measured: Measured, phases: Mapping[str, Sequence[Parts]], peaks: Mapping[str, int], of: str, first: float
) -> str:
    """The figures as Markdown."""
    beside_copy = (COPY, HASHED)
    files = {name: runs for name, runs in measured.items() if name not in beside_copy}
    digests = {name: measured[name] for name in beside_copy}
    lines = [f"Backups of a data directory of {of}:", "", *ratios.table("what", files, CP), ""]
    unit = median(measured[CP])
    lines += [
        ratios.goal(median(measured[name]) / unit, most, f"cp: {name.removeprefix('- ')}")
        for name, most in GOALS
    ]
    lines += ["", f"The first backup, which seals all events, took {first:.2f} s. Phases, medians in s:", ""]
    lines += [
        f"- {name}: {', '.join(f'{phase} {seconds:.2f}' for phase, seconds in _medians(runs).items())}"
        for name, runs in phases.items()
        if any(runs)
    ]
    told = ", ".join(f"{name} {peak / 1e6:,.0f} MB" for name, peak in peaks.items())
    lines += ["", f"Peak memory of gymops' own process: {told}.", "", *ratios.table("what", digests, COPY)]
    ratio = median(measured[HASHED]) / median(measured[COPY])
    return "\n".join([*lines, "", ratios.goal(ratio, DIGEST_GOAL, COPY)])


def _medians(runs: Sequence[Parts]) -> Parts:
    names = dict.fromkeys(name for one in runs for name in one)
    return {name: median(one.get(name, 0.0) for one in runs) for name in names}


def _fill(server: Server, first: int, behind: int) -> None:
    """More events; everything is written, and the WAL of that is gone."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(_FILL, {"users": PER_USER, "first": first, "behind": behind})
        # Before the first checkpoint: what that recycles stays, and is no data.
        connection.execute("ALTER SYSTEM SET max_wal_size = '64MB'")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _settled(server: Server) -> None:
    """Read what is going to be read, and let everything be written."""
    for file in server.data.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                while opened.read(1 << 20):
                    pass
    os.sync()


def _cp(source: Path, target: Path) -> float:
    """Copy, and make every file and folder durable."""
    began = time.perf_counter()
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    for place in (target, *target.rglob("*")):
        opened = os.open(place, os.O_RDONLY)
        os.fsync(opened)
        os.close(opened)
    seconds = time.perf_counter() - began
    shutil.rmtree(target)
    return seconds


def _copy(server: Server) -> float:
    with psycopg.connect(server.url()) as connection:
        query = sql.SQL(RECORDS).format(users=sql.SQL("true")).as_string(connection)
    began = time.perf_counter()
    subprocess.run(
        [str(server.binaries / "psql"), "-X", "-q", "-d", server.url(), "-c", query],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - began


def _child(folder: Path, step: str) -> Done:
    command = [sys.executable, "-m", "tests.benchmarks.backup", "--step", step, "--folder", str(folder)]
    done = process.run(command, folder=Path(__file__).resolve().parents[2])
    if done.status != 0:
        raise FailedError(f"{step}: exit {done.status}: {done.stderr.strip()[-2000:]}")
    return Done(**json.loads(done.stdout))


def _told(seconds: float, phases: Mapping[str, float]) -> Done:
    return Done(seconds, dict(phases), process.high_water(os.getpid()))


def _back_up(folder: Path) -> Done:
    server, vault, watch = _server(folder), _vault(folder), Watch(CLOCK, untold)
    taker = Taker(server.url(), server.binaries, vault, DEFAULT)
    began = time.perf_counter()
    taker.take(taker.plan("daily"), CLOCK.now(), watch)
    watch.stop()
    return _told(time.perf_counter() - began, watch.phases)


def _restore(folder: Path) -> Done:
    restores, watch = _restores(folder), Watch(CLOCK, untold)
    began = time.perf_counter()
    restored = restores.restore(restores.plan(Wanted(to=str(folder / "restored"))), watch)
    watch.stop()
    seconds = time.perf_counter() - began
    restores.drop(restored)
    return _told(seconds, watch.phases)


def _restore_test(folder: Path) -> Done:
    restores = _restores(folder)
    how = How(new_id(CLOCK.now()), ENVIRONMENT, DEFAULT, restores.vault.seals)
    began = time.perf_counter()
    tested = restore_test.run(restores, Wanted(), how, CLOCK)
    if not tested.passed:
        raise FailedError(f"{tested.result}: {tested.message}")
    return _told(time.perf_counter() - began, dict(tested.phases))


def _digest(folder: Path) -> Done:
    with closing(PostgresLog(_server(folder).url())) as log:
        _ = log.connection
        began = time.perf_counter()
        log.digest()
        return _told(time.perf_counter() - began, {})


_STEPS = {BACKUP: _back_up, RESTORE: _restore, TEST: _restore_test, DIGEST: _digest}


def _server(folder: Path) -> Server:
    return embedded.open_server(folder / "home", None)


def _vault(folder: Path) -> Vault:
    objects = DirectoryObjects(folder / "store" / "records", CLOCK)
    blobs = FolderBlobs(folder / "store" / "data", CLOCK)
    return Vault(ENVIRONMENT, objects, blobs, open_keys(folder / "keys", {}), folder / "work", "the bench")


def _restores(folder: Path) -> Restores:
    server = _server(folder)
    return Restores(_vault(folder), server.url(), [server.binaries], folder / "restores", CLOCK)


def _size(server: Server, folder: Path) -> str:
    def below(place: Path) -> float:
        return sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) / 1e6

    stored = max((folder / "store").rglob("base.tar.*"), key=lambda file: file.stat().st_mtime)
    return (
        f"{below(server.data):,.0f} MB ({below(server.data / 'pg_wal'):,.0f} of them WAL),"
        f" stored in {stored.stat().st_size / 1e6:,.0f};"
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.backup", description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000, help="how long the log is")
    parser.add_argument("--runs", type=int, default=3, help="of each; medians are reported")
    parser.add_argument("--folder", type=Path, default="/var/tmp", help="on which disk")  # noqa: S108
    parser.add_argument("--step", choices=_STEPS, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
