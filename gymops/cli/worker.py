"""``gymops worker``: backups, audits and restore-tests by the clock."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import click

from gymops.cli import audits, context, items, output, vaults
from gymops.clock import SystemClock
from gymops.errors import GymopsError, LockHeld

if TYPE_CHECKING:
    from datetime import datetime

    from gymops.backup.worker import Done, Ran, Task
    from gymops.config import Settings

_PATIENCE = 8.0
"""Seconds that all commands have to end in: a container has ten."""
_EPILOG = """\b
Examples:
  gymops worker local            # until Ctrl-C, under systemd or in a container
  gymops worker local --once     # what is due now: from cron, or by hand
  gymops worker local --plan     # when each is due next

\b
--json: a line for each run: {"at", "environment", "task", "exit", "seconds", "message"}; with --plan for
each task: {"at": when it is due, "environment", "task"}.
Exit 0 with --once: all that was due was done; 1: something was not. Without it: 130, by Ctrl-C or SIGTERM."""


@click.command("worker", epilog=_EPILOG)
@click.argument("environments", metavar="[ENV]...", nargs=-1)
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option("--plan", is_flag=True, help="Print what is due when; nothing is done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on each line.")
@click.pass_context
def command(ctx: click.Context, environments: tuple[str, ...], once: bool, plan: bool, as_json: bool) -> None:
    """Back up by the tiers, receive what comes in between, audit each day, test a restore each month.

    ENV is an environment of gymops.toml (default: local). What is due follows from the backups that are
    there, and what comes in between is received beside all else. Backups of a deployed environment are AWS's;
    the worker seals its log, audits and tests. Each is a command of its own (gymops backup, audit,
    restore-test), and is tried again where it fails.
    """
    from gymops.backup import worker

    settings, clock = context.settings(ctx), SystemClock()
    names = environments or ("local",)
    given = [task for name in names for task in _tasks(settings, name, clock.now())]
    if plan:
        for task in sorted(given, key=lambda one: one.due):
            _told(as_json, max(task.due, clock.now()), task)
        return
    failed = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    row = worker.once if once else worker.beside
    with _alone(settings, names), _Runner(settings) as run:
        for done in row(given, clock, run):
            failed = failed or not done.well
            _record(settings, done)
            took = round((done.ended - done.began).total_seconds(), 1)
            _told(as_json, done.began, done.task, exit=done.ran.code, seconds=took, message=done.ran.message)
            output.flush()
    ctx.exit(1 if failed else 0)


def _tasks(settings: Settings, environment: str, now: datetime) -> Sequence[Task]:
    from gymops.backup import worker

    place = audits.place(settings, environment)
    found = place.evidence(now)
    tiers = place.expected().tiers
    if isinstance(place, items.Items):  # DynamoDB itself keeps the times in between
        tiers = tuple(one for one in tiers if one.schedule)
    return worker.tasks(
        environment, tiers, found.listing.points, found.tests, now,
        managed=isinstance(place, audits.Managed),
    )  # fmt: skip


class _Runner:
    """Runs a task as a command of its own, so that what it takes is given back, and its end is its own; those
    that still run end with the block, as by Ctrl-C.
    """

    def __init__(self, settings: Settings) -> None:
        context_ = click.get_current_context().find_root().obj or {}
        self._options = [f"--{name}={value}" for name, value in context_.items() if value]
        self._settings = settings
        self._live: set[subprocess.Popen[str]] = set()
        self._lock, self._ended = Lock(), False

    def __enter__(self) -> _Runner:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ended, live = True, list(self._live)
        for process in live:
            process.send_signal(signal.SIGINT)
        clock = SystemClock()
        deadline = clock.monotonic() + _PATIENCE
        for process in live:
            try:
                process.wait(max(0.0, deadline - clock.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def __call__(self, task: Task) -> Ran:
        from gymops.backup.worker import Ran

        output.note(f"gymops {' '.join(task.command)} ...")
        with self._lock:
            if self._ended:
                raise SystemExit  # of this thread: none begins any more
            process = subprocess.Popen(
                [sys.executable, "-m", "gymops", *self._options, *task.command],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                process_group=0,
            )  # fmt: skip
            self._live.add(process)
        _, said = process.communicate()
        self._live.discard(process)
        return Ran(process.returncode, _last_words(said) if process.returncode else "")


def _last_words(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1]


def _record(settings: Settings, done: Done) -> None:
    """Leave word of a backup that failed, for the audit; where that fails too, say so."""
    from gymops.backup import runs
    from gymops.cli import managed

    environment = done.task.command[1]
    if done.job is None or managed.is_managed(settings, environment):
        return
    try:
        vault = vaults.vault(settings, environment)
        if any(one.tier == done.task.tier for one in runs.runs(vault, since=done.began)):
            return  # the command did it itself
        runs.record(vault, done.job)
    except GymopsError as error:
        output.note(f"that it failed is not recorded: {error.message}")


def _told(as_json: bool, at: datetime, task: Task, **more: Any) -> None:
    words = " ".join(task.command)
    if as_json:
        document = {"at": at.isoformat(), "environment": task.command[1], "task": words, **more}
        output.text(json.dumps(document))
        return
    ended = {None: "", 0: "  done"}.get(more.get("exit"), f"  exit {more.get('exit')}")
    message = f": {more['message']}" if more.get("message") else ""
    output.text(f"{at:%Y-%m-%d %H:%M}  gymops {words}{ended}{message}")


@contextmanager
def _alone(settings: Settings, environments: Sequence[str]) -> Iterator[None]:
    """One worker for an environment on this machine; the lock ends with its process.

    Raises:
        LockHeld: there is another.
    """
    folder = settings.home / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        for name in environments:
            file = stack.enter_context((folder / f"worker-{name}").open("a+"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LockHeld(
                    f"another worker is at {name} already",
                    hint=f"gymops worker {name} --plan says what is due",
                ) from None
        yield
