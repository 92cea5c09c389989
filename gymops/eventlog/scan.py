"""One pass over a SQLite log: every row read, checked and hashed, in memory that does not grow."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from operator import itemgetter
from pathlib import Path
from typing import Any

from gymops.errors import GymopsError, SourceError
from gymops.eventlog import limits
from gymops.eventlog.digest import CHUNK, Records, Stream, StreamHasher, fold, side_record
from gymops.eventlog.event import REPEATED_KEY, BadRow, Decoder, Row
from gymops.eventlog.jsonb import BadJsonError, Payloads
from gymops.eventlog.shapes import Contents
from gymops.eventlog.spool import Unique
from gymops.eventlog.sqlite import SqliteFile

DUPLICATE = "event_id: a duplicate of an earlier event's"
SAMPLES = 20
PARALLEL_ROWS = 200_000
"""From this many rows on, a second process reads half of the file."""

Progress = Callable[[int], None]
"""Told how many rows more were done."""


@dataclass
class Scan:
    """What one pass over a log found."""

    rows: int = 0
    events: int = 0
    chunks: list[bytes] = field(default_factory=list)
    watched: Stream | None = None
    """The stream at the length that was watched for."""
    watched_rowid: int = 0
    """The rowid of the last event of ``watched``."""
    rejected: array[int] = field(default_factory=lambda: array("q"))
    """Rowids of the rows that cannot be events, ascending."""
    samples: list[BadRow] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    first: int | None = None
    last: int | None = None
    """Earliest and latest timestamp, microseconds since 2000."""
    side_chunks: list[bytes] = field(default_factory=list)
    """Chunks of the side column, where the events have columns we do not know."""
    peak_rss: int = 0
    """Peak memory of the second process, bytes."""
    ambiguous_ids: int = 0
    """Ids that another spelling of the same UUID could collide with."""

    @property
    def stream(self) -> Stream:
        return Stream(self.events, fold(self.chunks))

    @property
    def side(self) -> Stream:
        return Stream(self.events if self.side_chunks else 0, fold(self.side_chunks))


def scan(
    file: SqliteFile, contents: Contents, *, watch: int = -1, progress: Progress = lambda _: None
) -> Scan:
    """Read the whole log up to its high mark; ``watch`` is the length whose digest is wanted too."""
    if not contents.shape.unique_ids:
        return _part(file, contents, contents.low_mark - 1, contents.high_mark, watch, progress, Unique())
    rows = contents.high_mark - contents.low_mark + 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if rows >= PARALLEL_ROWS and watch <= 0 and cores > 1:
        result = _halves(file, contents, watch, progress)
    else:
        result = _part(file, contents, contents.low_mark - 1, contents.high_mark, watch, progress, None)
    if result.ambiguous_ids:
        return _part(
            file, contents, contents.low_mark - 1, contents.high_mark, watch, lambda _: None, Unique()
        )
    return result


def _halves(file: SqliteFile, contents: Contents, watch: int, progress: Progress) -> Scan:
    """Read the two halves of the log in two processes.

    Chunks are counted in events, so the second half may only start at a multiple of their size. Where
    it starts is guessed from the rowids; if the first half turns out to hold another number of events
    (rows were deleted or rejected), the log is read once more, in one piece.
    """
    before = contents.low_mark - 1
    events = (contents.high_mark - before) // 2 // CHUNK * CHUNK
    middle = before + events
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    worker = context.Process(
        target=_work, args=(send, file, contents, middle, contents.high_mark), daemon=True
    )
    _start_deaf(worker)
    send.close()
    try:
        first = _part(file, contents, before, middle, watch, lambda n: progress(2 * n), None)
        second: Scan | GymopsError
        try:
            second = receive.recv()
        except EOFError:
            second = SourceError(
                f"{file.path}: the second reader ended early", hint="run the same command again"
            )
    finally:
        receive.close()
        worker.kill()
        worker.join()
    if isinstance(second, GymopsError):
        raise second
    if first.events != events:
        return _part(file, contents, before, contents.high_mark, watch, lambda _: None, None)
    return Scan(
        rows=first.rows + second.rows,
        events=first.events + second.events,
        chunks=first.chunks + second.chunks,
        side_chunks=first.side_chunks + second.side_chunks,
        peak_rss=second.peak_rss,
        watched=first.watched,
        rejected=first.rejected + second.rejected,
        samples=(first.samples + second.samples)[:SAMPLES],
        notes=first.notes + second.notes,
        types=first.types + second.types,
        first=min((t for t in (first.first, second.first) if t is not None), default=None),
        last=max((t for t in (first.last, second.last) if t is not None), default=None),
        ambiguous_ids=first.ambiguous_ids + second.ambiguous_ids,
    )


def _start_deaf(worker: BaseProcess) -> None:
    """Start a process that Ctrl-C does not reach; a terminal sends it to both, and we end that one."""
    resource_tracker.ensure_running()  # it would lift the block when it starts
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        worker.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _work(send: Connection, file: SqliteFile, contents: Contents, after: int, upto: int) -> None:
    try:
        part = _part(file, contents, after, upto, -1, lambda _: None, None)
        part.peak_rss = peak_rss()
        result: object = part
    except GymopsError as error:
        result = error
    with suppress(BrokenPipeError):  # the parent is gone; nobody wants the result
        send.send(result)


def _part(
    file: SqliteFile,
    contents: Contents,
    after: int,
    upto: int,
    watch: int,
    progress: Progress,
    unique: Unique | None,
) -> Scan:
    result = Scan()
    decoder = Decoder(file.user_id, contents.shape.extra)
    payloads = Payloads()
    records = Records(file.user_id)
    hasher = StreamHasher(watch)
    side = StreamHasher()
    with file.connection() as connection, no_collector():
        for raw in file.batches(connection, contents.shape, after=after, upto=upto):
            rows, bad = decoder.decode(raw)
            texts, rows = _canonical(payloads, rows, bad)
            if unique is not None:
                texts, rows = _first_of_each(unique, texts, rows, bad)
            before = hasher.events
            hasher.add(records.build(rows, texts))
            if contents.shape.extra:
                side.add(side_records(file.user_id, rows, payloads))
            if before < watch <= hasher.events:
                result.watched_rowid = rows[watch - before - 1][0]
            _count(result, raw, rows, bad)
            progress(len(raw))
    if unique is not None:
        unique.close()
    result.events = hasher.events
    result.chunks = hasher.chunks()
    result.side_chunks = side.chunks()
    result.watched = hasher.watched
    result.notes = decoder.notes
    result.ambiguous_ids = 0 if unique is not None else decoder.ambiguous
    if payloads.repeated:
        result.notes[REPEATED_KEY] = payloads.repeated
    return result


def side_records(user_id: str, rows: list[Row], payloads: Payloads) -> list[bytes]:
    """The records of the side column of some rows."""
    return [
        side_record(user_id, row[1], payloads.canonical("", row[7])) for row in rows if row[7] is not None
    ]


def peak_rss() -> int:
    """The most memory this process ever held, bytes (0 where the system does not tell)."""
    try:
        with Path("/proc/self/status").open(encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
    except (OSError, StopIteration):
        return 0


def _canonical(payloads: Payloads, rows: list[Row], bad: list[BadRow]) -> tuple[list[str], list[Row]]:
    canonical = payloads.canonical
    repeated = payloads.repeated
    try:
        texts = [canonical(row[3], row[4]) for row in rows]
        if limits.unusual(map(itemgetter(3), rows), texts):
            for row, text in zip(rows, texts, strict=True):
                limits.check(row[3], text)
    except ValueError:
        payloads.repeated = repeated  # one of them is bad: told apart row by row
    else:
        return texts, rows
    texts = []
    good: list[Row] = []
    for row in rows:
        try:
            text = canonical(row[3], row[4])
            limits.check(row[3], text)
        except BadJsonError as error:
            bad.append(BadRow(row[0], f"payload: {error}"))
        except ValueError as error:
            bad.append(BadRow(row[0], str(error)))
        else:
            texts.append(text)
            good.append(row)
    return texts, good


def _first_of_each(
    unique: Unique, texts: list[str], rows: list[Row], bad: list[BadRow]
) -> tuple[list[str], list[Row]]:
    fresh = [unique.add(row[1]) for row in rows]
    bad += [BadRow(row[0], DUPLICATE) for row, new in zip(rows, fresh, strict=True) if not new]
    return (
        [text for text, new in zip(texts, fresh, strict=True) if new],
        [row for row, new in zip(rows, fresh, strict=True) if new],
    )


def _count(result: Scan, raw: list[tuple[Any, ...]], rows: list[Row], bad: list[BadRow]) -> None:
    result.rows += len(raw)
    if rows:
        result.types.update(map(itemgetter(3), rows))
        times = list(map(itemgetter(2), rows))
        result.first = min(times) if result.first is None else min(result.first, min(times))
        result.last = max(times) if result.last is None else max(result.last, max(times))
    if bad:
        bad.sort(key=lambda row: row.rowid)
        result.rejected.extend(row.rowid for row in bad)
        result.samples += bad[: SAMPLES - len(result.samples)]


@contextmanager
def no_collector() -> Iterator[None]:
    """Millions of small tuples and no cycles: the cycle collector would only look at them in vain."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
