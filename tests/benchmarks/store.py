"""What an append of the payload costs: beside a bare transaction, with a long history, and folded anew.

    python -m tests.benchmarks.store [--appends 2000] [--history 1000000]

The bare transaction is the two statements any event-sourced app would run: one inserts the event, one
writes the row it changes. It knows no lock, no precondition, no record and no repeated request.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

from gymops.app.events import new_payload
from gymops.app.store import NewEvent
from gymops.app.store.postgres import PostgresStore
from gymops.clock import SystemClock
from gymops.eventlog.sample import write_log
from gymops.pg import embedded, schema
from gymops.pg.connection import connect_plain

WRITERS = 8
ROUNDS = 3
SETS = 20
"""Sets in a workout; then it is finished and another one begins."""
LEAST_SPEED = 0.8
MOST_GROWTH = 1.1

_EXERCISES = ("squat", "bench-press", "deadlift")
_AT = "2026-11-21T03:59:38.300301Z"
_INSERT = """
INSERT INTO events (user_id, position, event_id, "timestamp", event_type, payload)
VALUES (%s, %s, %s, now(), 'SetLogged', %s)
"""
_UPSERT = """
INSERT INTO projections (user_id, key, data, updated_at) VALUES (%s, 'current_workout', %s, now())
ON CONFLICT (user_id, key) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at
"""


@dataclass(frozen=True)
class Speed:
    """One round of all writers."""

    per_second: float
    p50: float
    """Seconds."""
    p99: float


Step = Callable[[], object]


def bare(url: str, user: str) -> Iterator[Step]:
    """Transactions of two statements, with rows as large as the store's."""
    with closing(connect_plain(url)) as connection:
        for number in range(10**9):

            def step(number: int = number) -> None:
                row = {"workout_id": str(uuid.UUID(int=0)), **_set(number), "duration_seconds": None}
                workout = _workout(number % (SETS + 2))
                with connection.transaction():
                    connection.execute(_INSERT, (user, number + 1, str(uuid.uuid4()), json.dumps(row)))
                    connection.execute(_UPSERT, (user, json.dumps(workout)))

            yield step


def store(url: str, user: str) -> Iterator[Step]:
    """The payload's own appends: workouts of twenty sets, started and finished."""
    with closing(PostgresStore(lambda **_: url, clock=SystemClock())) as opened:
        yield from appends(opened, user)


def appends(opened: PostgresStore, user: str) -> Iterator[Step]:
    """Each step appends one event."""
    workout = ""
    for number in range(10**9):
        place = number % (SETS + 2)
        if place == 0:
            workout = str(uuid.uuid4())
        event_type, payload = (
            ("WorkoutStarted", {})
            if place == 0
            else ("WorkoutCompleted", {})
            if place == SETS + 1
            else ("SetLogged", _set(number))
        )
        data = {"workout_id": workout, **payload}

        def step(event_type: str = event_type, data: dict[str, object] = data) -> None:
            opened.append(user, [NewEvent(str(uuid.uuid4()), event_type, new_payload(event_type, data))])

        yield step


def _set(number: int) -> dict[str, object]:
    return {
        "exercise_id": _EXERCISES[number % 3],
        "weight": 60.0 + number % 7 * 2.5,
        "reps": 5 + number % 4,
        "unit": "kg",
    }


def _workout(sets: int) -> dict[str, object]:
    one = {
        "event_id": str(uuid.UUID(int=0)),
        "position": 1000,
        "logged_at": _AT,
        "weight": 60.0,
        "reps": 5,
        "unit": "kg",
        "duration_seconds": None,
    }
    return {
        "id": str(uuid.UUID(int=0)),
        "name": None,
        "started_at": _AT,
        "from_template_id": None,
        "focus_exercise": "squat",
        "exercises": [{"exercise_id": "squat", "sets": [one] * sets}],
    }


def _write(
    candidate: Callable[[str, str], Iterator[Step]],
    url: str,
    user: str,
    count: int,
    ready: Barrier,
    results: Queue[list[float]],
) -> None:
    steps = candidate(url, user)
    for _ in range(SETS + 2):  # connect, and one workout to warm up
        next(steps)()
    ready.wait()
    taken = []
    for _ in range(count):
        step = next(steps)
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    results.put(taken)


def race(candidate: Callable[[str, str], Iterator[Step]], url: str, count: int) -> Speed:
    """All writers at once, each a process with a user of its own."""
    results: Queue[list[float]] = multiprocessing.Queue()
    ready = multiprocessing.Barrier(WRITERS + 1)
    writers = [
        multiprocessing.Process(
            target=_write, args=(candidate, url, str(uuid.uuid4()), count, ready, results)
        )
        for _ in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    ready.wait()
    start = time.perf_counter()
    taken = sorted(seconds for _ in writers for seconds in results.get())
    elapsed = time.perf_counter() - start
    for writer in writers:
        writer.join()
    return Speed(len(taken) / elapsed, taken[len(taken) // 2], taken[len(taken) * 99 // 100])


@dataclass(frozen=True)
class History:
    """What a long history costs."""

    events: int
    folded_per_second: float
    short: float
    """Median seconds of an append with 1,000 events."""
    long: float


def with_history(url: str, folder: Path, events: int, count: int) -> History:
    """Appends to a long and to a short log in turns."""
    from tests.sources import migrate

    for user, size in (("long", events), ("short", 1_000)):
        (folder / user).mkdir()
        write_log(folder / user / "gym.db", events=size, seed=1, user=user)
    migrate(folder, url)
    with closing(PostgresStore(lambda **_: url, clock=SystemClock())) as opened:
        opened.build("short")
        start = time.perf_counter()
        folded = opened.build("long")
        elapsed = time.perf_counter() - start
        for user in ("long", "short"):
            _end_workout(opened, user)
        steps = {user: appends(opened, user) for user in ("long", "short")}
        taken: dict[str, list[float]] = {"long": [], "short": []}
        for number in range(count + SETS + 2):
            for user, step in steps.items():
                do = next(step)
                start = time.perf_counter()
                do()
                if number >= SETS + 2:
                    taken[user].append(time.perf_counter() - start)
    return History(folded, folded / elapsed, median(taken["short"]), median(taken["long"]))


def _end_workout(opened: PostgresStore, user: str) -> None:
    current = opened.rows(user, ["current_workout"])["current_workout"].data
    if current:
        payload = new_payload("WorkoutDiscarded", {"workout_id": current["id"]})
        opened.append(user, [NewEvent(str(uuid.uuid4()), "WorkoutDiscarded", payload)])


def report(rounds: list[tuple[Speed, Speed]], history: History | None, load: float) -> str:
    """The tables, as Markdown."""
    lines = [
        f"{WRITERS} writers, {ROUNDS} rounds in turns, medians; load average before: {load:.1f}",
        "",
        "| what | appends/s | p50 ms | p99 ms |",
        "|---|---|---|---|",
    ]
    for name, speeds in zip(("bare transaction", "the store"), zip(*rounds, strict=True), strict=True):
        figures = [median(getattr(one, field) for one in speeds) for field in ("per_second", "p50", "p99")]
        lines.append(f"| {name} | {figures[0]:,.0f} | {figures[1] * 1e3:.1f} | {figures[2] * 1e3:.1f} |")
    ratios = sorted(ours.per_second / theirs.per_second for theirs, ours in rounds)
    lines += [
        "",
        f"ratio {median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}), "
        + _goal(median(ratios) >= LEAST_SPEED, f"at least {LEAST_SPEED}"),
    ]
    if history:
        growth = history.long / history.short
        lines += [
            f"an append with {history.events:,} events of history: {history.long * 1e3:.2f} ms, with 1,000: "
            f"{history.short * 1e3:.2f} ms, ratio {growth:.2f}, "
            + _goal(growth <= MOST_GROWTH, f"at most {MOST_GROWTH}"),
            f"rebuild: {history.folded_per_second:,.0f} events/s",
        ]
    return "\n".join(lines)


def _goal(met: bool, goal: str) -> str:
    return f"{'met' if met else 'MISSED'}: {goal}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.store")
    parser.add_argument("--appends", type=int, default=2_000, help="per writer and round")
    parser.add_argument("--history", type=int, default=1_000_000, help="events; 0 leaves this part out")
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded.temporary(clock=SystemClock()) as server,
    ):
        url = server.url("postgres")
        schema.upgrade(url, clock=SystemClock())
        rounds = [
            (race(bare, url, options.appends), race(store, url, options.appends)) for _ in range(ROUNDS)
        ]
        history = (
            with_history(url, Path(folder), options.history, options.appends) if options.history else None
        )
    print(report(rounds, history, load))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
