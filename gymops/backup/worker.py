"""What is done by the clock where nothing else has one: backups by their tiers, an audit, a restore-test.

A plain loop, and no queue in the database: it would be gone with the database whose backups it is there for,
write to it while it should be idle, and come back to life in every restored copy. What is due follows from
what there is, so that nothing has to be remembered: a worker that was killed goes on.

The WAL is received in rounds, two within what may be lost, and not by a receiver that always runs. In the
store nothing would be newer by it: what such a one has got lies on this machine until it is stored, and the
segment that is not full is stored at the same pace. A round holds nothing between two of them, so that there
is nothing to start again, to find dead or to end. It goes on beside all else, which may take hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue
from threading import Thread

from gymops.backup.evidence import Job, State, Trial
from gymops.backup.port import Point
from gymops.backup.schedule import Schedule
from gymops.backup.tiers import Tier
from gymops.clock import Clock

AUDIT = Schedule(8, 30)
"""Once the night's backups are done."""
RESTORE_TEST = Schedule(13, 0, day=2)
"""The day after the monthly backup."""
PENDING = timedelta(hours=1)
"""How often is asked whether a restore of AWS Backup's own plan waits to be judged."""
TRIES = 3
AGAIN = timedelta(minutes=10)
"""What failed is tried again so much later, and then waits for its next time."""
SOON = timedelta(seconds=10)
"""What is received is, so much later, then twice as much, and never later than it would be anyway."""
_LONG_AGO = timedelta(days=32)
_FINDINGS = 3


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    message: str = ""
    """Of one that failed: its last words."""


@dataclass
class Task:
    """A command that is due again and again."""

    command: tuple[str, ...]
    last: datetime
    schedule: Schedule | None = None
    every: timedelta = timedelta(minutes=1)
    """Without a schedule."""
    tier: str | None = None
    first: bool = False
    """Whether there is nothing yet that what is received could follow on."""
    tries: int = field(default=0, compare=False)
    retry: datetime | None = field(default=None, compare=False)

    @property
    def received(self) -> bool:
        """Whether it takes what came since, and is to be done before too much more has."""
        return self.tier is not None and self.schedule is None

    @property
    def due(self) -> datetime:
        """When next."""
        if self.retry is not None:
            return self.retry
        if self.schedule is None:
            return self.last + self.every
        return next(iter(self.schedule.due(self.last, self.last + _LONG_AGO)))

    def ended(self, began: datetime, now: datetime, *, well: bool) -> None:
        """It ran."""
        self.tries = 0 if well else self.tries + 1
        if self.received and not well:
            self.retry = now + min(self.every, SOON * 2 ** min(self.tries - 1, TRIES))
        elif not well and self.schedule is not None and self.tries < TRIES:
            self.retry = now + AGAIN
        else:
            self.last, self.tries, self.retry = began, 0, None


Run = Callable[[Task], Ran]


@dataclass(frozen=True)
class Done:
    """One run of a task."""

    task: Task
    began: datetime
    ended: datetime
    ran: Ran

    @property
    def well(self) -> bool:
        """Whether it did what it is there for; findings of an audit are what it is there for."""
        return self.ran.code == 0 or (self.task.command[0] == "audit" and self.ran.code == _FINDINGS)

    @property
    def job(self) -> Job | None:
        """What the audit is to know of it: a backup that failed."""
        if self.well or self.task.tier is None or self.task.schedule is None:
            return None
        return Job(self.task.tier, self.began, State.FAILED, self.ended, message=self.ran.message)


def tasks(
    environment: str,
    tiers: Sequence[Tier],
    points: Sequence[Point],
    tests: Sequence[Trial],
    now: datetime,
    *,
    managed: bool = False,
) -> list[Task]:
    """What is to be done, and when it was done last; of an environment whose tiers AWS takes, the rest.

    Without a single backup the first tier is due at once, and without a proof so is a restore-test.
    """
    found = []
    for tier in tiers:
        command = ("backup", environment, "--tier", tier.name)
        if tier.schedule is None:
            found.append(Task(command, now - _LONG_AGO, every=_every(tier), tier=tier.name))
        elif not managed:
            newest = max((one.taken for one in points if one.tier == tier.name), default=None)
            first = not points and not any(one.schedule for one in found)
            last = newest or (now - _LONG_AGO if first else now)
            found.append(Task(command, last, tier.schedule, tier=tier.name, first=first))
    found.sort(key=lambda one: one.schedule is None)  # what is received follows on a backup
    tested = max((one.began for one in tests), default=now - _LONG_AGO)
    publish = ("--publish",) if managed else ()
    found.append(Task(("restore-test", environment, "--all"), tested, RESTORE_TEST))
    found.append(Task(("audit", environment, *publish), now, AUDIT))
    if managed:  # AWS Backup restores when it comes to it, and waits for a day
        found.append(Task(("restore-test", environment, "--pending"), now - _LONG_AGO, every=PENDING))
    return found


def once(given: Sequence[Task], clock: Clock, run: Run) -> Iterator[Done]:
    """Do what is due by now, in the order given."""
    for task in given:
        if task.due <= clock.now():
            began = clock.now()
            ran = run(task)
            done = Done(task, began, clock.now(), ran)
            task.ended(began, done.ended, well=done.well)
            yield done


def forever(given: Sequence[Task], clock: Clock, run: Run, most: float = 30.0) -> Iterator[Done]:
    """Do what is due whenever it is; ``most``: seconds of sleep, for the clock may be set meanwhile."""
    while True:
        yield from once(given, clock, run)
        wait = (min(task.due for task in given) - clock.now()).total_seconds()
        clock.sleep(min(max(wait, 0.1), most))


def beside(given: Sequence[Task], clock: Clock, run: Run) -> Iterator[Done]:
    """The same, and what is received goes on while copies are taken and restores are tested: of each
    environment by itself, once there is what it can follow on.
    """
    yield from once([task for task in given if task.first], clock, run)
    row: SimpleQueue[Done | Exception] = SimpleQueue()

    def lane(tasks: Sequence[Task]) -> None:
        try:
            for done in forever(tasks, clock, run):
                row.put(done)
        except Exception as error:  # noqa: BLE001 - it is the worker's
            row.put(error)

    lanes: dict[str | None, list[Task]] = {}
    for task in given:
        lanes.setdefault(task.command[1] if task.received else None, []).append(task)
    for tasks in lanes.values():
        Thread(target=lane, args=(tasks,), daemon=True).start()
    while True:
        found = row.get()
        if isinstance(found, Exception):
            raise found
        yield found


def _every(tier: Tier) -> timedelta:
    """Twice as often as may be lost."""
    return max((tier.rpo or timedelta(minutes=2)) / 2, timedelta(seconds=30))
